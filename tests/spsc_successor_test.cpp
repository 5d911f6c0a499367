// What the dead leave behind: their seats and messages to successors, their registrations and unsent wake-ups to those who
// sleep. How a survivor learns of a death: spsc_peer_death_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/peer_death.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

// ---- successors ----------------------------------------------------------------------------------------------------

TEST_F(PeerDeath, OfBothSidesLeavesTheMessagesToTwoSuccessors) {
    producer_dies_after(4);
    consumer_dies_after(1);
    Ring::Producer out = ring.producer();
    Ring::Consumer in = ring.consumer();
    EXPECT_TRUE(out.try_push(4));
    EXPECT_TRUE(out.try_push(5));
    EXPECT_EQ(out.try_push(6).error(), Status::full) << "five are in it";
    for (std::uint64_t i = 1; i != 6; ++i) EXPECT_EQ(in.pop().value_or(~0U), i);
    EXPECT_EQ(in.try_pop().error(), Status::empty);
}

TEST_F(PeerDeath, OfOneProducerAfterAnotherKeepsTheOrderOfAllTheirMessages) {
    Ring::Consumer in = ring.consumer();
    std::uint64_t expected = 0;
    for (std::uint64_t life = 0; life != 50; ++life) {
        const std::uint64_t messages = life % (kCapacity + 1);
        live_and_die([&] {
            Ring::Producer out = ring.producer();
            for (std::uint64_t i = 0; i != messages; ++i)
                if (!out.try_push(expected + i)) ::_exit(3);
            ::raise(SIGKILL);
        });
        for (std::uint64_t i = 0; i != messages; ++i) ASSERT_EQ(in.try_pop().value_or(~0U), expected++);
        const Status nothing = in.try_pop().error();
        ASSERT_TRUE(nothing == Status::empty || nothing == Status::peer_lost);
    }
}

TEST_F(PeerDeath, FreesTheSeatForExactlyOneOfManyCandidates) {
    for (int repetition = 0; repetition != 20; ++repetition) {
        producer_dies_after(0);
        struct Race {
            std::atomic<int> ready{0};
            std::atomic<int> tried{0};
            std::atomic<int> seated{0};
            std::atomic<int> refused{0};
        };
        constexpr int kCandidates = 4;
        Shared<Race> race;
        std::vector<ChildProcess> candidates;
        for (int i = 0; i != kCandidates; ++i)
            candidates.emplace_back([&] {
                race->ready.fetch_add(1, std::memory_order_acq_rel);
                while (race->ready.load(std::memory_order_acquire) != kCandidates) ::sched_yield();
                std::error_code code;
                Ring::Producer out = ring.producer({}, code);
                if (!code) race->seated.fetch_add(1, std::memory_order_acq_rel);
                if (code == errc::seat_taken) race->refused.fetch_add(1, std::memory_order_acq_rel);
                race->tried.fetch_add(1, std::memory_order_acq_rel);
                while (race->tried.load(std::memory_order_acquire) != kCandidates) ::sched_yield();
            });
        for (ChildProcess& candidate : candidates) EXPECT_TRUE(candidate.join().exited_with(0));
        EXPECT_EQ(race->seated.load(std::memory_order_relaxed), 1);
        EXPECT_EQ(race->refused.load(std::memory_order_relaxed), kCandidates - 1);
    }
}

TEST_F(PeerDeath, WithAClaimInHandSendsNothing) {
    producer_dies_after(1);
    live_and_die([&] {
        Ring::Producer out = ring.producer();
        auto claim = out.try_claim();
        if (!claim) ::_exit(3);
        **claim = 666;
        ::raise(SIGKILL);
    });
    Ring::Producer out = ring.producer();
    EXPECT_TRUE(out.push(1));
    Ring::Consumer in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(~0U), 0U);
    EXPECT_EQ(in.pop().value_or(~0U), 1U);
    EXPECT_EQ(in.try_pop().error(), Status::empty);
}

TEST_F(PeerDeath, WithAViewInHandTakesNothing) {
    Ring::Producer out = ring.producer();
    for (std::uint64_t i = 0; i != 3; ++i) ASSERT_TRUE(out.push(i));
    live_and_die([&] {
        Ring::Consumer in = ring.consumer();
        if (in.pop().value_or(~0U) != 0) ::_exit(3);
        auto view = in.try_next();
        if (!view || **view != 1) ::_exit(3);
        ::raise(SIGKILL);
    });
    Ring::Consumer in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(~0U), 1U);
    EXPECT_EQ(in.pop().value_or(~0U), 2U);
}

// ---- sleepers and the dead -----------------------------------------------------------------------------------------

/// The notifier is killed between publishing and waking: the sleeper, in its long sleeps by then, wakes by itself.
TEST_F(PeerDeath, BetweenPublishingAndWakingOnlyDelaysTheSleeper) {
    for (const auto period : {kPeriod, std::chrono::milliseconds(100)}) {
        Ring quiet = Ring::anonymous({.capacity = kCapacity, .liveness_period = period});
        struct Board {
            std::atomic<std::uint64_t> published_ns{0};
        };
        Shared<Board> board;
        Ring::Consumer in = quiet.consumer();
        ChildProcess notifier([&]() -> int {
            Ring::Producer seat = quiet.producer();
            await_sleeper(control_of(quiet).readable);
            std::this_thread::sleep_for(5ms);
            Status status = Status::ok;
            auto bare =
                detail::SpscProducer<std::uint64_t, detail::ShippedEnv>::join(memory_of(quiet), status);
            if (status != Status::ok || bare.try_push(7) != Status::ok) return 3;
            board->published_ns.store(detail::platform::monotonic_ns(), std::memory_order_relaxed);
            ::raise(SIGKILL);
            return 4;
        });
        EXPECT_EQ(in.pop().value_or(~0U), 7U);
        const std::uint64_t late_ns =
            detail::platform::monotonic_ns() - board->published_ns.load(std::memory_order_relaxed);
        EXPECT_EQ(in.pop().error(), Status::peer_lost);
        EXPECT_TRUE(notifier.join().killed_by(SIGKILL));
        std::printf("liveness period %lld ms: the message nobody told of was found after %.2f ms\n",
                    static_cast<long long>(period.count()), static_cast<double>(late_ns) / 1e6);
    }
}

/// The same for a consumer that makes room and does not live to say so.
TEST_F(PeerDeath, BetweenTakingAndWakingOnlyDelaysTheSleeper) {
    Ring::Producer out = ring.producer();
    for (std::uint64_t i = 0; i != kCapacity; ++i) ASSERT_TRUE(out.push(i));
    ChildProcess notifier([&]() -> int {
        Ring::Consumer seat = ring.consumer();
        await_sleeper(control_of(ring).writable);
        std::this_thread::sleep_for(5ms);
        Status status = Status::ok;
        auto bare = detail::SpscConsumer<std::uint64_t, detail::ShippedEnv>::join(memory_of(ring), status);
        std::uint64_t message = 99;
        if (status != Status::ok || bare.try_pop(&message) != Status::ok || message != 0) return 3;
        ::raise(SIGKILL);
        return 4;
    });
    EXPECT_TRUE(out.push(kCapacity));
    EXPECT_TRUE(notifier.join().killed_by(SIGKILL));
    EXPECT_EQ(out.push(99).error(), Status::peer_lost);
}

/// Sleepers that are killed leave their registrations behind: they cost needless wake-ups, and no wake-up that is needed.
TEST_F(PeerDeath, OfManySleepersTakesNoWakeUpFromTheLiving) {
    constexpr std::uint64_t kDead = 30;
    Ring::Producer out = ring.producer();
    const Line& readable = control_of(ring).readable;
    for (std::uint64_t i = 0; i != kDead; ++i) {
        ChildProcess sleeper([&] { return static_cast<int>(ring.consumer({.spin = 0ns}).pop().error()); });
        while (sleepers(readable) != i + 1) ::sched_yield();
        std::this_thread::sleep_for(1ms);
        sleeper.kill(SIGKILL);
        EXPECT_TRUE(sleeper.join().killed_by(SIGKILL));
    }
    ASSERT_EQ(sleepers(readable), kDead);
    constexpr std::uint64_t kMessages = 100;
    ChildProcess living([&] {
        Ring::Consumer in = ring.consumer({.spin = 0ns});
        for (std::uint64_t i = 0; i != kMessages; ++i)
            if (in.pop().value_or(~0U) != i) return 3;
        return 0;
    });
    for (std::uint64_t i = 0; i != kMessages; ++i) {
        auto pushed = out.push(i);
        for (; pushed.error() == Status::peer_lost; pushed = out.push(i))
            ::sched_yield();  // it sits down yet
        ASSERT_TRUE(pushed);
        if (i % 10 == 0) std::this_thread::sleep_for(2ms);  // lets it fall asleep
    }
    EXPECT_TRUE(living.join().exited_with(0));
    EXPECT_LE(sleepers(readable), 1U) << "every wake-up takes a dead registration with it";
}

/// A wake-up may go to a sleeper that is being killed. Its successor must not wait for another.
TEST_F(PeerDeath, OfASleeperThatIsBeingWokenLosesNothing) {
    Ring::Producer out = ring.producer();
    for (std::uint64_t i = 0; i != 200; ++i) {
        ChildProcess sleeper([&] {
            Ring::Consumer in = ring.consumer({.spin = 0ns});
            const auto got = in.pop();
            for (;;) ::pause();  // whether it got it or not, it will not tell
            return static_cast<int>(got.error());
        });
        await_sleeper(control_of(ring).readable);
        sleeper.kill(SIGKILL);
        ASSERT_TRUE(out.push(i));
        ASSERT_TRUE(sleeper.join().killed_by(SIGKILL));
        Ring::Consumer in = ring.consumer({.spin = 0ns});
        const auto message = in.try_pop_for(20ms);
        if (message) {
            EXPECT_EQ(*message, i);
        } else {
            EXPECT_EQ(ring.count_approx(), 0U) << "then the killed one had taken it";
        }
    }
}

}  // namespace
}  // namespace shmring::test
