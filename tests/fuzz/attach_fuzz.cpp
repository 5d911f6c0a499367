// Any bytes where a segment should be: opening them as each kind of ring gives an error, or a ring that works.
// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "fuzz_kinds.hpp"
#include "fuzz_target.hpp"

void shmring::test::fuzz(FuzzInput& input) {
    static const FuzzMemory memory;
    const std::span<std::byte> room = memory.last(20 * std::size_t{1024});
    std::memset(room.data(), 0, room.size());
    const std::span<const std::uint8_t> bytes = input.rest();
    if (!bytes.empty()) std::memcpy(room.data(), bytes.data(), std::min(bytes.size(), room.size()));
    shmring::SegmentOptions options = memory.options();
    open_as_every_kind(room, options, input);
    options.liveness_descriptor = -1;
    open_as_every_kind(room, options, input);
}
