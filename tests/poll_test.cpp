// poll(): looking without taking. And whoever is told that there is nothing, by whatever call, is not woken for it again.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>

#include "shmring/byte_pipe.hpp"
#include "shmring/byte_ring.hpp"
#include "shmring/joinable_queue.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"
#include "shmring/spsc_ring.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr SegmentOptions kBell{.bell = true};

/// Each kind of thing that can be looked at: what carries a number in, its descriptor, and all the ways to look and to take.
struct OfSpsc {
    SpscRing<std::uint64_t> ring =
        SpscRing<std::uint64_t>::anonymous({.capacity = 8, .liveness_period = 1h, .segment = kBell});
    SpscRing<std::uint64_t>::Consumer in = ring.consumer();
    SpscRing<std::uint64_t>::Producer out = ring.producer();
    bool push() { return out.push(1).has_value(); }
    Status take() { return in.try_pop().error(); }
    Status take_for(std::chrono::nanoseconds time) { return in.try_pop_for(time).error(); }
};
struct OfByteRing {
    ByteRing ring = ByteRing::anonymous({.capacity_bytes = 256, .liveness_period = 1h, .segment = kBell});
    ByteRing::Consumer in = ring.consumer();
    ByteRing::Producer out = ring.producer();
    bool push() { return out.push_value(std::uint64_t{1}).has_value(); }
    Status take() { return in.try_next().error(); }
    Status take_for(std::chrono::nanoseconds time) { return in.try_next_for(time).error(); }
};
struct OfMpmc {
    MpmcRing<std::uint64_t> ring =
        MpmcRing<std::uint64_t>::anonymous({.capacity = 8, .liveness_period = 1h, .segment = kBell});
    MpmcRing<std::uint64_t>::Consumer in = ring.consumer();
    MpmcRing<std::uint64_t>::Producer out = ring.producer();
    bool push() { return out.push(1).has_value(); }
    Status take() { return in.try_pop().error(); }
    Status take_for(std::chrono::nanoseconds time) { return in.try_pop_for(time).error(); }
};
struct OfMpmcBytes {
    MpmcByteRing ring =
        MpmcByteRing::anonymous({.capacity_bytes = 1024, .liveness_period = 1h, .segment = kBell});
    MpmcByteRing::Consumer in = ring.consumer();
    MpmcByteRing::Producer out = ring.producer();
    bool push() { return out.push_value(std::uint64_t{1}).has_value(); }
    Status take() { return in.try_next().error(); }
    Status take_for(std::chrono::nanoseconds time) { return in.try_next_for(time).error(); }
};
template <class T>
struct OfQueue {
    Queue<T> in =
        Queue<T>::anonymous({.capacity = 8, .capacity_bytes = 1024, .liveness_period = 1h, .segment = kBell});
    Queue<T> out = in.attach();
    bool push() { return out.push(T{}).has_value(); }
    Status take() { return in.try_pop().error(); }
    Status take_for(std::chrono::nanoseconds time) { return in.try_pop_for(time).error(); }
};
template <class T>
struct OfTasks {
    JoinableQueue<T> in = JoinableQueue<T>::anonymous(
        {.capacity = 8, .capacity_bytes = 1024, .liveness_period = 1h, .segment = kBell});
    JoinableQueue<T> out = in.attach();
    bool push() { return out.push(T{}).has_value(); }
    Status take() { return in.try_pop().error(); }
    Status take_for(std::chrono::nanoseconds time) { return in.try_pop_for(time).error(); }
};
template <class T>
struct OfPipe {
    std::pair<PipeEnd<T>, PipeEnd<T>> ends = make();
    PipeEnd<T>& in = ends.first;
    PipeEnd<T>& out = ends.second;
    static std::pair<PipeEnd<T>, PipeEnd<T>> make() {
        const PipeOptions options{
            .capacity = 8, .capacity_bytes = 1024, .liveness_period = 1h, .segment = kBell};
        return Pipe<T>::pair(options);
    }
    bool push() { return out.send(T{}).has_value(); }
    Status take() { return in.try_recv().error(); }
    Status take_for(std::chrono::nanoseconds time) { return in.try_recv_for(time).error(); }
};

template <class Case>
class Poll : public testing::Test {};
using Cases = testing::Types<OfSpsc, OfByteRing, OfMpmc, OfMpmcBytes, OfQueue<int>, OfQueue<std::string>,
                             OfTasks<int>, OfTasks<std::string>, OfPipe<int>, OfPipe<std::string>>;
TYPED_TEST_SUITE(Poll, Cases);

TYPED_TEST(Poll, SaysWhetherTakingWouldWaitAndTakesNothing) {
    TypeParam one;
    EXPECT_EQ(one.in.poll().error(), Status::empty);
    ASSERT_TRUE(one.push() && one.push());
    for (int look = 0; look != 3; ++look) EXPECT_TRUE(one.in.poll());
    EXPECT_EQ(one.take(), Status::ok);
    EXPECT_TRUE(one.in.poll());
    EXPECT_EQ(one.take(), Status::ok);
    EXPECT_EQ(one.in.poll().error(), Status::empty);
    one.out.close();
    EXPECT_TRUE(one.in.poll()) << "the end is there to be told";
    EXPECT_EQ(one.take(), Status::closed);
}

TYPED_TEST(Poll, ThatFindsNothingMakesTheDescriptorUnreadable) {
    TypeParam one;
    const int descriptor = one.in.readable_fd();
    for (int round = 0; round != 3; ++round) {
        EXPECT_TRUE(settle(descriptor, [&] { EXPECT_EQ(one.in.poll().error(), Status::empty); }));
        ASSERT_TRUE(one.push());
        ASSERT_TRUE(becomes_readable(descriptor));
        while (one.in.poll()) ASSERT_EQ(one.take(), Status::ok);  // as an event loop does
    }
}

TYPED_TEST(Poll, SoDoesACallThatRunsOutOfTime) {
    TypeParam one;
    const int descriptor = one.in.readable_fd();
    for (const std::chrono::nanoseconds time : {0ns, 1'000'000ns}) {
        EXPECT_TRUE(settle(descriptor, [&] { EXPECT_EQ(one.take_for(time), Status::timed_out); }));
        ASSERT_TRUE(one.push());
        ASSERT_TRUE(becomes_readable(descriptor));
        EXPECT_EQ(one.take_for(time), Status::ok);
    }
}

TYPED_TEST(Poll, CanBeWaitedFor) {
    TypeParam one;
    TypeParam two;
    EXPECT_EQ(wait_any_for(1ms, one.in, two.in).error(), Status::timed_out);
    ASSERT_TRUE(two.push());
    EXPECT_EQ(wait_any(one.in, two.in).value_or(99), 1U);
    WaitSet set;
    set.add(one.in);
    set.add(two.in);
    EXPECT_EQ(set.wait().value_or(99), 1U);
}

TEST(PollOfAPipe, EndOfFileAsksLikewise) {
    OfPipe<int> one;
    EXPECT_TRUE(settle(one.in.readable_fd(), [&] { EXPECT_FALSE(one.in.eof()); }));
    one.out.close();
    ASSERT_TRUE(becomes_readable(one.in.readable_fd()));
    EXPECT_TRUE(one.in.eof());
}

TEST(PollOfNothing, SaysWhy) {
    EXPECT_EQ(SpscRing<int>::Consumer{}.poll().error(), Status::not_owner);
    EXPECT_EQ(MpmcByteRing::Consumer{}.poll().error(), Status::not_owner);
    EXPECT_EQ(Queue<int>{}.poll().error(), Status::not_owner);
    EXPECT_EQ(JoinableQueue<int>{}.poll().error(), Status::not_owner);
    std::error_code code;
    EXPECT_EQ(JoinableQueue<int>{}.readable_fd(code), -1);
    EXPECT_TRUE(code);
    EXPECT_THROW((void)JoinableQueue<int>{}.readable_fd(), std::system_error);
}

// ---- what a dead worker had in hand -----------------------------------------------------------------------------------

class DeadWorker : public testing::Test {
 protected:
    /// The worker of another process died with a task in hand, which is to be delivered again.
    DeadWorker() {
        EXPECT_TRUE(queue_.push(7));
        ChildProcess worker([&] {
            auto mine = queue_.attach();
            auto task = mine.pop();
            return ::raise(SIGKILL);
        });
        EXPECT_TRUE(worker.join().killed_by(SIGKILL));
    }
    void expect_the_task() {
        EXPECT_TRUE(queue_.poll());
        auto task = queue_.try_pop();
        ASSERT_TRUE(task);
        EXPECT_EQ(**task, 7);
        task->done();
        EXPECT_EQ(queue_.poll().error(), Status::empty);
    }

    JoinableQueue<int> queue_ = JoinableQueue<int>::anonymous(
        {.capacity = 8, .delivery = Delivery::at_least_once, .liveness_period = 5ms, .segment = kBell});
};

TEST_F(DeadWorker, LeavesATaskThatCanBeWaitedFor) {
    EXPECT_EQ(wait_any_for(20s, queue_).value_or(99), 0U);
    expect_the_task();
}

TEST_F(DeadWorker, LeavesATaskThatIsHeardOfBesideAQueueThatAlwaysHasSomething) {
    auto busy = Queue<int>::anonymous({.capacity = 8});
    const auto end = std::chrono::steady_clock::now() + 20s;
    std::size_t ready = 1;
    while (ready == 1 && std::chrono::steady_clock::now() < end) {
        ASSERT_TRUE(busy.push(1));
        ready = wait_any(queue_, busy).value_or(99);
        if (ready == 1) {
            ASSERT_TRUE(busy.try_pop());
        }
    }
    EXPECT_EQ(ready, 0U);
    expect_the_task();
}

TEST_F(DeadWorker, LeavesATaskThatAnEventLoopHearsOf) {
    const int descriptor = queue_.readable_fd();
    do {
        ASSERT_TRUE(becomes_readable(descriptor));
    } while (!queue_.poll());
    expect_the_task();
}

}  // namespace
}  // namespace shmring::test
