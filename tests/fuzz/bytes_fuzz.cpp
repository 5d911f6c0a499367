// ByteRing: any words in its control block, record headers and participant records, between calls of both ends.

#include <cstddef>
#include <cstdint>

#include "fuzz_game.hpp"
#include "shmring/byte_ring.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace shmring;
    using namespace shmring::test;
    FuzzInput input(data, size);
    const ByteRingOptions options{.capacity_bytes = 128 + 8 * input.choose(200),
                                  .alignment = input.choose(2) == 0 ? 8U : 64U,
                                  .participants = 4};
    play<ByteRing, ByteCalls>(options, input);
    return 0;
}
