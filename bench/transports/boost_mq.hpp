// boost::interprocess::message_queue: messages of any size up to one given at the start, behind a mutex and two condition
// variables of its own in shared memory.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <string>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct BoostMq {
    static constexpr Traits kTraits{.name = "boost-mq",
                                    .about = "boost::interprocess::message_queue, try_send or send, copying",
                                    .spins = true,
                                    .blocks = true,
                                    .largest_size = kLargestSize,
                                    .many = true,
                                    .any_size = true,
                                    .carries_empty = true};
    using Queue = boost::interprocess::message_queue;

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena&)
            : queue(boost::interprocess::create_only, name(), ring_slots(Size), sizeof(Message<Size>)) {
            Queue::remove(name());  // the two processes inherit the mapping; nothing stays behind
        }
        static const char* name() {
            static const std::string own = "shmring-bench-" + std::to_string(::getpid());
            return own.c_str();
        }
        Queue queue;

        struct Sender {
            explicit Sender(Channel& channel) : queue(channel.queue) {}
            bool try_send(const Message<Size>& message) { return queue.try_send(&message, Size, 0); }
            bool send(const Message<Size>& message) { return queue.send(&message, Size, 0), true; }
            Queue& queue;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : queue(channel.queue) {}
            template <class Use>
            bool try_receive(Use&& use) {
                Message<Size> message;
                if (!queue.try_receive(&message, sizeof message, got, priority)) return false;
                return got == Size && (use(message), true);
            }
            template <class Use>
            bool receive(Use&& use) {
                Message<Size> message;
                queue.receive(&message, sizeof message, got, priority);
                return got == Size && (use(message), true);
            }
            Queue& queue;
            Queue::size_type got = 0;
            unsigned priority = 0;
        };
    };
};

}  // namespace bench
