// Waiting: what a timeout becomes, when polling ends and sleep begins, and that no call returns early, or late without reason.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <ratio>
#include <stop_token>
#include <thread>
#include <vector>

#include "shmring/detail/waiter_sleep.hpp"
#include "shmring/spsc_ring.hpp"
#include "shmring/wait.hpp"
#include "support/counting_env.hpp"
#include "support/memory_ring.hpp"
#include "support/ring_internals.hpp"
#include "support/signals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using detail::platform::FutexResult;
using detail::platform::kNever;
using detail::platform::monotonic_ns;
using Kind = Operation::Kind;

// ---- durations become deadlines --------------------------------------------------------------------------------------

/// `least_ns` from now, or later by less than `slack_ns`.
template <class Rep, class Period>
void expect_deadline(std::chrono::duration<Rep, Period> duration, std::uint64_t least_ns,
                     std::uint64_t slack_ns = 2) {
    const std::uint64_t before_ns = monotonic_ns();
    const std::uint64_t deadline_ns = detail::deadline_after(duration);
    EXPECT_GE(deadline_ns, before_ns + least_ns);
    EXPECT_LE(deadline_ns, monotonic_ns() + least_ns + slack_ns);
}

TEST(Deadlines, AFutureDurationEndsNeverEarly) {
    expect_deadline(1ns, 1);
    expect_deadline(1us, 1'000);
    expect_deadline(20ms, 20'000'000);
    expect_deadline(std::chrono::hours(24 * 365 * 100), 3'153'600'000'000'000'000);
    expect_deadline(std::chrono::duration<std::int64_t, std::pico>(1), 1);
    expect_deadline(std::chrono::duration<std::int64_t, std::pico>(1001), 2);
    expect_deadline(std::chrono::duration<int, std::ratio<1, 3>>(1), 333'333'334);
    expect_deadline(std::chrono::duration<double>(0.02), 20'000'000);
    expect_deadline(std::chrono::duration<double, std::nano>(0.25), 1);
    expect_deadline(std::chrono::duration<unsigned char, std::deci>(255), 25'500'000'000);
}

TEST(Deadlines, ADurationInFloatEndsNotEarlyByARounding) {
    // What these floats really hold, in nanoseconds rounded up, and how far a float of that many nanoseconds may be from it.
    for (const float seconds : {0.02F, 1.1F, 33.3F, 1000.1F, 70'000.7F}) {
        const auto exact_ns = static_cast<std::uint64_t>(static_cast<long double>(seconds) * 1e9L);
        expect_deadline(std::chrono::duration<float>(seconds), exact_ns, exact_ns / 1'000'000 + 2);
    }
}

TEST(Deadlines, AFarDurationInAnOddUnitIsNotMistakenForAnother) {
    using Samples = std::chrono::duration<std::int64_t, std::ratio<1, 44'100>>;
    using Frames = std::chrono::duration<std::int64_t, std::ratio<1, 60>>;
    constexpr std::uint64_t kYear_ns = 31'536'000'000'000'000;
    for (const std::uint64_t years : {1U, 10U, 50U, 110U}) {
        const auto seconds = static_cast<std::int64_t>(years * kYear_ns / 1'000'000'000);
        expect_deadline(Samples(seconds * 44'100), years * kYear_ns, 1'000'000);
        expect_deadline(Frames(seconds * 60), years * kYear_ns, 1'000'000);
    }
}

TEST(Deadlines, WhatIsNotInTheFutureIsNoWait) {
    using Seconds = std::chrono::duration<double>;
    EXPECT_EQ(detail::deadline_after(0ns), 0U);
    EXPECT_EQ(detail::deadline_after(-1ns), 0U);
    EXPECT_EQ(detail::deadline_after(std::chrono::hours::min()), 0U);
    EXPECT_EQ(detail::deadline_after(std::chrono::nanoseconds::min()), 0U);
    EXPECT_EQ(detail::deadline_after(Seconds(-0.0)), 0U);
    EXPECT_EQ(detail::deadline_after(Seconds(-std::numeric_limits<double>::infinity())), 0U);
    EXPECT_EQ(detail::deadline_after(Seconds(std::numeric_limits<double>::quiet_NaN())), 0U);
}

TEST(Deadlines, TheFarthestDurationsNeverEnd) {
    using Seconds = std::chrono::duration<double>;
    EXPECT_EQ(detail::deadline_after(std::chrono::hours::max()), kNever);
    EXPECT_EQ(detail::deadline_after(std::chrono::nanoseconds::max()), kNever);
    EXPECT_EQ(detail::deadline_after(std::chrono::years(200)), kNever);
    EXPECT_EQ(detail::deadline_after(std::chrono::duration<std::int64_t, std::ratio<1, 60>>::max()), kNever);
    EXPECT_EQ(detail::deadline_after(std::chrono::duration<std::int64_t, std::giga>::max()), kNever);
    EXPECT_EQ(detail::deadline_after(Seconds(std::numeric_limits<double>::infinity())), kNever);
    EXPECT_EQ(detail::deadline_after(Seconds(std::numeric_limits<double>::max())), kNever);
    EXPECT_EQ(detail::deadline_after(std::chrono::duration<float>(std::numeric_limits<float>::infinity())),
              kNever);
}

// ---- deadlines on other clocks ---------------------------------------------------------------------------------------

/// A clock that tests set.
struct SetClock {
    using rep = std::int64_t;
    using period = std::milli;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<SetClock>;
    [[maybe_unused]] static constexpr bool is_steady = false;
    static time_point now() noexcept { return time_point(duration(now_ms)); }
    static inline std::int64_t now_ms = 0;
};

/// What wait_until() asked for. Never calls that do not end: after 100 calls something else than timed_out is answered.
class Calls {
 public:
    template <class TimePoint>
    Status until(TimePoint deadline) {
        return detail::wait_until(deadline, [this](std::uint64_t ns) {
            deadlines_ns.push_back(ns);
            if (deadlines_ns.size() == 100) return Status::overflow;
            if (during) during(deadlines_ns.size());
            return answer;
        });
    }
    std::vector<std::uint64_t> deadlines_ns{};
    std::function<void(std::size_t)> during{};
    Status answer = Status::timed_out;
};
using Once = std::vector<std::uint64_t>;

TEST(DeadlinesOnClocks, TheFarthestTimePointsNeverCome) {
    using Seconds = std::chrono::duration<double>;
    const auto never = [](auto time_point) {
        Calls calls;
        EXPECT_EQ(calls.until(time_point), Status::timed_out);
        EXPECT_EQ(calls.deadlines_ns, Once{kNever});
    };
    never(std::chrono::steady_clock::time_point::max());
    never(std::chrono::system_clock::time_point::max());
    never(std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>::max());
    never(std::chrono::time_point<std::chrono::steady_clock, Seconds>(
        Seconds(std::numeric_limits<double>::infinity())));
    SetClock::now_ms = -1'000'000;
    never(SetClock::time_point::max());
}

TEST(DeadlinesOnClocks, TimePointsInThePastAreOneAttempt) {
    const auto past = [](auto time_point) {
        Calls calls;
        EXPECT_EQ(calls.until(time_point), Status::timed_out);
        EXPECT_EQ(calls.deadlines_ns, Once{0});
    };
    past(std::chrono::steady_clock::time_point::min());
    past(std::chrono::steady_clock::time_point{});
    past(std::chrono::steady_clock::now());
    past(std::chrono::system_clock::time_point::min());
    past(std::chrono::system_clock::now() - 10ms);
    past(std::chrono::time_point<std::chrono::system_clock, std::chrono::hours>::min());
    SetClock::now_ms = 1'000'000;
    past(SetClock::time_point::min());
    past(SetClock::now());
}

TEST(DeadlinesOnClocks, ATimePointThatIsNotANumberIsOneAttempt) {
    using Seconds = std::chrono::duration<double>;
    Calls calls;
    EXPECT_EQ(calls.until(std::chrono::time_point<std::chrono::steady_clock, Seconds>(
                  Seconds(std::numeric_limits<double>::quiet_NaN()))),
              Status::timed_out);
    EXPECT_EQ(calls.deadlines_ns, Once{0});
}

TEST(DeadlinesOnClocks, AClockThatIsSetBackMakesUsWaitAgain) {
    Calls calls;
    SetClock::now_ms = 5'000;
    calls.during = [](std::size_t call) { SetClock::now_ms = call == 3 ? 5'010 : 4'000; };
    const std::uint64_t before_ns = monotonic_ns();
    EXPECT_EQ(calls.until(SetClock::time_point(5'010ms)), Status::timed_out);
    ASSERT_EQ(calls.deadlines_ns.size(), 3U);
    EXPECT_GE(calls.deadlines_ns[0], before_ns + 10'000'000);
    EXPECT_GE(calls.deadlines_ns[1], before_ns + 1'010'000'000);
    EXPECT_GE(calls.deadlines_ns[2], before_ns + 1'010'000'000);
}

TEST(DeadlinesOnClocks, AClockThatJumpsForwardEndsTheWaitOnce) {
    Calls calls;
    SetClock::now_ms = 5'000;
    calls.during = [](std::size_t) { SetClock::now_ms = 1'000'000'000; };
    EXPECT_EQ(calls.until(SetClock::time_point(60s)), Status::timed_out);
    EXPECT_EQ(calls.deadlines_ns.size(), 1U);
}

TEST(DeadlinesOnClocks, AnyOtherAnswerEndsTheCall) {
    Calls calls;
    SetClock::now_ms = 0;
    for (const Status answer :
         {Status::ok, Status::closed, Status::peer_lost, Status::interrupted, Status::corrupt}) {
        calls = {};
        calls.answer = answer;
        EXPECT_EQ(calls.until(SetClock::time_point(1s)), answer);
        EXPECT_EQ(calls.deadlines_ns.size(), 1U);
    }
}

// ---- polling and sleeping, in a world that stands still ---------------------------------------------------------------

class ScriptedWait : public ::testing::Test {
 protected:
    static constexpr std::uint64_t kPeriod_ns = 100'000'000;
    static constexpr std::uint64_t kLook_ns = 100;  // what a look at the clock takes in this world

    ScriptedWait() { world.step_ns = kLook_ns; }
    Status wait(std::uint64_t deadline_ns = kNever) {
        return waiter_.wait(
            line_, Status::empty, deadline_ns, kPeriod_ns, stop_.get_token(),
            [this]() noexcept {
                ++attempts_;
                if (on_attempt_) on_attempt_();
                return answer_;
            },
            [this]() noexcept {
                ++examined_;
                if (on_examine_) on_examine_();
            });
    }
    /// How long a wait that ends by a wake-up polls before it sleeps.
    std::uint64_t polling_time_ns() {
        std::uint64_t asleep_at_ns = 0;
        const std::uint64_t start_ns = world.now_ns;
        answer_ = Status::empty;
        world.sleep = [&](std::uint32_t, std::uint64_t) {
            asleep_at_ns = world.now_ns;
            world.now_ns += 10'000'000;  // far longer than polling is worth
            answer_ = Status::ok;
            return FutexResult::woken;
        };
        EXPECT_EQ(wait(), Status::ok);
        return asleep_at_ns - start_ns;
    }
    /// A wait whose message comes after `after_ns` of polling.
    void find_while_polling(std::uint64_t after_ns) {
        const std::uint64_t at_ns = world.now_ns + after_ns;
        answer_ = Status::empty;
        on_attempt_ = [this, at_ns] {
            if (world.now_ns >= at_ns) answer_ = Status::ok;
        };
        EXPECT_EQ(wait(), Status::ok);
        on_attempt_ = nullptr;
    }
    [[nodiscard]] std::uint64_t word() const { return line_.word.load(std::memory_order_relaxed); }

    FreshWorld fresh_world_{};
    detail::EventLine<CountingEnv> line_{};
    detail::Waiter<CountingEnv> waiter_{};
    std::stop_source stop_{};
    Status answer_ = Status::empty;
    std::function<void()> on_attempt_{};
    std::function<void()> on_examine_{};
    int attempts_ = 0;
    int examined_ = 0;
};

TEST_F(ScriptedWait, WhatComesWhilePollingCostsNoSleepAndTouchesNothingShared) {
    find_while_polling(5'000);
    EXPECT_TRUE(world.operations.empty());
    EXPECT_EQ(waiter_.sleeps(), 0U);
}

TEST_F(ScriptedWait, WithoutPollingTimeTheSleepBeginsAtOnce) {
    for (const auto spin : {0ns, -5ns, std::chrono::nanoseconds::min()}) {
        waiter_.set_policy({.spin = spin});
        for (int round = 0; round != 3; ++round) {
            attempts_ = 0;
            EXPECT_LE(polling_time_ns(), 5 * kLook_ns);
            EXPECT_LE(attempts_, detail::kRecheckPolls + 2);
        }
    }
}

TEST_F(ScriptedWait, PollsAsLongAsThePolicySaysAndLessAfterWaitsThatWereLong) {
    waiter_.set_policy({.spin = 64us});
    EXPECT_GE(polling_time_ns(), 64'000U);
    std::uint64_t last_ns = 64'000 + 5 * kLook_ns;
    for (int round = 0; round != 10; ++round) {
        const std::uint64_t now_ns = polling_time_ns();
        EXPECT_LE(now_ns, last_ns);
        EXPECT_GE(now_ns, 64'000U / 16);
        last_ns = now_ns;
    }
    EXPECT_LE(last_ns, 64'000U / 16 + 5 * kLook_ns);

    for (int round = 0; round != 100; ++round) find_while_polling(3'500);  // polling pays again
    const std::uint64_t recovered_ns = polling_time_ns();
    EXPECT_GE(recovered_ns, 6'000U);
    EXPECT_LE(recovered_ns, 9'000U);

    waiter_.set_policy({.spin = 64us});
    EXPECT_GE(polling_time_ns(), 64'000U) << "a new policy starts afresh";
}

TEST_F(ScriptedWait, PollsNeverLongerThanThePolicySays) {
    waiter_.set_policy({.spin = 64us});
    for (int round = 0; round != 50; ++round) find_while_polling(60'000);
    EXPECT_LE(polling_time_ns(), 64'000U + 5 * kLook_ns);
}

TEST_F(ScriptedWait, ShortSleepsBringPollingBack) {
    waiter_.set_policy({.spin = 64us});
    for (int round = 0; round != 10; ++round) (void)polling_time_ns();
    const std::uint64_t least_ns = polling_time_ns();
    for (int round = 0; round != 30; ++round) {
        answer_ = Status::empty;
        world.sleep = [this](std::uint32_t, std::uint64_t) {
            world.now_ns += 20'000;
            answer_ = Status::ok;
            return FutexResult::woken;
        };
        EXPECT_EQ(wait(), Status::ok);
    }
    EXPECT_GE(polling_time_ns(), 4 * least_ns);
}

TEST_F(ScriptedWait, ADeadlineWithinThePollingTimeEndsIt) {
    const std::uint64_t deadline_ns = world.now_ns + 10'000;
    EXPECT_EQ(wait(deadline_ns), Status::timed_out);
    EXPECT_GE(world.now_ns, deadline_ns);
    EXPECT_LE(world.now_ns, deadline_ns + 2 * kLook_ns);
    EXPECT_EQ(waiter_.sleeps(), 0U);
}

TEST_F(ScriptedWait, WokenAheadOfTheMessageItPollsForTheWholeSpanBeforeItSleepsAgain) {
    waiter_.set_policy({.spin = 64us});
    for (int round = 0; round != 10; ++round)
        (void)polling_time_ns();  // long waits: hardly any polling before a sleep

    const auto sleeps_when_it_comes_after_ns = [this](std::uint64_t ns) {
        int sleeps = 0;
        std::uint64_t comes_at_ns = kNever;
        answer_ = Status::empty;
        on_attempt_ = [&] {
            if (world.now_ns >= comes_at_ns) answer_ = Status::ok;
        };
        world.sleep = [&](std::uint32_t, std::uint64_t deadline_ns) {
            if (sleeps++ != 0) {
                world.now_ns = deadline_ns;
                return FutexResult::timed_out;
            }
            detail::EventCount<CountingEnv>::notify(line_, 1);
            comes_at_ns = world.now_ns + ns;
            return FutexResult::woken;
        };
        EXPECT_EQ(wait(), Status::ok);
        EXPECT_EQ(word() & detail::kWaitersMask, 0U);
        on_attempt_ = nullptr;
        return sleeps;
    };
    EXPECT_EQ(sleeps_when_it_comes_after_ns(1'000), 1);
    EXPECT_EQ(sleeps_when_it_comes_after_ns(60'000), 1);
    EXPECT_EQ(sleeps_when_it_comes_after_ns(80'000), 2) << "the wake-up was for nobody: back to sleep";

    waiter_.set_policy({.spin = 0ns});
    EXPECT_EQ(sleeps_when_it_comes_after_ns(10'000), 2) << "who does not want to poll does not";
}

TEST_F(ScriptedWait, ADeadlineWhilePollingForAnAnnouncedMessageEndsTheWait) {
    waiter_.set_policy({.spin = 64us});
    const std::uint64_t deadline_ns = world.now_ns + 100'000;
    world.sleep = [&](std::uint32_t, std::uint64_t) {
        detail::EventCount<CountingEnv>::notify(line_, 1);
        return FutexResult::woken;
    };
    EXPECT_EQ(wait(deadline_ns), Status::timed_out);
    EXPECT_GE(world.now_ns, deadline_ns);
    EXPECT_LE(world.now_ns, deadline_ns + 5 * kLook_ns);
}

TEST_F(ScriptedWait, ADeadlineIsNeverEarlyWhereverItFalls) {
    for (const auto spin : {0ns, 50'000ns}) {
        waiter_.set_policy({.spin = spin});
        for (std::uint64_t ahead_ns = 1; ahead_ns < 500'000'000; ahead_ns = ahead_ns * 3 + 1) {
            const std::uint64_t deadline_ns = world.now_ns + ahead_ns;
            EXPECT_EQ(wait(deadline_ns), Status::timed_out);
            EXPECT_GE(world.now_ns, deadline_ns);
            EXPECT_LE(world.now_ns, deadline_ns + 10 * kLook_ns) << ahead_ns;
            EXPECT_EQ(word() & detail::kWaitersMask, 0U);
        }
    }
}

TEST_F(ScriptedWait, AStopEndsPollingAndAMessageComesFirst) {
    answer_ = Status::ok;
    stop_.request_stop();
    EXPECT_EQ(wait(), Status::ok);
    answer_ = Status::empty;
    EXPECT_EQ(wait(), Status::interrupted);
    EXPECT_EQ(world.count(Kind::futex_wait), 0U);
}

TEST_F(ScriptedWait, AStopEndsASleepAndTheSleepersPlaceIsGivenBack) {
    for (const bool message_too : {false, true}) {
        stop_ = std::stop_source{};
        answer_ = Status::empty;
        world.sleep = [&](std::uint32_t expected, std::uint64_t) {
            stop_.request_stop();
            EXPECT_NE(word() >> 32, expected) << "a sleeper that is about to sleep must be kept awake, too";
            EXPECT_EQ(world.wakes.size(), 1U);
            if (message_too) answer_ = Status::ok;
            return FutexResult::woken;
        };
        EXPECT_EQ(wait(), message_too ? Status::ok : Status::interrupted);
        EXPECT_EQ(word() & detail::kWaitersMask, 0U);
        world.wakes.clear();
    }
}

TEST_F(ScriptedWait, AStopBetweenTheLastLookAndTheSleepIsNotSleptThrough) {
    world.meanwhile = [this](const Operation& operation) {
        if (operation.kind == Kind::futex_wait) stop_.request_stop();
    };
    const std::uint64_t start_ns = world.now_ns;
    EXPECT_EQ(wait(), Status::interrupted);
    EXPECT_LT(world.now_ns - start_ns, 1'000'000U);
}

TEST_F(ScriptedWait, AStopAtAnyMomentOfTheWaitEndsIt) {
    // Whatever the wait does next, the stop comes just before it.
    for (std::size_t moment = 0; moment != 60; ++moment) {
        stop_ = std::stop_source{};
        int sleeps = 0;
        world.meanwhile = [&](const Operation& operation) {
            if (operation.kind == Kind::futex_wait) ++sleeps;
            if (world.operations.size() > moment) stop_.request_stop();
        };
        world.operations.clear();
        waiter_.set_policy({.spin = 0ns});
        EXPECT_EQ(wait(world.now_ns + 10'000'000'000), Status::interrupted) << moment;
        EXPECT_EQ(word() & detail::kWaitersMask, 0U);
    }
}

TEST_F(ScriptedWait, ASignalEndsTheWaitOnlyWhereThatWasAskedFor) {
    const auto sleep = [signals = 3](std::uint32_t, std::uint64_t deadline_ns) mutable {
        if (signals-- > 0) return FutexResult::interrupted;
        world.now_ns = deadline_ns;
        return FutexResult::timed_out;
    };
    world.sleep = sleep;
    const std::uint64_t deadline_ns = world.now_ns + 250'000'000;
    EXPECT_EQ(wait(deadline_ns), Status::timed_out);
    EXPECT_GE(world.now_ns, deadline_ns);
    EXPECT_LE(world.now_ns, deadline_ns + 10'000);

    world.sleep = sleep;
    waiter_.set_policy({.return_on_signal = true});
    EXPECT_EQ(wait(), Status::interrupted);
    EXPECT_EQ(word() & detail::kWaitersMask, 0U);

    world.sleep = [this](std::uint32_t, std::uint64_t) {
        answer_ = Status::ok;
        return FutexResult::interrupted;
    };
    EXPECT_EQ(wait(), Status::ok) << "a message is worth more than a signal";
}

// ---- naps ------------------------------------------------------------------------------------------------------------

class ScriptedNaps : public ScriptedWait {
 protected:
    static constexpr std::uint64_t kNap_ns = 7'000'000;

    ScriptedNaps() { waiter_.set_policy({.spin = 0ns, .nap = std::chrono::nanoseconds(kNap_ns)}); }
    /// Naps until `over(deadline_ns)` makes the wait end.
    void nap_until(std::function<void()> after_each) {
        world.sleep = [this, after_each](std::uint32_t, std::uint64_t deadline_ns) {
            EXPECT_EQ(word(), 0U) << "nobody is to be woken";
            world.now_ns = deadline_ns;
            after_each();
            return FutexResult::timed_out;
        };
    }
};

TEST_F(ScriptedNaps, LookAgainAfterEachAndTellNobody) {
    nap_until([this] {
        if (waiter_.sleeps() == 3) answer_ = Status::ok;
    });
    EXPECT_EQ(wait(), Status::ok);
    EXPECT_EQ(world.sleep_deadlines_ns.size(), 3U);
    for (std::size_t i = 1; i != 3; ++i) {
        EXPECT_GE(world.sleep_deadlines_ns[i] - world.sleep_deadlines_ns[i - 1], kNap_ns);
        EXPECT_LE(world.sleep_deadlines_ns[i] - world.sleep_deadlines_ns[i - 1], kNap_ns + 5 * kLook_ns);
    }
    EXPECT_EQ(examined_, 0);
    EXPECT_EQ(world.count(Operation::Kind::exchange), 0U) << "registered nowhere";
}
TEST_F(ScriptedNaps, AskOnceAPeriodWhoIsAliveAndReportIt) {
    nap_until([] {});
    on_examine_ = [this] {
        if (examined_ == 3) answer_ = Status::peer_lost;
    };
    const std::uint64_t start_ns = world.now_ns;
    EXPECT_EQ(wait(), Status::peer_lost);
    EXPECT_GE(world.now_ns - start_ns, 3 * kPeriod_ns);
    EXPECT_LE(world.now_ns - start_ns, 3 * kPeriod_ns + 1'000'000);
}
TEST_F(ScriptedNaps, EndWithTheDeadlineAStopAnInterruptAndASignal) {
    nap_until([] {});
    const std::uint64_t deadline_ns = world.now_ns + 3 * kNap_ns - 1;
    EXPECT_EQ(wait(deadline_ns), Status::timed_out);
    EXPECT_GE(world.now_ns, deadline_ns);
    EXPECT_LE(world.now_ns, deadline_ns + 5 * kLook_ns);

    world.wakes.clear();
    nap_until([this] { stop_.request_stop(); });
    EXPECT_EQ(wait(), Status::interrupted);
    EXPECT_EQ(world.wakes.size(), 1U) << "a nap ends at once";
    stop_ = std::stop_source();

    Interrupt interrupt;
    WaitPolicy policy = waiter_.policy();
    policy.interrupt = &interrupt;
    waiter_.set_policy(policy);
    nap_until([&] { interrupt.set(); });
    EXPECT_EQ(wait(), Status::interrupted);
    EXPECT_TRUE(interrupt.take());

    for (const bool is_asked_for : {true, false}) {
        policy.return_on_signal = is_asked_for;
        waiter_.set_policy(policy);
        world.sleep = [](std::uint32_t, std::uint64_t) { return FutexResult::interrupted; };
        EXPECT_EQ(wait(world.now_ns + 100'000), is_asked_for ? Status::interrupted : Status::timed_out);
    }
}

// ---- interrupts ------------------------------------------------------------------------------------------------------

TEST_F(ScriptedWait, AnInterruptAtAnyMomentOfTheWaitEndsItUntilItIsTaken) {
    Interrupt interrupt;
    waiter_.set_policy({.spin = 64us, .interrupt = &interrupt});
    for (int at = 1; at != 200; ++at) {
        attempts_ = 0;
        on_attempt_ = [&, at] {
            if (attempts_ == at) interrupt.set();
        };
        EXPECT_EQ(wait(world.now_ns + 10'000'000'000), Status::interrupted) << at;
        EXPECT_EQ(word() & detail::kWaitersMask, 0U);
        on_attempt_ = nullptr;
        EXPECT_EQ(wait(), Status::interrupted) << "as long as it is set";
        EXPECT_TRUE(interrupt.take());
        EXPECT_FALSE(interrupt.take());
    }
    world.meanwhile = [&](const Operation& operation) {  // just before it falls asleep
        if (operation.kind == Operation::Kind::futex_wait) interrupt.set();
    };
    EXPECT_EQ(wait(world.now_ns + 10'000'000'000), Status::interrupted);
}

TEST_F(ScriptedWait, AsksOnceAPeriodWhoIsAliveAndReportsIt) {
    const std::uint64_t start_ns = world.now_ns;
    EXPECT_EQ(wait(start_ns + 1'000'000'000), Status::timed_out);
    EXPECT_GE(examined_, 9);
    EXPECT_LE(examined_, 11);

    on_examine_ = [this] { answer_ = Status::peer_lost; };
    EXPECT_EQ(wait(), Status::peer_lost);
}

TEST_F(ScriptedWait, AsksWhoIsAliveAlsoWhenSignalsKeepComing) {
    world.sleep = [](std::uint32_t, std::uint64_t deadline_ns) {
        const std::uint64_t later_ns = world.now_ns + 10'000'000;  // a timer every 10 ms
        world.now_ns = later_ns < deadline_ns ? later_ns : deadline_ns;
        return later_ns < deadline_ns ? FutexResult::interrupted : FutexResult::timed_out;
    };
    EXPECT_EQ(wait(world.now_ns + 1'000'000'000), Status::timed_out);
    EXPECT_GE(examined_, 9);
}

TEST_F(ScriptedWait, AnIdleSleeperWakesAtMostTwelveTimesASecond) {
    constexpr std::uint64_t kSeconds = 60;
    EXPECT_EQ(wait(world.now_ns + kSeconds * 1'000'000'000), Status::timed_out);
    EXPECT_LE(world.count(Kind::futex_wait), 12 * kSeconds);
}

// ---- real time, on a real ring ---------------------------------------------------------------------------------------

using Message = Sized<8, 8>;
using Ring = SpscRing<Message>;
constexpr auto kSlack = 2s;  // a slow machine is not a bug

class RealWait : public ::testing::Test {
 protected:
    RealWait() {
        EXPECT_TRUE(producer_.try_push(Message::numbered(1)));
        for (const WaitPolicy& policy : {WaitPolicy{.spin = 0ns}, WaitPolicy{}}) policies_.push_back(policy);
    }
    void set_policy(const WaitPolicy& policy) {
        producer_.set_wait_policy(policy);
        consumer_.set_wait_policy(policy);
    }

    Ring empty_ring_ = Ring::anonymous({.capacity = 1});
    Ring full_ring_ = Ring::anonymous({.capacity = 1});
    Ring::Consumer consumer_ = empty_ring_.consumer();
    Ring::Producer producer_ = full_ring_.producer();
    std::vector<WaitPolicy> policies_{};
};

TEST_F(RealWait, DurationsAreNeverEarlyAndNeverMuchLate) {
    const auto expect_time = [&](auto timeout) {
        using Steady = std::chrono::steady_clock;
        const Message message = Message::numbered(2);
        for (const WaitPolicy& policy : policies_) {
            set_policy(policy);
            auto start = Steady::now();
            EXPECT_EQ(consumer_.try_pop_for(timeout).error(), Status::timed_out);
            EXPECT_GE(Steady::now() - start, timeout);
            EXPECT_LE(Steady::now() - start, timeout + kSlack);
            start = Steady::now();
            EXPECT_EQ(producer_.try_push_for(message, timeout).error(), Status::timed_out);
            EXPECT_GE(Steady::now() - start, timeout);
            EXPECT_LE(Steady::now() - start, timeout + kSlack);
            start = Steady::now();
            EXPECT_EQ(consumer_.try_next_for(timeout).error(), Status::timed_out);
            EXPECT_EQ(producer_.try_claim_for(timeout).error(), Status::timed_out);
            EXPECT_GE(Steady::now() - start, 2 * timeout);
        }
    };
    expect_time(0ns);
    expect_time(1ns);
    expect_time(1us);
    expect_time(70us);
    expect_time(20ms);
    expect_time(130ms);  // longer than a liveness period
    expect_time(std::chrono::duration<float>(0.02F));
    expect_time(std::chrono::duration<double>(0.003));
}

TEST_F(RealWait, TimePointsAreNeverEarlyAndNeverMuchLate) {
    const auto expect_time = [&](auto now, auto timeout) {
        for (const WaitPolicy& policy : policies_) {
            set_policy(policy);
            auto deadline = now() + timeout;
            EXPECT_EQ(consumer_.try_pop_until(deadline).error(), Status::timed_out);
            EXPECT_GE(now(), deadline);
            EXPECT_LE(now(), deadline + kSlack);
            deadline = now() + timeout;
            EXPECT_EQ(producer_.try_push_until(Message::numbered(2), deadline).error(), Status::timed_out);
            EXPECT_GE(now(), deadline);
            deadline = now() + timeout;
            EXPECT_EQ(consumer_.try_next_until(deadline).error(), Status::timed_out);
            EXPECT_EQ(producer_.try_claim_until(deadline).error(), Status::timed_out);
            EXPECT_GE(now(), deadline);
        }
    };
    for (const auto timeout : {1ns, 1'000ns, 20'000'000ns}) {
        expect_time([] { return std::chrono::steady_clock::now(); }, timeout);
        expect_time([] { return std::chrono::system_clock::now(); }, timeout);
    }
}

TEST_F(RealWait, NoTimeIsOneAttemptThatTakesWhatIsThere) {
    auto other = full_ring_.consumer();
    for (const auto timeout : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
        EXPECT_EQ(consumer_.try_pop_for(timeout).error(), Status::timed_out);
        EXPECT_EQ(producer_.try_push_for(Message::numbered(2), timeout).error(), Status::timed_out);
        const auto popped = other.try_pop_for(timeout);
        ASSERT_TRUE(popped);
        EXPECT_EQ(*popped, Message::numbered(1));
        EXPECT_TRUE(producer_.try_push_for(Message::numbered(1), timeout));
    }
    EXPECT_TRUE(other.try_pop_until(std::chrono::steady_clock::time_point::min()));
    EXPECT_TRUE(producer_.try_push_until(Message::numbered(1), std::chrono::system_clock::time_point::min()));
    EXPECT_EQ(consumer_.try_pop_until(std::chrono::system_clock::time_point::min()).error(),
              Status::timed_out);
}

TEST_F(RealWait, TheFarthestDeadlinesWaitForTheMessage) {
    auto feeder = empty_ring_.producer();
    const auto expect_wait = [&](auto pop) {
        std::jthread feeding([&] {
            await_sleeper(control_of(empty_ring_).readable);
            EXPECT_TRUE(feeder.push(Message::numbered(3)));
        });
        const auto popped = pop();
        ASSERT_TRUE(popped);
        EXPECT_EQ(*popped, Message::numbered(3));
    };
    using Seconds = std::chrono::duration<double>;
    expect_wait([&] { return consumer_.try_pop_for(std::chrono::hours::max()); });
    expect_wait([&] { return consumer_.try_pop_for(std::chrono::nanoseconds::max()); });
    expect_wait([&] { return consumer_.try_pop_for(Seconds(std::numeric_limits<double>::infinity())); });
    expect_wait([&] { return consumer_.try_pop_until(std::chrono::steady_clock::time_point::max()); });
    expect_wait([&] { return consumer_.try_pop_until(std::chrono::system_clock::time_point::max()); });
}

TEST_F(RealWait, AStopFromAnotherThreadEndsPollingAndSleeping) {
    for (const auto spin : {0ns, std::chrono::nanoseconds(1h)}) {
        set_policy({.spin = spin});
        for (const auto delay : {0us, 100us, 3000us}) {
            std::stop_source stop;
            std::jthread stopper([&] {
                std::this_thread::sleep_for(delay);
                stop.request_stop();
            });
            EXPECT_EQ(consumer_.pop(stop.get_token()).error(), Status::interrupted);
        }
        for (const auto delay : {0us, 100us, 3000us}) {
            std::stop_source stop;
            std::jthread stopper([&] {
                std::this_thread::sleep_for(delay);
                stop.request_stop();
            });
            EXPECT_EQ(producer_.push(Message::numbered(2), stop.get_token()).error(), Status::interrupted);
        }
    }
    EXPECT_EQ(sleepers(control_of(empty_ring_).readable), 0U);
    EXPECT_EQ(sleepers(control_of(full_ring_).writable), 0U);
}

TEST_F(RealWait, AStopBeforeTheCallStillTakesWhatIsThere) {
    auto other = full_ring_.consumer();
    std::stop_source stop;
    stop.request_stop();
    EXPECT_TRUE(other.pop(stop.get_token()));
    EXPECT_EQ(other.pop(stop.get_token()).error(), Status::interrupted);
    EXPECT_TRUE(producer_.push(Message::numbered(2), stop.get_token()));
    EXPECT_EQ(producer_.push(Message::numbered(2), stop.get_token()).error(), Status::interrupted);
    EXPECT_EQ(consumer_.next(stop.get_token()).error(), Status::interrupted);
    EXPECT_EQ(producer_.claim(stop.get_token()).error(), Status::interrupted);
    EXPECT_EQ(consumer_.try_pop_for(1h, stop.get_token()).error(), Status::interrupted);
    EXPECT_EQ(consumer_.try_pop_until(std::chrono::system_clock::now() + 1h, stop.get_token()).error(),
              Status::interrupted);
}

TEST_F(RealWait, SignalsDoNotShortenAWait) {
    for (const int flags : {0, SA_RESTART}) {
        const HarmlessSignal signal(flags);
        set_policy({.spin = 0ns});
        under_signals([&] {
            const auto start = std::chrono::steady_clock::now();
            EXPECT_EQ(consumer_.try_pop_for(150ms).error(), Status::timed_out);
            EXPECT_GE(std::chrono::steady_clock::now() - start, 150ms);
            EXPECT_LE(std::chrono::steady_clock::now() - start, 150ms + kSlack);
        });
        under_signals([&] {
            EXPECT_EQ(producer_.try_push_for(Message::numbered(2), 150ms).error(), Status::timed_out);
        });
    }
}

TEST_F(RealWait, ASignalEndsAWaitWhereThatWasAskedFor) {
    for (const int flags : {0, SA_RESTART}) {
        const HarmlessSignal signal(flags);
        set_policy({.spin = 0ns, .return_on_signal = true});
        under_signals([&] { EXPECT_EQ(consumer_.pop().error(), Status::interrupted); });
        under_signals([&] { EXPECT_EQ(producer_.push(Message::numbered(2)).error(), Status::interrupted); });
    }
}

}  // namespace
}  // namespace shmring::test
