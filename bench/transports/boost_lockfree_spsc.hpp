// boost::lockfree::spsc_queue with its capacity in the type: no pointers inside, so it works in shared memory as it is.
// SPDX-License-Identifier: MIT
#pragma once

#include <boost/lockfree/spsc_queue.hpp>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct BoostLockfreeSpsc {
    static constexpr Traits kTraits{.name = "boost-lockfree-spsc",
                                    .about = "boost::lockfree::spsc_queue with compile-time capacity",
                                    .spins = true};

    template <std::size_t Size>
    struct Channel {
        using Queue = boost::lockfree::spsc_queue<Message<Size>, boost::lockfree::capacity<ring_slots(Size)>>;

        explicit Channel(Arena& arena) : queue(arena.make<Queue>()) {}
        Queue& queue;

        struct Sender {
            explicit Sender(Channel& channel) : queue(channel.queue) {}
            bool try_send(const Message<Size>& message) { return queue.push(message); }
            Queue& queue;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : queue(channel.queue) {}
            template <class Use>
            bool try_receive(Use&& use) {
                Message<Size> message;
                if (!queue.pop(message)) return false;
                use(message);
                return true;
            }
            Queue& queue;
        };
    };
};

}  // namespace bench
