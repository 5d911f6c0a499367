// Kill storms over every capacity, style and way of waiting, and what must be true of them all.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <span>
#include <string>

#include "support/kill_storm.hpp"
#include "support/soak.hpp"
#include "support/stream_roles.hpp"

namespace shmring::test {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr int kSlowness = 5;  // starting a process costs so much more under the sanitizer
#else
inline constexpr int kSlowness = 2;  // the quick form has a share of 15 minutes
#endif

inline constexpr std::array<Style, 3> kStyles = {Style::single, Style::batch, Style::in_place};
inline constexpr std::array<Waiting, 2> kWaits = {Waiting::spin, Waiting::block};

/// At least `rounds` in all, spread over every capacity, style and way of waiting; so many kills, or more.
template <class Traffic>
void kill_at_random(std::span<const std::uint64_t> capacities, int rounds,
                    std::chrono::nanoseconds liveness_period, std::uint64_t seed, const std::string& title) {
    const int storms = static_cast<int>(capacities.size() * kStyles.size() * kWaits.size());
    StormReport all;
    for (const std::uint64_t capacity : capacities)
        for (const Style style : kStyles)
            for (const Waiting waiting : kWaits) {
                StormPlan plan;
                plan.capacity = capacity;
                plan.style = style;
                plan.waiting = waiting;
                plan.rounds = (rounds + storms - 1) / storms;
                plan.liveness_period = liveness_period;
                plan.seed = ++seed;
                const StormReport report = KillStorm<Traffic>(plan).run();
                all += report;
                EXPECT_EQ(report.failure, "")
                    << "capacity " << capacity << ", style " << static_cast<int>(style) << ", waiting "
                    << static_cast<int>(waiting);
            }
    all.print(title.c_str());
    EXPECT_GE(all.rounds, static_cast<std::uint64_t>(rounds));
    EXPECT_GE(all.kills, all.rounds);
    EXPECT_GT(all.messages, all.rounds);
}

}  // namespace shmring::test
