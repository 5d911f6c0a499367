// MpmcRing: any words in its control block, slots and participant records (the intents of the dead among them), between calls of both ends
// and repairs.
// SPDX-License-Identifier: MIT

#include <array>
#include <cstddef>
#include <cstdint>

#include "fuzz_game.hpp"
#include "fuzz_target.hpp"
#include "shmring/mpmc_ring.hpp"

void shmring::test::fuzz(FuzzInput& input) {
    using Large = std::array<std::uint64_t, 9>;
    const MpmcRingOptions options{
        .capacity = 1 + input.choose(9),
        .delivery = input.choose(2) == 0 ? Delivery::at_most_once : Delivery::at_least_once,
        .participants = 4};
    if (input.choose(2) == 0)
        play<MpmcRing<std::uint64_t>, FixedCalls<std::uint64_t>>(options, input);
    else
        play<MpmcRing<Large>, FixedCalls<Large>>(options, input);
}
