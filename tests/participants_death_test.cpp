// What deaths at any moment leave behind in the participant table: nothing that anybody has to repair, and no
// record lost.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <list>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/result.hpp"
#include "support/child_process.hpp"
#include "support/participant_table.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

/// What a holder killed between getting the lock and storing its number leaves: the record as it was.
TEST(Death, BetweenLockAndNumberLeavesAFreeRecord) {
    const TableOf table(1);
    const ParticipantId former = table.attach().id();
    Shared<Board> board;
    ChildProcess taker([&] {
        const LivenessLock lock = table.lock(0);
        board->holder.reach(1);
        return board->test.await(1) ? 0 : 4;
    });
    ASSERT_TRUE(board->holder.await(1));
    std::error_code error;
    EXPECT_FALSE(table.attach(error)) << "it may be about to store";
    EXPECT_EQ(error, errc::participants_exhausted);
    EXPECT_EQ(table->life_of(former), Life::dead);
    taker.kill(SIGKILL);
    EXPECT_TRUE(taker.join().killed_by(SIGKILL));
    EXPECT_EQ(table.attach().id().incarnation(), 3U);
}

/// Steps a child that attaches and detaches through its system calls and kills it at stop number `stop`.
/// False when the child came to its end before.
bool kill_at_stop(const TableOf& table, int stop) {
    const pid_t child = ::fork();
    if (child == 0) {
        (void)::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);  // tried before: it is permitted
        ::raise(SIGSTOP);
        std::error_code error;
        Participant participant = table.attach(error);
        if (!participant) ::_exit(5);
        participant.detach();
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ::ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_EXITKILL);
    for (int i = 0; i != stop && WIFSTOPPED(status); ++i) {
        ::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
        ::waitpid(child, &status, 0);
    }
    if (!WIFSTOPPED(status)) {
        EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
        return false;
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << status;
    return true;
}

TEST(Death, AtAnySystemCallOfAttachAndDetachLeavesAFreeRecord) {
    ChildProcess probe(
        [] { return ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 ? 0 : kCannotBeTriedHere; });
    if (!probe.join().exited_with(0)) GTEST_SKIP() << "ptrace is not permitted here";
    const TableOf table(1);
    std::uint64_t last = 0;
    int stop = 0;
    for (; kill_at_stop(table, stop); ++stop) {
        const std::uint64_t left = table->record(0).incarnation.load(relaxed);
        ASSERT_GE(left, last);
        const ParticipantId victim = ParticipantId::of(0, left | 1);
        ASSERT_EQ(table->life_of(victim), Life::dead) << "killed at stop " << stop;
        const Participant successor = table.attach();
        ASSERT_TRUE(successor) << "killed at stop " << stop;
        ASSERT_GT(successor.id().incarnation(), left);
        ASSERT_EQ(table->life_of(successor.id()), Life::alive);
        ASSERT_EQ(table->life_of(ParticipantId::of(0, last)), Life::dead);
        last = successor.id().incarnation();
    }
    EXPECT_GT(stop, 20) << "attach and detach make about a dozen system calls";
}

/// How a child of the storm leaves, without and with giving back.
enum class Leaving { detached, exited, killed, aborted, executed, leaves_a_child, killed_from_outside };

/// Attaches, makes sure of being alone on its record, leaves.
[[noreturn]] void live_shortly(const TableOf& table, Leaving leaving, ParticipantId parent,
                               std::atomic<int>& wrong) {
    std::error_code error;
    Participant participant = table.attach(error);
    if (!participant) {
        if (error != errc::participants_exhausted) wrong.fetch_add(1, relaxed);
        ::_exit(0);
    }
    const std::uint64_t me = participant.id().value;
    participant.record().cursor.store(me, relaxed);  // reserved, and so free for this test
    for (int look = 0; look != 50; ++look) {
        if (participant.record().cursor.load(relaxed) != me) wrong.fetch_add(1, relaxed);
        if (participant.table().life_of(participant.id()) != Life::alive) wrong.fetch_add(1, relaxed);
        if (participant.table().life_of(parent) != Life::alive) wrong.fetch_add(1, relaxed);
    }
    switch (leaving) {
        case Leaving::detached:
            participant.detach();
            break;
        case Leaving::exited:
            break;
        case Leaving::killed:
            ::kill(::getpid(), SIGKILL);
            break;
        case Leaving::aborted:
            ::signal(SIGABRT, SIG_DFL);
            std::abort();
        case Leaving::executed:
            ::execl("/bin/true", "true", static_cast<char*>(nullptr));
            break;
        case Leaving::leaves_a_child:
            if (::fork() == 0) {
                ::usleep(20'000);  // lives on a little; that must not matter
                ::_exit(0);
            }
            break;
        case Leaving::killed_from_outside:
            for (;;) ::pause();
    }
    ::_exit(0);
}

TEST(Death, AStormOfChildrenLeavesEveryRecordFree) {
    constexpr int kChildren = 500;
    constexpr int kAtOnce = 12;
    constexpr std::uint32_t kRecords = 8;  // so that some come in vain
    const TableOf table(kRecords);
    const Participant parent = table.attach();
    Shared<std::atomic<int>> wrong;
    std::list<std::pair<ChildProcess, Leaving>> living;
    const auto end_one = [&] {
        const auto chosen =
            std::next(living.begin(), static_cast<std::ptrdiff_t>(platform::random_u64() % living.size()));
        auto& [child, leaving] = *chosen;
        if (leaving == Leaving::killed_from_outside) child.kill(SIGKILL);  // at whatever it is doing
        (void)child.join();
        living.erase(chosen);
    };
    for (int i = 0; i != kChildren; ++i) {
        const auto leaving = static_cast<Leaving>(i % 7);
        living.emplace_back([&]() -> int { live_shortly(table, leaving, parent.id(), *wrong); }, leaving);
        if (living.size() == kAtOnce) end_one();
    }
    while (!living.empty()) end_one();

    EXPECT_EQ(wrong->load(relaxed), 0);
    const std::vector<Participant> all = table.attach_all();
    EXPECT_EQ(all.size(), kRecords - 1) << "all but the parent's";
    EXPECT_EQ(table->life_of(parent.id()), Life::alive);
    for (const Participant& one : all) EXPECT_EQ(table->life_of(one.id()), Life::alive);
}

/// Threads attach and detach while the process forks: children attach for themselves, and hold nothing of
/// their parent's.
TEST(Death, AForkStormAmongAttachingThreadsPinsNoRecord) {
    constexpr std::uint32_t kChildren = 100;
    constexpr std::uint32_t kRecords = kChildren + 10;  // one for everybody, should all attach at once
    const TableOf table(kRecords);
    Shared<Board> board;
    Shared<std::atomic<int>> wrong;
    Shared<std::atomic<std::uint32_t>> done;
    std::atomic<bool> over{false};
    std::vector<std::thread> threads;
    for (int i = 0; i != 3; ++i)
        threads.emplace_back([&] {
            while (!over.load(relaxed)) {
                std::error_code error;
                const Participant participant = table.attach(error);
                if (!participant || table->life_of(participant.id()) != Life::alive)
                    wrong->fetch_add(1, relaxed);
            }
        });
    std::vector<ChildProcess> children;
    for (std::uint32_t i = 0; i != kChildren; ++i)
        children.emplace_back([&] {
            std::error_code error;
            Participant participant = table.attach(error);
            if (!participant) return 3;
            participant.detach();
            done->fetch_add(1, release);
            return board->test.await(1) ? 0 : 4;
        });
    over.store(true, relaxed);
    for (std::thread& thread : threads) thread.join();

    const std::uint64_t start = platform::monotonic_ns();
    while (done->load(acquire) != kChildren && platform::monotonic_ns() - start < 60'000'000'000)
        ::sched_yield();
    EXPECT_EQ(table.attach_all().size(), kRecords) << "while all children live";
    board->test.reach(1);
    for (ChildProcess& child : children) {
        const Ended ended = child.join();
        EXPECT_TRUE(ended.exited_with(0)) << ended;
    }
    EXPECT_EQ(wrong->load(relaxed), 0);
}

}  // namespace
}  // namespace shmring::test
