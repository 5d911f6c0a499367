// Our Queue<T> and JoinableQueue<T>: what multiprocessing has in Python, on the ring of many. A copy in, a copy out.
// SPDX-License-Identifier: MIT
#pragma once

#include <shmring/joinable_queue.hpp>
#include <shmring/queue.hpp>

#include "transports/ring_channels.hpp"

namespace bench {

/// `AnyQueue<T>` is a handle for pushing and for popping; each side has one of its own.
template <template <class> class AnyQueue, std::size_t Size>
struct QueueChannel {
    using Queue = AnyQueue<Message<Size>>;

    explicit QueueChannel(Arena&) : queue(Queue::anonymous({.capacity = ring_slots(Size)})) {}
    [[nodiscard]] Queue handle_here() const { return Queue::from_descriptor(queue.segment().descriptor()); }
    Queue queue;

    struct Sender {
        explicit Sender(QueueChannel& channel) : out(channel.handle_here()) {}
        bool try_send(const Message<Size>& message) { return done(out.try_push(message)); }
        bool send(const Message<Size>& message) { return static_cast<bool>(out.push(message)); }
        Queue out;
    };

    struct Receiver {
        explicit Receiver(QueueChannel& channel) : in(channel.handle_here()) {}
        template <class Use>
        bool try_receive(Use&& use) {
            const auto popped = in.try_pop();
            return done(popped) && took(*popped, use);
        }
        template <class Use>
        bool receive(Use&& use) {
            const auto popped = in.pop();
            return popped && took(*popped, use);
        }
        /// A message, or a task that is done when the guard around it goes.
        template <class Got, class Use>
        static bool took(const Got& got, Use& use) {
            if constexpr (requires { *got; })
                use(*got);
            else
                use(got);
            return true;
        }
        Queue in;
    };
};

struct ShmringQueue {
    static constexpr Traits kTraits{.name = "shmring-queue",
                                    .about = "shmring::Queue<T>, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .many = true,
                                    .pairs = false};
    template <std::size_t Size>
    using Channel = QueueChannel<shmring::Queue, Size>;
};

struct ShmringJoinableQueue {
    static constexpr Traits kTraits{
        .name = "shmring-joinable-queue",
        .about = "shmring::JoinableQueue<T>, likewise, each task done once it is verified",
        .kind = Kind::ours,
        .spins = true,
        .blocks = true,
        .many = true,
        .pairs = false};
    template <std::size_t Size>
    using Channel = QueueChannel<shmring::JoinableQueue, Size>;
};

}  // namespace bench
