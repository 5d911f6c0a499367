// JoinableQueue<T>: tasks, their end, and who waits for it. What deaths do to it: joinable_crash_test.cpp, joinable_kill_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/joinable_queue.hpp"
#include "shmring/queue.hpp"
#include "support/child_process.hpp"
#include "support/queue_fixture.hpp"
#include "support/shared.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

template <class T>
class JoinableQueueOf : public QueueOf<T> {
 protected:
    [[nodiscard]] static JoinableQueueOptions options(std::uint64_t capacity, Delivery delivery) {
        return {.capacity = capacity,
                .capacity_bytes = Message<T> ? 0 : capacity * 256,
                .delivery = delivery,
                .participants = 128,
                .liveness_period = 5ms};
    }
    [[nodiscard]] static JoinableQueue<T> make(std::uint64_t capacity,
                                               Delivery delivery = Delivery::at_most_once) {
        return JoinableQueue<T>::anonymous(options(capacity, delivery));
    }
};
TYPED_TEST_SUITE(JoinableQueueOf, QueueTypes);

TYPED_TEST(JoinableQueueOf, AnEmptyQueueIsJoinedAtOnce) {
    auto queue = this->make(4);
    EXPECT_TRUE(queue.join());
    EXPECT_TRUE(queue.join_for(0s));
    EXPECT_EQ(queue.unfinished(), 0U);
}

TYPED_TEST(JoinableQueueOf, ATaskIsUnfinishedFromPushToTheEndOfItsScope) {
    auto queue = this->make(4);
    ASSERT_TRUE(queue.push(this->value(1)));
    EXPECT_EQ(queue.unfinished(), 1U);
    EXPECT_EQ(queue.join_for(0s).error(), Status::timed_out);
    {
        auto task = queue.pop();
        ASSERT_TRUE(task);
        EXPECT_EQ(**task, this->value(1));
        EXPECT_FALSE(task->redelivered());
        EXPECT_EQ(queue.try_pop().error(), Status::empty);
        EXPECT_EQ(queue.unfinished(), 1U);
        EXPECT_EQ(queue.join_for(1ms).error(), Status::timed_out);
    }
    EXPECT_EQ(queue.unfinished(), 0U);
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, DoneCountsOnceAndMovesWithTheTask) {
    auto queue = this->make(4);
    for (std::uint64_t i = 0; i != 3; ++i) ASSERT_TRUE(queue.push(this->value(i)));
    auto first = queue.pop();
    auto second = queue.pop();
    ASSERT_TRUE(first && second);
    Task<TypeParam> moved = *std::move(first);
    EXPECT_EQ(queue.unfinished(), 3U);
    moved.done();
    moved.done();
    EXPECT_EQ(queue.unfinished(), 2U);
    moved = *std::move(second);  // ended one, took another
    EXPECT_EQ(*moved, this->value(1));
    EXPECT_EQ(queue.unfinished(), 2U);
    moved = *queue.pop();
    EXPECT_EQ(queue.unfinished(), 1U);
    moved.done();
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, TakesTasksInEveryShapeOfCallInTheirOrder) {
    auto queue = this->make(8);
    const std::array tasks{this->value(0), this->value(1), this->value(2), this->value(3)};
    EXPECT_EQ(*queue.try_push_n(tasks), 4U);
    EXPECT_EQ(**queue.pop(), this->value(0));
    EXPECT_EQ(**queue.try_pop(), this->value(1));
    EXPECT_EQ(**queue.try_pop_for(1s), this->value(2));
    EXPECT_EQ(**queue.try_pop_until(Clock::now() + 1s), this->value(3));
    EXPECT_EQ(queue.try_pop_for(-1s).error(), Status::timed_out);
    EXPECT_EQ(queue.try_pop_for(3ms).error(), Status::timed_out);
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, ASlowTaskDoesNotStopTheRing) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto queue = this->make(2, delivery);
        ASSERT_TRUE(queue.push(this->value(1000)));
        auto slow = queue.pop();
        ASSERT_TRUE(slow);
        for (std::uint64_t i = 0; i != 100; ++i) {
            ASSERT_TRUE(queue.try_push(this->value(i)));
            ASSERT_TRUE(queue.try_push(this->value(i + 1)));
            EXPECT_EQ(queue.try_push(this->value(0)).error(), Status::full);
            ASSERT_EQ(**queue.try_pop(), this->value(i));
            ASSERT_EQ(**queue.try_pop(), this->value(i + 1));
        }
        EXPECT_EQ(**slow, this->value(1000));
        EXPECT_EQ(queue.unfinished(), 1U);
    }
}

TYPED_TEST(JoinableQueueOf, AHandleHoldsSixtyFourTasksAndThenSaysOverflow) {
    auto queue = this->make(100);
    std::vector<Task<TypeParam>> tasks;
    for (std::uint64_t i = 0; i != 100; ++i) ASSERT_TRUE(queue.push(this->value(i)));
    for (std::uint64_t i = 0; i != 64; ++i) {
        auto task = queue.try_pop();
        ASSERT_TRUE(task);
        ASSERT_EQ(**task, this->value(i));
        tasks.push_back(*std::move(task));
    }
    EXPECT_EQ(queue.try_pop().error(), Status::overflow);
    EXPECT_EQ(queue.unfinished(), 100U);
    tasks[17].done();
    EXPECT_EQ(**queue.try_pop(), this->value(64));
    tasks.clear();
    EXPECT_EQ(queue.unfinished(), 35U);
}

TYPED_TEST(JoinableQueueOf, TaskDoneWithoutAGuardEndsTheOldestAndTooManyCallsAreAnError) {
    auto queue = this->make(4);
    EXPECT_EQ(queue.task_done().error(), Status::overflow);
    ASSERT_TRUE(queue.push(this->value(1)));
    ASSERT_TRUE(queue.push(this->value(2)));
    EXPECT_EQ(queue.task_done().error(), Status::overflow);  // Python lets this pass: it counts what was put
    EXPECT_EQ(*queue.get(), this->value(1));
    EXPECT_EQ(*queue.get(), this->value(2));
    EXPECT_EQ(queue.unfinished(), 2U);
    EXPECT_EQ(queue.get(false).error(), Status::empty);
    EXPECT_EQ(queue.get_nowait().error(), Status::empty);
    EXPECT_EQ(queue.get(true, 1ms).error(), Status::timed_out);
    EXPECT_TRUE(queue.task_done());
    EXPECT_EQ(queue.unfinished(), 1U);
    EXPECT_TRUE(queue.task_done());
    EXPECT_EQ(queue.task_done().error(), Status::overflow);
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, AWorkerThatPushesBeforeItIsDoneShowsNoFalseZero) {
    // A tree of tasks, each of which pushes its children first: there is no moment without a task before the last leaf is done.
    for (int round = 0; round != 20; ++round) {
        auto queue = this->make(64);
        std::atomic<int> done{0};
        constexpr std::uint64_t kNodes = 127;  // a full binary tree
        const auto work = [&] {
            auto mine = queue.attach();
            auto more = queue.attach();
            while (auto task = mine.pop()) {
                const std::uint64_t number = number_of(**task);
                if (2 * number + 2 < kNodes) {
                    ASSERT_TRUE(more.push(this->value(2 * number + 1)));
                    ASSERT_TRUE(more.push(this->value(2 * number + 2)));
                }
                done.fetch_add(1);
            }
        };
        ASSERT_TRUE(queue.push(this->value(0)));
        {
            std::jthread first(work);
            std::jthread second(work);
            ASSERT_TRUE(queue.join());
            EXPECT_EQ(done.load(), static_cast<int>(kNodes));
            queue.close();
        }
    }
}

TYPED_TEST(JoinableQueueOf, JoinReturnsOnlyAfterFourWorkersDidTenTasks) {  // pin 11
    auto queue = this->make(10);
    Shared<std::array<std::atomic<int>, 10>> done;
    std::vector<ChildProcess> workers;
    for (int i = 0; i != 4; ++i)
        workers.emplace_back([&] {
            auto mine = queue.attach();
            while (auto task = mine.pop()) {
                std::this_thread::sleep_for(2ms);
                done->at(number_of(**task)).fetch_add(1);
            }
        });
    for (std::uint64_t i = 0; i != 10; ++i) ASSERT_TRUE(queue.push(this->value(i)));
    ASSERT_TRUE(queue.join());
    for (const auto& count : *done) EXPECT_EQ(count.load(), 1);
    queue.close();
    for (auto& worker : workers) EXPECT_TRUE(worker.join().exited_with(0));
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, JoinWaitsAtMostItsTimeAndCanBeStopped) {
    auto queue = this->make(4);
    ASSERT_TRUE(queue.push(this->value(1)));
    const auto start = Clock::now();
    EXPECT_EQ(queue.join_for(20ms).error(), Status::timed_out);
    EXPECT_GE(Clock::now() - start, 20ms);
    EXPECT_EQ(queue.join_until(Clock::now() + 20ms).error(), Status::timed_out);
    std::stop_source stop;
    std::jthread stopper([&] { stop.request_stop(); });
    EXPECT_EQ(queue.join(stop.get_token()).error(), Status::interrupted);
}

TYPED_TEST(JoinableQueueOf, EveryJoinerWakes) {
    auto queue = this->make(4);
    ASSERT_TRUE(queue.push(this->value(1)));
    std::vector<ChildProcess> joiners;
    for (int i = 0; i != 3; ++i) joiners.emplace_back([&] { return queue.attach().join() ? 0 : 1; });
    auto task = queue.pop();
    std::this_thread::sleep_for(20ms);  // most of them sleep by now; none may be left behind either way
    task->done();
    for (auto& joiner : joiners) EXPECT_TRUE(joiner.join().exited_with(0));
}

TYPED_TEST(JoinableQueueOf, CloseEndsItForWorkersAndTasksStayToBeDone) {
    auto queue = this->make(4);
    ASSERT_TRUE(queue.push(this->value(1)));
    queue.close();
    EXPECT_TRUE(queue.was_closed());
    EXPECT_EQ(queue.push(this->value(2)).error(), Status::closed);  // pin 16
    EXPECT_EQ(queue.join_for(0s).error(), Status::timed_out);
    EXPECT_TRUE(queue.pop());
    EXPECT_EQ(queue.pop().error(), Status::closed);
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, AnAbandonedTaskIsDeliveredAgainOrCountedAsLost) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto queue = this->make(4, delivery);
        EXPECT_EQ(queue.delivery(), delivery);
        auto worker = queue.attach();
        ASSERT_TRUE(queue.push(this->value(7)));
        worker.pop()->abandon();
        EXPECT_EQ(queue.unfinished(), delivery == Delivery::at_least_once ? 1U : 0U);
        if (delivery == Delivery::at_least_once) {
            auto again = queue.pop();
            ASSERT_TRUE(again);
            EXPECT_EQ(**again, this->value(7));
            EXPECT_EQ(again->redeliveries(), 1U);
            again->done();
            EXPECT_TRUE(queue.join());
            EXPECT_EQ(queue.losses().redelivered, 1U);
        } else {
            EXPECT_EQ(queue.join().error(), Status::peer_lost);
            EXPECT_EQ(queue.losses().lost, 1U);
            EXPECT_TRUE(queue.join());           // said once
            EXPECT_TRUE(queue.attach().join());  // and not to who came later
        }
        EXPECT_EQ(queue.unfinished(), 0U);
    }
}

TYPED_TEST(JoinableQueueOf, DetachLeavesTasksInHandToOthers) {
    auto queue = this->make(4, Delivery::at_least_once);
    {
        auto worker = queue.attach();
        ASSERT_TRUE(queue.push(this->value(1)));
        ASSERT_TRUE(worker.get());
    }
    EXPECT_EQ(queue.unfinished(), 1U);
    EXPECT_EQ(**queue.pop(), this->value(1));
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, AWorkerWithFewAndSlowTasksFindsWhatAnotherLeftWithinAPeriodToo) {
    auto queue = this->make(4, Delivery::at_least_once);
    for (int i = 1; i != 5; ++i) ASSERT_TRUE(queue.push(this->value(i)));
    EXPECT_EQ(**queue.pop(), this->value(1));
    {
        auto worker = queue.attach();
        ASSERT_TRUE(worker.get());  // and leaves it
    }
    std::this_thread::sleep_for(50ms);  // ten periods, and more than the coarse clock's steps
    EXPECT_EQ(**queue.pop(), this->value(2)) << "although the ring has one at hand";
    for (int i = 3; i != 5; ++i) EXPECT_EQ(**queue.pop(), this->value(i));
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, ATaskGivenUpByThirtyTwoWorkersIsLost) {
    auto queue = this->make(4, Delivery::at_least_once);
    ASSERT_TRUE(queue.push(this->value(1)));
    std::uint64_t deliveries = 0;
    for (; deliveries != 40; ++deliveries) {
        auto task = queue.try_pop_for(100ms);
        if (!task) break;
        EXPECT_EQ(task->redeliveries(), deliveries);
        task->abandon();
    }
    EXPECT_EQ(deliveries, 32U);
    EXPECT_EQ(queue.losses().lost, 1U);
    EXPECT_EQ(queue.join().error(), Status::peer_lost);
}

TYPED_TEST(JoinableQueueOf, AForkedChildsCopyOfATaskAndOfAHandleDoesNothing) {
    auto queue = this->make(4);
    ASSERT_TRUE(queue.push(this->value(1)));
    auto task = queue.pop();
    ChildProcess child([&] {
        task->done();
        EXPECT_EQ(queue.try_pop().error(), Status::not_owner);
        EXPECT_EQ(queue.push(this->value(2)).error(), Status::not_owner);
        EXPECT_EQ(queue.join_for(0s).error(), Status::not_owner);
        auto mine = queue.attach();
        EXPECT_EQ(mine.unfinished(), 1U);
        EXPECT_TRUE(mine.push(this->value(2)));
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(queue.unfinished(), 2U);
    task->done();
    EXPECT_EQ(**queue.pop(), this->value(2));
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, ATaskMayBeFinishedInAnotherThread) {
    auto queue = this->make(4);
    ASSERT_TRUE(queue.push(this->value(1)));
    auto task = queue.pop();
    std::jthread other([task = *std::move(task)]() mutable { task.done(); });
    EXPECT_TRUE(queue.join());
}

TYPED_TEST(JoinableQueueOf, NamedOnesAreOpenedWithTheirDeliveryAndNotAsAQueue) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        const UniqueName name;
        auto made = JoinableQueue<TypeParam>::create(name, this->options(4, delivery));
        ASSERT_TRUE(made.push(this->value(3)));
        auto opened = JoinableQueue<TypeParam>::open(name);
        EXPECT_EQ(opened.delivery(), delivery);
        EXPECT_EQ(opened.capacity(), 4U);
        EXPECT_EQ(**opened.pop(), this->value(3));
        EXPECT_TRUE(made.join());
        std::error_code code;
        EXPECT_FALSE(Queue<TypeParam>::open(name, {}, code));
        EXPECT_EQ(code, errc::wrong_kind);
    }
}

TEST(JoinableQueue, RefusesTasksThatNoDeskCouldHold) {
    auto queue = JoinableQueue<std::string>::anonymous(
        {.capacity = 8, .capacity_bytes = 8192, .delivery = Delivery::at_least_once, .max_task_bytes = 128});
    EXPECT_TRUE(queue.try_push(std::string(128, 'x')));
    EXPECT_EQ(queue.try_push(std::string(129, 'x')).error(), Status::too_large);
    EXPECT_EQ(**queue.pop(), std::string(128, 'x'));
}

/// Its codec refuses some bytes, and throws at some.
struct Picky {
    int number = 0;
    std::string padding{};  // so that it is no Message
};

}  // namespace
}  // namespace shmring::test

template <>
struct shmring::Codec<shmring::test::Picky> {
    static std::size_t size(const test::Picky&) noexcept { return sizeof(int); }
    static void encode(const test::Picky& value, std::span<std::byte> to) noexcept {
        std::memcpy(to.data(), &value.number, sizeof(int));
    }
    static bool decode(Bytes from, test::Picky& value) {
        if (from.size() != sizeof(int)) return false;
        std::memcpy(&value.number, from.data(), sizeof(int));
        if (value.number == 13) throw std::runtime_error("thirteen");
        return value.number >= 0;
    }
};

namespace shmring::test {
namespace {

TEST(JoinableQueue, ATaskThatIsNoValueIsGoneAndOneWhoseDecodingThrowsIsLeftToOthers) {  // pins 14, 15
    auto queue = JoinableQueue<Picky>::anonymous(
        {.capacity = 4, .capacity_bytes = 4096, .delivery = Delivery::at_least_once, .liveness_period = 2ms});
    ASSERT_TRUE(queue.push({-1}));
    EXPECT_EQ(queue.pop().error(), Status::corrupt);
    EXPECT_TRUE(queue.join());
    ASSERT_TRUE(queue.push({13}));
    EXPECT_THROW((void)queue.pop(), std::runtime_error);
    EXPECT_EQ(queue.unfinished(), 1U);
    EXPECT_THROW((void)queue.pop(), std::runtime_error);  // the same again: until 32 have tried
    EXPECT_EQ(queue.unfinished(), 1U);
}

TEST(JoinableQueue, AnEmptyHandleAnswersAndDoesNotCrash) {
    JoinableQueue<int> none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.try_pop().error(), Status::not_owner);
    EXPECT_EQ(none.push(1).error(), Status::not_owner);
    EXPECT_EQ(none.join().error(), Status::not_owner);
    EXPECT_EQ(none.capacity() + none.unfinished() + none.losses().lost, 0U);
    EXPECT_EQ(none.delivery(), Delivery::at_most_once);
    EXPECT_EQ(none.task_done().error(), Status::overflow);
}

}  // namespace
}  // namespace shmring::test
