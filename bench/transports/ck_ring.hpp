// Concurrency Kit's ring (libck-dev) by its functions for elements of any size; indices and slots without pointers, so it works
// in shared memory as it is. It keeps one slot free. A sender of many waits within the call until those before it have stored.
// Its header is C: it needs -fpermissive here, and one of its functions returns `false` for a null pointer.
#pragma once

#include <stdbool.h>
#include <string.h>

#include <array>

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
        .pairs = !kMany};

    template <std::size_t Size>
    struct Ring {
        Ring() { ck_ring_init(&ring, ring_slots(Size)); }
        alignas(kLineGap) ck_ring_t ring{};
        alignas(kLineGap) std::array<Message<Size>, ring_slots(Size)> slots;
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
