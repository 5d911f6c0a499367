// MpmcRing and MpmcByteRing with participants that are stopped, and others that only look dead or alive: stopped is never dead, a zombie
// is, a process number proves nothing, and a wake-up that dies with somebody costs a moment.

#include <gtest/gtest.h>
#include <sched.h>
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
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/child_process.hpp"
#include "support/crowd_byte_traffic.hpp"
#include "support/crowd_stand.hpp"
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
class MpmcStop : public testing::Test {
 protected:
    using Ring = typename Kind::Ring;
    using Producer = typename Ring::Producer;
    using Consumer = typename Ring::Consumer;
    static constexpr bool kIsBytes = std::is_same_v<Kind, SteppedBytes>;
    static constexpr std::chrono::milliseconds kTwoPeriods{250};

    void SetUp() override { ::alarm(110); }
    void TearDown() override { ::alarm(0); }

    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery delivery = Delivery::at_most_once) {
        return Kind::make(capacity, delivery);
    }
    [[nodiscard]] static auto claim(Producer& out) {
        if constexpr (kIsBytes)
            return out.try_claim(8);
        else
            return out.try_claim();
    }
    /// A blocking pop with a generous end.
    [[nodiscard]] static Status pop_within(Consumer& in, std::chrono::milliseconds time) {
        if constexpr (kIsBytes) {
            std::array<std::byte, 128> buffer;
            return in.try_pop_for(std::span<std::byte>(buffer), time).error();
        } else {
            return in.try_pop_for(time).error();
        }
    }
    [[nodiscard]] static Status push_within(Producer& out, std::uint64_t number,
                                            std::chrono::milliseconds time) {
        if constexpr (kIsBytes)
            return out.try_push_for(SteppedBytes::message(number), time, 0).error();
        else
            return out.try_push_for(number, time).error();
    }
    static void await_stop(const ChildProcess& child) {
        siginfo_t info{};
        ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WSTOPPED | WEXITED | WNOWAIT), 0);
        ASSERT_EQ(info.si_code, CLD_STOPPED);
    }
    /// Lives as `life(ring)` says, kills itself, and is waited for.
    template <class Life>
    static void live_and_die(const Ring& ring, Life&& life) {
        ChildProcess child([&] {
            life(ring);
            return 3;
        });
        ASSERT_TRUE(child.join().killed_by(SIGKILL));
    }
    static void die_with_claim(const Ring& ring) {
        Producer out = ring.producer();
        const auto held = claim(out);
        if (held) ::raise(SIGKILL);
    }
    static void die_with_view(const Ring& ring) {
        Consumer in = ring.consumer();
        const auto held = in.try_next();
        if (held) ::raise(SIGKILL);
    }
    static void expect_no_losses(const Ring& ring) {
        const Losses losses = ring.losses();
        EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U);
    }
};
using Kinds = testing::Types<SteppedSlots, SteppedBytes>;
struct KindNames {
    template <class Kind>
    static std::string GetName(int) {
        return std::is_same_v<Kind, SteppedSlots> ? "Slots" : "Bytes";
    }
};
TYPED_TEST_SUITE(MpmcStop, Kinds, KindNames);

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
    this->await_stop(claimer);
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
    this->await_stop(reader);
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
TYPED_TEST(MpmcStop, AWakeUpEatenByADyingWaiterCostsAMoment) {
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
            ASSERT_TRUE(eater.join().killed_by(SIGKILL));
            untouched = crowd_control(ring.segment()).head.load(std::memory_order_acquire) == 0;
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
TYPED_TEST(MpmcStop, ANotifierKilledBeforeItsWakeUpCostsAMoment) {
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
TYPED_TEST(MpmcStop, NewcomersTakeThePlacesOfTheDeadAndEverythingGoesOn) {
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
TYPED_TEST(MpmcStop, AStreamHasNotEndedBeforeWhatTheDeadHadInHandIsDeliveredAgain) {
    const auto ring = this->make(4, Delivery::at_least_once);
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_EQ(TypeParam::push(out, 5), Status::ok);
    this->live_and_die(ring, [&](const auto& same) { this->die_with_view(same); });
    ASSERT_TRUE(out.close());
    const auto got = TypeParam::pop(in);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->number, 5U);
    EXPECT_TRUE(got->redelivered);
    EXPECT_EQ(this->pop_within(in, 1ms), Status::closed);
}
TYPED_TEST(MpmcStop, ClaimsOfTheDeadSideBySideAreAllCounted) {
    const auto ring = this->make(4);
    auto out = ring.producer();
    for (int i = 0; i != 3; ++i)
        this->live_and_die(ring, [&](const auto& same) { this->die_with_claim(same); });
    EXPECT_TRUE(out.recover());
    EXPECT_EQ(ring.losses().skipped, 3U);
    EXPECT_FALSE(out.recover());
    EXPECT_EQ(ring.losses().skipped, 3U);
}
using MpmcStopOfBytes = MpmcStop<SteppedBytes>;
TEST_F(MpmcStopOfBytes, WhatIsDeliveredAgainIsTheLastOfItsBatch) {
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
    EXPECT_EQ(in.try_pop_n(buffer, messages).value_or(0), 2U);
    EXPECT_EQ(in.redeliveries(), 0U);
}

}  // namespace
}  // namespace shmring::test
