// Passing descriptors to another process, through a Unix socket.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace shmring::test {

/// Made before the fork; whoever is to receive uses the other end than who sends.
class DescriptorSocket {
 public:
    DescriptorSocket() {
        if (::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()) != 0)
            ADD_FAILURE() << "cannot make a socket pair, errno " << errno;
    }
    DescriptorSocket(const DescriptorSocket&) = delete;
    DescriptorSocket& operator=(const DescriptorSocket&) = delete;
    ~DescriptorSocket() {
        for (const int end : ends_) ::close(end);
    }

    [[nodiscard]] bool send(int descriptor) const {
        Letter letter;
        cmsghdr* header = CMSG_FIRSTHDR(&letter.message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
        return ::sendmsg(ends_[0], &letter.message, 0) == 1;
    }
    /// The receiver's to close; -1 when none came.
    [[nodiscard]] int receive() const {
        Letter letter;
        if (::recvmsg(ends_[1], &letter.message, MSG_CMSG_CLOEXEC) != 1) return -1;
        const cmsghdr* header = CMSG_FIRSTHDR(&letter.message);
        if (header == nullptr) return -1;
        int descriptor = -1;
        std::memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
        return descriptor;
    }

 private:
    /// One byte, and room for one descriptor.
    struct Letter {
        Letter() {
            message.msg_iov = &content;
            message.msg_iovlen = 1;
            message.msg_control = space.data();
            message.msg_controllen = space.size();
        }
        char byte = 0;
        iovec content{&byte, 1};
        alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
        msghdr message{};
    };

    std::array<int, 2> ends_{-1, -1};
};

}  // namespace shmring::test
