// A pair of connected Unix sockets, a stream as the pipe is: one write and one read per message. Blocks in the kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/socket.h>

#include <system_error>

#include "transports/descriptor_channel.hpp"

namespace bench {

struct Socketpair {
    static constexpr Traits kTraits{
        .name = "socketpair",
        .about = "Unix stream sockets, send buffer as large as the rings or as allowed; one write, one read",
        .blocks = true,
        .own_way = true,
        .largest_size = kLargestSize,
        .any_size = true};

    template <std::size_t Size>
    struct Channel : DescriptorChannel<Size> {
        explicit Channel(Arena&) {
            constexpr int kBuffer = static_cast<int>(ring_bytes(Size));  // the kernel may grant less
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, this->ends) != 0 ||
                ::setsockopt(this->ends[1], SOL_SOCKET, SO_SNDBUF, &kBuffer, sizeof kBuffer) != 0)
                throw std::system_error(errno, std::generic_category(), "make a pair of sockets");
        }
    };
};

}  // namespace bench
