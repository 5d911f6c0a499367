// A POSIX message queue, which the kernel keeps and copies through. As many messages as a ring holds where the limits allow so
// many (for most users 10), else as many as they do.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <mqueue.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct PosixMq {
    static constexpr Traits kTraits{
        .name = "posix-mq",
        .about = "mq_send and mq_receive, as many messages as the kernel grants (often 10)",
        .spins = true,
        .blocks = true,
        .many = true,
        .any_size = true,
        .carries_empty = true};

    static long limit_of_users() {
        long limit = 10;
        std::ifstream("/proc/sys/fs/mqueue/msg_max") >> limit;
        return limit;
    }

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena&) : name("/shmring-bench-" + std::to_string(::getpid())) {
            const long wanted = static_cast<long>(ring_slots(Size));
            made = open_with(wanted);
            if (made < 0) made = open_with(std::min(wanted, limit_of_users()));
            const int error = errno;
            ::mq_unlink(name.c_str());
            if (made < 0)
                throw std::system_error(error, std::generic_category(), "make a POSIX message queue");
        }
        ~Channel() { ::mq_close(made); }
        Channel(const Channel&) = delete;
        Channel& operator=(const Channel&) = delete;

        mqd_t open_with(long messages) const {
            mq_attr size{};
            size.mq_maxmsg = messages;
            size.mq_msgsize = sizeof(Message<Size>);
            return ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &size);
        }
        std::string name;
        mqd_t made = -1;

        static bool again(const char* what) {
            if (errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR) return false;
            throw std::system_error(errno, std::generic_category(), what);
        }
        /// A deadline that is over makes a call a try; O_NONBLOCK would be one of the description, which both ways share.
        static constexpr timespec kLongAgo{0, 0};

        struct Sender {
            explicit Sender(Channel& channel) : queue(channel.made) {}
            bool try_send(const Message<Size>& message) {
                return ::mq_timedsend(queue, bytes(message), Size, 0, &kLongAgo) == 0 || again("send");
            }
            bool send(const Message<Size>& message) {
                while (::mq_send(queue, bytes(message), Size, 0) != 0) again("send");
                return true;
            }
            static const char* bytes(const Message<Size>& message) {
                return reinterpret_cast<const char*>(&message);
            }
            mqd_t queue;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : queue(channel.made) {}
            template <class Use>
            bool try_receive(Use&& use) {
                const ssize_t got = ::mq_timedreceive(queue, bytes(), sizeof message, nullptr, &kLongAgo);
                return got < 0 ? again("receive") : (check(got), use(message), true);
            }
            template <class Use>
            bool receive(Use&& use) {
                ssize_t got = -1;
                while ((got = ::mq_receive(queue, bytes(), sizeof message, nullptr)) < 0) again("receive");
                return check(got), use(message), true;
            }
            static void check(ssize_t got) {
                if (got != static_cast<ssize_t>(Size))
                    throw std::runtime_error("a message of another size came");
            }
            char* bytes() { return reinterpret_cast<char*>(&message); }
            mqd_t queue;
            Message<Size> message;
        };
    };
};

}  // namespace bench
