// How far apart the two CPUs of a pair are. Virtual CPUs move on their host: a cache line that takes 97 ns there and back in one
// process takes 150 or 540 ns in the next, since a fork is enough to move one, and every ring is as quick as its lines travel.
// So each pair hands a line to and fro before and after what is timed, and samples are compared that were made at one distance.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "harness/clock.hpp"

namespace bench {

inline constexpr std::size_t kLineGap = 128;  // two lines: CPUs fetch them in pairs

/// Two lines that two processes hand to each other. Both must have a CPU of their own.
class Yardstick {
 public:
    /// Nanoseconds a lap takes, the median of some batches. The other side calls answer() meanwhile.
    double measure() {
        std::array<double, kBatches> laps_ns{};
        std::uint32_t lap = there_.load(std::memory_order_relaxed);  // nobody else writes it
        for (double& lap_ns : laps_ns) {
            const std::int64_t begin_ns = now_ns();
            for (int count = 0; count != kLaps; ++count) {
                there_.store(++lap, std::memory_order_release);
                while (back_.load(std::memory_order_acquire) != lap) {
                }
            }
            lap_ns = static_cast<double>(now_ns() - begin_ns) / kLaps;
        }
        std::ranges::nth_element(laps_ns, laps_ns.begin() + kBatches / 2);
        return laps_ns[kBatches / 2];
    }
    void answer() {
        std::uint32_t lap = back_.load(std::memory_order_relaxed);  // nobody else writes it
        for (int count = 0; count != kBatches * kLaps; ++count) {
            ++lap;
            while (there_.load(std::memory_order_acquire) != lap) {
            }
            back_.store(lap, std::memory_order_release);
        }
    }

 private:
    static constexpr int kBatches = 9;
    static constexpr int kLaps = 100;

    alignas(kLineGap) std::atomic<std::uint32_t> there_{0};
    alignas(kLineGap) std::atomic<std::uint32_t> back_{0};
};

/// Laps that differ by no more were made at one distance. What lies between the levels seen is more.
[[nodiscard]] inline bool same_distance(double lap_ns, double other_lap_ns) {
    constexpr double kWithin = 1.3;
    return lap_ns <= other_lap_ns * kWithin && other_lap_ns <= lap_ns * kWithin;
}

/// How far apart the CPUs of a pair are mostly.
struct UsualDistance {
    double lap_ns = 0;        ///< 0: they share one CPU
    std::ptrdiff_t seen = 0;  ///< in so many
    std::ptrdiff_t of = 0;    ///< of so many trials
};

/// That of the lap that most of these are at the distance of.
[[nodiscard]] inline UsualDistance usual_distance(const std::vector<double>& laps_ns) {
    UsualDistance usual{.of = std::ssize(laps_ns)};
    for (const double lap_ns : laps_ns) {
        const auto at_it =
            std::ranges::count_if(laps_ns, [&](double other) { return same_distance(lap_ns, other); });
        if (at_it <= usual.seen) continue;
        usual.lap_ns = lap_ns;
        usual.seen = at_it;
    }
    return usual;
}

}  // namespace bench
