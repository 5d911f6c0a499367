// JoinableQueue: where its desks come from and go to: records of the dead, guards that outlive a detach, threads, and memory in which no
// death can be noticed.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/joinable_queue.hpp"
#include "shmring/mpmc_ring.hpp"
#include "support/child_process.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Numbers = JoinableQueue<std::uint64_t>;

class JoinableDesk : public testing::Test {
 protected:
    void SetUp() override { ::alarm(100); }
    void TearDown() override { ::alarm(0); }

    [[nodiscard]] static Numbers make(Delivery delivery, std::uint32_t participants = 16) {
        return Numbers::anonymous(
            {.capacity = 8, .delivery = delivery, .participants = participants, .liveness_period = 1ms});
    }
    template <class Life>
    static void live_and_die(Life&& life) {
        ChildProcess child([&] {
            life();
            return 3;
        });
        ASSERT_TRUE(child.join().killed_by(SIGKILL));
    }
    /// Takes so many tasks and dies with them in hand.
    static void die_with_tasks(const Numbers& queue, std::size_t count) {
        live_and_die([&] {
            auto mine = queue.attach();
            std::vector<Task<std::uint64_t>> tasks;
            while (tasks.size() != count) tasks.push_back(*mine.pop());
            ::raise(SIGKILL);
        });
    }
    [[nodiscard]] static std::uint32_t records_held(const Numbers& queue) {
        const detail::ParticipantTable table(queue.segment());
        std::uint32_t held = 0;
        for (std::uint32_t i = 0; i != table.count(); ++i)
            held += table.record(i).incarnation.load(std::memory_order_acquire) % 2 != 0 ? 1 : 0;
        return held;
    }
};

// ---- a queue without workers -----------------------------------------------------------------------------------------

TEST_F(JoinableDesk, JoinSaysSoWhenTheOnlyWorkerDiedWhereverItsTaskStandsNow) {
    for (const bool in_the_ring : {false, true}) {
        auto queue = make(Delivery::at_least_once);
        ASSERT_TRUE(queue.push(7));
        live_and_die([&] {
            if (in_the_ring) {  // claimed, and not yet at a desk
                const std::shared_ptr<Segment> segment(std::shared_ptr<Segment>{}, &queue.segment());
                auto in = detail::RingAccess::make<MpmcRing<std::uint64_t>>(segment).consumer();
                const auto view = in.next();
                ::raise(SIGKILL);
            }
            auto mine = queue.attach();
            const auto task = mine.pop();
            ::raise(SIGKILL);
        });
        EXPECT_EQ(queue.join_for(20s).error(), Status::peer_lost);
        EXPECT_EQ(queue.unfinished(), 1U);
        EXPECT_TRUE(queue.attach().pop()->redelivered());
        EXPECT_TRUE(queue.join());
    }
}

// ---- records of the dead ---------------------------------------------------------------------------------------------

TEST_F(JoinableDesk, ThatTakesTheRecordOfADeadSenderFirstRepairsWhatThatHadClaimed) {
    auto queue = make(Delivery::at_most_once, 3);
    live_and_die([&] {
        const std::shared_ptr<Segment> segment(std::shared_ptr<Segment>{}, &queue.segment());
        const auto ring = detail::RingAccess::make<MpmcRing<std::uint64_t>>(segment);
        auto out = ring.producer();
        const auto held = out.try_claim();
        if (held) ::raise(SIGKILL);
    });
    ASSERT_TRUE(queue.push(7));
    auto worker = queue.attach();
    const auto task = worker.try_pop_for(5s);  // its desk takes the third record, which names the claim
    ASSERT_TRUE(task) << "the desk answers for what the dead one had claimed";
    EXPECT_EQ(**task, 7U);
    EXPECT_EQ(queue.losses().skipped, 1U);
}
TEST_F(JoinableDesk, IsADeadOnesWhereNoOtherRecordIsFree) {
    auto queue = make(Delivery::at_least_once, 4);
    for (std::uint64_t i = 0; i != 3; ++i) ASSERT_TRUE(queue.push(i));
    die_with_tasks(queue, 2);
    auto worker = queue.attach();
    std::uint64_t seen = 0;  // a bit for each
    for (int i = 0; i != 3; ++i) {
        const auto task = worker.try_pop_for(5s);
        ASSERT_TRUE(task);
        EXPECT_EQ(task->redelivered(), **task != 2) << **task;
        seen |= std::uint64_t{1} << **task;
    }
    EXPECT_EQ(seen, 7U);
    EXPECT_TRUE(queue.join_for(5s));
}
/// It has stopped, and says so by an exception.
struct StoppedClock {
    using duration = std::chrono::nanoseconds;
    using rep = duration::rep;
    using period = duration::period;
    using time_point = std::chrono::time_point<StoppedClock>;
    static constexpr bool is_steady = true;
    static time_point now() { throw std::runtime_error("no time"); }
};
TEST_F(JoinableDesk, OfADeadOneIsNotStrandedByAClockThatThrows) {
    auto queue = make(Delivery::at_least_once, 3);
    ASSERT_TRUE(queue.push(7));
    ASSERT_TRUE(queue.push(8));
    queue.detach();
    die_with_tasks(queue, 2);  // and so with all records
    auto worker = queue.attach();
    std::vector<Task<std::uint64_t>> tasks;
    for (int i = 0; i != 50 && tasks.size() != 2; ++i) {
        try {
            if (auto task = worker.try_pop_until(StoppedClock::time_point() + 5s))
                tasks.push_back(*std::move(task));
        } catch (const std::runtime_error&) {
        }
    }
    EXPECT_EQ(tasks.size(), 2U) << "a task is in nobody's hand and in everybody's way";
}
TEST_F(JoinableDesk, IsFoundAmongThoseOfTheDeadWhereTheirTasksAreLost) {
    auto queue = make(Delivery::at_most_once, 4);
    for (std::uint64_t i = 0; i != 3; ++i) ASSERT_TRUE(queue.push(i));
    die_with_tasks(queue, 2);
    auto worker = queue.attach();
    EXPECT_EQ(**worker.try_pop_for(5s), 2U);
    EXPECT_EQ(queue.losses().lost, 2U);
    EXPECT_EQ(queue.join_for(5s).error(), Status::peer_lost);
}
TEST_F(JoinableDesk, AWorkerTakesOverAnyNumberOfTasksAndKeepsAFewRecords) {
    auto queue = make(Delivery::at_least_once, 100);
    auto unlucky = queue.attach();
    auto worker = queue.attach();
    ASSERT_TRUE(queue.push(1000));
    EXPECT_TRUE(worker.pop());
    for (std::uint64_t i = 0; i != 150; ++i) {
        ASSERT_TRUE(queue.push(i));
        unlucky.pop()->abandon();
        auto task = worker.try_pop_for(5s);
        ASSERT_TRUE(task) << i;
        EXPECT_EQ(**task, i);
        EXPECT_EQ(task->redeliveries(), 1U);
    }
    EXPECT_TRUE(queue.join_for(5s));
    EXPECT_LE(records_held(queue), 6U) << "a sender, two workers, a desk each, and what was left behind last";
}
/// All of them, and no more than a period passes before the first.
TEST_F(JoinableDesk, AllTasksOfADeadWorkerComeWithinOnePeriodAndNotOneOfThemAPeriod) {
    constexpr std::uint64_t kTasks = 30;
    auto queue = JoinableQueue<std::uint64_t>::anonymous(
        {.capacity = kTasks, .delivery = Delivery::at_least_once, .participants = 64, .liveness_period = 1s});
    for (std::uint64_t i = 0; i != kTasks; ++i) ASSERT_TRUE(queue.push(i));
    die_with_tasks(queue, kTasks);
    auto worker = queue.attach();
    const auto start = std::chrono::steady_clock::now();
    for (std::uint64_t i = 0; i != kTasks; ++i) {
        const auto task = worker.try_pop_for(60s);
        ASSERT_TRUE(task) << i;
        EXPECT_EQ(task->redeliveries(), 1U);
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, 15s) << "a period each";
    EXPECT_TRUE(queue.join_for(5s));
}
TEST_F(JoinableDesk, TasksThatALivingWorkerAbandonsLeaveTheRecordsToOthers) {
    auto queue = JoinableQueue<std::uint64_t>::anonymous(
        {.capacity = 1000, .delivery = Delivery::at_least_once, .participants = 64, .liveness_period = 1h});
    for (std::uint64_t i = 0; i != 1000; ++i) ASSERT_TRUE(queue.push(i));
    auto worker = queue.attach();
    for (int i = 0; i != 900; ++i) {
        auto task = worker.try_pop();
        ASSERT_TRUE(task) << to_string(task.error()) << " after " << i;
        i % 7 == 0 ? task->abandon() : task->done();
        ASSERT_LE(records_held(queue), 12U);
    }
    EXPECT_TRUE(queue.attach().push(1));
    EXPECT_TRUE(queue.attach().try_pop());
}
TEST_F(JoinableDesk, ATaskThatIsAbandonedAgainAndAgainComesOnceInARound) {
    auto queue = JoinableQueue<std::uint64_t>::anonymous(
        {.capacity = 4, .delivery = Delivery::at_least_once, .liveness_period = 1h});
    ASSERT_TRUE(queue.push(1));
    int times = 0;
    for (int i = 0; i != 1000; ++i) {
        auto task = queue.try_pop();
        if (!task) continue;
        ++times;
        task->abandon();
    }
    EXPECT_LE(times, 2) << "its deliveries are used up by one worker that has nothing else";
    EXPECT_EQ(queue.unfinished(), 1U);
}
TEST_F(JoinableDesk, ATaskAbandonedWhereNoneIsDeliveredAgainIsCountedAtOnce) {
    auto queue = JoinableQueue<std::uint64_t>::anonymous({.capacity = 4, .liveness_period = 1h});
    ASSERT_TRUE(queue.push(1));
    queue.pop()->abandon();
    EXPECT_EQ(queue.losses().lost, 1U);
    EXPECT_EQ(queue.join_for(0s).error(), Status::peer_lost);
}

// ---- guards and detach -----------------------------------------------------------------------------------------------

TEST_F(JoinableDesk, AGuardThatOutlivesADetachDoesNothingToTheDesksNextTask) {
    for (const bool abandons : {false, true}) {
        auto queue = make(Delivery::at_least_once);
        ASSERT_TRUE(queue.push(7));
        auto old = queue.pop();
        queue.detach();
        auto again = queue.try_pop_for(5s);
        ASSERT_TRUE(old && again);
        EXPECT_EQ(again->redeliveries(), 1U);
        abandons ? old->abandon() : old->done();
        EXPECT_EQ(queue.unfinished(), 1U) << "the task is another guard's";
        again->done();
        EXPECT_EQ(queue.unfinished(), 0U);
    }
}
TEST_F(JoinableDesk, TaskDoneDoesNotEndATaskWithAGuardAfterADetach) {
    auto queue = make(Delivery::at_most_once);
    ASSERT_TRUE(queue.push(1));
    EXPECT_TRUE(queue.get());
    queue.detach();
    ASSERT_TRUE(queue.push(2));
    const auto task = queue.pop();
    EXPECT_EQ(queue.task_done().error(), Status::overflow);
    EXPECT_GE(queue.unfinished(), 1U);
}

// ---- without crash recovery ------------------------------------------------------------------------------------------

TEST_F(JoinableDesk, InMemoryWithoutDeathsADetachWithATaskInHandLosesItAndKeepsTheDeskInOrder) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        const JoinableQueueOptions options{.capacity = 8, .delivery = delivery, .participants = 8};
        const auto size = static_cast<std::size_t>(Numbers::required_bytes(options));
        void* const memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(memory, MAP_FAILED);
        {
            auto queue = Numbers::create_in({static_cast<std::byte*>(memory), size}, options);
            for (std::uint64_t i = 0; i != 3; ++i) ASSERT_TRUE(queue.push(i));
            {
                auto worker = queue.attach();
                const auto first = worker.pop();
                worker.detach();
                EXPECT_EQ(queue.losses().lost, 1U);
                EXPECT_EQ(*worker.get(), 1U);
                EXPECT_TRUE(worker.task_done());
                EXPECT_EQ(*worker.get(), 2U);
                worker.detach();
                EXPECT_EQ(queue.losses().lost, 2U);
                EXPECT_LE(records_held(queue), 1U);
            }
            EXPECT_EQ(queue.unfinished(), 0U);
            EXPECT_EQ(queue.join_for(1s).error(), Status::peer_lost);
        }
        ::munmap(memory, size);
    }
}

// ---- threads ---------------------------------------------------------------------------------------------------------

/// For the thread sanitizer: nothing but the tasks' ends orders the threads.
TEST_F(JoinableDesk, WhatAThreadDidBeforeItsTaskWasDoneIsSeenAfterJoinAlsoIfTheDeskWasUsedAgain) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto queue = make(delivery);
        auto worker = queue.attach();
        int result = 0;
        std::atomic<int> step{0};
        const auto await = [&](int which) {
            while (step.load(std::memory_order_relaxed) != which) std::this_thread::yield();
        };
        ASSERT_TRUE(queue.push(1));
        ASSERT_TRUE(queue.push(2));
        auto first = worker.pop();
        ASSERT_TRUE(first);
        std::thread other([&, task = *std::move(first)]() mutable {
            result = 42;
            task.done();
            step.store(1, std::memory_order_relaxed);
        });
        std::thread owner([&] {
            await(1);
            EXPECT_TRUE(worker.pop());  // at the same desk, and done
            step.store(2, std::memory_order_relaxed);
        });
        await(2);
        EXPECT_TRUE(queue.join());
        EXPECT_EQ(result, 42);
        other.join();
        owner.join();
    }
}

// ---- options ---------------------------------------------------------------------------------------------------------

TEST_F(JoinableDesk, TasksOfAnySizeAreDeliveredAgainOnlyIfTheirLargestSizeIsKnown) {
    JoinableQueueOptions options{.capacity = 4, .capacity_bytes = 4096, .delivery = Delivery::at_least_once};
    std::error_code code;
    EXPECT_EQ(JoinableQueue<std::string>::anonymous(options, code).delivery(), Delivery::at_least_once);
    options.capacity = 0;
    const auto unlimited = JoinableQueue<std::string>::anonymous(options, code);
    EXPECT_TRUE(code || unlimited.delivery() == Delivery::at_least_once);
    options.max_task_bytes = 100;
    EXPECT_TRUE(JoinableQueue<std::string>::anonymous(options, code));
    EXPECT_FALSE(code) << code.message();
}

}  // namespace
}  // namespace shmring::test
