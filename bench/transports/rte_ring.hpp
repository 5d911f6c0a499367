// DPDK's rte_ring (libdpdk-dev) by its functions for elements of any size, on plain shared memory: rte_ring_init needs none of
// DPDK's own set-up. RING_F_EXACT_SZ: all slots asked for can be used. Relaxed tail synchronisation (RTS) is what its guide has for
// more threads than CPUs: in the default mode a caller spins until those before it are done, and 8 x 8 on two CPUs hung for 30 s.
// SPDX-License-Identifier: MIT
#pragma once

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include <bit>
#include <stdexcept>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct RteRingMpmc {
    static constexpr Traits kTraits{
        .name = "rte-ring-mpmc",
        .about = "DPDK's rte_ring by its element functions, relaxed tail synchronisation",
        .spins = true,
        .many = true,
        .pairs = false};

    template <std::size_t Size>
    struct Channel {
        static constexpr unsigned kSlots = ring_slots(Size);
        static constexpr std::size_t kBytes = sizeof(rte_ring) + std::bit_ceil(kSlots + 1UL) * Size;

        explicit Channel(Arena&)
            : memory(kBytes), ring(*static_cast<rte_ring*>(memory.allocate(kBytes, 64))) {
            if (rte_ring_init(&ring, "bench", kSlots,
                              RING_F_EXACT_SZ | RING_F_MP_RTS_ENQ | RING_F_MC_RTS_DEQ) != 0)
                throw std::runtime_error("rte_ring_init refused the ring");
        }
        Arena memory;
        rte_ring& ring;

        struct Sender {
            explicit Sender(Channel& channel) : ring(channel.ring) { channel.memory.prefault(); }
            bool try_send(const Message<Size>& message) {
                return rte_ring_enqueue_elem(&ring, const_cast<Message<Size>*>(&message), Size) == 0;
            }
            rte_ring& ring;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : ring(channel.ring) { channel.memory.prefault(); }
            template <class Use>
            bool try_receive(Use&& use) {
                Message<Size> message;
                if (rte_ring_dequeue_elem(&ring, &message, Size) != 0) return false;
                use(message);
                return true;
            }
            rte_ring& ring;
        };
    };
};

}  // namespace bench
