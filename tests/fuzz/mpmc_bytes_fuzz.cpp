// MpmcByteRing: any words in its control block, table of units and participant records (the intents of the dead among them), between calls
// of both ends and repairs.
// SPDX-License-Identifier: MIT

#include <cstddef>
#include <cstdint>

#include "fuzz_game.hpp"
#include "fuzz_target.hpp"
#include "shmring/mpmc_byte_ring.hpp"

void shmring::test::fuzz(FuzzInput& input) {
    const std::uint64_t units = 1 + input.choose(12);
    const MpmcByteRingOptions options{
        .capacity_bytes = 64 * units,
        .capacity_messages = input.choose(2) == 0 ? 0 : 1 + input.choose(units),
        .delivery = input.choose(2) == 0 ? Delivery::at_most_once : Delivery::at_least_once,
        .participants = 4};
    play<MpmcByteRing, ByteCalls>(options, input);
}
