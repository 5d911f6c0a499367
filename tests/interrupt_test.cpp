// Interrupt: a signal handler ends a wait, at whatever moment the signal comes and in whichever thread it runs.
// SPDX-License-Identifier: MIT
#include "shmring/interrupt.hpp"

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <random>
#include <thread>

#include "shmring/joinable_queue.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"
#include "shmring/spsc_ring.hpp"
#include "shmring/wait_any.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

Interrupt interrupt;  // as a program has it: its handler can reach nothing else

/// SIGUSR1 is our Ctrl-C.
class Interruption : public testing::TestWithParam<int> {
 protected:
    void SetUp() override {
        ::alarm(100);  // the watchdog: a signal that is missed is waited for for an hour
        struct sigaction action {};
        action.sa_handler = [](int) { interrupt.set(); };
        action.sa_flags = GetParam();
        ::sigaction(SIGUSR1, &action, &before_);
        (void)interrupt.take();
    }
    void TearDown() override {
        ::sigaction(SIGUSR1, &before_, nullptr);
        ::alarm(0);
    }
    /// `wait()` again and again, each with a signal at a random moment: before it, while it polls, on its way to sleep, asleep. Every other
    /// one runs its handler in another thread.
    void expect_none_missed(const std::function<Status()>& wait) {
        constexpr std::uint64_t kRounds = 400;
        const pthread_t self = ::pthread_self();
        std::atomic<std::uint64_t> round{0};
        std::jthread other([&] {
            std::mt19937 random(1);
            for (std::uint64_t now = 1; now <= kRounds; ++now) {
                while (round.load(std::memory_order_acquire) != now) std::this_thread::yield();
                const auto end =
                    std::chrono::steady_clock::now() + std::chrono::nanoseconds(random() % 120'000);
                while (std::chrono::steady_clock::now() < end) {
                }
                now % 2 == 0 ? ::pthread_kill(self, SIGUSR1) : ::raise(SIGUSR1);
            }
        });
        for (std::uint64_t now = 1; now <= kRounds; ++now) {
            round.store(now, std::memory_order_release);
            ASSERT_EQ(wait(), Status::interrupted);
            ASSERT_TRUE(interrupt.take());
        }
    }

 private:
    struct sigaction before_ {};
};
const WaitPolicy kPolicy{.spin = 50us, .interrupt = &interrupt};
constexpr auto kPeriod = std::chrono::hours(1);

TEST_P(Interruption, OfAQueueMissesNoSignal) {
    auto queue = Queue<int>::anonymous({.capacity = 1, .liveness_period = kPeriod});
    queue.set_wait_policy(kPolicy);
    expect_none_missed([&] { return queue.pop().error(); });
    ASSERT_TRUE(queue.push(1));
    expect_none_missed([&] { return queue.push(2).error(); });
}
TEST_P(Interruption, OfAPipeMissesNoSignal) {
    auto ends = Pipe<int>::pair({.capacity = 1, .liveness_period = kPeriod});
    auto& a = ends.first;
    a.set_wait_policy(kPolicy);
    expect_none_missed([&] { return a.recv().error(); });
    expect_none_missed([&] { return a.poll_for(1h).error(); });
}
TEST_P(Interruption, OfASetAndOfNapsMissesNoSignal) {
    auto one = SpscRing<int>::anonymous({.capacity = 1, .liveness_period = kPeriod});
    auto two = MpmcRing<int>::anonymous({.capacity = 1, .liveness_period = kPeriod});
    auto in = one.consumer();
    auto also = two.consumer();
    WaitSet set;
    set.add(in);
    set.add(also);
    set.set_wait_policy(kPolicy);
    expect_none_missed([&] { return set.wait().error(); });
    WaitPolicy napping = kPolicy;
    napping.nap = kPeriod;
    set.set_wait_policy(napping);
    expect_none_missed([&] { return set.wait().error(); });
    also.set_wait_policy(napping);
    expect_none_missed([&] { return also.pop().error(); });
}
TEST_P(Interruption, OfAJoinMissesNoSignal) {
    auto queue = JoinableQueue<int>::anonymous({.capacity = 1, .liveness_period = kPeriod});
    queue.set_wait_policy(kPolicy);
    ASSERT_TRUE(queue.push(1));
    expect_none_missed([&] { return queue.join().error(); });
}
INSTANTIATE_TEST_SUITE_P(OfHandlers, Interruption, testing::Values(0, SA_RESTART),
                         [](const auto& chosen) { return chosen.param == 0 ? "Plain" : "Restarting"; });

TEST(InterruptTest, LeavesErrnoAndMessagesAlone) {
    Interrupt own;
    auto queue = Queue<int>::anonymous({.capacity = 2});
    queue.set_wait_policy({.interrupt = &own});
    ASSERT_TRUE(queue.push(7));
    errno = EAGAIN;
    own.set();
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(queue.pop().value_or(0), 7) << "a call that need not wait is not ended";
    EXPECT_TRUE(queue.push(8));
    EXPECT_EQ(queue.try_pop_for(1h).value_or(0), 8);
    EXPECT_EQ(queue.try_pop_for(1h).error(), Status::interrupted);
    EXPECT_EQ(queue.try_pop_for(0s).error(), Status::timed_out);
    EXPECT_TRUE(own.take());
    EXPECT_EQ(queue.try_pop_for(1ms).error(), Status::timed_out);
}

}  // namespace
}  // namespace shmring::test
