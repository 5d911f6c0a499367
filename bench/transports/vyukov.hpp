// A bounded ring of many after Vyukov (2010), written here: the algorithm that MpmcRing grew out of, without what that adds
// to survive a kill. A claim names nobody, so the first process that dies between claim and store stops the ring for ever.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <bit>

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/transport.hpp"

namespace bench {

struct Vyukov {
    static constexpr Traits kTraits{
        .name = "vyukov",
        .about = "Vyukov's bounded ring written here: as shmring-mpmc, not crash-tolerant",
        .kind = Kind::baseline,
        .spins = true,
        .many = true,
        .pairs = false};

    /// A slot's turn is the position of the sender that may write it, or that position + 1 for the receiver that may read it.
    /// Laid out as in MpmcRing: turn and message in one line where they fit into one, else the message on lines of its own.
    static constexpr std::size_t kLine = 64;
    static constexpr bool fits_in_a_line(std::size_t size) { return sizeof(std::uint64_t) + size <= kLine; }
    template <std::size_t Size>
    struct alignas(fits_in_a_line(Size) ? std::bit_ceil(sizeof(std::uint64_t) + Size) : kLine) Slot {
        std::atomic<std::uint64_t> turn;
        alignas(fits_in_a_line(Size) ? alignof(std::uint64_t) : kLine) Message<Size> message;
    };

    template <std::size_t Size>
    struct Ring {
        static constexpr std::uint64_t kSlots = ring_slots(Size);

        Ring() {
            for (std::uint64_t place = 0; place != kSlots; ++place)
                slots[place].turn.store(place, std::memory_order_relaxed);
        }
        /// Claims the position that `cursor` names if its slot's turn is `offset` past it. Null: it is not, and nobody moved on.
        Slot<Size>* claim(std::atomic<std::uint64_t>& cursor, std::uint64_t offset, std::uint64_t& position) {
            position = cursor.load(std::memory_order_relaxed);
            for (;;) {
                Slot<Size>& slot = slots[position % kSlots];
                const std::uint64_t turn = slot.turn.load(std::memory_order_acquire);
                if (turn == position + offset) {
                    if (cursor.compare_exchange_weak(position, position + 1, std::memory_order_relaxed))
                        return &slot;
                    continue;
                }
                const std::uint64_t again = cursor.load(std::memory_order_relaxed);
                if (again == position) return nullptr;
                position = again;
            }
        }
        alignas(kLineGap) std::atomic<std::uint64_t> tail{0};
        alignas(kLineGap) std::atomic<std::uint64_t> head{0};
        alignas(kLineGap) std::array<Slot<Size>, kSlots> slots;
    };

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena& arena) : ring(arena.make<Ring<Size>>()) {}
        Ring<Size>& ring;

        struct Sender {
            explicit Sender(Channel& channel) : ring(channel.ring) {}
            bool try_send(const Message<Size>& message) {
                std::uint64_t position = 0;
                Slot<Size>* slot = ring.claim(ring.tail, 0, position);
                if (slot == nullptr) return false;
                slot->message = message;
                slot->turn.store(position + 1, std::memory_order_release);
                return true;
            }
            Ring<Size>& ring;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : ring(channel.ring) {}
            template <class Use>
            bool try_receive(Use&& use) {
                std::uint64_t position = 0;
                Slot<Size>* slot = ring.claim(ring.head, 1, position);
                if (slot == nullptr) return false;
                const Message<Size> message = slot->message;
                slot->turn.store(position + Ring<Size>::kSlots, std::memory_order_release);
                use(message);
                return true;
            }
            Ring<Size>& ring;
        };
    };
};

}  // namespace bench
