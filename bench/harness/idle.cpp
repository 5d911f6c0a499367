// Watching the blocked pair: everything is read from outside, since asking the sleepers would wake them.
// SPDX-License-Identifier: MIT
#include "harness/idle.hpp"

#include <time.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>

namespace bench {

namespace {

struct Usage {
    std::int64_t cpu_ns = 0;
    std::uint64_t sleeps = 0;
    std::uint64_t preemptions = 0;
};

Usage usage_of(pid_t pid) {
    Usage usage;
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &used) != 0)
        throw std::runtime_error("a side that should be blocked has ended");
    usage.cpu_ns = used.tv_sec * std::int64_t{1'000'000'000} + used.tv_nsec;

    std::ifstream status("/proc/" + std::to_string(pid) + "/status");
    std::string word;
    while (status >> word) {
        if (word == "voluntary_ctxt_switches:") status >> usage.sleeps;
        if (word == "nonvoluntary_ctxt_switches:") status >> usage.preemptions;
    }
    return usage;
}

void sleep_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }

/// A whole second, except in runs that ask for hardly any time at all.
double window_s(const Job& job) { return job.seconds >= 0.1 ? 1.0 : 10 * job.seconds; }

}  // namespace

Sample watch_idle_pair(Crew& crew, const std::atomic<std::uint64_t>& filled,
                       const std::atomic<std::uint64_t>& received, const Job& job) {
    constexpr double kSettleSeconds = 0.05;
    Sample sample;
    std::uint64_t before = 0;
    const std::int64_t give_up_ns = now_ns() + static_cast<std::int64_t>(time_limit_s(job) * 1e9);
    do {  // until the writer has not got in anything for a while
        before = filled.load(std::memory_order_acquire);
        sleep_for(kSettleSeconds);
        if (now_ns() > give_up_ns) {
            sample.fault = "never full: the writer went on without a reader";
            return sample;
        }
    } while (filled.load(std::memory_order_acquire) != before || before == 0);

    const Usage first[2] = {usage_of(crew.pid(0)), usage_of(crew.pid(1))};
    const std::int64_t begin_ns = now_ns();
    sleep_for(window_s(job));
    const Usage last[2] = {usage_of(crew.pid(0)), usage_of(crew.pid(1))};
    sample.seconds = static_cast<double>(now_ns() - begin_ns) * 1e-9;
    for (int side = 0; side != 2; ++side) {
        sample.cpu_s += static_cast<double>(last[side].cpu_ns - first[side].cpu_ns) * 1e-9;
        sample.sleeps += last[side].sleeps - first[side].sleeps;
        sample.preemptions += last[side].preemptions - first[side].preemptions;
    }
    if (filled.load(std::memory_order_acquire) != before || received.load(std::memory_order_acquire) != 0)
        sample.fault = "not blocked: a message passed where nobody sent or nobody received";
    return sample;
}

}  // namespace bench
