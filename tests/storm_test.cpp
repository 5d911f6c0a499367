// Storms that go on for as long as one likes (tools/dev soak 10m; else half a second each): kills and stops with successors over every ring,
// far more processes than CPUs, one CPU for all, a clock that jumps, memory that runs short, and a /dev/shm that is nearly full.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>
#include <system_error>
#include <thread>

#include "shmring/mpmc_ring.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/byte_traffic.hpp"
#include "support/child_process.hpp"
#include "support/crowd_byte_traffic.hpp"
#include "support/crowd_storm.hpp"
#include "support/crowd_traffic.hpp"
#include "support/crowded_ring.hpp"
#include "support/fixed_traffic.hpp"
#include "support/kill_storm.hpp"
#include "support/private_shm.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr int kStorms = 9;  // tests below, among which the time is divided

/// How long this test may storm.
[[nodiscard]] std::chrono::nanoseconds share() {
    const char* seconds = std::getenv("SHMRING_STORM_SECONDS");
    if (seconds == nullptr) return 500ms;
    return std::chrono::nanoseconds(1s) * std::atoll(seconds) / kStorms;
}
[[nodiscard]] bool time_is_up(Clock::time_point start) { return Clock::now() - start >= share(); }

// ---- kills and stops -----------------------------------------------------------------------------------------------

template <class Traffic>
void kill_pairs(const char* title, std::array<std::uint64_t, 3> capacities) {
    StormReport all;
    StormPlan plan;
    plan.rounds = 50;
    plan.seed = static_cast<std::uint64_t>(std::time(nullptr));
    for (const auto start = Clock::now(); all.rounds == 0 || !time_is_up(start);) {
        ++plan.seed;
        plan.capacity = capacities[plan.seed % capacities.size()];
        plan.style = static_cast<Style>(plan.seed / 3 % 3);
        plan.waiting = plan.seed / 9 % 2 == 0 ? Waiting::spin : Waiting::block;
        const StormReport report = KillStorm<Traffic>(plan).run();
        all += report;
        ASSERT_EQ(report.failure, "");
    }
    all.print(title);
    EXPECT_GE(all.kills, 50U);
}
TEST(Storm, OfKillsOverARingOfTwo) { kill_pairs<FixedTraffic<48>>("SpscRing", {1, 3, 64}); }
TEST(Storm, OfKillsOverAByteRingOfTwo) { kill_pairs<ByteTraffic>("ByteRing", {64, 256, 4096}); }

template <class Traffic>
void strike_crowds(const char* title, std::array<std::uint64_t, 3> capacities) {
    CrowdReport all;
    CrowdPlan plan;
    plan.seed = static_cast<std::uint64_t>(std::time(nullptr));
    for (const auto start = Clock::now(); all.kills == 0 || all.stops == 0 || !time_is_up(start);) {
        ++plan.seed;
        plan.capacity = capacities[plan.seed / 2 % capacities.size()];
        plan.stops_only = plan.seed % 2 == 0;
        plan.kills = plan.stops_only ? 10 : 50;
        plan.delivery = plan.seed / 6 % 2 == 0 ? Delivery::at_most_once : Delivery::at_least_once;
        const CrowdReport report = CrowdStorm<Traffic>(plan).run();
        all += report;
        ASSERT_EQ(report.failure, "") << "capacity " << plan.capacity << ", seed " << plan.seed;
    }
    std::printf("%s: %llu stops\n", title, static_cast<unsigned long long>(all.stops));
    all.print(title);
}
TEST(Storm, OfKillsAndStopsOverARingOfMany) { strike_crowds<CrowdTraffic<48>>("MpmcRing", {1, 3, 64}); }
TEST(Storm, OfKillsAndStopsOverAByteRingOfMany) {
    strike_crowds<CrowdByteTraffic<true>>("MpmcByteRing", {64, 256, 4096});
}

// ---- too little of everything --------------------------------------------------------------------------------------

[[nodiscard]] MpmcRing<std::uint64_t> crowded(std::uint64_t capacity) {
    return MpmcRing<std::uint64_t>::anonymous({.capacity = capacity});
}
void report(const char* title, std::uint64_t messages) {
    std::printf("%s: %llu messages\n", title, static_cast<unsigned long long>(messages));
}

TEST(Storm, OfSixteenSendersAndSixteenReceivers) {
    const auto rest = [] { std::this_thread::sleep_for(share() / 2); };
    for (const std::uint64_t capacity : {1U, 64U})
        report("16 by 16", CrowdedRing(crowded(capacity), 16).run(rest));
}

TEST(Storm, OnOneCpu) {
    const auto stay = [] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(static_cast<std::size_t>(0), &one);
        cpu_set_t allowed;
        ::sched_getaffinity(0, sizeof allowed, &allowed);
        for (std::size_t cpu = 0; cpu != CPU_SETSIZE; ++cpu)
            if (CPU_ISSET(cpu, &allowed)) {
                CPU_ZERO(&one);
                CPU_SET(cpu, &one);
                break;
            }
        EXPECT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);
    };
    const auto rest = [] { std::this_thread::sleep_for(share() / 2); };
    for (const std::uint64_t capacity : {1U, 64U})
        report("4 by 4 on one CPU", CrowdedRing(crowded(capacity), 4).run(rest, stay));
}

/// An eighth of what is free, at most 512 MB, is written to and given back over and over.
TEST(Storm, WhileMemoryRunsShort) {
    struct sysinfo info {};
    ASSERT_EQ(::sysinfo(&info), 0);
    const std::uint64_t free_bytes = std::uint64_t{info.freeram} * info.mem_unit;
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(free_bytes / 8, std::uint64_t{512} << 20));
    std::uint64_t rounds = 0;
    const auto press = [&] {
        const auto start = Clock::now();
        void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        auto* bytes = static_cast<std::byte*>(memory);
        do {
            for (std::size_t at = 0; at < size && !time_is_up(start); at += 4096) bytes[at] = std::byte{1};
            ASSERT_EQ(::madvise(memory, size, MADV_DONTNEED), 0);
            ++rounds;
        } while (!time_is_up(start));
        ::munmap(memory, size);
    };
    report("4 by 4, memory short", CrowdedRing(crowded(64), 4).run(press));
    EXPECT_GT(rounds, 0U);
}

/// Rings that were made go on; others are refused with an error, not by a signal.
TEST(Storm, WhileDevShmIsNearlyFull) {
    ChildProcess child(
        [] {
            if (!enter_private_mounts()) return kCannotBeTriedHere;
            const PrivateShm shm("mode=1777,size=512k");
            if (!shm) return kCannotBeTriedHere;
            auto ring = MpmcRing<std::uint64_t>::create("crowded", {.capacity = 64, .participants = 64});
            std::uint64_t refused = 0;
            const auto make_rings = [&] {
                const auto start = Clock::now();
                do {
                    std::array<SpscRing<std::uint64_t>, 32> rings;
                    std::error_code code;
                    for (std::size_t i = 0; i != rings.size(); ++i) {
                        rings[i] = SpscRing<std::uint64_t>::create(
                            "filler" + std::to_string(i), {.capacity = 1000, .participants = 16}, code);
                        if (!code) continue;
                        EXPECT_EQ(code, std::errc::no_space_on_device) << code.message();
                        ++refused;
                    }
                    for (std::size_t i = 0; i != rings.size(); ++i)
                        (void)SpscRing<std::uint64_t>::remove("filler" + std::to_string(i));
                } while (!time_is_up(start));
            };
            report("4 by 4, /dev/shm nearly full", CrowdedRing(std::move(ring), 4).run(make_rings));
            EXPECT_GT(refused, 0U);
            return 0;
        },
        36'000s);
    const Ended ended = child.join();
    if (ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "needs user and mount namespaces, which are refused here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

// ---- time ----------------------------------------------------------------------------------------------------------

/// Waits are counted on the monotonic clock: what the wall clock does is nothing to them. It is the machine's, so that this asks to be
/// allowed.
TEST(Storm, WhileTheWallClockJumps) {
    const char* allowed = std::getenv("SHMRING_SET_CLOCK");
    if (allowed == nullptr || std::string(allowed) != "1")
        GTEST_SKIP() << "sets the machine's clock, which SHMRING_SET_CLOCK=1 allows";
    timespec real{};
    ::clock_gettime(CLOCK_REALTIME, &real);
    if (::clock_settime(CLOCK_REALTIME, &real) != 0)
        GTEST_SKIP() << "needs root (CAP_SYS_TIME) to set the clock";
    const auto jump = [](std::time_t seconds) {
        timespec now{};
        ::clock_gettime(CLOCK_REALTIME, &now);
        now.tv_sec += seconds;
        EXPECT_EQ(::clock_settime(CLOCK_REALTIME, &now), 0);
    };
    std::uint64_t jumps = 0;
    const auto jump_about = [&] {
        for (const auto start = Clock::now(); !time_is_up(start); ++jumps) {
            const std::time_t ahead = jumps % 2 == 0 ? 7200 : -7200;
            jump(ahead);
            std::this_thread::sleep_for(5ms);
            jump(-ahead);
            std::this_thread::sleep_for(5ms);
        }
    };
    report("4 by 4, the clock jumps", CrowdedRing(crowded(1), 4).run(jump_about));
    EXPECT_GT(jumps, 0U);
    auto in = crowded(1).consumer();
    const auto start = Clock::now();
    std::thread setter([&] {
        std::this_thread::sleep_for(50ms);
        jump(7200);
        std::this_thread::sleep_for(50ms);
        jump(-7200);
    });
    EXPECT_EQ(in.try_pop_for(200ms).error(), Status::timed_out);
    EXPECT_GE(Clock::now() - start, 200ms);
    setter.join();
}

}  // namespace
}  // namespace shmring::test
