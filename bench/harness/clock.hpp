// Time: the one clock that all processes share, and work that takes a chosen time without asking any clock.
// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "harness/message.hpp"

namespace bench {

inline std::int64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec;
}

/// A side that is slow on purpose computes: a chain of dependent steps that no compiler shortens. Asking the clock
/// instead would cost 20 ns and order the memory accesses around it.
class Delay {
 public:
    /// Call on the CPU that will do the work.
    static Delay of(double wanted_ns) {
        constexpr std::uint64_t kSteps = 100'000;
        Delay trial(kSteps, 0);
        std::int64_t best_ns = std::numeric_limits<std::int64_t>::max();
        for (int attempt = 0; attempt != 5; ++attempt) {
            const std::int64_t begin_ns = now_ns();
            trial();
            best_ns = std::min(best_ns, now_ns() - begin_ns);
        }
        const double step_ns = static_cast<double>(std::max<std::int64_t>(best_ns, 1)) / kSteps;
        const auto steps = static_cast<std::uint64_t>(std::lround(wanted_ns / step_ns));
        return Delay(steps, static_cast<double>(steps) * step_ns);
    }

    void operator()() {
        for (std::uint64_t step = 0; step != steps_; ++step) {
            state_ ^= state_ << 13;
            state_ ^= state_ >> 7;
            state_ ^= state_ << 17;
        }
        keep_alive(&state_);
    }

    [[nodiscard]] double length_ns() const { return length_ns_; }

 private:
    Delay(std::uint64_t steps, double length_ns) : steps_(steps), length_ns_(length_ns) {}

    std::uint64_t steps_;
    double length_ns_;
    std::uint64_t state_ = 88172645463325252;
};

}  // namespace bench
