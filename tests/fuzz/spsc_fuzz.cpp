// SpscRing: any words in its control block, commit words and records, between calls of both ends.
// SPDX-License-Identifier: MIT

#include <array>
#include <cstddef>
#include <cstdint>

#include "fuzz_game.hpp"
#include "fuzz_target.hpp"
#include "shmring/spsc_ring.hpp"

void shmring::test::fuzz(FuzzInput& input) {
    using Large = std::array<std::uint64_t, 12>;  // alone in its block, beside its commit word's line
    const RingOptions options{.capacity = 1 + input.choose(20), .participants = 4};
    if (input.choose(2) == 0)
        play<SpscRing<std::uint64_t>, FixedCalls<std::uint64_t>>(options, input);
    else
        play<SpscRing<Large>, FixedCalls<Large>>(options, input);
}
