// The header of a ring with fields that a forger changed, checksum and all: opening it gives an error, or a ring that works.
// SPDX-License-Identifier: MIT

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fuzz_kinds.hpp"
#include "fuzz_target.hpp"
#include "shmring/detail/segment_header.hpp"

void shmring::test::fuzz(FuzzInput& input) {
    static const FuzzMemory memory;
    const std::span<std::byte> room = memory.last(32 * std::size_t{1024});
    SegmentOptions options = memory.options();
    if (input.choose(2) == 0) options.liveness_descriptor = -1;
    const std::size_t kind = input.choose(kFuzzKinds);
    const Delivery delivery =
        input.choose(2) == 0 || kind == 0 || kind == 2 ? Delivery::at_most_once : Delivery::at_least_once;
    make_kind(kind, room, options, 1 + input.choose(16), delivery);

    constexpr std::size_t kHalves = offsetof(detail::SegmentHeader, checksum) / sizeof(std::uint32_t);
    for (std::size_t changes = input.choose(5); changes != 0; --changes) {
        std::byte* const at = room.data() + input.choose(kHalves) * sizeof(std::uint32_t);
        std::uint32_t half = 0;
        std::memcpy(&half, at, sizeof half);
        half = static_cast<std::uint32_t>(fuzzed(half, input));
        std::memcpy(at, &half, sizeof half);
    }
    const std::uint64_t sum = detail::header_checksum(room.data());
    std::memcpy(room.data() + offsetof(detail::SegmentHeader, checksum), &sum, sizeof sum);
    open_as_every_kind(room, options, input);
}
