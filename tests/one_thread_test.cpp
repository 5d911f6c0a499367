// A handle belongs to one thread at a time: what is caught, and what is not an error.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "shmring/shmring.hpp"
#include "support/child_process.hpp"
#include "support/mpmc_internals.hpp"
#include "support/ring_internals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// `call` in this thread, while another is asleep in `waiting` on `line`.
template <class Waiting, class Call>
void call_beside(const Line& line, Waiting waiting, Call call) {
    std::thread sleeper(waiting);
    sleeper.detach();
    await_sleeper(line);
    call();
}

template <class Share>
void expect_caught([[maybe_unused]] Share share) {
#ifdef NDEBUG
    GTEST_SKIP() << "needs assertions, which this build leaves out";
#else
    EXPECT_DEATH(share(), "two threads are in calls of one handle");
#endif
}

TEST(OneThreadDeathTest, TwoInPopsOfOneQueueAreCaught) {
    expect_caught([] {
        auto queue = Queue<int>::anonymous({.capacity = 4});
        call_beside(
            mpmc_control_of(queue.segment()).readable, [&] { (void)queue.pop(); },
            [&] { (void)queue.try_pop(); });
    });
}
TEST(OneThreadDeathTest, TwoInPushesOfOneQueueAreCaught) {
    expect_caught([] {
        auto queue = Queue<std::string>::anonymous({.capacity = 1, .capacity_bytes = 64});
        (void)queue.push("full");
        call_beside(
            mpmc_control_of(queue.segment()).writable, [&] { (void)queue.push("one"); },
            [&] { (void)queue.try_push_for("two", 1ms); });
    });
}
TEST(OneThreadDeathTest, TwoInPopsOfOneJoinableQueueAreCaught) {
    expect_caught([] {
        auto queue = JoinableQueue<int>::anonymous({.capacity = 4});
        call_beside(
            mpmc_control_of(queue.segment()).readable, [&] { (void)queue.pop(); },
            [&] { (void)queue.get_nowait(); });
    });
}
TEST(OneThreadDeathTest, TwoInCallsOfOneConsumerAreCaught) {
    expect_caught([] {
        auto ring = SpscRing<int>::anonymous({.capacity = 4});
        auto in = ring.consumer();
        call_beside(
            control_of(ring).readable, [&] { (void)in.pop(); }, [&] { (void)in.try_next(); });
    });
    expect_caught([] {
        auto ring = MpmcByteRing::anonymous({.capacity_bytes = 4096});
        auto in = ring.consumer();
        call_beside(
            control_of(ring).readable, [&] { (void)in.next(); }, [&] { (void)wait_any_for(1ms, in); });
    });
}
TEST(OneThreadDeathTest, TwoReceiversOfOneEndOfAPipeAreCaught) {
    expect_caught([] {
        auto [here, there] = Pipe<int>::pair({.capacity = 4});
        auto& end = here;
        std::atomic<bool> is_in{false};
        std::thread sleeper([&] {
            is_in = true;
            (void)end.recv();
        });
        while (!is_in) std::this_thread::yield();
        for (int i = 0; i != 2000; ++i) (void)end.try_recv_for(1ms);
    });
}

TEST(OneThread, ThreadsThatTakeTurnsMayShareAHandle) {
    auto queue = Queue<int>::anonymous({.capacity = 64});
    std::mutex turn;
    const auto work = [&] {
        for (int i = 0; i != 1000; ++i) {
            const std::lock_guard lock(turn);
            EXPECT_TRUE(queue.push(i));
            EXPECT_EQ(queue.try_pop().value_or(-1), i);
        }
    };
    std::jthread one(work);
    std::jthread two(work);
}

TEST(OneThread, TheHalvesOfAQueueAndOfAPipeEndAreTwo) {
    auto queue = Queue<int>::anonymous({.capacity = 4});
    auto [here, there] = Pipe<int>::pair({.capacity = 4});
    auto& other = there;
    std::jthread reader([&] {
        for (int i = 0; i != 1000; ++i) EXPECT_EQ(queue.pop().value_or(-1), i);
        for (int i = 0; i != 1000; ++i) EXPECT_EQ(other.recv().value_or(-1), i);
    });
    for (int i = 0; i != 1000; ++i) EXPECT_TRUE(queue.push(i));
    for (int i = 0; i != 1000; ++i) EXPECT_TRUE(here.send(i));
}

TEST(OneThread, AChildThatWasForkedBesideACallIsToldThatTheHandleIsNotItsOwn) {
    auto queue = Queue<int>::anonymous({.capacity = 4});
    std::jthread reader([&] { EXPECT_EQ(queue.pop().value_or(-1), 7); });
    await_sleeper(mpmc_control_of(queue.segment()).readable);
    ChildProcess child([&] {
        EXPECT_EQ(queue.try_pop().error(), Status::not_owner);
        auto mine = queue.attach();
        return mine.push(7) ? 0 : 1;
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

/// A thread that is at its first use of a handle while another forks leaves its mark in the child's copy, which nobody uses there.
TEST(OneThread, AForkedChildsCopyIsFreeThoughItsParentWasInItsFirstCall) {
    const auto not_bound_yet = [] { return true; };
    detail::Occupied handle;
    const detail::InCallIf<true> here(handle, not_bound_yet);
    ChildProcess child([&] {
        for (int call = 0; call != 2; ++call) const detail::InCallIf<true> there(handle, not_bound_yet);
        return 0;
    });
    const Ended ended = child.join();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

/// Not supported, but it must not take a message away or leave the ring in a state that others stumble over.
TEST(OneThread, ACancelledThreadThatSleepsInACallGoesOnUntilItIsOver) {
    auto queue = Queue<int>::anonymous({.capacity = 4});
    std::atomic<int> got{0};
    std::thread reader([&] {
        got = queue.pop().value_or(-1);
        ::pthread_testcancel();
        got = -2;
    });
    await_sleeper(mpmc_control_of(queue.segment()).readable);
    ASSERT_EQ(::pthread_cancel(reader.native_handle()), 0);
    auto other = queue.attach();
    ASSERT_TRUE(other.push(7));
    reader.join();
    EXPECT_EQ(got, 7);
}

}  // namespace
}  // namespace shmring::test
