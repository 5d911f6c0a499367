// Waiting for several rings at once: the right one is named, none is starved, no wake-up is lost, ends are told.
// SPDX-License-Identifier: MIT
#include "shmring/wait_any.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <stop_token>
#include <thread>
#include <vector>

#include "shmring/byte_ring.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/pipe.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/ring_internals.hpp"
#include "support/signals.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Numbers = SpscRing<std::uint64_t>;

TEST(WaitAny, NamesTheReadableOne) {
    auto numbers = Numbers::anonymous({.capacity = 4});
    auto bytes = ByteRing::anonymous({.capacity_bytes = 256});
    auto out_numbers = numbers.producer();
    auto out_bytes = bytes.producer();
    auto in_numbers = numbers.consumer();
    auto in_bytes = bytes.consumer();
    EXPECT_EQ(wait_any_for(1ms, in_numbers, in_bytes).error(), Status::timed_out);
    EXPECT_EQ(wait_any_for(0ms, in_numbers, in_bytes).error(), Status::timed_out);
    ASSERT_TRUE(out_bytes.push({}));
    EXPECT_EQ(*wait_any(in_numbers, in_bytes), 1U);
    ASSERT_TRUE(out_numbers.push(7));
    ASSERT_TRUE(in_bytes.try_next());
    EXPECT_EQ(*wait_any_until(std::chrono::system_clock::now() + 1h, in_numbers, in_bytes), 0U);
}

/// Two rings, both read here; the dead are asked for every 2 ms.
class TwoRings : public testing::Test {
 protected:
    Numbers first_ = Numbers::anonymous({.capacity = 64, .liveness_period = 2ms});
    Numbers second_ = Numbers::anonymous({.capacity = 64, .liveness_period = 2ms});
    Numbers::Consumer in_first_ = first_.consumer();
    Numbers::Consumer in_second_ = second_.consumer();
};

TEST_F(TwoRings, TakeTurnsWhenBothAreReady) {
    auto out_first = first_.producer();
    auto out_second = second_.producer();
    for (std::uint64_t i = 0; i != 50; ++i) ASSERT_TRUE(out_first.push(i) && out_second.push(i));
    int of_second = 0;
    for (int i = 0; i != 20; ++i) of_second += static_cast<int>(*wait_any(in_first_, in_second_));
    EXPECT_EQ(of_second, 10);
}

TEST_F(TwoRings, TellOfAnEndAndOfADeath) {
    ChildProcess child([&] {
        auto out = second_.producer();
        (void)out.push(1);
        ::raise(SIGKILL);
    });
    ASSERT_EQ(*wait_any(in_first_, in_second_), 1U);
    ASSERT_TRUE(in_second_.pop());
    (void)child.join();
    ASSERT_EQ(*wait_any(in_first_, in_second_), 1U);
    EXPECT_EQ(in_second_.try_pop().error(), Status::peer_lost);
    second_.producer().close();
    ASSERT_EQ(*wait_any(in_first_, in_second_), 1U);
    EXPECT_EQ(in_second_.try_pop().error(), Status::closed);
}

TEST(WaitAny, TellsOfAConsumerThatHoldsNoRing) {
    auto ring = Numbers::anonymous({.capacity = 4});
    auto in = ring.consumer();
    Numbers::Consumer none;
    ByteRing::Consumer no_bytes;
    MpmcRing<int>::Consumer of_no_many;
    MpmcByteRing::Consumer no_bytes_of_many;
    EXPECT_EQ(*wait_any(in, none), 1U) << "its calls do not wait: they answer not_owner";
    EXPECT_EQ(*wait_any(in, no_bytes), 1U);
    EXPECT_EQ(*wait_any(in, of_no_many), 1U);
    EXPECT_EQ(*wait_any(in, no_bytes_of_many), 1U);
    EXPECT_EQ(none.try_pop().error(), Status::not_owner);
    WaitSet set;
    set.add(of_no_many);
    set.add(in);
    EXPECT_EQ(*set.wait(), 0U);
}

TEST(WaitSetTest, EndsWithItsStopToken) {
    auto ring = Numbers::anonymous({.capacity = 4});
    auto in = ring.consumer();
    WaitSet set;
    EXPECT_EQ(set.wait().error(), Status::empty);
    set.add(in);
    set.set_wait_policy({.spin = 0ns});
    std::stop_source source;
    std::thread stopper([&] {
        std::this_thread::sleep_for(20ms);
        source.request_stop();
    });
    EXPECT_EQ(set.wait(source.get_token()).error(), Status::interrupted);
    stopper.join();
}

TEST(WaitSetTest, ASignalEndsItOnlyWhereThatWasAskedFor) {
    auto ring = Numbers::anonymous({.capacity = 4});
    auto in = ring.consumer();
    const HarmlessSignal signal;
    for (const bool is_asked_for : {true, false}) {
        WaitSet set;
        set.add(in);
        set.set_wait_policy({.spin = 0ns, .return_on_signal = is_asked_for});
        under_signals([&] {
            EXPECT_EQ(set.wait_for(is_asked_for ? 60s : 50ms).error(),
                      is_asked_for ? Status::interrupted : Status::timed_out);
        });
    }
}

/// Time on the processor, of this thread.
double processor_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}
/// Waits that are not worth polling: each would poll for its whole 4 ms if it did not learn.
TEST(WaitSetTest, AndPollForPollLessWhereThatDoesNotPay) {
    constexpr auto kSpin = 4ms;
    constexpr int kWaits = 30;
    auto ring = Numbers::anonymous({.capacity = 4});
    auto in = ring.consumer();
    WaitSet set;
    set.add(in);
    set.set_wait_policy({.spin = kSpin});
    auto [here, there] = Pipe<int>::pair({.capacity = 4});
    here.set_wait_policy({.spin = kSpin});
    const double start = processor_seconds();
    for (int i = 0; i != kWaits; ++i) EXPECT_EQ(set.wait_for(12ms).error(), Status::timed_out);
    const double of_set = processor_seconds() - start;
    for (int i = 0; i != kWaits; ++i) EXPECT_EQ(here.poll_for(12ms).error(), Status::timed_out);
    const double of_pipe = processor_seconds() - start - of_set;
    EXPECT_LT(of_set, 0.5 * kWaits * std::chrono::duration<double>(kSpin).count());
    EXPECT_LT(of_pipe, 0.5 * kWaits * std::chrono::duration<double>(kSpin).count());
}
TEST(WaitSetTest, NapsWithoutBeingSeen) {
    auto ring = Numbers::anonymous({.capacity = 4, .liveness_period = 1h});
    auto in = ring.consumer();
    WaitSet set;
    set.add(in);
    set.set_wait_policy({.spin = 0ns, .nap = 2ms});
    std::atomic<bool> done{false};
    std::thread pushing([&] {
        auto out = ring.producer();
        while (!done) {
            EXPECT_EQ(sleepers(control_of(ring).readable), 0U);
            std::this_thread::sleep_for(1ms);
        }
        EXPECT_TRUE(out.try_push(1));
    });
    EXPECT_EQ(set.wait_for(20ms).error(), Status::timed_out);
    done = true;
    EXPECT_EQ(set.wait().value_or(7), 0U);
    pushing.join();
}

/// One process writes into `rings` rings, in an order of its own, and waits for the echo of each message: every wake-up counts.
/// 20,000 rounds, and a million in a soak. The rings' liveness period is longer than the time-out, so that nothing ends a sleep
/// beyond its first millisecond but a wake-up; what that first millisecond made good is counted (docs/algorithms/sleeping.md).
class ManyRings : public testing::TestWithParam<int> {
 protected:
    /// Beyond what one system call takes, a sleep may last a millisecond although a message came.
    [[nodiscard]] static std::uint64_t rounds() {
        if (GetParam() > 128) return 1'000;
        return is_soak() ? 1'000'000 : 20'000;
    }
    static std::uint64_t drawn(std::uint64_t& seed) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        return seed >> 33;
    }
    /// The writer: one round in four at once, the others when the reader has registered to sleep, a little later or not: while it
    /// looks again, falls asleep, or sleeps.
    static int write(const std::vector<Numbers>& there, const Numbers& back) {
        std::vector<Numbers::Producer> out;
        for (const auto& ring : there) out.push_back(ring.producer());
        auto echo = back.consumer();
        std::uint64_t seed = 1;
        for (std::uint64_t round = 0; round != rounds(); ++round) {
            const std::size_t chosen = drawn(seed) % there.size();
            if (drawn(seed) % 4 != 0) await_sleeper(control_of(there[chosen]).readable);
            if (drawn(seed) % 2 == 0)
                for (std::uint64_t pauses = drawn(seed) % 256; pauses != 0; --pauses) detail::cpu_pause();
            if (!out[chosen].push(round)) return 1;
            const auto answer = echo.pop();
            if (!answer || *answer != round) return 2;
        }
        return 0;
    }
};

TEST_P(ManyRings, LoseNoWakeUp) {
    std::vector<Numbers> there;
    for (int i = 0; i != GetParam(); ++i)
        there.push_back(Numbers::anonymous({.capacity = 2, .participants = 4, .liveness_period = 1h}));
    const auto back = Numbers::anonymous({.capacity = 2});
    ChildProcess child([&] { return write(there, back); }, std::chrono::seconds(is_soak() ? 3600 : 60));
    std::vector<Numbers::Consumer> in;
    for (auto& ring : there) in.push_back(ring.consumer());
    auto echo = back.producer();
    WaitSet set;
    set.set_wait_policy({.spin = 0ns});
    for (auto& consumer : in) set.add(consumer);
    for (std::uint64_t round = 0; round != rounds(); ++round) {
        const auto ready = set.wait_for(20s);
        ASSERT_TRUE(ready) << to_string(ready.error()) << " in round " << round;
        const auto message = in[*ready].try_pop();
        ASSERT_TRUE(message);
        ASSERT_EQ(*message, round);
        ASSERT_TRUE(echo.push(*message));
    }
    EXPECT_TRUE(child.join().exited_with(0));
    std::uint64_t late = 0;
    std::uint64_t wakes = 0;
    for (const auto& ring : there) {
        late += control_of(ring).readable.missed_wakes.load(std::memory_order_relaxed);
        wakes += control_of(ring).readable.word.load(std::memory_order_relaxed) / detail::kOneEpoch;
    }
    std::printf("%d rings, %llu rounds: %llu wake-ups, none lost, %llu sleeps ended after 1 ms\n", GetParam(),
                static_cast<unsigned long long>(rounds()), static_cast<unsigned long long>(wakes),
                static_cast<unsigned long long>(late));
    EXPECT_GT(wakes, rounds() / 4) << "nobody slept, so nothing was shown";
}

INSTANTIATE_TEST_SUITE_P(Of, ManyRings, testing::Values(2, 16, 128, 130));

}  // namespace
}  // namespace shmring::test
