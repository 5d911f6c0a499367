// SpscRing: any words in its control block, commit words and records, between calls of both ends.

#include <array>
#include <cstddef>
#include <cstdint>

#include "fuzz_game.hpp"
#include "shmring/spsc_ring.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace shmring;
    using namespace shmring::test;
    using Large = std::array<std::uint64_t, 12>;  // alone in its block, beside its commit word's line
    FuzzInput input(data, size);
    const RingOptions options{.capacity = 1 + input.choose(20), .participants = 4};
    if (input.choose(2) == 0)
        play<SpscRing<std::uint64_t>, FixedCalls<std::uint64_t>>(options, input);
    else
        play<SpscRing<Large>, FixedCalls<Large>>(options, input);
    return 0;
}
