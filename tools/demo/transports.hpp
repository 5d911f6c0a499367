// The table of ways from process to process that are compared here.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

#include "demo/measure.hpp"

namespace demo {

struct Transport {
    const char* name;
    StreamRun (*stream)(const Stage& stage, std::size_t count);
    TripRun (*round_trips)(const Stage& stage, double limit_s);
};

inline constexpr std::size_t kTransports = 4;
inline constexpr std::size_t kBlockingRing = 0;  // the rows that others are compared with
inline constexpr std::size_t kPipe = 2;
inline constexpr std::size_t kMailbox = 3;
extern const std::array<Transport, kTransports> transports;

}  // namespace demo
