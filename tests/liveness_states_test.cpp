// The liveness lock in every state a process can be in: held as long as the holder lives, free as soon as it
// does not. Storms of processes that attach: participants_death_test.cpp.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <ios>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/platform.hpp"
#include "support/child_process.hpp"
#include "support/liveness_fixture.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

class LivenessStates : public LivenessFixture {};

INSTANTIATE_TEST_SUITE_P(On, LivenessStates, testing::Values("Memfd", "SharedMemoryFile"),
                         [](const auto& chosen) { return chosen.param; });

// ---- how a holder can end ---------------------------------------------------------------------------------

TEST_P(LivenessStates, IsFreeInAZombie) {
    ChildProcess holder([&] { return hold(); });
    ASSERT_TRUE(board->holder.await(1));
    EXPECT_EQ(probe(), LockState::held);

    holder.kill(SIGKILL);
    siginfo_t ended{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(holder.pid()), &ended, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(::kill(holder.pid(), 0), 0) << "the process id still answers";
    EXPECT_EQ(probe(), LockState::free);

    EXPECT_TRUE(holder.join().killed_by(SIGKILL));
    EXPECT_EQ(probe(), LockState::free) << "and when it was waited for";
}

TEST_P(LivenessStates, IsFreeAfterEveryKindOfEnd) {
    const std::vector<std::pair<const char*, void (*)()>> ends = {
        {"exit with destructors and exit handlers", [] { std::exit(0); }},
        {"immediate exit", [] { ::_exit(0); }},
        {"abort", [] { std::abort(); }},
        {"segmentation fault", [] { ::raise(SIGSEGV); }},
        {"termination", [] { ::raise(SIGTERM); }},
    };
    for (const auto& [name, end] : ends) {
        Shared<Steps> holding;
        ChildProcess holder([&, end_somehow = end] {
            const rlimit no_core{0, 0};
            ::setrlimit(RLIMIT_CORE, &no_core);
            for (const int signal : {SIGSEGV, SIGABRT})
                ::signal(signal, SIG_DFL);  // a sanitizer may have its own
            std::error_code error;
            const LivenessLock lock = take(error);
            if (!lock.held()) ::_exit(3);
            holding->reach(1);
            end_somehow();
            return 0;
        });
        ASSERT_TRUE(holding->await(1)) << name;
        EXPECT_FALSE(holder.join().exited_with(3)) << name;
        EXPECT_EQ(probe(), LockState::free) << name;
    }
}

TEST_P(LivenessStates, IsFreeWhenAllThreadsOfTheHolderAreKilled) {
    ChildProcess holder([&] {
        std::vector<std::thread> threads;
        for (int i = 0; i != 4; ++i)
            threads.emplace_back([] {
                for (;;) ::pause();
            });
        return hold();
    });
    ASSERT_TRUE(board->holder.await(1));
    holder.kill(SIGKILL);
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(LivenessStates, LastsWhenTheThreadThatTookItEnds) {
    ChildProcess holder([&] {
        std::optional<LivenessLock> lock;
        std::thread([&] { lock.emplace(take()); }).join();
        board->holder.reach(1);
        return board->test.await(1) ? 0 : 4;
    });
    ASSERT_TRUE(board->holder.await(1));
    EXPECT_EQ(probe(), LockState::held);
    board->test.reach(1);
    EXPECT_TRUE(holder.join().exited_with(0));
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(LivenessStates, LastsWhenTheMainThreadEndsBeforeTheOthers) {
    ChildProcess holder([&]() -> int {
        static LivenessLock lock;
        lock = take();
        std::thread([&] {
            board->holder.reach(1);
            if (board->test.await(1)) ::_exit(0);
            ::_exit(4);
        }).detach();
        ::syscall(SYS_exit, 0);  // of this thread only: the process is a zombie leader with a living thread
        return 5;
    });
    ASSERT_TRUE(board->holder.await(1));
    EXPECT_EQ(probe(), LockState::held);
    board->test.reach(1);
    EXPECT_TRUE(holder.join().exited_with(0));
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(LivenessStates, IsFreeAfterExec) {
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    ASSERT_EQ(::pipe2(input.data(), O_CLOEXEC), 0);
    ASSERT_EQ(::pipe2(output.data(), O_CLOEXEC), 0);
    ChildProcess holder([&] {
        return hold_and([&] {
            if (!board->test.await(1)) return 4;
            ::dup2(input[0], 0);
            ::dup2(output[1], 1);
            ::execl("/bin/cat", "cat", static_cast<char*>(nullptr));
            return 5;
        });
    });
    ASSERT_TRUE(board->holder.await(1));
    EXPECT_EQ(probe(), LockState::held);
    board->test.reach(1);
    char byte = 'x';
    ASSERT_EQ(::write(input[1], &byte, 1), 1);
    ::close(output[1]);
    ASSERT_EQ(::read(output[0], &byte, 1), 1) << "the new program answers";
    EXPECT_EQ(probe(), LockState::free);
    for (const int end : {input[0], input[1], output[0]}) ::close(end);
    EXPECT_TRUE(holder.join().exited_with(0)) << "the new program lived until now";
}

// ---- what must not look like death ------------------------------------------------------------------------

TEST_P(LivenessStates, IsHeldWhileTheHolderIsStopped) {
    ChildProcess holder([&] { return hold(); });
    ASSERT_TRUE(board->holder.await(1));
    holder.kill(SIGSTOP);
    holder.await_stop();
    EXPECT_EQ(probe(), LockState::held);
    holder.kill(SIGCONT);
    board->test.reach(1);
    EXPECT_TRUE(holder.join().exited_with(0));
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(LivenessStates, LastsWhenTheHolderClosesEveryDescriptor) {
    const LivenessLock other = take(kByte + 1);
    ChildProcess holder([&] {
        return hold_and([&] {
            if (::syscall(SYS_close_range, 3U, ~0U, 0U) != 0) return 5;
            board->seen.store(probe(), std::memory_order_relaxed);
            board->seen_of_another.store(probe(kByte + 1), std::memory_order_relaxed);
            board->holder.reach(2);
            return board->test.await(1) ? 0 : 4;
        });
    });
    ASSERT_TRUE(board->holder.await(2));
    EXPECT_EQ(probe(), LockState::held);
    EXPECT_EQ(board->seen.load(std::memory_order_relaxed), LockState::unknown) << "it cannot see any more";
    EXPECT_EQ(board->seen_of_another.load(std::memory_order_relaxed), LockState::unknown)
        << "so it calls nobody dead";
    board->test.reach(1);
    EXPECT_TRUE(holder.join().exited_with(0));
    EXPECT_EQ(probe(), LockState::free);
}

// ---- fork -------------------------------------------------------------------------------------------------

TEST_P(LivenessStates, AForkedChildDoesNotKeepItsParentAlive) {
    ChildProcess holder([&] {
        return hold_and([&]() -> int {
            const pid_t child = ::fork();
            if (child == 0) {
                board->holder.reach(2);
                ::_exit(board->test.await(1) ? 0 : 4);
            }
            board->pid.store(child, std::memory_order_release);
            for (;;) ::pause();
        });
    });
    ASSERT_TRUE(board->holder.await(2));
    EXPECT_EQ(probe(), LockState::held);
    holder.kill(SIGKILL);
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));
    EXPECT_EQ(probe(), LockState::free);
    EXPECT_EQ(::kill(board->pid.load(std::memory_order_acquire), 0), 0) << "the child lives on";
    board->test.reach(1);
}

/// Where the one mapping without access of this file stands.
void* lock_page(const FileIdentity& file) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        std::istringstream fields(line);
        std::uintptr_t begin = 0;
        std::string end, access, offset, device;
        std::uint64_t inode = 0;
        fields >> std::hex >> begin >> end >> access >> offset >> device >> std::dec >> inode;
        if (access == "---s" && inode == file.inode) return reinterpret_cast<void*>(begin);
    }
    return nullptr;
}

/// The child has no such mapping, so its allocator may put something else at that address.
TEST_P(LivenessStates, AForkedChildNeitherReleasesNorUnmapsAnything) {
    LivenessLock lock = take();
    void* const page = lock_page(identity);
    ASSERT_NE(page, nullptr);
    ChildProcess child([&] {
        void* mine = ::mmap(page, 4096, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        if (mine != page) return 5;  // inherited, after all
        std::memset(mine, 7, 4096);
        if (detail::platform::process_token() == 0)
            return 6;  // a child with a token of its own is still not the holder
        { const LivenessLock ends_here = std::move(lock); }
        return static_cast<const unsigned char*>(mine)[100] == 7 ? 0 : 7;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(probe(), LockState::held);
    lock.release();
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(LivenessStates, AForkedChildCanTakeLocksOfItsOwn) {
    LivenessLock lock = take();
    ChildProcess child([&] {
        std::error_code error;
        if (take(error).held() || error != std::errc::resource_unavailable_try_again) return 5;
        lock = take(error, kByte + 1);  // over the inherited handle
        return lock.held() && probe(kByte + 1) == LockState::held ? 0 : 6;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(probe(), LockState::held);
    EXPECT_EQ(probe(kByte + 1), LockState::free);
}

/// Children are forked while threads are at every place of take() and release(). None may get hold of a lock.
TEST_P(LivenessStates, NoChildForkedMeanwhilePinsALock) {
    constexpr std::uint64_t kThreads = 3;
    constexpr std::uint64_t kChildren = 150;
    struct Storm {
        Steps all_forked;
        std::atomic<int> failed{0};
    };
    Shared<Storm> storm;
    std::atomic<bool> over{false};
    std::atomic<int> taken{0};
    std::vector<std::thread> threads;
    for (std::uint64_t i = 0; i != kThreads; ++i)
        threads.emplace_back([&, i] {
            while (!over.load(std::memory_order_relaxed)) {
                std::error_code error;
                if (take(error, kByte + i).held())
                    taken.fetch_add(1, std::memory_order_relaxed);
                else  // a child holds it, for then nobody else does
                    storm->failed.fetch_add(1, std::memory_order_relaxed);
            }
        });

    std::vector<ChildProcess> children;
    for (std::uint64_t i = 0; i != kChildren; ++i)
        children.emplace_back([&] {
            std::error_code error;
            if (!take(error, kByte + kThreads + i).held()) return 3;
            return storm->all_forked.await(1) ? 0 : 4;
        });
    over.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads) thread.join();

    EXPECT_GT(taken.load(std::memory_order_relaxed), 0);
    for (std::uint64_t i = 0; i != kThreads; ++i)
        EXPECT_EQ(probe(kByte + i), LockState::free) << "while children live";
    storm->all_forked.reach(1);
    for (ChildProcess& child : children) EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(storm->failed.load(std::memory_order_relaxed), 0);
}

// ---- PID namespaces ---------------------------------------------------------------------------------------

/// Runs `inside` as process 1 of a PID namespace of its own, where the kernel or a sandbox allows that.
template <class Inside>
int in_another_pid_namespace(Board& board, Inside&& inside) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) {
        board.error.store(errno, std::memory_order_relaxed);
        board.holder.reach(9);
        return kCannotBeTriedHere;
    }
    const pid_t first = ::fork();
    if (first == 0) ::_exit(::getpid() == 1 ? inside() : 6);
    board.pid.store(first, std::memory_order_release);
    int status = 0;
    ::waitpid(first, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 8;
}

std::string refusal(const Board& board) {
    return "no PID namespaces here: unshare: " +
           std::string(std::strerror(board.error.load(std::memory_order_relaxed)));
}

TEST_P(LivenessStates, IsSeenFromOutsideAPidNamespace) {
    ChildProcess outside([&] { return in_another_pid_namespace(*board, [&] { return hold(); }); });
    ASSERT_TRUE(board->holder.await(1));
    if (board->error.load(std::memory_order_relaxed) != 0) {
        outside.join();
        GTEST_SKIP() << refusal(*board);
    }
    EXPECT_EQ(probe(), LockState::held);
    while (board->pid.load(std::memory_order_acquire) == 0) ::sched_yield();
    ::kill(board->pid.load(std::memory_order_acquire), SIGKILL);
    EXPECT_TRUE(outside.join().exited_with(8)) << "the process inside was killed";
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(LivenessStates, IsSeenFromInsideAPidNamespace) {
    LivenessLock lock = take();
    ChildProcess outside([&] {
        return in_another_pid_namespace(*board, [&] {
            if (probe() != LockState::held) return 2;
            board->holder.reach(1);
            if (!board->test.await(1)) return 4;
            return probe() == LockState::free ? 0 : 3;
        });
    });
    ASSERT_TRUE(board->holder.await(1));
    if (board->error.load(std::memory_order_relaxed) != 0) {
        outside.join();
        GTEST_SKIP() << refusal(*board);
    }
    lock.release();
    board->test.reach(1);
    EXPECT_TRUE(outside.join().exited_with(0));
}

}  // namespace
}  // namespace shmring::test
