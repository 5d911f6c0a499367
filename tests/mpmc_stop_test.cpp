// MpmcRing and MpmcByteRing with participants that are stopped, and others that only look dead or alive: stopped is never dead, a zombie
// is, and a process number proves nothing. What is inherited from the dead: mpmc_legacy_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <span>
#include <string>
#include <thread>

#include "shmring/detail/participants.hpp"
#include "shmring/mpmc_ring.hpp"
#include "support/child_process.hpp"
#include "support/crowd_byte_traffic.hpp"
#include "support/crowd_death.hpp"
#include "support/crowd_storm.hpp"
#include "support/crowd_traffic.hpp"
#include "support/pid_namespace.hpp"
#include "support/shared.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"
#include "support/stepped_crowd.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

// ---- storms --------------------------------------------------------------------------------------------------------

template <class Traffic>
void stop_at_random(std::span<const std::uint64_t> capacities, const char* title) {
    CrowdReport all;
    CrowdPlan plan;
    plan.stops_only = true;
    plan.kills = is_soak() ? 2000 : 100;
    for (const std::uint64_t capacity : capacities)
        for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
            plan.capacity = capacity;
            plan.delivery = delivery;
            ++plan.seed;
            const CrowdReport report = CrowdStorm<Traffic>(plan).run();
            all += report;
            ASSERT_EQ(report.failure, "") << "capacity " << capacity;
        }
    std::printf("%s: %llu stops, %llu messages\n", title, static_cast<unsigned long long>(all.stops),
                static_cast<unsigned long long>(all.messages));
    EXPECT_EQ(all.missing, 0U);
    EXPECT_EQ(all.flagged, 0U);
    EXPECT_EQ(all.losses.skipped + all.losses.lost + all.losses.redelivered, 0U) << "a living one was buried";
}
TEST(CrowdStopStorm, OfFixedMessagesLosesNothing) {
    stop_at_random<CrowdTraffic<48>>(std::array<std::uint64_t, 3>{1, 3, 64}, "fixed");
}
TEST(CrowdStopStorm, OfMessagesOfAnySizeLosesNothing) {
    stop_at_random<CrowdByteTraffic<true>>(std::array<std::uint64_t, 3>{64, 256, 4096}, "any size");
}

// ---- one at a time -------------------------------------------------------------------------------------------------

template <class Kind>
class MpmcStop : public CrowdDeath<Kind> {};
TYPED_TEST_SUITE(MpmcStop, SteppedKinds, SteppedKindNames);

TYPED_TEST(MpmcStop, AStoppedClaimerStallsTheReadersIsNamedAndGoesOn) {
    const auto ring = this->make(4);
    ChildProcess claimer([&] {
        auto out = ring.producer();
        auto held = this->claim(out);
        if (!held) return 3;
        ::raise(SIGSTOP);
        if constexpr (TestFixture::kIsBytes) {
            std::memset(held->bytes().data(), 0, 8);
            held->commit(8);
        } else {
            **held = 0;
            held->commit();
        }
        return 0;
    });
    claimer.await_stop();
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_EQ(TypeParam::push(out, 1), Status::ok);
    EXPECT_EQ(this->pop_within(in, TestFixture::kTwoPeriods), Status::timed_out);
    EXPECT_FALSE(in.recover());
    const auto blocker = in.blocker();
    ASSERT_TRUE(blocker);
    EXPECT_EQ(static_cast<pid_t>(blocker->process_id), claimer.pid());
    EXPECT_FALSE(blocker->is_consumer);
    EXPECT_EQ(blocker->position, 0U);
    this->expect_no_losses(ring);
    claimer.kill(SIGCONT);
    EXPECT_EQ(this->pop_within(in, 20s), Status::ok);
    EXPECT_EQ(this->pop_within(in, 20s), Status::ok);
    EXPECT_TRUE(claimer.join().exited_with(0));
    EXPECT_FALSE(in.blocker());
    this->expect_no_losses(ring);
}
TYPED_TEST(MpmcStop, AStoppedReaderStallsTheWritersIsNamedAndGoesOn) {
    const auto ring = this->make(1);
    auto out = ring.producer();
    ASSERT_EQ(TypeParam::push(out, 7), Status::ok);
    ChildProcess reader([&] {
        auto in = ring.consumer();
        const auto held = in.try_next();
        if (!held) return 3;
        ::raise(SIGSTOP);
        return 0;
    });
    reader.await_stop();
    EXPECT_EQ(this->push_within(out, 8, TestFixture::kTwoPeriods), Status::timed_out);
    EXPECT_FALSE(out.recover());
    const auto blocker = out.blocker();
    ASSERT_TRUE(blocker);
    EXPECT_EQ(static_cast<pid_t>(blocker->process_id), reader.pid());
    EXPECT_TRUE(blocker->is_consumer);
    this->expect_no_losses(ring);
    reader.kill(SIGCONT);
    EXPECT_EQ(this->push_within(out, 8, 20s), Status::ok);
    EXPECT_TRUE(reader.join().exited_with(0));
    auto in = ring.consumer();
    EXPECT_EQ(TypeParam::pop(in).value_or(Got{}).number, 8U);
    this->expect_no_losses(ring);
}

/// Its lock is free as soon as it is dead, whether its parent has waited for it or not.
TYPED_TEST(MpmcStop, AZombieIsDead) {
    const auto ring = this->make(4);
    auto out = ring.producer();
    auto in = ring.consumer();
    ChildProcess zombie([&] {
        this->die_with_claim(ring);
        return 3;
    });
    siginfo_t info{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(zombie.pid()), &info, WEXITED | WNOWAIT), 0);
    ASSERT_EQ(info.si_code, CLD_KILLED);
    ASSERT_EQ(TypeParam::push(out, 5), Status::ok);
    EXPECT_EQ(this->pop_within(in, 20s), Status::ok);
    EXPECT_EQ(ring.losses().skipped, 1U);
    EXPECT_TRUE(zombie.join().killed_by(SIGKILL));
}

/// The number of a dead claimer is that of a living participant now, who holds nothing.
TYPED_TEST(MpmcStop, AProcessWithTheDeadOnesNumberIsNotTheDeadOne) {
    const auto ring = this->make(4);
    auto out = ring.producer();
    auto in = ring.consumer();
    ChildProcess dead([&] {
        this->die_with_claim(ring);
        return 3;
    });
    const pid_t number = dead.pid();
    ASSERT_TRUE(dead.join().killed_by(SIGKILL));
    Shared<Steps> steps;
    const pid_t living = fork_with_number(number);
    if (living == 0) {
        ::alarm(60);
        auto other = ring.producer();
        steps->reach(1);
        for (;;) ::pause();
    }
    if (living < 0) GTEST_SKIP() << "no process number can be chosen here: " << std::strerror(errno);
    ASSERT_EQ(living, number);
    EXPECT_TRUE(steps->await(1));
    EXPECT_EQ(TypeParam::push(out, 5), Status::ok);
    EXPECT_EQ(this->pop_within(in, 20s), Status::ok);
    EXPECT_EQ(ring.losses().skipped, 1U);
    ::kill(living, SIGKILL);
    ::waitpid(living, nullptr, 0);
}

TYPED_TEST(MpmcStop, AClaimerInAnotherPidNamespaceIsSeenToLiveAndToDie) {
    const auto ring = this->make(4);
    struct Board {
        Steps steps;
        std::atomic<bool> refused{false};
        std::atomic<pid_t> first{0};
    };
    Shared<Board> board;
    ChildProcess outside([&] {
        const int code = in_new_pid_namespace([&](pid_t first) { board->first = first; },
                                              [&] {
                                                  auto out = ring.producer();
                                                  const auto held = this->claim(out);
                                                  if (!held) return 3;
                                                  board->steps.reach(1);
                                                  for (;;) ::pause();
                                              });
        board->refused = code == kCannotBeTriedHere;
        board->steps.reach(1);
        return code;
    });
    ASSERT_TRUE(board->steps.await(1));
    if (board->refused) GTEST_SKIP() << "no PID namespaces here";
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_EQ(TypeParam::push(out, 5), Status::ok);
    EXPECT_EQ(this->pop_within(in, TestFixture::kTwoPeriods), Status::timed_out);
    this->expect_no_losses(ring);
    while (board->first == 0) std::this_thread::yield();
    ::kill(board->first, SIGKILL);
    EXPECT_EQ(this->pop_within(in, 20s), Status::ok);
    EXPECT_EQ(ring.losses().skipped, 1U);
    EXPECT_TRUE(outside.join().exited_with(8));
}

/// To all others the dead one is dead as long as its record is not a living one's, and what it had named is theirs to repair, too.
TEST(MpmcNewcomer, ThatIsStoppedAnywhereWhileItTakesADeadOnesRecordStallsNobody) {
    using Ring = MpmcRing<std::uint64_t>;
    using End = SteppedChild::End;
    std::uint64_t calls = 0;
    for (End end = End::on_the_way; end != End::finished; ++calls) {
        SCOPED_TRACE("stopped before system call " + std::to_string(calls));
        const Ring ring = Ring::anonymous({.capacity = 8, .participants = 2, .liveness_period = 1h});
        auto in = ring.consumer();
        ChildProcess dead([&] {
            auto out = ring.producer();
            const auto claim = out.try_claim();
            ::raise(claim ? SIGKILL : SIGTERM);
            return 3;
        });
        ASSERT_TRUE(dead.join().killed_by(SIGKILL));
        const detail::ParticipantTable table(ring.segment());
        detail::Record& record =
            table.record(table.record(0).intent.load(std::memory_order_relaxed) != 0 ? 0 : 1);
        ASSERT_NE(record.intent.load(std::memory_order_relaxed), 0U);
        const std::uint64_t the_dead_ones = record.incarnation.load(std::memory_order_relaxed);
        std::uint64_t seen = 0;
        bool came_unsettled = false;
        const auto is_time = [&](const ChildProcess& child) {
            const std::uint64_t now = record.incarnation.load(std::memory_order_acquire);
            const bool lives = now % 2 != 0 && now != the_dead_ones;
            came_unsettled = came_unsettled || (lives && record.intent.load(std::memory_order_relaxed) != 0);
            return SteppedChild::is_at_system_call(child) && seen++ == calls;
        };
        const auto come = [&] {
            mark_for_stepping();
            auto out = ring.producer();
            mark_for_stepping();
            if (!out.try_push(9)) ::_exit(4);
        };
        end = SteppedChild::stop_when(is_time, come, [&] {
            (void)in.recover();
            EXPECT_EQ(ring.losses().skipped, 1U);
            EXPECT_EQ(in.try_pop().error(), Status::empty) << "the dead one's claim is in the way";
            EXPECT_FALSE(in.blocker());
        });
        if (end == End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
        ASSERT_NE(end, End::failed);
        EXPECT_FALSE(came_unsettled) << "it lives, and its record names what the dead one had claimed";
        EXPECT_EQ(in.try_pop().value_or(0), 9U) << "the newcomer goes on";
        EXPECT_EQ(ring.losses().skipped, 1U);
        if (testing::Test::HasFailure()) return;
    }
    if (calls == 1) GTEST_SKIP() << "no system call is recognised here";
    EXPECT_GE(calls, 10U);
}

}  // namespace
}  // namespace shmring::test
