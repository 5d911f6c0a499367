// Peers that only look dead (stopped) and peers that only look alive (not yet buried), and the same across PID namespaces: what
// the stream says of them. What the lock beneath says: liveness_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <system_error>
#include <thread>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Ring = SpscRing<std::uint64_t>;
constexpr auto kPeriod = 2ms;  // how often a survivor asks after its peer

class PeerLife : public testing::Test {
 protected:
    void SetUp() override { ::alarm(60); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }
};

// ---- peers that only look dead, and peers that only look alive -------------------------------------------------------

TEST_F(PeerLife, AStoppedProducerIsNeverTakenForDead) {
    const Ring ring = Ring::anonymous({.capacity = 9, .liveness_period = kPeriod});
    ChildProcess producer([&] {
        Ring::Producer out = ring.producer();
        if (!out.push(1)) return 3;
        ::raise(SIGSTOP);
        if (!out.push(2)) return 4;
        out.close();
        return 0;
    });
    producer.await_stop();
    Ring::Consumer in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.try_pop_for(25 * kPeriod).error(), Status::timed_out);
    const auto end = std::chrono::steady_clock::now() + 10 * kPeriod;
    while (std::chrono::steady_clock::now() < end) ASSERT_EQ(in.try_pop().error(), Status::empty);
    std::error_code code;
    (void)ring.producer({}, code);
    EXPECT_EQ(code, errc::seat_taken);
    producer.kill(SIGCONT);
    EXPECT_EQ(in.pop().value_or(0), 2U);
    EXPECT_EQ(in.pop().error(), Status::closed);
    EXPECT_TRUE(producer.join().exited_with(0));
}

TEST_F(PeerLife, AStoppedConsumerIsNeverTakenForDead) {
    const Ring ring = Ring::anonymous({.capacity = 2, .liveness_period = kPeriod});
    ChildProcess consumer([&] {
        Ring::Consumer in = ring.consumer();
        ::raise(SIGSTOP);
        for (std::uint64_t i = 0; i != 3; ++i)
            if (in.pop().value_or(~0U) != i) return 3;
        return 0;
    });
    consumer.await_stop();
    Ring::Producer out = ring.producer();
    EXPECT_TRUE(out.push(0));
    EXPECT_TRUE(out.push(1));
    EXPECT_EQ(out.try_push_for(99, 25 * kPeriod).error(), Status::timed_out);
    const auto end = std::chrono::steady_clock::now() + 10 * kPeriod;
    while (std::chrono::steady_clock::now() < end) ASSERT_EQ(out.try_push(99).error(), Status::full);
    std::error_code code;
    (void)ring.consumer({}, code);
    EXPECT_EQ(code, errc::seat_taken);
    consumer.kill(SIGCONT);
    EXPECT_TRUE(out.push(2));
    EXPECT_TRUE(consumer.join().exited_with(0));
}

/// Stopped anywhere: in the middle of a copy, asleep, between publishing and waking.
TEST_F(PeerLife, StopsAtRandomMomentsLoseNothing) {
    for (const std::uint64_t capacity : {1U, 50U}) {
        const Ring ring = Ring::anonymous({.capacity = capacity, .liveness_period = kPeriod});
        struct Progress {
            std::atomic<std::uint64_t> received{0};
            std::atomic<bool> enough{false};
        };
        Shared<Progress> progress;
        ChildProcess producer([&] {
            Ring::Producer out = ring.producer();
            std::uint64_t sent = 0;
            while (!progress->enough.load(std::memory_order_relaxed))
                if (!out.push(sent++)) return 3;
            out.close();
            return 0;
        });
        ChildProcess consumer([&] {
            Ring::Consumer in = ring.consumer();
            for (std::uint64_t expected = 0;; ++expected) {
                const auto message = in.pop();
                if (!message)
                    return message.error() == Status::closed ? 0 : 10 + static_cast<int>(message.error());
                if (*message != expected) return 5;
                progress->received.store(expected + 1, std::memory_order_release);
            }
        });
        std::minstd_rand random(7);
        for (int stop = 0; stop != 100; ++stop) {
            const ChildProcess& victim = random() % 2 == 0 ? producer : consumer;
            victim.kill(SIGSTOP);
            victim.await_stop();
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 6000));  // up to three periods
            const std::uint64_t received = progress->received.load(std::memory_order_acquire);
            victim.kill(SIGCONT);
            while (progress->received.load(std::memory_order_acquire) == received) ::sched_yield();
        }
        progress->enough.store(true, std::memory_order_relaxed);
        EXPECT_TRUE(producer.join().exited_with(0));
        EXPECT_TRUE(consumer.join().exited_with(0));
    }
}

TEST_F(PeerLife, AZombieIsDead) {
    const Ring ring = Ring::anonymous({.capacity = 9, .liveness_period = kPeriod});
    ChildProcess producer([&] {
        Ring::Producer out = ring.producer();
        if (out.push(1)) ::raise(SIGKILL);
        return 3;
    });
    siginfo_t ended{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(producer.pid()), &ended, WEXITED | WNOWAIT), 0);
    Ring::Consumer in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.pop().error(), Status::peer_lost);
    EXPECT_EQ(::kill(producer.pid(), 0), 0) << "its process id still answers";
    EXPECT_TRUE(ring.producer().push(2));
    EXPECT_TRUE(producer.join().killed_by(SIGKILL));
}

// ---- another PID namespace -----------------------------------------------------------------------------------------

/// What the inside of a namespace and the test share.
struct Board {
    Steps outside;
    Steps inside;
    std::atomic<pid_t> first_process{0};
    std::atomic<int> refused_with{0};
};

/// Runs `inside` as process 1 of a new PID namespace, and is its parent outside of it. Exit code 8: it was killed.
template <class Inside>
int in_another_pid_namespace(Board& board, Inside&& inside) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWPID) != 0) {
        board.refused_with.store(errno, std::memory_order_relaxed);
        board.inside.reach(9);
        return kCannotBeTriedHere;
    }
    const pid_t first = ::fork();
    if (first == 0) {
        ::alarm(60);
        ::_exit(::getpid() == 1 ? inside() : 6);
    }
    board.first_process.store(first, std::memory_order_release);
    int status = 0;
    ::waitpid(first, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 8;
}
/// Empty, or why there is no such namespace to be had.
std::string refusal(const Board& board) {
    const int error = board.refused_with.load(std::memory_order_relaxed);
    return error == 0 ? "" : "no PID namespaces here: unshare: " + std::string(std::strerror(error));
}

TEST_F(PeerLife, AProducerInAnotherPidNamespaceIsSeenToLiveAndToDie) {
    const Ring ring = Ring::anonymous({.capacity = 9, .liveness_period = kPeriod});
    Shared<Board> board;
    ChildProcess outside([&] {
        return in_another_pid_namespace(*board, [&]() -> int {
            Ring::Producer out = ring.producer();
            if (!out.push(1)) return 3;
            board->inside.reach(1);
            for (;;) ::pause();
        });
    });
    ASSERT_TRUE(board->inside.await(1));
    if (const std::string reason = refusal(*board); !reason.empty()) GTEST_SKIP() << reason;
    Ring::Consumer in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.try_pop_for(25 * kPeriod).error(), Status::timed_out);
    while (board->first_process.load(std::memory_order_acquire) == 0) ::sched_yield();
    ::kill(board->first_process.load(std::memory_order_acquire), SIGKILL);
    EXPECT_EQ(in.pop().error(), Status::peer_lost);
    EXPECT_TRUE(outside.join().exited_with(8)) << "it was killed";
}

TEST_F(PeerLife, AConsumerInAnotherPidNamespaceSeesItsProducerLiveAndDie) {
    const Ring ring = Ring::anonymous({.capacity = 9, .liveness_period = kPeriod});
    Shared<Board> board;
    ChildProcess producer([&]() -> int {
        Ring::Producer out = ring.producer();
        if (!out.push(1)) return 3;
        for (;;) ::pause();
    });
    ChildProcess outside([&] {
        return in_another_pid_namespace(*board, [&] {
            Ring::Consumer in = ring.consumer();
            if (in.pop().value_or(0) != 1) return 3;
            if (in.try_pop_for(25 * kPeriod).error() != Status::timed_out) return 4;
            board->inside.reach(1);
            return in.pop().error() == Status::peer_lost ? 0 : 5;
        });
    });
    ASSERT_TRUE(board->inside.await(1));
    if (const std::string reason = refusal(*board); !reason.empty()) GTEST_SKIP() << reason;
    producer.kill(SIGKILL);
    EXPECT_TRUE(outside.join().exited_with(0));
}

}  // namespace
}  // namespace shmring::test
