// The six things that CPython's multiprocessing gets wrong (A to F in docs/semantics.md; tried on 3.11.7), and that a Queue must not. C
// and D come of its helper thread, and here there is none. E is about multiprocessing.Event, which this library does not have: what is
// like it here are the wake-ups of push and close, which never wait for those whom they wake.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "shmring/queue.hpp"
#include "support/child_process.hpp"
#include "support/crowd_stand.hpp"
#include "support/queue_fixture.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMegabyte = 1 << 20;

[[nodiscard]] auto claim_something(MpmcRing<std::uint64_t>::Producer& out) { return out.try_claim(); }
[[nodiscard]] auto claim_something(MpmcByteRing::Producer& out) { return out.try_claim(8); }

template <class T>
class DefectOfBoth : public QueueOf<T> {
 protected:
    /// Until so many consumers sleep in it.
    static void await_sleepers(const Queue<T>& queue, std::uint64_t count) {
        const auto& word = crowd_control(queue.segment()).readable.word;
        while ((word.load(std::memory_order_acquire) & 0xffff) < count) std::this_thread::sleep_for(100us);
    }
    /// A consumer in a process of its own, asleep in pop.
    [[nodiscard]] static ChildProcess sleeper(const Queue<T>& queue) {
        return ChildProcess([&queue] {
            auto mine = queue.attach();
            return mine.pop() ? 0 : 1;
        });
    }
};
TYPED_TEST_SUITE(DefectOfBoth, QueueTypes);

TYPED_TEST(DefectOfBoth, DefectA_AKilledBlockedConsumerDoesNotStopOthers) {
    auto queue = queue_of<TypeParam>(4);
    for (std::uint64_t round = 0; round != 20; ++round) {
        ChildProcess victim = this->sleeper(queue);
        this->await_sleepers(queue, 1);
        victim.kill(SIGKILL);
        EXPECT_TRUE(victim.join().killed_by(SIGKILL));
        auto other = queue.attach();
        ASSERT_TRUE(other.push(this->value(round)));
        const auto got = queue.try_pop_for(10s);
        ASSERT_TRUE(got) << to_string(got.error());
        ASSERT_EQ(*got, this->value(round));
    }
}

TEST(DefectOfLarge, DefectB_AProducerKilledInAPutOfAMegabyteDoesNotHoldUpTheGoodItemOfAnother) {
    Queue<std::string> queue = Queue<std::string>::anonymous(
        {.capacity = 8, .capacity_bytes = 8 * kMegabyte, .participants = 16, .liveness_period = 5ms});
    int inside = 0;
    for (int round = 0; round != 60; ++round) {
        Shared<std::atomic<int>> calls;  // how many puts have begun, and how many have returned
        Shared<std::atomic<int>> done;
        ChildProcess producer([&] {
            auto mine = queue.attach();
            const std::string large(kMegabyte, 'x');
            for (;;) {
                calls->fetch_add(1);
                if (!mine.try_push_for(large, 1h)) return 1;
                done->fetch_add(1);
            }
        });
        while (calls->load() == 0) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::microseconds(37 * round));
        producer.kill(SIGKILL);
        EXPECT_TRUE(producer.join().killed_by(SIGKILL));
        inside += calls->load() != done->load() ? 1 : 0;

        ChildProcess good([&] { return queue.attach().push("good") ? 0 : 1; });  // there may be no room yet
        int whole = 0;
        for (;;) {
            const auto got = queue.try_pop_for(10s);
            ASSERT_TRUE(got) << "round " << round << ": " << to_string(got.error());
            if (*got == "good") break;
            ASSERT_TRUE(got->size() == kMegabyte && got->find_first_not_of('x') == std::string::npos);
            ++whole;
        }
        EXPECT_TRUE(good.join().exited_with(0));
        EXPECT_GE(whole, done->load());
        EXPECT_LE(whole, done->load() + 1);
    }
    EXPECT_GT(inside, 0) << "none was killed in a call";
}

TEST(DefectOfLarge, DefectC_AChildThatPutAMegabyteCanBeJoinedBeforeItIsDrained) {
    auto queue = Queue<std::string>::anonymous({.capacity = 1, .capacity_bytes = kMegabyte});
    ChildProcess child([&] { return queue.push(std::string(kMegabyte, 'x')) ? 0 : 1; });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(queue.pop()->size(), kMegabyte);
}

TYPED_TEST(DefectOfBoth, DefectD_PutThenTryPopInOneThreadFindsIt200TimesOf200) {  // CPython: 69 times
    auto queue = queue_of<TypeParam>(1);
    int found = 0;
    for (std::uint64_t i = 0; i != 200; ++i)
        found +=
            queue.push(this->value(i)) && queue.try_pop().value_or(TypeParam{}) == this->value(i) ? 1 : 0;
    EXPECT_EQ(found, 200);
}

TYPED_TEST(DefectOfBoth, DefectE_PushAndCloseNeverWaitForAKilledWaiter) {
    auto queue = queue_of<TypeParam>(64);
    std::vector<std::unique_ptr<ChildProcess>> victims;
    for (std::uint64_t i = 0; i != 5; ++i) {
        victims.push_back(std::make_unique<ChildProcess>(this->sleeper(queue)));
        this->await_sleepers(queue, i + 1);
    }
    for (auto& victim : victims) {
        victim->kill(SIGKILL);
        EXPECT_TRUE(victim->join().killed_by(SIGKILL));
    }
    auto other = queue.attach();
    const auto start = Clock::now();
    for (std::uint64_t i = 0; i != 10; ++i) ASSERT_TRUE(other.push(this->value(i)));
    other.close();
    EXPECT_LT(Clock::now() - start, 10s);
    for (std::uint64_t i = 0; i != 10; ++i) ASSERT_EQ(*queue.pop(), this->value(i));
    EXPECT_EQ(queue.pop().error(), Status::closed);
}

/// Longer than `timeout` by no more than a busy machine explains, and not shorter; nothing came.
template <class T>
void expect_timed_out(Queue<T>& queue, std::chrono::milliseconds timeout) {
    const auto start = Clock::now();
    EXPECT_EQ(queue.try_pop_for(timeout).error(), Status::timed_out);
    const auto took = Clock::now() - start;
    EXPECT_GE(took, timeout);
    EXPECT_LT(took, timeout + 10s);
}

TYPED_TEST(DefectOfBoth, DefectF_PopWithATimeOutNeverExceedsItWhateverOthersDo) {
    auto queue = queue_of<TypeParam>(2);
    expect_timed_out(queue, 50ms);  // nobody there

    // One that writes the oldest value and does not get done with it: stopped, then killed.
    Shared<std::atomic<int>> has_claimed;
    ChildProcess writer([&] {
        using Lane = typename detail::LaneOf<TypeParam>::type;
        auto ring = Lane::Ring::from_descriptor(queue.segment().descriptor());
        auto out = ring.producer();
        const auto claim = claim_something(out);
        has_claimed->store(claim ? 1 : 2);
        ::raise(SIGSTOP);
        return ::pause();
    });
    while (has_claimed->load() == 0) std::this_thread::yield();
    ASSERT_EQ(has_claimed->load(), 1);
    writer.await_stop();
    auto other = queue.attach();
    ASSERT_TRUE(other.try_push(this->value(1))) << "behind the claim of the stopped one";
    expect_timed_out(queue, 50ms);
    EXPECT_EQ(queue.try_pop_for(0ms).error(), Status::timed_out);
    writer.kill(SIGKILL);
    EXPECT_TRUE(writer.join().killed_by(SIGKILL));
    EXPECT_EQ(*queue.try_pop_for(10s), this->value(1));

    // Many that take everything, and one that is stopped in the middle of its sleep.
    ChildProcess sleeper = this->sleeper(queue);
    this->await_sleepers(queue, 1);
    sleeper.kill(SIGSTOP);
    sleeper.await_stop();
    expect_timed_out(queue, 50ms);
    ASSERT_TRUE(other.try_push(this->value(2)));
    EXPECT_EQ(*queue.try_pop_for(10s), this->value(2)) << "though the wake-up went to the stopped one";
    expect_timed_out(queue, 50ms);
}

}  // namespace
}  // namespace shmring::test
