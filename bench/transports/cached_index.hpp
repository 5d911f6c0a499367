// The classical baseline: a ring with a write and a read position on lines of their own, where each side keeps a copy of
// the other's position and looks again only when the copy says full or empty. It stands for the best header-only rings.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/transport.hpp"

namespace bench {

struct CachedIndex {
    static constexpr Traits kTraits{
        .name = "cached-index",
        .about = "cached-index ring written here, positions on lines of their own",
        .spins = true};

    template <std::size_t Size>
    struct Ring {
        alignas(kLineGap) std::atomic<std::size_t> write_index{0};
        alignas(kLineGap) std::atomic<std::size_t> read_index{0};
        alignas(kLineGap) std::array<Message<Size>, ring_slots(Size) + 1> slots{};  // one is always free
    };

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena& arena) : ring(arena.make<Ring<Size>>()) {}
        Ring<Size>& ring;

        struct Sender {
            explicit Sender(Channel& channel) : ring(channel.ring) {}
            bool try_send(const Message<Size>& message) {
                const std::size_t next = index + 1 == ring.slots.size() ? 0 : index + 1;
                if (next == read_copy) {
                    read_copy = ring.read_index.load(std::memory_order_acquire);
                    if (next == read_copy) return false;
                }
                ring.slots[index] = message;
                index = next;
                ring.write_index.store(next, std::memory_order_release);
                return true;
            }
            Ring<Size>& ring;
            std::size_t index = 0;
            std::size_t read_copy = 0;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : ring(channel.ring) {}
            template <class Use>
            bool try_receive(Use&& use) {
                if (index == write_copy) {
                    write_copy = ring.write_index.load(std::memory_order_acquire);
                    if (index == write_copy) return false;
                }
                Message<Size> message = ring.slots[index];
                index = index + 1 == ring.slots.size() ? 0 : index + 1;
                ring.read_index.store(index, std::memory_order_release);
                use(message);
                return true;
            }
            Ring<Size>& ring;
            std::size_t index = 0;
            std::size_t write_copy = 0;
        };
    };
};

}  // namespace bench
