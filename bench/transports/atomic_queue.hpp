// atomic_queue (libatomic-queue-dev) with its capacity in the type: no pointers inside, so it works in shared memory as it is.
// As its documentation says, AtomicQueue for what fits into an atomic, with a value that no message has for "nothing", and
// AtomicQueue2 for the rest. Its capacity is rounded up to a power of two. A ticket is claimed, then its slot waited for within
// the call, and a slot does not know whose turn it is: while the holder of a ticket is off its CPU, the sender one lap later may
// store first, and its message comes a whole ring too early. For one sender and one receiver its documentation has an option of
// the type that leaves out the claiming: atomic-queue-spsc.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic_queue/atomic_queue.h>

#include <bit>
#include <type_traits>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

template <bool kOneToOne>
struct AtomicQueue {
    static constexpr Traits kTraits{
        .name = kOneToOne ? "atomic-queue-spsc" : "atomic-queue-mpmc",
        .about =
            kOneToOne
                ? "atomic_queue::AtomicQueue (8 B) or AtomicQueue2 with its option SPSC"
                : "atomic_queue::AtomicQueue (8 B) or AtomicQueue2, compile-time capacity, try_push/try_pop",
        .spins = true,
        .many = !kOneToOne,
        .keeps_order = kOneToOne,
        .pairs = kOneToOne};

    template <std::size_t Size>
    struct Channel {
        static constexpr bool kInAnAtomic = Size == sizeof(std::uint64_t);
        static constexpr std::uint64_t kNothing = word_of(kFirstEnd - 1, 0);
        // Its defaults, spelled out up to the last: minimise contention, maximise throughput, no total order.
        using Queue = std::conditional_t<
            kInAnAtomic,
            atomic_queue::AtomicQueue<std::uint64_t, ring_slots(Size), kNothing, true, true, false,
                                      kOneToOne>,
            atomic_queue::AtomicQueue2<Message<Size>, ring_slots(Size), true, true, false, kOneToOne>>;
        using Element = typename Queue::value_type;

        explicit Channel(Arena& arena) : queue(arena.make<Queue>()) {}
        Queue& queue;

        struct Sender {
            explicit Sender(Channel& channel) : queue(channel.queue) {}
            bool try_send(const Message<Size>& message) {
                return queue.try_push(std::bit_cast<Element>(message));
            }
            Queue& queue;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : queue(channel.queue) {}
            template <class Use>
            bool try_receive(Use&& use) {
                Element element;
                if (!queue.try_pop(element)) return false;
                use(std::bit_cast<Message<Size>>(element));
                return true;
            }
            Queue& queue;
        };
    };
};

using AtomicQueueSpsc = AtomicQueue<true>;
using AtomicQueueMpmc = AtomicQueue<false>;

}  // namespace bench
