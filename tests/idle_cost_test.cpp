// What waiting costs while nothing happens, however many rings there are. Looks are counted, not timed: a loaded machine makes fewer.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "shmring/mpmc_ring.hpp"
#include "shmring/spsc_ring.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = SpscRing<std::uint64_t>;
using Clock = std::chrono::steady_clock;

[[nodiscard]] double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}
/// How many rings, and for how long: SHMRING_IDLE_RINGS=1000 gives the figures of docs/history.md, "A thousand idle rings".
[[nodiscard]] std::size_t ring_count() {
    const char* asked = std::getenv("SHMRING_IDLE_RINGS");
    return asked == nullptr ? 50 : std::strtoul(asked, nullptr, 10);
}

TEST(IdleEventLoop, LooksEverMoreRarely) {
    const std::size_t count = ring_count();
    const bool large = count > 200;
    const auto period = large ? 100ms : 10ms;  // the default where it is measured
    const auto idle = large ? 20s : 2s;
    std::vector<Ring::Consumer> consumers;
    const EpollSet set;
    for (std::size_t i = 0; i != count; ++i) {
        const Ring ring =
            Ring::anonymous({.capacity = 1, .liveness_period = period, .segment = {.bell = true}});
        consumers.push_back(ring.consumer());
        ASSERT_TRUE(set.add(consumers.back().readable_fd(), i));
    }
    std::uint64_t looks = 0;
    const double before_s = cpu_seconds();
    const auto end = Clock::now() + idle;
    while (Clock::now() < end) {
        const auto names = set.wait();
        for (const std::uint64_t name : names)
            ASSERT_EQ(consumers[static_cast<std::size_t>(name)].try_pop().error(), Status::empty);
        looks += names.size();
    }
    std::printf("%zu idle rings for %lld s: %llu looks, %.2f %% of a CPU\n", count,
                static_cast<long long>(std::chrono::seconds(idle).count()),
                static_cast<unsigned long long>(looks),
                100 * (cpu_seconds() - before_s) / static_cast<double>(std::chrono::seconds(idle).count()));
    EXPECT_LT(looks, 16 * count) << "13 are due: after 1, 10, 20, 40 ms and so on; one each period would be "
                                    "200, or a few dozen where all are late";
}

TEST(IdleEventLoop, HearsOfADeathWithinAsLongAsItWasIdle) {
    const Ring ring = Ring::anonymous({.capacity = 1, .liveness_period = 5ms, .segment = {.bell = true}});
    auto in = ring.consumer();
    const int descriptor = in.readable_fd();
    Turnstile go;
    ChildProcess child([&] {
        auto out = ring.producer();
        (void)out.push(1);
        return go.pass() ? ::raise(SIGKILL) : 1;
    });
    const auto end = Clock::now() + 500ms;
    while (Clock::now() < end) {  // the time between looks has grown to 32 periods by now
        ASSERT_TRUE(becomes_readable(descriptor));
        while (in.try_pop()) {
        }
    }
    go.let_through();
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    Status status = Status::empty;
    for (int looks = 0; status == Status::empty; ++looks) {
        ASSERT_LT(looks, 3);
        ASSERT_TRUE(becomes_readable(descriptor));
        status = in.try_pop().error();
    }
    EXPECT_EQ(status, Status::peer_lost);
}

TEST(IdleEventLoop, LooksEachPeriodWhileAMessageIsInTheHandOfAnother) {
    // What may have to be repaired is no idleness: the oldest message was claimed and is not published.
    using Crowd = MpmcRing<std::uint64_t>;
    const Crowd ring = Crowd::anonymous({.capacity = 4, .liveness_period = 5ms, .segment = {.bell = true}});
    auto in = ring.consumer();
    auto writer = ring.producer();
    auto other = ring.producer();
    auto claim = writer.try_claim();
    ASSERT_TRUE(claim);
    ASSERT_TRUE(other.push(2));
    int looks = 0;
    const auto end = Clock::now() + 10s;
    for (; looks != 100 && Clock::now() < end; ++looks) {
        ASSERT_TRUE(becomes_readable(in.readable_fd()));
        const Status found = in.try_pop().error();
        ASSERT_TRUE(found == Status::busy || found == Status::empty) << to_string(found);
    }
    EXPECT_GT(looks, 80) << "grown to 32 periods there would be some 68";
}

TEST(IdleWaitSet, OfMoreThanOneSleepCoversLooksEverMoreRarely) {
    std::vector<Ring::Consumer> consumers;
    WaitSet set;
    const Ring last = Ring::anonymous({.capacity = 1});
    for (int i = 0; i != 200; ++i)
        consumers.push_back(i == 199 ? last.consumer() : Ring::anonymous({.capacity = 1}).consumer());
    for (auto& consumer : consumers) set.add(consumer);
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_THREAD, &before);
    EXPECT_EQ(set.wait_for(1s).error(), Status::timed_out);
    ::getrusage(RUSAGE_THREAD, &after);
    EXPECT_LT(after.ru_nvcsw - before.ru_nvcsw, 500) << "one each millisecond would be a thousand";
    auto out = last.producer();
    ASSERT_TRUE(out.push(1));
    EXPECT_EQ(set.wait_for(20s).value_or(0), 199U);
}

}  // namespace
}  // namespace shmring::test
