// The system calls that are not made: none at all while nobody sleeps, no futex in a spinning stream however full or empty it
// runs; and how seldom an idle process wakes. Each promise has a control that shows that breaking it would be seen.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <utility>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"
#include "support/syscall_filter.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Ring = SpscRing<std::uint64_t>;

class SystemCalls : public testing::Test {
 protected:
    void SetUp() override {
        ChildProcess trial([] { return forbid_futex() ? 0 : kCannotBeTriedHere; });
        if (trial.join().exited_with(kCannotBeTriedHere))
            GTEST_SKIP() << "no seccomp filters on this machine";
    }
};

// ---- spinning ------------------------------------------------------------------------------------------------------

/// `messages` through a ring of `capacity`, by two processes that a futex call would kill.
void spin_without_futex(std::uint64_t messages, std::uint64_t capacity) {
    const Ring ring = Ring::anonymous({.capacity = capacity});
    ChildProcess producer([&] {
        Ring::Producer out = ring.producer();
        if (!forbid_futex()) return kCannotBeTriedHere;
        for (std::uint64_t sent = 0; sent != messages;) {
            const Status status = out.try_push(sent).error();
            if (status == Status::ok) {
                ++sent;
            } else if (status != Status::full) {
                return 3;
            }
        }
        return 0;
    });
    ChildProcess consumer([&] {
        Ring::Consumer in = ring.consumer();
        if (!forbid_futex()) return kCannotBeTriedHere;
        for (std::uint64_t received = 0; received != messages;) {
            const auto message = in.try_pop();
            if (message.error() == Status::empty) continue;
            if (!message || *message != received++) return 4;
        }
        return 0;
    });
    EXPECT_TRUE(producer.join().exited_with(0));
    EXPECT_TRUE(consumer.join().exited_with(0));
}

TEST_F(SystemCalls, ASaturatedSpinRunMakesNoFutexCall) { spin_without_futex(1'000'000, 1000); }
TEST_F(SystemCalls, ASpinRunThatIsAlwaysFullOrEmptyMakesNoFutexCall) { spin_without_futex(10'000, 1); }

TEST_F(SystemCalls, AFutexCallWouldHaveBeenSeenInASleepingPop) {
    const Ring ring = Ring::anonymous({.capacity = 3});
    ChildProcess consumer([&] {
        Ring::Consumer in = ring.consumer();
        if (!forbid_futex()) return kCannotBeTriedHere;
        return static_cast<int>(in.pop().error());
    });
    EXPECT_TRUE(consumer.join().killed_by(SIGSYS));
}

// ---- nobody asleep -------------------------------------------------------------------------------------------------

/// Fewer messages than lie between two updates of the counters, which read the clock (without a system call on most machines).
constexpr std::uint64_t kBetweenUpdates = 10'000;

template <class Use>
Ended use_without_system_calls(Use&& use) {
    const Ring ring = Ring::anonymous({.capacity = 20});
    ChildProcess process([&] {
        Ring::Producer out = ring.producer();
        Ring::Consumer in = ring.consumer();
        if (!forbid_all_but_exit()) return kCannotBeTriedHere;
        for (std::uint64_t i = 0; i != kBetweenUpdates; ++i)
            if (!use(out, in, i)) ::_exit(3);
        ::_exit(0);
    });
    return process.join();
}

TEST_F(SystemCalls, APushAndAPopWithNobodyAsleepMakeNone) {
    EXPECT_TRUE(use_without_system_calls([](Ring::Producer& out, Ring::Consumer& in, std::uint64_t i) {
                    return out.push(i) && in.pop().value_or(~0U) == i;
                }).exited_with(0));
    EXPECT_TRUE(use_without_system_calls([](Ring::Producer& out, Ring::Consumer& in, std::uint64_t i) {
                    return out.try_push_for(i, 1h) && in.try_pop_for(1h).value_or(~0U) == i;
                }).exited_with(0));
}

TEST_F(SystemCalls, BatchesWithNobodyAsleepMakeNone) {
    EXPECT_TRUE(use_without_system_calls([](Ring::Producer& out, Ring::Consumer& in, std::uint64_t i) {
                    const std::array<std::uint64_t, 2> sent{i, i + 1};
                    std::array<std::uint64_t, 2> received{};
                    return out.try_push_n(sent).value_or(0) == 2 && in.try_pop_n(received).value_or(0) == 2 &&
                           sent == received;
                }).exited_with(0));
}

TEST_F(SystemCalls, InPlaceUseWithNobodyAsleepMakesNone) {
    EXPECT_TRUE(use_without_system_calls([](Ring::Producer& out, Ring::Consumer& in, std::uint64_t i) {
                    auto claim = out.claim();
                    if (!claim) return false;
                    **claim = i;
                    claim->commit();
                    auto view = in.next();
                    return view && **view == i;
                }).exited_with(0));
}

TEST_F(SystemCalls, AMissMakesNoneExceptToAskAfterThePeerOncePerPeriod) {
    const Ring ring = Ring::anonymous({.capacity = 1, .liveness_period = 1h});
    ChildProcess process([&] {
        Ring::Producer out = ring.producer();
        Ring::Consumer in = ring.consumer();
        const auto miss_often = [&] {
            for (int i = 0; i != 10'000; ++i)
                if (in.try_pop().error() != Status::empty) ::_exit(3);
            if (!out.try_push(1)) ::_exit(4);
            for (int i = 0; i != 10'000; ++i)
                if (out.try_push(2).error() != Status::full) ::_exit(5);
            if (!in.try_pop()) ::_exit(6);
        };
        miss_often();  // both have asked now, and will not again within the hour
        if (!forbid_all_but_exit()) return kCannotBeTriedHere;
        miss_often();
        ::_exit(0);
    });
    EXPECT_TRUE(process.join().exited_with(0));
}

TEST_F(SystemCalls, TheWakeUpOfASleeperIsSeen) {
    const Ring ring = Ring::anonymous({.capacity = 3});
    ChildProcess sleeper([&] { return ring.consumer({.spin = 0ns}).pop().value_or(0) == 1 ? 0 : 3; });
    ChildProcess producer([&] {
        Ring::Producer out = ring.producer();
        await_sleeper(control_of(ring).readable);
        if (!forbid_all_but_exit()) return kCannotBeTriedHere;
        (void)out.push(1);
        ::_exit(4);
    });
    EXPECT_TRUE(producer.join().killed_by(SIGSYS));
    EXPECT_TRUE(sleeper.join().exited_with(0))
        << "killed before the wake-up, and the message was there all the same";
}

// ---- waiting by descriptor (readable_fd) --------------------------------------------------------------------------

TEST_F(SystemCalls, WithADescriptorToWaitForAndNobodyArmedThereAreNone) {
    const Ring ring = Ring::anonymous({.capacity = 20, .liveness_period = 1h, .segment = {.bell = true}});
    ChildProcess process([&] {
        Ring::Producer out = ring.producer();
        Ring::Consumer in = ring.consumer();
        (void)in.readable_fd();
        if (!forbid_all_but_exit()) return kCannotBeTriedHere;
        for (std::uint64_t i = 0; i != 10'000; ++i)
            if (!out.push(i) || in.try_pop().value_or(~0U) != i) ::_exit(3);
        ::_exit(0);
    });
    EXPECT_TRUE(process.join().exited_with(0));
}

TEST_F(SystemCalls, AStrokeOfTheBellIsSeen) {
    const Ring ring = Ring::anonymous({.capacity = 20, .liveness_period = 1h, .segment = {.bell = true}});
    ChildProcess process([&] {
        Ring::Producer out = ring.producer();
        Ring::Consumer in = ring.consumer();
        (void)in.readable_fd();
        if (in.try_pop().error() != Status::empty) return 3;
        if (!forbid_all_but_exit()) return kCannotBeTriedHere;
        (void)out.push(1);
        ::_exit(4);
    });
    EXPECT_TRUE(process.join().killed_by(SIGSYS));
}

TEST_F(SystemCalls, OneStrokeIsPaidForManyMessages) {
    const Ring ring = Ring::anonymous({.capacity = 20, .liveness_period = 1h, .segment = {.bell = true}});
    ChildProcess process([&] {
        Ring::Producer out = ring.producer();
        Ring::Consumer in = ring.consumer();
        (void)in.readable_fd();
        if (in.try_pop().error() != Status::empty || !out.push(1)) return 3;
        if (!forbid_all_but_exit()) return kCannotBeTriedHere;
        for (std::uint64_t i = 0; i != 10; ++i)
            if (!out.push(i)) ::_exit(4);
        ::_exit(0);
    });
    EXPECT_TRUE(process.join().exited_with(0));
}

// ---- an idle blocked pair ------------------------------------------------------------------------------------------

struct Idleness {
    std::atomic<long> wake_ups{-1};
    std::atomic<long> cpu_us{-1};
};

/// Runs `wait`, which is to sleep and nothing else, and counts what it cost this process.
template <class Wait>
bool measure_idleness(Idleness& idleness, Wait&& wait) {
    const auto cpu_us = [](const rusage& usage) {
        return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000L + usage.ru_utime.tv_usec +
               usage.ru_stime.tv_usec;
    };
    rusage before{};
    rusage after{};
    ::getrusage(RUSAGE_SELF, &before);
    const bool timed_out = wait() == Status::timed_out;
    ::getrusage(RUSAGE_SELF, &after);
    idleness.wake_ups.store(after.ru_nvcsw - before.ru_nvcsw, std::memory_order_release);
    idleness.cpu_us.store(cpu_us(after) - cpu_us(before), std::memory_order_release);
    return timed_out;
}

TEST(IdleRing, ABlockedProcessWakesAtMostTwelveTimesASecond) {
    constexpr auto kIdle = 3s;
    constexpr long kAtTheStart = 6;
    const Ring empty = Ring::anonymous({.capacity = 1});
    const Ring full = Ring::anonymous({.capacity = 1});
    Shared<std::array<Idleness, 2>> idle;
    Shared<Steps> done;
    // Each has a live peer that does nothing, so that there is somebody to ask after.
    ChildProcess peer([&] {
        Ring::Producer out = empty.producer();
        Ring::Consumer in = full.consumer();
        return done->await(1) ? 0 : 4;
    });
    ChildProcess consumer([&] {
        Ring::Consumer in = empty.consumer();
        return measure_idleness((*idle)[0], [&] { return in.try_pop_for(kIdle).error(); }) ? 0 : 3;
    });
    ChildProcess producer([&] {
        Ring::Producer out = full.producer();
        if (!out.push(1)) return 5;
        return measure_idleness((*idle)[1], [&] { return out.try_push_for(2, kIdle).error(); }) ? 0 : 3;
    });
    EXPECT_TRUE(consumer.join().exited_with(0));
    EXPECT_TRUE(producer.join().exited_with(0));
    done->reach(1);
    EXPECT_TRUE(peer.join().exited_with(0));

    for (const auto& [name, cost] :
         {std::pair<const char*, Idleness*>{"consumer", &(*idle)[0]}, {"producer", &(*idle)[1]}}) {
        const long wake_ups = cost->wake_ups.load(std::memory_order_acquire);
        std::printf("a %s blocked for %lld s: %ld sleeps, %ld us of CPU\n", name,
                    static_cast<long long>(kIdle.count()), wake_ups,
                    cost->cpu_us.load(std::memory_order_acquire));
        EXPECT_GT(wake_ups, 0) << "it slept";
        EXPECT_LE(wake_ups, 12 * kIdle.count() + kAtTheStart) << name;
    }
}

}  // namespace
}  // namespace shmring::test
