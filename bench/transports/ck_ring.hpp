// Concurrency Kit's ring (libck-dev) by its functions for elements of any size; indices and slots without pointers, so it works
// in shared memory as it is. It has a power of two of slots, and keeps one free. A sender of many waits within the call until those
// before it have stored: at 8 x 8 on two CPUs no round ended in half a minute, so it stops at 4 x 4.
// Its header is C: it needs -fpermissive here, and one of its functions returns `false` for a null pointer.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdbool.h>
#include <string.h>

#include <array>
#include <bit>

#define false 0
#include <ck_ring.h>
#undef false

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/transport.hpp"

namespace bench {

template <bool kMany>
struct CkRing {
    static constexpr Traits kTraits{
        .name = kMany ? "ck-mpmc" : "ck-spsc",
        .about = kMany ? "ck_ring by its typed functions for many, try again when full or empty"
                       : "ck_ring by its typed functions for one and one",
        .spins = true,
        .many = kMany,
        .most_on_a_side = 4,
        .pairs = !kMany};

    template <std::size_t Size>
    struct Ring {
        static constexpr auto kSlots =
            static_cast<unsigned>(std::bit_ceil(ring_slots(Size)));  // it masks positions

        Ring() { ck_ring_init(&ring, kSlots); }
        alignas(kLineGap) ck_ring_t ring{};
        alignas(kLineGap) std::array<Message<Size>, kSlots> slots;
    };

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena& arena) : ring(arena.make<Ring<Size>>()) {}
        Ring<Size>& ring;

        struct Sender {
            explicit Sender(Channel& channel) : shared(channel.ring) {}
            bool try_send(const Message<Size>& message) {
                if constexpr (kMany)
                    return _ck_ring_enqueue_mp(&shared.ring, shared.slots.data(), &message, Size, nullptr);
                else
                    return _ck_ring_enqueue_sp(&shared.ring, shared.slots.data(), &message, Size, nullptr);
            }
            Ring<Size>& shared;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : shared(channel.ring) {}
            template <class Use>
            bool try_receive(Use&& use) {
                Message<Size> message;
                if constexpr (kMany) {
                    if (!_ck_ring_dequeue_mc(&shared.ring, shared.slots.data(), &message, Size)) return false;
                } else {
                    if (!_ck_ring_dequeue_sc(&shared.ring, shared.slots.data(), &message, Size)) return false;
                }
                use(message);
                return true;
            }
            Ring<Size>& shared;
        };
    };
};

using CkSpsc = CkRing<false>;
using CkMpmc = CkRing<true>;

}  // namespace bench
