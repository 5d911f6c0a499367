// Messages that are due at fixed times, whatever became of the ones before: the k-th is due k intervals after the first. A
// sender that was held up sends at once what it owes, so that no delay hides the messages that should have been sent meanwhile
// (coordinated omission).
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>
#include <sys/prctl.h>
#include <time.h>

#include <cstdint>

#include "harness/clock.hpp"
#include "harness/job.hpp"

namespace bench {

class Pace {
 public:
    explicit Pace(const Job& job)
        : interval_ns_(job.rate > 0 ? 1e9 / job.rate : 0), yields_(job.on_one_cpu()) {}

    [[nodiscard]] std::int64_t due_ns(std::int64_t begin_ns, std::uint64_t number) const {
        return begin_ns + static_cast<std::int64_t>(static_cast<double>(number) * interval_ns_);
    }

    /// Watches the clock until `number` is due. Returns the time when it was seen to be.
    [[nodiscard]] std::int64_t watch(std::int64_t begin_ns, std::uint64_t number) const {
        const std::int64_t due = due_ns(begin_ns, number);
        std::int64_t now = now_ns();
        while (now < due) {
            if (yields_) ::sched_yield();
            now = now_ns();
        }
        return now;
    }

    /// The same asleep, since a sender that watches the clock uses a CPU for nothing. Sleeps no more than 10,000 times a second:
    /// of quicker rates, some messages become due at once. `sleeps` counts them.
    [[nodiscard]] std::int64_t sleep(std::int64_t begin_ns, std::uint64_t number,
                                     std::uint64_t& sleeps) const {
        constexpr std::int64_t kShortestSleepNs = 100'000;
        const std::int64_t due = due_ns(begin_ns, number);
        std::int64_t now = now_ns();
        if (now >= due) return now;
        const std::int64_t rounded_up =
            begin_ns + (due - begin_ns + kShortestSleepNs - 1) / kShortestSleepNs * kShortestSleepNs;
        while (now < due) {
            const timespec until{rounded_up / 1'000'000'000, rounded_up % 1'000'000'000};
            ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
            ++sleeps;
            now = now_ns();
        }
        return now;
    }

    /// Sleeps end when they were asked to, not 50 us later.
    static void sleep_exactly() { ::prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0); }

 private:
    double interval_ns_;
    bool yields_;
};

}  // namespace bench
