// moodycamel::ConcurrentQueue (libconcurrentqueue-dev) across processes: everything it allocates comes from one mapping that
// all processes inherit at the same address, so that its pointers are good everywhere. Tokens on both sides, as its
// documentation recommends. It is not bounded as a ring is: each producer has a queue of its own, held here to the ring's size.
// SPDX-License-Identifier: MIT
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <atomic>
#include <bit>
#include <new>

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/transport.hpp"

namespace bench {

struct MoodycamelMpmc {
    static constexpr Traits kTraits{
        .name = "moodycamel-mpmc",
        .about = "moodycamel::ConcurrentQueue with tokens, each producer's part as large as the rings",
        .spins = true,
        .many = true,
        .pairs = false};

    /// One run's memory, handed out from the front by whichever process asks, never given back.
    struct Pool {
        alignas(kLineGap) std::atomic<std::size_t> used{0};
        std::byte* memory = nullptr;
        std::size_t size = 0;

        void* allocate(std::size_t bytes) {
            constexpr std::size_t kAlignment = 64;
            const std::size_t begin =
                used.fetch_add((bytes + kAlignment - 1) / kAlignment * kAlignment, std::memory_order_relaxed);
            return begin + bytes <= size ? memory + begin : nullptr;
        }
    };
    static inline Pool* pool = nullptr;  // inherited by the forked sides

    template <std::size_t Size>
    struct InPool : moodycamel::ConcurrentQueueDefaultTraits {
        static constexpr std::size_t MAX_SUBQUEUE_SIZE = ring_slots(Size);
        static constexpr std::size_t EXPLICIT_INITIAL_INDEX_SIZE =
            std::bit_ceil(ring_slots(Size) / BLOCK_SIZE + 2);
        static void* malloc(std::size_t bytes) { return pool->allocate(bytes); }
        static void free(void*) {}
    };

    template <std::size_t Size>
    struct Channel {
        using Queue = moodycamel::ConcurrentQueue<Message<Size>, InPool<Size>>;
        static constexpr std::size_t kPoolBytes = kMostOnASide * 3 * kRingBytes;

        /// Only what is used is ever touched: in the untimed phase.
        explicit Channel(Arena& arena) : memory(kPoolBytes), queue(make(arena, memory)) {}
        static Queue& make(Arena& arena, Arena& memory) {
            pool = &arena.make<Pool>();
            pool->memory = static_cast<std::byte*>(memory.allocate(kPoolBytes, alignof(std::max_align_t)));
            pool->size = kPoolBytes;
            return arena.make<Queue>(std::size_t{0});
        }
        Arena memory;
        Queue& queue;

        struct Sender {
            explicit Sender(Channel& channel) : queue(channel.queue), token(channel.queue) {
                if (!token.valid()) throw std::bad_alloc();
            }
            bool try_send(const Message<Size>& message) { return queue.enqueue(token, message); }
            Queue& queue;
            moodycamel::ProducerToken token;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : queue(channel.queue), token(channel.queue) {}
            template <class Use>
            bool try_receive(Use&& use) {
                Message<Size> message;
                if (!queue.try_dequeue(token, message)) return false;
                use(message);
                return true;
            }
            Queue& queue;
            moodycamel::ConsumerToken token;
        };
    };
};

}  // namespace bench
