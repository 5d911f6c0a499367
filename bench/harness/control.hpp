// What the sides of a run tell each other and their parent, outside the transport under test. Each word that is
// written while the clock runs has a cache line pair of its own.
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "harness/clock.hpp"
#include "harness/distance.hpp"
#include "harness/histogram.hpp"
#include "harness/job.hpp"
#include "harness/system_calls.hpp"

namespace bench {

inline constexpr std::uint64_t kNotYet = ~std::uint64_t{0};

/// One side's own account, written by it alone and read by the parent after it has ended.
struct SideReport {
    std::int64_t begin_ns = 0;
    std::int64_t end_ns = 0;
    std::int64_t cpu_ns = 0;
    std::uint64_t messages = 0;
    std::uint64_t sleeps = 0;
    std::uint64_t preemptions = 0;
    std::uint64_t pace_sleeps = 0;   // the harness's own, until the next message was due
    std::uint64_t system_calls = 0;  // where they are counted, those of pace_sleeps included
    double pace_ns = 0;              // what this side waits on purpose, per message
    std::array<double, 2>
        laps_ns{};  // side 0: how far the pair was apart before and after its last phase; 0: not known
    std::uint32_t phase = 0;  // which meeting it is at
    std::array<char, 256> fault{};
};

struct Control {
    alignas(kLineGap) std::atomic<std::uint32_t> arrived{0};
    alignas(kLineGap) std::atomic<std::uint64_t> sent{
        0};  // producer: how far the stream goes when a phase ends; until then kNotYet
    alignas(kLineGap) std::atomic<std::uint64_t> received{
        0};  // consumer: bursts, or sleepers' messages, taken out
    alignas(kLineGap) std::atomic<std::int64_t> stamp_ns{0};  // sender of a wake-up: when it began to send
    alignas(kLineGap) std::array<SideReport, 2 * kMostOnASide> sides{};
    alignas(kLineGap) Histogram latency{};
    Yardstick yardstick{};

    /// Both sides wait here for each other; `phase` counts from 1. Yields, so that two sides on one CPU meet, too.
    void meet(std::uint32_t phase) {
        arrived.fetch_add(1, std::memory_order_acq_rel);
        while (arrived.load(std::memory_order_acquire) < 2 * phase) ::sched_yield();
    }

    /// Both sides of a pair call it, before and after each phase. Who sleeps gives its CPU up, and who shares one has no distance.
    void take_distance(std::size_t side, const Job& job) {
        if (needs_sleepers(job.mode) || job.crowd != kPair || job.on_one_cpu()) return;
        if (side != 0) return yardstick.answer();
        sides[0].laps_ns = {sides[0].laps_ns[1], yardstick.measure()};
    }

    void await_burst(std::uint64_t burst, bool one_cpu) const {
        while (received.load(std::memory_order_acquire) != burst)
            if (one_cpu) ::sched_yield();
    }
};

/// Time, CPU time and context switches of the calling process between start() and stop().
class Meter {
 public:
    void start() {
        begin_counting_system_calls();
        before_ = usage();
        calls_before_ = system_calls_so_far();
        begin_ns_ = now_ns();
    }

    void stop(SideReport& report) const {
        report.begin_ns = begin_ns_;
        report.end_ns = now_ns();
        report.system_calls = system_calls_so_far() - calls_before_;
        const rusage after = usage();
        report.cpu_ns = cpu_ns(after) - cpu_ns(before_);
        report.sleeps = static_cast<std::uint64_t>(after.ru_nvcsw - before_.ru_nvcsw);
        report.preemptions = static_cast<std::uint64_t>(after.ru_nivcsw - before_.ru_nivcsw);
    }

    [[nodiscard]] std::int64_t begin_ns() const { return begin_ns_; }

 private:
    static rusage usage() {
        rusage now{};
        ::getrusage(RUSAGE_SELF, &now);
        return now;
    }

    static std::int64_t cpu_ns(const rusage& use) {
        const std::int64_t microseconds =
            (use.ru_utime.tv_sec + use.ru_stime.tv_sec) * std::int64_t{1'000'000} + use.ru_utime.tv_usec +
            use.ru_stime.tv_usec;
        return microseconds * 1000;
    }

    rusage before_{};
    std::uint64_t calls_before_ = 0;
    std::int64_t begin_ns_ = 0;
};

/// How long a run may take before it counts as hung: generous, since a loaded machine is not a fault.
inline double time_limit_s(const Job& job) { return 30 + 20 * job.seconds; }

inline void add_usage(Sample& sample, const Control& control) {
    sample.laps_ns = control.sides[0].laps_ns;
    for (const SideReport& side : control.sides) {
        sample.cpu_s += static_cast<double>(side.cpu_ns) * 1e-9;
        sample.sleeps += side.sleeps - std::min(side.sleeps, side.pace_sleeps);
        sample.system_calls += side.system_calls - std::min(side.system_calls, side.pace_sleeps);
        sample.preemptions += side.preemptions;
    }
}

}  // namespace bench
