// Queue<T>: what Python's own tests pin of multiprocessing.Queue (numbers of docs/semantics.md, "Queue"), what CPython gets wrong and
// we must not, and what this library adds: close for everybody, types of any size, iteration.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/queue.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/queue_fixture.hpp"
#include "support/shared.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

TYPED_TEST_SUITE(QueueOf, QueueTypes);

TYPED_TEST(QueueOf, HoldsExactlyItsCapacityInEveryShapeOfCall) {  // pins 1 to 3, 7, 8
    auto queue = queue_of<TypeParam>(6);
    EXPECT_EQ(queue.capacity(), 6U);
    EXPECT_EQ(queue.try_pop().error(), Status::empty);
    EXPECT_TRUE(queue.push(this->value(0)));
    EXPECT_TRUE(queue.try_push(this->value(1)));
    EXPECT_TRUE(queue.try_push_for(this->value(2), 1s));
    EXPECT_TRUE(queue.try_push_until(this->value(3), Clock::now() + 1s));
    const std::array rest{this->value(4), this->value(5), this->value(6)};
    EXPECT_EQ(*queue.try_push_n(rest), 2U);
    EXPECT_EQ(queue.try_push(this->value(6)).error(), Status::full);
    EXPECT_EQ(queue.try_push_n(rest).error(), Status::full);
    EXPECT_EQ(queue.try_push_for(this->value(6), -1s).error(), Status::timed_out);

    EXPECT_EQ(*queue.pop(), this->value(0));
    EXPECT_EQ(*queue.try_pop(), this->value(1));
    EXPECT_EQ(*queue.try_pop_for(1s), this->value(2));
    EXPECT_EQ(*queue.try_pop_until(Clock::now() + 1s), this->value(3));
    std::array<TypeParam, 3> popped;
    EXPECT_EQ(*queue.try_pop_n(popped), 2U);
    EXPECT_EQ(popped[1], this->value(5));
    EXPECT_EQ(queue.try_pop_n(popped).error(), Status::empty);
}

TYPED_TEST(QueueOf, ATimeOutIsNeverEarly) {  // pins 4, 8, 13
    auto queue = queue_of<TypeParam>(1);
    auto start = Clock::now();
    EXPECT_EQ(queue.try_pop_for(30ms).error(), Status::timed_out);
    EXPECT_GE(Clock::now() - start, 30ms);
    ASSERT_TRUE(queue.try_push(this->value(1)));
    start = Clock::now();
    EXPECT_EQ(queue.try_push_for(this->value(2), 30ms).error(), Status::timed_out);
    EXPECT_GE(Clock::now() - start, 30ms);
}

TYPED_TEST(QueueOf, WhatWasPutCanBeGotAtOnce) {  // what CPython's feeder thread gets wrong
    auto queue = queue_of<TypeParam>(4);
    for (std::uint64_t number = 0; number != 2000; ++number) {
        ASSERT_TRUE(queue.try_push(this->value(number)));
        const auto got = queue.try_pop();
        ASSERT_TRUE(got) << number;
        ASSERT_EQ(*got, this->value(number));
    }
}

TYPED_TEST(QueueOf, CloseReachesEveryProcessAndReadersDrain) {
    auto queue = queue_of<TypeParam>(8);
    ASSERT_TRUE(queue.push(this->value(1)));
    ChildProcess reader([&] {
        auto mine = queue.attach();
        std::uint64_t count = 0;
        for (const TypeParam& value : mine) count += value == this->value(count + 1) ? 1U : 100U;
        return mine.error() == Status::closed && count == 2 ? 0 : 1;
    });
    ChildProcess writer([&] {
        auto mine = queue.attach();
        if (!mine.push(this->value(2))) return 1;
        mine.close();
        return mine.push(this->value(3)).error() == Status::closed ? 0 : 2;
    });
    EXPECT_TRUE(writer.join().exited_with(0));
    EXPECT_TRUE(reader.join().exited_with(0));
    EXPECT_TRUE(queue.was_closed());
    EXPECT_EQ(queue.try_push(this->value(4)).error(), Status::closed);
    EXPECT_EQ(queue.pop().error(), Status::closed);
}

TYPED_TEST(QueueOf, TenWritersAndTenReadersThroughAQueueOfThree) {
    auto queue = queue_of<TypeParam>(3);
    constexpr std::uint64_t kEach = 200;
    Shared<std::array<std::atomic<std::uint32_t>, 10 * kEach>> seen;
    std::vector<std::unique_ptr<ChildProcess>> writers;
    std::vector<std::unique_ptr<ChildProcess>> readers;
    for (std::uint64_t process = 0; process != 10; ++process) {
        readers.push_back(std::make_unique<ChildProcess>([&] {
            std::set<TypeParam> mine;
            for (const TypeParam& value : queue) mine.insert(value);
            for (std::uint64_t number = 0; number != 10 * kEach; ++number)
                if (mine.contains(this->value(number))) (*seen)[number].fetch_add(1);
            return queue.error() == Status::closed ? 0 : 1;
        }));
        writers.push_back(std::make_unique<ChildProcess>([&queue, process, this] {
            for (std::uint64_t i = 0; i != kEach; ++i)
                if (!queue.push(this->value(process * kEach + i))) return 1;
            return 0;
        }));
    }
    for (auto& writer : writers) EXPECT_TRUE(writer->join().exited_with(0));
    queue.close();
    for (auto& reader : readers) EXPECT_TRUE(reader->join().exited_with(0));
    for (auto& count : *seen) ASSERT_EQ(count.load(), 1U);
}

TYPED_TEST(QueueOf, AKilledReaderAndAKilledWriterStopNobody) {  // where CPython's queue is lost
    auto queue = queue_of<TypeParam>(4);
    ChildProcess waits([&] { return queue.pop() ? 1 : 2; });
    std::this_thread::sleep_for(20ms);  // asleep in pop, most likely: killed anywhere it must not matter
    waits.kill(SIGKILL);
    EXPECT_TRUE(waits.join().killed_by(SIGKILL));
    ChildProcess writes([&] {
        for (std::uint64_t number = 1;; ++number)
            if (!queue.push(this->value(number))) return 1;
    });
    for (int i = 0; i != 100; ++i) ASSERT_TRUE(queue.pop());
    writes.kill(SIGKILL);
    EXPECT_TRUE(writes.join().killed_by(SIGKILL));
    while (queue.try_pop_for(50ms)) {
    }
    auto other = queue.attach();
    ASSERT_TRUE(other.push(this->value(7)));
    EXPECT_EQ(*queue.pop(), this->value(7));
}

TYPED_TEST(QueueOf, AHandleMadeBeforeForkServesBothUntilItIsUsed) {
    auto queue = queue_of<TypeParam>(4);
    ChildProcess unused([&] { return queue.push(this->value(1)) ? 0 : 1; });
    EXPECT_TRUE(unused.join().exited_with(0));
    EXPECT_EQ(*queue.pop(), this->value(1));  // bound to this process for reading now
    ChildProcess used([&] {
        if (queue.pop().error() != Status::not_owner) return 1;
        std::error_code code;
        queue.bind_consumer(code);
        if (code != errc::not_owner) return 3;
        queue.bind_producer(code);  // the parent has none yet, so that this child gets one
        if (code) return 4;
        auto mine = queue.attach();
        return mine.push(this->value(2)) ? 0 : 2;
    });
    EXPECT_TRUE(used.join().exited_with(0));
    EXPECT_EQ(*queue.pop(), this->value(2));
}

TEST(Queue, AHandleOfTheParentCannotBeBoundInItsChild) {
    auto queue = queue_of<int>(4);
    queue.bind_producer();
    queue.bind_consumer();
    ChildProcess child([&] {
        std::error_code code;
        queue.bind_producer(code);
        EXPECT_EQ(code, errc::not_owner);
        queue.bind_consumer(code);
        EXPECT_EQ(code, errc::not_owner);
        EXPECT_THROW(queue.bind_producer(), std::system_error);
        EXPECT_THROW(queue.bind_consumer(), std::system_error);
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST(Queue, IsFoundByNameAndTellsTypesApart) {
    const UniqueName name;
    auto made = Queue<std::string>::create(name, {.capacity = 3, .capacity_bytes = 3000});
    auto found = Queue<std::string>::open(name);
    ASSERT_TRUE(made.push("one"));
    EXPECT_EQ(*found.pop(), "one");
    EXPECT_THROW((void)Queue<std::uint64_t>::open(name), std::system_error);
    EXPECT_FALSE(Queue<std::string>::remove(name));
    std::error_code code;
    const auto none = Queue<std::string>::open(name, {}, code);
    EXPECT_TRUE(code);
    EXPECT_FALSE(none);
}

TEST(Queue, AValueThatCanNeverFitIsRefusedAtOnce) {
    auto queue = Queue<std::string>::anonymous({.capacity = 4, .capacity_bytes = 1024});
    EXPECT_EQ(queue.push(std::string(1000, 'x')).error(), Status::too_large);
    EXPECT_TRUE(queue.push(std::string(512, 'x')));
    EXPECT_EQ(queue.pop()->size(), 512U);
}

TYPED_TEST(QueueOf, AnEmptyObjectAnswersEveryCall) {  // what the noexcept factories return when they fail
    Queue<TypeParam> none;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.push(this->value(1)).error(), Status::not_owner);
    EXPECT_EQ(none.try_push(this->value(1)).error(), Status::not_owner);
    EXPECT_EQ(none.try_push_for(this->value(1), 1h).error(), Status::not_owner);
    EXPECT_EQ(none.pop().error(), Status::not_owner);
    EXPECT_EQ(none.try_pop().error(), Status::not_owner);
    EXPECT_EQ(none.try_pop_for(1h).error(), Status::not_owner);
    none.close();  // does nothing
    for (const TypeParam& value : none) ADD_FAILURE() << value;
    for (const TypeParam& value : none.drain()) ADD_FAILURE() << value;
    EXPECT_EQ(none.error(), Status::not_owner);
    EXPECT_EQ(none.capacity() + none.count_approx() + none.losses().lost, 0U);
    EXPECT_TRUE(none.was_empty() && !none.was_full() && !none.was_closed());
    none.detach();
    none.set_wait_policy({});
    EXPECT_FALSE(none.attach());
    EXPECT_THROW(none.bind_producer(), std::system_error);
    EXPECT_THROW(none.bind_consumer(), std::system_error);
    EXPECT_THROW((void)none.readable_fd(), std::system_error);
    std::error_code code;
    none.bind_producer(code);
    EXPECT_TRUE(code);
    none.bind_consumer(code);
    EXPECT_TRUE(code);
    auto real = queue_of<TypeParam>(1);
    EXPECT_EQ(*wait_any(real, none), 1U) << "its calls do not wait";
}

TYPED_TEST(QueueOf, CountsItsValuesAlsoAroundTheEndOfItsStorage) {
    auto queue = queue_of<TypeParam>(5);
    for (std::uint64_t number = 0; number != 40; ++number) {  // sizes differ, so that some leave padding
        EXPECT_EQ(queue.count_approx(), std::min<std::uint64_t>(number, 3)) << number;
        EXPECT_EQ(queue.was_empty(), number == 0);
        ASSERT_TRUE(queue.push(this->value(number * 7)));
        if (number < 3) continue;
        EXPECT_EQ(queue.count_approx(), 4U);
        EXPECT_FALSE(queue.was_full());
        ASSERT_TRUE(queue.pop());
    }
    while (queue.try_push(this->value(1))) {
    }
    EXPECT_TRUE(queue.was_full());
    EXPECT_EQ(queue.count_approx(), 5U);
    while (queue.try_pop()) {
    }
    EXPECT_TRUE(queue.was_empty() && !queue.was_full());
}

TEST(Queue, OfTextsIsFullWhenItsBytesAre) {
    auto queue = Queue<std::string>::anonymous({.capacity = 4, .capacity_bytes = 1024});
    ASSERT_TRUE(queue.push(std::string(512, 'x')) && queue.push(std::string(500, 'x')));
    EXPECT_EQ(queue.count_approx(), 2U);
    EXPECT_TRUE(queue.was_full());
    EXPECT_EQ(queue.try_push("").error(), Status::full);
}

TEST(Queue, AHandleThatFindsNoRecordIsNoReasonToWait) {
    auto queue = Queue<int>::anonymous({.capacity = 2, .participants = 1});
    queue.bind_consumer();
    auto other = queue.attach();
    EXPECT_EQ(*wait_any(other), 0U);
    EXPECT_EQ(other.try_pop().error(), Status::overflow);
}

TEST(Queue, NeedsACapacity) {
    EXPECT_THROW((void)Queue<int>::anonymous({}), std::system_error);
    EXPECT_THROW((void)Queue<std::string>::anonymous({.capacity = 4}), std::system_error);
}

TEST(Queue, DrainTakesWhatIsThere) {
    auto queue = queue_of<std::uint64_t>(8);
    for (std::uint64_t number = 0; number != 5; ++number) ASSERT_TRUE(queue.push(number));
    std::uint64_t sum = 0;
    for (const std::uint64_t value : queue.drain()) sum += value;
    EXPECT_EQ(sum, 10U);
    EXPECT_EQ(queue.error(), Status::empty);
}

TEST(Queue, DetachGivesItsRecordsBackAndTheHandleMayGoOn) {
    auto queue = Queue<int>::anonymous({.capacity = 2, .participants = 2});
    ASSERT_TRUE(queue.push(1));
    ASSERT_TRUE(queue.pop());
    auto other = queue.attach();
    EXPECT_EQ(other.push(2).error(), Status::overflow) << "both records are ours";
    EXPECT_THROW(other.bind_consumer(), std::system_error);
    queue.detach();
    EXPECT_TRUE(other.push(2));
    EXPECT_EQ(*queue.pop(), 2);
}

TEST(Queue, CanBeWaitedForBesideOthers) {
    auto numbers = queue_of<std::uint64_t>(2);
    auto texts = queue_of<std::string>(2);
    ASSERT_TRUE(texts.push("x"));
    EXPECT_EQ(*wait_any(numbers, texts), 1U);
    ASSERT_TRUE(numbers.push(1));
    ASSERT_TRUE(texts.pop());
    EXPECT_EQ(*wait_any(numbers, texts), 0U);
    EXPECT_THROW((void)numbers.readable_fd(), std::system_error) << "made without a bell";
}

}  // namespace
}  // namespace shmring::test
