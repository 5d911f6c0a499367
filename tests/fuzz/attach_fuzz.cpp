// Any bytes where a segment should be: opening them as each kind of ring gives an error, or a ring that works.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fuzz_kinds.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace shmring::test;
    static const FuzzMemory memory;
    const std::span<std::byte> room = memory.last(20 * std::size_t{1024});
    std::memset(room.data(), 0, room.size());
    std::memcpy(room.data(), data, size < room.size() ? size : room.size());
    shmring::SegmentOptions options = memory.options();
    FuzzInput input(data, size);
    open_as_every_kind(room, options, input);
    options.liveness_descriptor = -1;
    open_as_every_kind(room, options, input);
    return 0;
}
