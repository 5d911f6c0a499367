// The transports in turn, round after round, so that a busy minute of the machine hits all of them.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <vector>

#include "demo/measure.hpp"
#include "demo/progress.hpp"
#include "demo/transports.hpp"

namespace demo {

/// How long things may take.
struct Pace {
    std::size_t rounds = 3;
    double trips_s = 0.3;      // the round trips of one transport in one round
    double stream_s = 3;       // the stream of one transport in one round; what does not fit is left out
    double whole_demo_s = 38;  // no round is begun that would probably end later
    std::chrono::steady_clock::time_point start = std::chrono::steady_clock::now();
};

struct Entrant {
    const Transport* transport = nullptr;
    std::size_t blocks =
        0;  // of the stream that it carries in each round: the whole one, or what fits into the time
    double blocks_per_s = 0;           // as far as a short prefix tells
    std::vector<StreamRun> streams{};  // one per round
    std::vector<TripRun> trips{};
};
using Entrants = std::array<Entrant, kTransports>;

[[nodiscard]] Entrants compete(const Stage& stage, const Pace& pace, Progress& progress);

}  // namespace demo
