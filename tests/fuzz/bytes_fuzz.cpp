// ByteRing: any words in its control block, record headers and participant records, between calls of both ends.
// SPDX-License-Identifier: MIT

#include <cstddef>
#include <cstdint>

#include "fuzz_game.hpp"
#include "fuzz_target.hpp"
#include "shmring/byte_ring.hpp"

void shmring::test::fuzz(FuzzInput& input) {
    const ByteRingOptions options{.capacity_bytes = 128 + 8 * input.choose(200),
                                  .alignment = input.choose(2) == 0 ? 8U : 64U,
                                  .participants = 4};
    play<ByteRing, ByteCalls>(options, input);
}
