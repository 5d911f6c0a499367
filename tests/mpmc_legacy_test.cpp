// What the dead leave to those who come after them in MpmcRing and MpmcByteRing: a wake-up that nobody heard or that was never sent, their
// places, and what they had in hand. Stops and living ones: mpmc_stop_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/detail/intent.hpp"
#include "shmring/detail/participants.hpp"
#include "support/child_process.hpp"
#include "support/crowd_death.hpp"
#include "support/crowd_stand.hpp"
#include "support/single_step.hpp"
#include "support/stepped_crowd.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

template <class Kind>
class MpmcLegacy : public CrowdDeath<Kind> {};
TYPED_TEST_SUITE(MpmcLegacy, SteppedKinds, SteppedKindNames);

// ---- wake-ups that die with somebody -------------------------------------------------------------------------------

[[nodiscard]] std::uint64_t readers_asleep(const Segment& segment) {
    return crowd_control(segment).readable.word.load(std::memory_order_acquire) & detail::kWaitersMask;
}
void await_readers_asleep(const Segment& segment, std::uint64_t count) {
    while (readers_asleep(segment) != count) std::this_thread::yield();
    std::this_thread::sleep_for(5ms);  // the first sleep lasts 1 ms
}

/// In a scope: this thread on one CPU.
class OnCpu {
 public:
    explicit OnCpu(int cpu) {
        ::sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        ::sched_setaffinity(0, sizeof one, &one);
    }
    OnCpu(const OnCpu&) = delete;
    OnCpu& operator=(const OnCpu&) = delete;
    ~OnCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
    cpu_set_t before_{};
};

/// The first sleeper is woken, but is killed before it runs: it shares a CPU with us and gives way to everybody. The second one was not
/// woken; its bounded sleep ends.
TYPED_TEST(MpmcLegacy, AWakeUpEatenByADyingWaiterCostsAMoment) {
    int eaten = 0;
    for (int attempt = 0; attempt != 20 && eaten != 3; ++attempt) {
        const auto ring = this->make(4);
        auto out = ring.producer();
        const int cpu = ::sched_getcpu();
        ChildProcess eater([&] {
            const OnCpu same(cpu);
            const sched_param lowest{};
            if (::sched_setscheduler(0, SCHED_IDLE, &lowest) != 0) return 4;
            auto in = ring.consumer({.spin = 0ns});
            return this->pop_within(in, 40s) == Status::ok ? 0 : 3;
        });
        await_readers_asleep(ring.segment(), 1);
        ChildProcess other([&] {
            auto in = ring.consumer({.spin = 0ns});
            return this->pop_within(in, 40s) == Status::ok ? 0 : 3;
        });
        await_readers_asleep(ring.segment(), 2);
        bool untouched = false;
        {
            const OnCpu same(cpu);
            ASSERT_EQ(TypeParam::push(out, 5), Status::ok);
            eater.kill(SIGKILL);
            // On a busy machine it may run all the same, take the message and end by itself before it is killed.
            const bool killed = eater.join().killed_by(SIGKILL);
            untouched = killed && crowd_control(ring.segment()).head.load(std::memory_order_acquire) == 0;
        }
        if (!untouched) continue;  // somebody was quick enough to take it
        ++eaten;
        const auto start = std::chrono::steady_clock::now();
        EXPECT_TRUE(other.join().exited_with(0));
        const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
        std::printf("the other one had it after %.1f ms\n", took.count());
    }
    if (eaten == 0) GTEST_SKIP() << "no sleeper could be killed before it ran";
}
/// Killed at the very instruction that published: nobody is woken, and the sleeper finds the message by itself.
TYPED_TEST(MpmcLegacy, ANotifierKilledBeforeItsWakeUpCostsAMoment) {
    const auto ring = this->make(4);
    ChildProcess sleeper([&] {
        auto in = ring.consumer({.spin = 0ns});
        return this->pop_within(in, 40s) == Status::ok ? 0 : 3;
    });
    await_readers_asleep(ring.segment(), 1);
    const std::byte* first_slot = ring.segment().at(ring.segment().geometry().data_offset);
    const auto is_published = [&] {
        detail::SlotWord word;
        std::memcpy(&word.value, first_slot, sizeof word.value);
        return word.state() != detail::SlotState::free || word.lap() != 0;
    };
    const SteppedChild::End end = SteppedChild::kill_when(is_published, [&] {
        auto out = ring.producer();
        mark_for_stepping();
        (void)TypeParam::push(out, 5);
        mark_for_stepping();
    });
    if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
    ASSERT_EQ(end, SteppedChild::End::on_the_way);
    EXPECT_TRUE(sleeper.join().exited_with(0));
}

// ---- places of the dead --------------------------------------------------------------------------------------------

/// All six records are held by the dead, four of them with something in hand.
TYPED_TEST(MpmcLegacy, NewcomersTakeThePlacesOfTheDeadAndEverythingGoesOn) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        const auto ring = this->make(4, delivery);
        ChildProcess all([&]() -> int {
            auto out = ring.producer();
            auto in = ring.consumer();
            std::vector<typename TestFixture::Producer> producers;
            std::vector<typename TestFixture::Consumer> consumers;
            for (int i = 0; i != 2; ++i) {
                if (TypeParam::push(out, static_cast<std::uint64_t>(i)) != Status::ok) return 4;
                producers.push_back(ring.producer());
                consumers.push_back(ring.consumer());
            }
            const auto view = consumers[0].try_next();
            const auto other_view = consumers[1].try_next();
            const auto held = this->claim(producers[0]);
            const auto also_held = this->claim(producers[1]);
            if (view && other_view && held && also_held) ::raise(SIGKILL);
            return 3;
        });
        ASSERT_TRUE(all.join().killed_by(SIGKILL));
        std::vector<typename TestFixture::Producer> producers;
        std::vector<typename TestFixture::Consumer> consumers;
        for (int i = 0; i != 3; ++i) {
            producers.push_back(ring.producer());
            consumers.push_back(ring.consumer());
        }
        std::error_code code;
        (void)ring.producer({}, code);
        EXPECT_EQ(code, errc::participants_exhausted);
        const bool again = delivery == Delivery::at_least_once;
        std::uint64_t redelivered = 0;
        while (const auto got = TypeParam::pop(consumers[0])) redelivered += got->redelivered ? 1 : 0;
        EXPECT_EQ(redelivered, again ? 2U : 0U);
        EXPECT_EQ(ring.losses().lost, again ? 0U : 2U);
        EXPECT_EQ(ring.losses().skipped, 2U);
        for (std::uint64_t lap = 0; lap != 3; ++lap) {
            for (std::uint64_t i = 0; i != 4; ++i)
                ASSERT_EQ(TypeParam::push(producers[i % 3], 10 + i), Status::ok);
            ASSERT_EQ(TypeParam::push(producers[0], 99), Status::full);
            for (std::uint64_t i = 0; i != 4; ++i) {
                ASSERT_EQ(TypeParam::pop(consumers[i % 3]).value_or(Got{}).number, 10 + i);
            }
        }
    }
}
/// Who hears that the stream has ended does not ask again.
TYPED_TEST(MpmcLegacy, AStreamHasNotEndedBeforeWhatTheDeadHadInHandIsDeliveredAgain) {
    const auto ring = this->make(4, Delivery::at_least_once);
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_EQ(TypeParam::push(out, 5), Status::ok);
    this->live_and_die(ring, [&](const auto& same) { this->die_with_view(same); });
    out.close();
    const auto got = TypeParam::pop(in);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->number, 5U);
    EXPECT_TRUE(got->redelivered);
    EXPECT_EQ(this->pop_within(in, 1ms), Status::closed);
}
TYPED_TEST(MpmcLegacy, ClaimsOfTheDeadSideBySideAreAllCounted) {
    const auto ring = this->make(4);
    auto out = ring.producer();
    for (int i = 0; i != 3; ++i)
        this->live_and_die(ring, [&](const auto& same) { this->die_with_claim(same); });
    EXPECT_TRUE(out.recover());
    EXPECT_EQ(ring.losses().skipped, 3U);
    EXPECT_FALSE(out.recover());
    EXPECT_EQ(ring.losses().skipped, 3U);
}
/// A slow loser names the position that the former holder of our record had in hand, and is stopped: it is not waited for, and what its
/// repair would have counted is counted.
TYPED_TEST(MpmcLegacy, ATakerDoesNotWaitForAStoppedLoserAndCountsWhatItInherits) {
    const auto ring = this->make(1);
    auto out = ring.producer();
    auto loser = ring.consumer();
    ASSERT_EQ(TypeParam::push(out, 5), Status::ok);
    const detail::ParticipantTable table(ring.segment());
    std::array<std::uint64_t, 6> incarnations{};
    for (std::uint32_t i = 0; i != table.count(); ++i) incarnations[i] = table.record(i).incarnation;
    this->live_and_die(ring, [&](const auto& same) { this->die_with_view(same); });
    std::uint32_t of_loser = 0;
    std::uint32_t of_dead = 0;
    for (std::uint32_t i = 0; i != table.count(); ++i) {
        if (table.record(i).role.load() != static_cast<std::uint32_t>(detail::Role::consumer)) continue;
        (table.record(i).incarnation == incarnations[i] ? of_loser : of_dead) = i;
    }
    const std::uint64_t named = table.record(of_dead).intent;
    ASSERT_EQ(named, detail::Intent::of(detail::ClaimSide::read, 0, 1).value);
    table.record(of_loser).intent = named;
    std::vector<typename TestFixture::Consumer> takers;
    for (int i = 0; i != 4; ++i) takers.push_back(ring.consumer());  // of all records, the dead one's, too
    EXPECT_EQ(table.record(of_dead).intent, 0U);
    EXPECT_EQ(ring.losses().lost, 1U);
    EXPECT_FALSE(out.recover());
    EXPECT_EQ(TypeParam::push(out, 6), Status::full) << "the loser may be the one who has it in hand";
    table.record(of_loser).intent = 0;  // it goes on
    EXPECT_TRUE(out.recover());
    EXPECT_EQ(TypeParam::push(out, 6), Status::ok);
    EXPECT_EQ(ring.losses().lost, 1U);
}
using MpmcLegacyOfBytes = MpmcLegacy<SteppedBytes>;
TEST_F(MpmcLegacyOfBytes, WhatIsDeliveredAgainIsABatchOfItsOwn) {
    const Ring ring = make(4, Delivery::at_least_once);
    Producer out = ring.producer();
    Consumer in = ring.consumer();
    for (std::uint64_t i = 0; i != 3; ++i) ASSERT_EQ(SteppedBytes::push(out, i), Status::ok);
    live_and_die(ring, die_with_view);
    ASSERT_TRUE(in.recover());
    std::array<std::byte, 256> buffer;
    std::array<std::span<std::byte>, 3> messages;
    EXPECT_EQ(in.try_pop_n(buffer, messages).value_or(0), 1U);
    EXPECT_EQ(in.redeliveries(), 1U);
    for (int others = 0; others != 2; ++others) {
        EXPECT_EQ(in.try_pop_n(buffer, messages).value_or(0),
                  1U);  // one claim, which a death would leave to another
        EXPECT_EQ(in.redeliveries(), 0U);
    }
}

}  // namespace
}  // namespace shmring::test
