// MpmcByteRing: any words in its control block, table of units and participant records (the intents of the dead among them), between calls
// of both ends and repairs.

#include <cstddef>
#include <cstdint>

#include "fuzz_game.hpp"
#include "shmring/mpmc_byte_ring.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace shmring;
    using namespace shmring::test;
    FuzzInput input(data, size);
    const std::uint64_t units = 1 + input.choose(12);
    const MpmcByteRingOptions options{
        .capacity_bytes = 64 * units,
        .capacity_messages = input.choose(2) == 0 ? 0 : 1 + input.choose(units),
        .delivery = input.choose(2) == 0 ? Delivery::at_most_once : Delivery::at_least_once,
        .participants = 4};
    play<MpmcByteRing, ByteCalls>(options, input);
    return 0;
}
