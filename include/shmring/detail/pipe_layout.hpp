// How a pipe lies in its segment: two streams of one producer and one consumer each, called lanes.
//
//   section   offset                 what
//   control   0                      SpscControl of the lane to the first end
//   control   640                    SpscControl of the lane to the second end; zeros in a one-way pipe
//   data      0                      blocks or records of the lane to the first end
//   data      half of the section    those of the lane to the second end; a one-way pipe has none, and the section is half as long
//
// The first end is the consumer of the lane to it and the producer of the other one; the second end likewise. So an end has two
// seats, or one in a one-way pipe, where the first end reads. Zero-filled memory is a pipe that nobody has used.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "shmring/detail/layout.hpp"

namespace shmring::detail {

/// One of the two ends, and the lane that leads to it.
enum class PipeSide : std::uint32_t { first = 0, second = 1 };

[[nodiscard]] constexpr PipeSide other_side(PipeSide side) noexcept {
    return side == PipeSide::first ? PipeSide::second : PipeSide::first;
}

template <class Env>
struct PipeControl {
    std::array<SpscControl<Env>, 2> lanes;

    [[nodiscard]] SpscControl<Env>& lane_to(PipeSide side) noexcept {
        return lanes[static_cast<std::size_t>(side)];
    }
};

[[nodiscard]] constexpr bool has_lane_to(PipeSide side, std::uint32_t shape) noexcept {
    return side == PipeSide::first || (shape & kPipeDuplex) != 0;
}

/// The lock byte of an end's tether, counted from the segment's liveness base: behind those of all records.
[[nodiscard]] constexpr std::uint64_t tether_byte_of(PipeSide side) noexcept {
    return std::uint64_t{kMaxParticipants} + 1 + static_cast<std::uint64_t>(side);
}

}  // namespace shmring::detail
