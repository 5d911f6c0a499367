// moodycamel::ReaderWriterQueue (libreaderwriterqueue-dev) across processes: it allocates with std::malloc, all of it when it is
// made, and so that call is led (by the linker, --wrap=malloc) to the mapping that both processes inherit at the same address.
// try_enqueue never allocates. It holds a little more than asked: its blocks are powers of two.
// SPDX-License-Identifier: MIT
#pragma once

#include <readerwriterqueue/readerwriterqueue.h>

#include <cstddef>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

inline Arena* malloc_arena = nullptr;  // not null: where malloc takes its memory from

struct MoodycamelSpsc {
    static constexpr Traits kTraits{.name = "moodycamel-spsc",
                                    .about = "moodycamel::ReaderWriterQueue, try_enqueue and try_dequeue",
                                    .spins = true};

    template <std::size_t Size>
    struct Channel {
        using Queue = moodycamel::ReaderWriterQueue<Message<Size>>;

        explicit Channel(Arena& arena)
            : memory(4 * ring_bytes(Size) + (std::size_t{1} << 20)), queue(make(arena)) {}
        Queue& make(Arena& arena) {
            malloc_arena = &memory;
            Queue& made = arena.make<Queue>(ring_slots(Size));
            malloc_arena = nullptr;
            return made;
        }
        Arena memory;
        Queue& queue;

        struct Sender {
            explicit Sender(Channel& channel) : queue(channel.queue) { channel.memory.prefault(); }
            bool try_send(const Message<Size>& message) { return queue.try_enqueue(message); }
            Queue& queue;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : queue(channel.queue) { channel.memory.prefault(); }
            template <class Use>
            bool try_receive(Use&& use) {
                Message<Size> message;
                if (!queue.try_dequeue(message)) return false;
                use(message);
                return true;
            }
            Queue& queue;
        };
    };
};

}  // namespace bench

// The names are the linker's.
extern "C" {
void* __real_malloc(std::size_t size);
[[gnu::used]] inline void* __wrap_malloc(std::size_t size) {
    if (bench::malloc_arena == nullptr) [[likely]]
        return __real_malloc(size);
    return bench::malloc_arena->allocate(size, alignof(std::max_align_t));
}
}
