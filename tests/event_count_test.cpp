// The event count: its bookkeeping with a scripted futex and clock, then real sleepers in threads and processes.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <thread>
#include <vector>

#include "shmring/detail/env.hpp"
#include "shmring/detail/event_count.hpp"
#include "support/counting_env.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using detail::EventLine;
using detail::kAllWoken;
using detail::kArmed;
using detail::kFirstSleep_ns;
using detail::kMaxParticipants;
using detail::kOneEpoch;
using detail::kWaitersMask;
using detail::SleepResult;
using detail::platform::FutexResult;
using detail::platform::kNever;
using Kind = Operation::Kind;

constexpr std::uint64_t kPeriod_ns = 100'000'000;

class EventCount : public ::testing::Test {
 protected:
    using Events = detail::EventCount<CountingEnv>;

    void set_word(std::uint64_t epoch, std::uint64_t low) {
        line_.word.store(epoch << 32 | low, std::memory_order_relaxed);
        world.operations.clear();
    }
    [[nodiscard]] std::uint64_t word() const { return line_.word.load(std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t epoch() const { return word() >> 32; }
    [[nodiscard]] std::uint64_t waiters() const { return word() & kWaitersMask; }
    [[nodiscard]] std::uint64_t missed() const { return line_.missed_wakes.load(std::memory_order_relaxed); }

    SleepResult sleep(std::uint64_t deadline_ns = kNever) {
        const auto attempt = [this]() noexcept {
            ++attempts_;
            return ready_;
        };
        return Events::sleep(line_, deadline_ns, kPeriod_ns, attempt, [this]() noexcept {
            ++periods_;
            if (on_period_) on_period_();
        });
    }
    /// Each sleep lasts until its deadline. After `sleeps` of them there is something to do.
    void sleep_through(int sleeps) {
        world.sleep = [this, left = sleeps](std::uint32_t, std::uint64_t deadline_ns) mutable {
            world.now_ns = deadline_ns;
            if (--left == 0) ready_ = true;
            return FutexResult::timed_out;
        };
    }
    /// The first sleep ends after 10 us as `result` says; `others` acted during it.
    template <class Others>
    void end_first_sleep(FutexResult result, Others others) {
        world.sleep = [result, others, first = true](std::uint32_t, std::uint64_t deadline_ns) mutable {
            world.now_ns = first ? world.now_ns + 10'000 : deadline_ns;
            if (!first) return FutexResult::timed_out;
            first = false;
            others();
            return result;
        };
    }

    FreshWorld fresh_world_{};
    EventLine<CountingEnv> line_{};
    bool ready_ = false;
    int attempts_ = 0;
    int periods_ = 0;
    std::function<void()> on_period_{};
    std::uint64_t start_ns_ = world.now_ns;
};

// ---- what it costs ---------------------------------------------------------------------------------------------------

TEST_F(EventCount, AskingWhetherSomebodyWaitsIsOneLoadBehindACompilerBarrier) {
    EXPECT_FALSE(Events::somebody_waits(line_));
    EXPECT_EQ(world.operations,
              (Operations{{.kind = Kind::barrier}, {.kind = Kind::load, .address = &line_.word}}));
    set_word(5, 1);
    EXPECT_TRUE(Events::somebody_waits(line_));
    set_word(5, detail::kOneEpoch >> 16);  // armed, and nobody asleep
    EXPECT_TRUE(Events::somebody_waits(line_));
    set_word(0xffff'ffff, 0);
    EXPECT_FALSE(Events::somebody_waits(line_));
}

// ---- the armed bit ---------------------------------------------------------------------------------------------------

TEST_F(EventCount, ArmingIsOneFullBarrierAndIsToldApartFromArmingAgain) {
    set_word(5, 2);
    EXPECT_TRUE(Events::arm(line_));
    const Operation arming{
        .kind = Kind::exchange, .address = &line_.word, .order = std::memory_order_seq_cst};
    EXPECT_EQ(world.operations, Operations{arming});
    EXPECT_FALSE(Events::arm(line_));
    EXPECT_EQ(waiters(), 2U);
    EXPECT_EQ(epoch(), 5U);
    EXPECT_TRUE(Events::disarm(line_));
    EXPECT_FALSE(Events::disarm(line_));
    EXPECT_EQ(word(), std::uint64_t{5} << 32 | 2);
}

TEST_F(EventCount, OneNotifierTakesTheArmedBitAndTheCreditsInOneExchange) {
    for (const std::uint64_t asleep : {0U, 1U, 3U}) {
        set_word(5, asleep | kArmed);
        world.wakes.clear();
        EXPECT_TRUE(Events::somebody_waits(line_));
        EXPECT_TRUE(Events::notify(line_, 1)) << "somebody owes a stroke of the bell";
        EXPECT_EQ(world.count(Kind::exchange), 1U);
        EXPECT_EQ(word() & kArmed, 0U);
        EXPECT_EQ(waiters(), asleep == 0 ? 0 : asleep - 1);
        EXPECT_EQ(epoch(), asleep == 0 ? 5U : 6U);
        EXPECT_EQ(world.wakes.size(), asleep == 0 ? 0U : 1U) << "nobody asleep: no system call for them";
        EXPECT_FALSE(Events::notify(line_, 1)) << "one stroke, not two";
    }
}

TEST_F(EventCount, OnlyANotifierTakesTheArmedBit) {
    set_word(5, 2 | kArmed);
    Events::pass_on(line_);
    EXPECT_EQ(word(), std::uint64_t{6} << 32 | kArmed | 1);
    Events::notify_all(line_);
    EXPECT_EQ(word(), std::uint64_t{7} << 32 | kArmed | kAllWoken);
    Events::pass_on(line_);
    EXPECT_EQ(word(), std::uint64_t{7} << 32 | kArmed | kAllWoken) << "nobody to pass it on to";
    ready_ = true;
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(word(), std::uint64_t{7} << 32 | kArmed | kAllWoken) << "registered and left";
    set_word(7, kMaxParticipants | kArmed);
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(word() & (kArmed | kWaitersMask), kArmed) << "the dead were counted, and the count repaired";
}

TEST_F(EventCount, RegisteringIsOneAcquiringExchangeAndEveryReadinessIsFoundWithoutSleeping) {
    ready_ = true;
    EXPECT_EQ(sleep(), SleepResult::ready);
    ASSERT_FALSE(world.operations.empty());
    const Operation registering{
        .kind = Kind::exchange, .address = &line_.word, .order = std::memory_order_acquire};
    EXPECT_EQ(world.operations.front(), registering);
    EXPECT_EQ(world.count(Kind::futex_wait), 0U);
    EXPECT_EQ(attempts_, 1);
    EXPECT_EQ(word(), 0U);
}

TEST_F(EventCount, LooksAgainSeveralTimesBetweenRegisteringAndSleeping) {
    world.sleep = [this](std::uint32_t, std::uint64_t) {
        EXPECT_EQ(attempts_, detail::kRecheckPolls);
        EXPECT_EQ(waiters(), 1U);
        ready_ = true;
        return FutexResult::woken;
    };
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_GE(detail::kRecheckPolls, 8);
}

// ---- who is counted --------------------------------------------------------------------------------------------------

TEST_F(EventCount, ASleeperThatLeavesTakesItsRegistrationBack) {
    for (const std::uint64_t others : {0U, 3U}) {
        for (const FutexResult result :
             {FutexResult::timed_out, FutexResult::interrupted, FutexResult::woken}) {
            set_word(9, others);
            ready_ = false;
            end_first_sleep(result, [this] {
                EXPECT_TRUE(Events::somebody_waits(line_));
                ready_ = true;
            });
            EXPECT_EQ(sleep(), SleepResult::ready);
            EXPECT_EQ(word(), 9 * kOneEpoch + others);
        }
    }
}

TEST_F(EventCount, ANotifierTakesTheCreditsOfThoseItWakes) {
    set_word(7, 3);
    Events::notify(line_, 2);
    EXPECT_EQ(word(), 8 * kOneEpoch + 1);
    Events::notify(line_, 5);
    EXPECT_EQ(word(), 9 * kOneEpoch);
    EXPECT_EQ(world.wakes, (std::vector<int>{2, 1}));
}

TEST_F(EventCount, ANotifierWhoFindsNobodyWakesNobody) {
    set_word(7, 0);
    Events::notify(line_, 1);
    EXPECT_EQ(world.operations, (Operations{{.kind = Kind::load, .address = &line_.word}}));
    EXPECT_EQ(word(), 7 * kOneEpoch);
}

TEST_F(EventCount, ANotifierMovesTheEpochBeforeItCallsTheKernel) {
    set_word(7, 1);
    world.meanwhile = [this](const Operation& operation) {
        if (operation.kind != Kind::futex_wake) return;
        EXPECT_EQ(word(), 8 * kOneEpoch);
        EXPECT_EQ(operation.address, reinterpret_cast<const std::byte*>(&line_.word) + 4)
            << "the epoch is the futex";
    };
    Events::notify(line_, 1);
    EXPECT_EQ(world.wakes.size(), 1U);
}

TEST_F(EventCount, ANotifierTriesAgainWhenAnotherWasQuicker) {
    set_word(7, 2);
    world.meanwhile = [this, done = false](const Operation& operation) mutable {
        if (operation.kind != Kind::exchange || done) return;
        done = true;
        Events::notify(line_, 1);
    };
    Events::notify(line_, 2);
    EXPECT_EQ(word(), 9 * kOneEpoch);
    EXPECT_EQ(world.wakes, (std::vector<int>{1, 1}));
}

TEST_F(EventCount, NotifyingEverybodyMovesTheEpochEvenWhenNobodyIsRegistered) {
    set_word(7, 0);
    Events::notify_all(line_);
    EXPECT_EQ(word(), 8 * kOneEpoch + kAllWoken);
    set_word(7, 900);
    Events::notify_all(line_);
    EXPECT_EQ(word(), 8 * kOneEpoch + kAllWoken);
    ASSERT_EQ(world.wakes.size(), 2U);
    for (const int count : world.wakes) EXPECT_GE(count, 65535);
}

TEST_F(EventCount, NotifyingEverybodyIsOneReleasingExchange) {
    Events::notify_all(line_);
    std::size_t releasing = 0;
    for (const Operation& operation : world.operations)
        releasing += operation.kind == Kind::exchange && operation.order == std::memory_order_release ? 1 : 0;
    EXPECT_EQ(releasing, 1U);
    EXPECT_EQ(world.count(Kind::exchange), 1U);
}

TEST_F(EventCount, KeepsTheReservedBits) {
    constexpr std::uint64_t kOthers = 0xfffc'0000;
    set_word(7, kOthers | 2);
    Events::notify(line_, 1);
    EXPECT_EQ(word(), 8 * kOneEpoch + (kOthers | 1));
    Events::notify_all(line_);
    EXPECT_EQ(word(), 9 * kOneEpoch + (kOthers | kAllWoken));
    ready_ = true;
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(word(), 9 * kOneEpoch + (kOthers | kAllWoken));
    set_word(7, kOthers | kMaxParticipants);
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(word(), 8 * kOneEpoch + (kOthers | kAllWoken));
}

TEST_F(EventCount, ASleeperWhoseCreditWasTakenDoesNotTakeBackAnother) {
    // Woken, and with it another registered meanwhile: that one's registration must stay.
    end_first_sleep(FutexResult::woken, [this] {
        Events::notify(line_, 1);
        line_.word.fetch_add(1, std::memory_order_relaxed);
        ready_ = true;
    });
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(word(), kOneEpoch + 1);
}

TEST_F(EventCount, ASleeperWokenForNothingRegistersAgainAndStartsWithAShortSleep) {
    end_first_sleep(FutexResult::woken, [this] { Events::notify(line_, 1); });
    EXPECT_EQ(sleep(start_ns_ + 50'000'000), SleepResult::timed_out);
    ASSERT_EQ(world.sleep_deadlines_ns.size(), 3U);
    EXPECT_EQ(world.sleep_deadlines_ns[1], start_ns_ + 10'000 + kFirstSleep_ns);
    EXPECT_EQ(world.sleep_deadlines_ns[2], start_ns_ + 50'000'000);
    EXPECT_EQ(word(), kOneEpoch) << "registered twice, woken once, left once";
}

TEST_F(EventCount, ASpuriousWakeUpDoesNotRegisterTwice) {
    end_first_sleep(FutexResult::woken, [this] { EXPECT_EQ(waiters(), 1U); });
    EXPECT_EQ(sleep(start_ns_ + 50'000'000), SleepResult::timed_out);
    EXPECT_EQ(word(), 0U);
    ASSERT_GE(world.sleep_deadlines_ns.size(), 2U);
    EXPECT_EQ(world.sleep_deadlines_ns[1], start_ns_ + 10'000 + kFirstSleep_ns)
        << "still within its first stage";
}

TEST_F(EventCount, AWakeBetweenTheLastLookAndTheSleepEndsTheSleepAtOnce) {
    world.meanwhile = [this, done = false](const Operation& operation) mutable {
        if (operation.kind != Kind::futex_wait || done) return;
        done = true;
        ready_ = true;
        Events::notify(line_, 1);
    };
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(world.now_ns, start_ns_);
    EXPECT_EQ(world.count(Kind::futex_wait), 1U);
    EXPECT_EQ(word(), kOneEpoch);
    EXPECT_EQ(missed(), 0U);
}

TEST_F(EventCount, TheEpochWrapsWithoutAWord) {
    set_word(0xffff'ffff, 0);
    std::vector<std::uint32_t> expected;
    world.sleep = [&](std::uint32_t epoch_slept_on, std::uint64_t) {
        expected.push_back(epoch_slept_on);
        if (expected.size() == 2) ready_ = true;
        Events::notify(line_, 1);
        return FutexResult::woken;
    };
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(expected, (std::vector<std::uint32_t>{0xffff'ffff, 0}));
    EXPECT_EQ(word(), kOneEpoch);

    set_word(0xffff'ffff, 4);
    Events::notify_all(line_);
    EXPECT_EQ(word(), kAllWoken);
}

TEST_F(EventCount, ASleeperThatDiedCostsOneNeedlessWakeUpAndIsForgotten) {
    set_word(3, 1);  // registered and killed
    ASSERT_TRUE(Events::somebody_waits(line_));
    Events::notify(line_, 1);
    EXPECT_EQ(world.wakes.size(), 1U);
    EXPECT_FALSE(Events::somebody_waits(line_));
    ready_ = true;
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(waiters(), 0U);
}

TEST_F(EventCount, MoreSleepersThanCanLiveAreTheDeadAndTheCountStartsAfresh) {
    world.sleep = [this](std::uint32_t, std::uint64_t) {
        EXPECT_EQ(waiters(), 1U);
        EXPECT_EQ(epoch(), 6U);
        ready_ = true;
        return FutexResult::woken;
    };
    set_word(5, kMaxParticipants);
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(world.wakes.size(), 1U) << "the living among them must not sleep on";
    EXPECT_EQ(word(), 6 * kOneEpoch + kAllWoken);
}

TEST_F(EventCount, AsManySleepersAsCanLiveAreKept) {
    ready_ = true;
    set_word(5, kMaxParticipants - 1);
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(word(), 5 * kOneEpoch + kMaxParticipants - 1);
    EXPECT_TRUE(world.wakes.empty());
}

// ---- a wake-up that is of no use to who got it -----------------------------------------------------------------------

class UnusableWakeUp : public EventCount {
 protected:
    /// A sleep beside another sleeper that is ended by `wake`, for something that is there and that we cannot use. How many wake-ups
    /// of everybody came from us.
    template <class Wake>
    std::size_t handed_on(Wake wake, FutexResult result, bool is_left = true) {
        set_word(5, 1);
        world.wakes.clear();
        end_first_sleep(result, [&] {
            wake();
            world.wakes.clear();
        });
        const auto attempt = [this]() noexcept { return ready_; };
        const auto left = [is_left]() noexcept { return is_left; };
        (void)Events::sleep(
            line_, start_ns_ + 500'000, kPeriod_ns, attempt, [] {}, detail::NoLinger{}, left);
        return world.wakes.size();
    }
    void one_is_woken() { Events::notify(line_, 1); }
};

TEST_F(UnusableWakeUp, IsHandedOnToEverybodyElse) {
    EXPECT_EQ(handed_on([this] { one_is_woken(); }, FutexResult::woken), 1U);
    EXPECT_NE(word() & kAllWoken, 0U);
    EXPECT_EQ(waiters(), 0U);
}
TEST_F(UnusableWakeUp, OfOneThatGivesUpOrIsCancelledIsHandedOnToo) {
    // Waiting is over for another reason: stopped, or refused what it found.
    EXPECT_EQ(handed_on(
                  [this] {
                      one_is_woken();
                      ready_ = true;
                  },
                  FutexResult::woken),
              1U);
    ready_ = false;
    EXPECT_EQ(handed_on([this] { one_is_woken(); }, FutexResult::interrupted), 1U);
    EXPECT_EQ(handed_on([this] { one_is_woken(); }, FutexResult::timed_out), 1U);
}
TEST_F(UnusableWakeUp, ThatCameAheadOfWhatItIsForIsHandedOnToo) {
    // What another could use comes while we look for what we can use.
    set_word(5, 1);
    bool is_there = false;
    end_first_sleep(FutexResult::woken, [this] { one_is_woken(); });
    const auto linger = [&]() noexcept {
        world.wakes.clear();
        is_there = true;
        return false;
    };
    (void)Events::sleep(
        line_, start_ns_ + 500'000, kPeriod_ns, []() noexcept { return false; }, [] {}, linger,
        [&]() noexcept { return is_there; });
    EXPECT_EQ(world.wakes.size(), 1U);
}
TEST_F(UnusableWakeUp, ThatCameLongAheadIsHandedOnAfterTheNextShortSleep) {
    set_word(5, 1);
    int sleeps = 0;
    world.sleep = [&](std::uint32_t, std::uint64_t deadline_ns) {
        if (++sleeps == 1) {
            one_is_woken();
            line_.word.fetch_add(1, std::memory_order_relaxed);  // the other one still sleeps there
            world.wakes.clear();
            return FutexResult::woken;
        }
        world.now_ns = deadline_ns;
        return FutexResult::timed_out;
    };
    (void)Events::sleep(
        line_, start_ns_ + 3 * kPeriod_ns, kPeriod_ns, []() noexcept { return false; }, [] {},
        detail::NoLinger{}, [&]() noexcept { return sleeps > 1; });
    EXPECT_EQ(world.wakes.size(), 1U) << "once";
}
TEST_F(UnusableWakeUp, IsNotHandedOnWhereNothingIsLeftOrNobodySleepsOrEverybodyWasWoken) {
    EXPECT_EQ(handed_on([this] { one_is_woken(); }, FutexResult::woken, false), 0U);
    EXPECT_EQ(handed_on([this] { Events::notify(line_, 2); }, FutexResult::woken), 0U);
    EXPECT_EQ(handed_on([this] { Events::notify_all(line_); }, FutexResult::woken), 0U)
        << "or two who wait for more would wake each other for ever";
    EXPECT_EQ(handed_on([] {}, FutexResult::woken), 0U) << "nobody woke us";
}
TEST_F(UnusableWakeUp, AfterEverybodyWasWokenTheNextIsOnesOwnAgain) {
    Events::notify_all(line_);
    ASSERT_NE(word() & kAllWoken, 0U);
    EXPECT_EQ(handed_on([this] { one_is_woken(); }, FutexResult::woken), 1U);
}

// ---- how long it sleeps ----------------------------------------------------------------------------------------------

TEST_F(EventCount, TheFirstSleepLastsAMillisecondAndTheNextOnesAPeriod) {
    EXPECT_EQ(kFirstSleep_ns, 1'000'000U);
    sleep_through(4);
    EXPECT_EQ(sleep(), SleepResult::ready);
    std::vector<std::uint64_t> expected_ns = {start_ns_ + kFirstSleep_ns};
    while (expected_ns.size() != 4) expected_ns.push_back(expected_ns.back() + kPeriod_ns);
    EXPECT_EQ(world.sleep_deadlines_ns, expected_ns);
    EXPECT_EQ(periods_, 3) << "asks who is alive after each whole period";
    EXPECT_EQ(word(), 0U);
}

TEST_F(EventCount, WhatIsFoundOutAfterAPeriodIsReportedAtOnce) {
    on_period_ = [this] { ready_ = true; };
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(world.now_ns, start_ns_ + kFirstSleep_ns + kPeriod_ns);
    EXPECT_EQ(missed(), 0U);
    EXPECT_EQ(word(), 0U);
}

TEST_F(EventCount, AsksByTimeWhereWakeUpsForNothingKeepComing) {
    // Each sleep ends long before the period does, by a wake-up for what another got: who is dead must be found all the same.
    world.sleep = [this](std::uint32_t, std::uint64_t) {
        world.now_ns += kPeriod_ns / 10;
        Events::notify(line_, 1);
        return FutexResult::woken;
    };
    on_period_ = [this] { ready_ = periods_ == 3; };
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(periods_, 3);
    EXPECT_LE(world.now_ns - start_ns_, 4 * kPeriod_ns);
}

TEST_F(EventCount, KeepsOneRegistrationThroughAllPeriods) {
    sleep_through(20);
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(world.count(Kind::exchange, &line_.word), 2U) << "one to register, one to leave";
}

TEST_F(EventCount, APeriodShorterThanTheFirstSleepShortensIt) {
    constexpr std::uint64_t kShort_ns = 200'000;
    const auto attempt = [this]() noexcept { return world.now_ns > start_ns_ + 2 * kShort_ns; };
    EXPECT_EQ(Events::sleep(line_, kNever, kShort_ns, attempt, [] {}), SleepResult::ready);
    ASSERT_FALSE(world.sleep_deadlines_ns.empty());
    EXPECT_EQ(world.sleep_deadlines_ns.front(), start_ns_ + kShort_ns);
}

TEST_F(EventCount, SleepsExactlyToItsDeadlineAndLooksOnceMore) {
    for (const std::uint64_t ahead_ns :
         {std::uint64_t{1}, std::uint64_t{999'999}, kFirstSleep_ns, kFirstSleep_ns + 1,
          std::uint64_t{5'000'000}, kFirstSleep_ns + kPeriod_ns}) {
        world.sleep_deadlines_ns.clear();
        const std::uint64_t deadline_ns = world.now_ns + ahead_ns;
        int attempts_at_deadline = 0;
        const auto attempt = [&]() noexcept {
            if (world.now_ns >= deadline_ns) ++attempts_at_deadline;
            return false;
        };
        EXPECT_EQ(Events::sleep(line_, deadline_ns, kPeriod_ns, attempt, [] {}), SleepResult::timed_out)
            << ahead_ns;
        EXPECT_EQ(world.sleep_deadlines_ns.back(), deadline_ns);
        EXPECT_EQ(world.now_ns, deadline_ns);
        EXPECT_GE(attempts_at_deadline, 1);
        EXPECT_EQ(word(), 0U);
        EXPECT_EQ(missed(), 0U);
    }
}

TEST_F(EventCount, ADeadlineThatHasPassedIsNoSleep) {
    for (const std::uint64_t deadline_ns : {world.now_ns, world.now_ns - 1, std::uint64_t{1}}) {
        EXPECT_EQ(sleep(deadline_ns), SleepResult::timed_out);
        EXPECT_EQ(word(), 0U);
    }
    EXPECT_EQ(world.count(Kind::futex_wait), 0U);
}

TEST_F(EventCount, ASignalEndsTheSleepAndSaysSo) {
    end_first_sleep(FutexResult::interrupted, [] {});
    EXPECT_EQ(sleep(), SleepResult::interrupted);
    EXPECT_EQ(word(), 0U);
}

// ---- missed wakes ----------------------------------------------------------------------------------------------------

TEST_F(EventCount, AFirstSleepThatEndsByTimeWithWorkAtHandCountsAsAMissedWake) {
    sleep_through(1);
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(missed(), 1U);
}

TEST_F(EventCount, WorkFoundInAnotherWayIsNoMissedWake) {
    sleep_through(2);  // made by somebody who saw the registration and was killed before waking us
    EXPECT_EQ(sleep(), SleepResult::ready);
    EXPECT_EQ(missed(), 0U);

    for (const FutexResult result :
         {FutexResult::woken, FutexResult::value_changed, FutexResult::interrupted}) {
        ready_ = false;
        end_first_sleep(result, [this] { ready_ = true; });
        EXPECT_EQ(sleep(), SleepResult::ready);
        EXPECT_EQ(missed(), 0U);
    }
}

// ---- real sleepers ---------------------------------------------------------------------------------------------------

/// Two who take turns. Whoever waits for its turn goes to sleep at once; the bounds on sleeping are too far away to help.
struct Turns {
    static constexpr std::uint64_t kHour_ns = 3'600'000'000'000;
    using Events = detail::EventCount<detail::ShippedEnv>;

    void play(std::uint32_t me, std::uint32_t rounds) {
        for (std::uint32_t round = 0; round != rounds; ++round) {
            const std::uint32_t mine = 2 * round + me;
            const auto my_turn = [&]() noexcept { return turn.load(std::memory_order_acquire) == mine; };
            while (!my_turn()) (void)Events::sleep(lines[me], kNever, kHour_ns, my_turn, [] {});
            turn.store(mine + 1, std::memory_order_release);
            if (Events::somebody_waits(lines[1 - me])) Events::notify(lines[1 - me], 1);
        }
    }
    [[nodiscard]] std::uint64_t waiters() const {
        return (lines[0].word.load(std::memory_order_relaxed) |
                lines[1].word.load(std::memory_order_relaxed)) &
               kWaitersMask;
    }

    std::array<EventLine<detail::ShippedEnv>, 2> lines{};
    std::atomic<std::uint32_t> turn{0};
};
constexpr std::uint32_t kRounds = 50'000;  // each with two sleeps
constexpr unsigned kWatchdog_s = 110;      // a lost wake-up beyond the first stage would sleep for an hour

TEST(EventCountSleepers, TwoThreadsPassATurnAHundredThousandTimes) {
    ::alarm(kWatchdog_s);
    Turns turns;
    std::thread other([&] { turns.play(1, kRounds); });
    turns.play(0, kRounds);
    other.join();
    ::alarm(0);
    EXPECT_EQ(turns.turn.load(std::memory_order_relaxed), 2 * kRounds);
    EXPECT_EQ(turns.waiters(), 0U);
}

TEST(EventCountSleepers, TwoProcessesPassATurnAHundredThousandTimes) {
    ::alarm(kWatchdog_s);
    const Shared<Turns> turns;
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::alarm(kWatchdog_s);
        turns->play(1, kRounds);
        ::_exit(0);
    }
    turns->play(0, kRounds);
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::alarm(0);
    EXPECT_EQ(status, 0);
    EXPECT_EQ(turns->turn.load(std::memory_order_relaxed), 2 * kRounds);
    EXPECT_EQ(turns->waiters(), 0U);
}

}  // namespace
}  // namespace shmring::test
