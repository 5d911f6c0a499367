// The liveness lock as an object: taking, releasing, moving, and what it says when it cannot be had.
// The states of a process in which it must be held or free: liveness_states_test.cpp.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/platform.hpp"
#include "support/child_process.hpp"
#include "support/liveness_fixture.hpp"
#include "support/syscall_filter.hpp"

namespace shmring::test {
namespace {

class Liveness : public LivenessFixture {};

INSTANTIATE_TEST_SUITE_P(On, Liveness, testing::Values("Memfd", "SharedMemoryFile"),
                         [](const auto& chosen) { return chosen.param; });

// ---- taking and releasing ---------------------------------------------------------------------------------

TEST_P(Liveness, IsHeldFromTakeToRelease) {
    EXPECT_EQ(probe(), LockState::free);
    LivenessLock lock = take();
    EXPECT_EQ(probe(), LockState::held);
    lock.release();
    EXPECT_EQ(probe(), LockState::free);
    EXPECT_FALSE(lock.held());
    lock.release();
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(Liveness, TheDestructorReleases) {
    {
        const LivenessLock lock = take();
        EXPECT_EQ(probe(), LockState::held);
    }
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(Liveness, MovesWithItsHolder) {
    LivenessLock first = take();
    LivenessLock second = std::move(first);
    EXPECT_FALSE(first.held());  // NOLINT(bugprone-use-after-move): what a moved-from lock is
    EXPECT_TRUE(second.held());
    EXPECT_EQ(probe(), LockState::held);

    LivenessLock third = take(kByte + 1);
    third = std::move(second);
    EXPECT_EQ(probe(), LockState::held);
    EXPECT_EQ(probe(kByte + 1), LockState::free) << "what was assigned over is released";
    third = LivenessLock{};
    EXPECT_EQ(probe(), LockState::free);
}

TEST_P(Liveness, TwoTakersOfOneProcessExcludeEachOther) {
    const LivenessLock lock = take();
    std::error_code error;
    EXPECT_FALSE(take(error).held());
    EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
    EXPECT_EQ(probe(), LockState::held) << "the failed attempt took nothing away";
}

TEST_P(Liveness, BytesAreIndependent) {
    LivenessLock one = take(kByte);
    const LivenessLock other = take(kByte + 1);
    EXPECT_EQ(probe(kByte + 2), LockState::free);
    one.release();
    EXPECT_EQ(probe(kByte), LockState::free);
    EXPECT_EQ(probe(kByte + 1), LockState::held);
}

TEST_P(Liveness, FilesAreIndependent) {
    const LivenessLock lock = take();
    const int other = ::memfd_create("other", MFD_CLOEXEC);
    std::error_code error;
    const FileIdentity other_identity = file_identity(other, error);
    EXPECT_NE(other_identity, identity);
    EXPECT_EQ(probe_lock(other, other_identity, kByte), LockState::free);
    ::close(other);
}

TEST_P(Liveness, AnotherProcessCannotTakeWhatIsHeld) {
    ChildProcess holder([&] { return hold(); });
    ASSERT_TRUE(board->holder.await(1));
    std::error_code error;
    EXPECT_FALSE(take(error).held());
    EXPECT_EQ(error, std::errc::resource_unavailable_try_again);
    board->test.reach(1);
    EXPECT_TRUE(holder.join().exited_with(0));
    EXPECT_TRUE(take().held());
}

TEST_P(Liveness, LastsWhenItsFileIsClosedEverywhere) {
    const int probe_file = ::open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(probe_file, 0);
    const LivenessLock lock = take();
    ::close(file);
    EXPECT_EQ(probe_lock(probe_file, identity, kByte), LockState::held);
    file = probe_file;
}

/// What would end a POSIX record lock: a false death.
TEST_P(Liveness, LastsWhenTheHolderOpensAndClosesTheFile) {
    ChildProcess holder([&] {
        return hold_and([&] {
            const int again = ::open(("/proc/self/fd/" + std::to_string(file)).c_str(), O_RDWR | O_CLOEXEC);
            if (again < 0 || ::close(again) != 0 || ::close(file) != 0) return 5;
            board->holder.reach(2);
            return board->test.await(1) ? 0 : 4;
        });
    });
    ASSERT_TRUE(board->holder.await(2));
    EXPECT_EQ(probe(), LockState::held);
    board->test.reach(1);
    EXPECT_TRUE(holder.join().exited_with(0));
}

// ---- descriptors that are not the file any more -----------------------------------------------------------

/// The number of a closed descriptor soon names another file, whose bytes are all free.
TEST_P(Liveness, AReusedDescriptorIsNotTakenForTheFile) {
    const LivenessLock lock = take();
    const int number = file;
    const int elsewhere = ::fcntl(file, F_DUPFD_CLOEXEC, 500);
    const int other = ::memfd_create("other", MFD_CLOEXEC);
    ASSERT_EQ(::dup3(other, number, O_CLOEXEC), number);
    EXPECT_EQ(probe(), LockState::unknown);
    std::error_code error;
    const LivenessLock of_others = LivenessLock::take(other, file_identity(other, error), kByte + 1, error);
    EXPECT_EQ(probe(kByte + 1), LockState::unknown) << "nor a lock there for one of ours";
    EXPECT_FALSE(take(error, kByte + 2).held()) << "a lock there would prove nothing to anybody";
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
    ASSERT_EQ(::dup3(elsewhere, number, O_CLOEXEC), number);
    EXPECT_EQ(probe(), LockState::held);
    ::close(elsewhere);
    ::close(other);
}

TEST_P(Liveness, ADescriptorReusedInTheMiddleOfAProbeIsNotTakenForTheFile) {
    const LivenessLock lock = take();
    const int other = ::memfd_create("other", MFD_CLOEXEC);
    const int elsewhere = ::fcntl(file, F_DUPFD_CLOEXEC, 500);
    int called_free = 0;
    for (int round = 0; round != 100; ++round) {
        std::atomic<bool> probing{false};
        std::thread reuser([&] {
            while (!probing.load(std::memory_order_acquire)) ::sched_yield();
            ::dup3(other, file, O_CLOEXEC);
        });
        for (LockState state = LockState::held; state != LockState::unknown; state = probe()) {
            probing.store(true, std::memory_order_release);
            if (state == LockState::free) ++called_free;
        }
        reuser.join();
        ASSERT_EQ(::dup3(elsewhere, file, O_CLOEXEC), file);
    }
    EXPECT_EQ(called_free, 0) << "the holder lived all the time";
    ::close(elsewhere);
    ::close(other);
}

// ---- errors and resources ---------------------------------------------------------------------------------

TEST_P(Liveness, ADescriptorThatIsNoneIsNamed) {
    std::error_code error;
    EXPECT_FALSE(LivenessLock::take(-1, identity, kByte, error).held());
    EXPECT_EQ(error, std::errc::no_such_file_or_directory);
    EXPECT_EQ(probe_lock(-1, identity, kByte), LockState::unknown);
    EXPECT_EQ(file_identity(-1, error), FileIdentity{});
    EXPECT_EQ(error, std::errc::bad_file_descriptor);
}

TEST_P(Liveness, AByteThatNoFileHasIsRefused) {
    std::error_code error;
    EXPECT_FALSE(take(error, ~std::uint64_t{0}).held());
    EXPECT_EQ(error, std::errc::invalid_argument);
    EXPECT_EQ(probe(~std::uint64_t{0}), LockState::unknown);
}

/// "Somebody holds it" must not be said when this process merely could not look.
TEST_P(Liveness, RunningOutOfDescriptorsIsNotTakenForAHeldLock) {
    ChildProcess child([&] {
        rlimit before{};
        ::getrlimit(RLIMIT_NOFILE, &before);
        const rlimit none{0, before.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
        std::error_code error;
        const bool held = take(error).held();
        ::setrlimit(RLIMIT_NOFILE, &before);  // a sanitizer needs descriptors for its own checks
        return !held && error == std::errc::too_many_files_open ? 0 : 5;
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_P(Liveness, RunningOutOfLockableMemoryIsNotTakenForAHeldLock) {
    ASSERT_EQ(::fchmod(file, 0666), 0);
    ChildProcess child([&] {
        if (::mlockall(MCL_FUTURE) != 0) return kCannotBeTriedHere;
        if (::geteuid() == 0 && (::setuid(65534) != 0 || ::prctl(PR_SET_DUMPABLE, 1) != 0)) return 6;
        const rlimit none{0, 0};
        ::setrlimit(RLIMIT_MEMLOCK, &none);
        void* tried = ::mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (tried != MAP_FAILED) return kCannotBeTriedHere;
        std::error_code error;
        if (take(error).held() || error != std::errc::not_enough_memory) return 5;
        return probe() == LockState::free ? 0 : 7;
    });
    const Ended ended = child.join();
    if (ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "no limit on locked memory here (sanitizers do without mlockall, too)";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST_P(Liveness, TakesNoDescriptors) {
    const auto before = open_descriptors();
    std::vector<LivenessLock> locks;
    for (std::uint64_t i = 0; i != 100; ++i) locks.push_back(take(kByte + i));
    std::error_code error;
    for (std::uint64_t i = 0; i != 100; ++i) EXPECT_FALSE(take(error, kByte + i).held());
    EXPECT_FALSE(take(error, ~std::uint64_t{0}).held());
    for (std::uint64_t i = 0; i != 100; ++i) EXPECT_EQ(probe(kByte + i), LockState::held);
    EXPECT_EQ(open_descriptors(), before);
}

/// Huge pages are unmapped whole or not at all; a segment in them may use its own file for locks.
TEST(LivenessOnHugePages, IsHeldFromTakeToRelease) {
    const int file = ::memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
    if (file < 0) GTEST_SKIP() << "no huge page files here: " << std::strerror(errno);
    std::error_code error;
    const FileIdentity identity = file_identity(file, error);
    LivenessLock lock = LivenessLock::take(file, identity, kByte, error);
    EXPECT_TRUE(lock.held()) << error.message();
    EXPECT_EQ(probe_lock(file, identity, kByte), LockState::held);
    lock.release();
    EXPECT_EQ(probe_lock(file, identity, kByte), LockState::free);
    ::close(file);
}

std::atomic<int> forks_by_handler{0};

/// What a profiler or a crash reporter does. fork() may be called by handlers, so no lock of ours may be in its way.
void fork_and_wait(int) {
    const int kept = errno;
    const pid_t child = ::fork();
    if (child == 0) ::_exit(0);
    if (child > 0 && ::waitpid(child, nullptr, 0) == child)
        forks_by_handler.fetch_add(1, std::memory_order_relaxed);
    errno = kept;
}

TEST_P(Liveness, IsTakenAndGivenBackByAThreadWhoseSignalHandlersFork) {
    ChildProcess taker(
        [this] {
            struct sigaction action {};
            action.sa_handler = fork_and_wait;
            action.sa_flags = SA_RESTART;
            EXPECT_EQ(::sigaction(SIGALRM, &action, nullptr), 0);
            while (forks_by_handler.load(std::memory_order_relaxed) != 200) {
                const itimerval soon{{0, 0},
                                     {0, 50}};  // some microseconds ahead: while the next one is taken
                EXPECT_EQ(::setitimer(ITIMER_REAL, &soon, nullptr), 0);
                for (int i = 0; i != 20; ++i) (void)take();
            }
            const itimerval never{};
            EXPECT_EQ(::setitimer(ITIMER_REAL, &never, nullptr), 0);
            EXPECT_EQ(probe(), LockState::free);
        },
        std::chrono::seconds(60));
    const Ended ended = taker.join();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

std::atomic<int> trapped_calls{0};
void count_trapped_call(int) { trapped_calls.fetch_add(1, std::memory_order_relaxed); }

TEST_P(Liveness, WhereASandboxTrapsTheOpenItsHandlerIsCalled) {
    ChildProcess taker([this] {
        struct sigaction action {};
        action.sa_handler = count_trapped_call;
        EXPECT_EQ(::sigaction(SIGSYS, &action, nullptr), 0);
        EXPECT_TRUE(trap_system_call(SYS_openat));
        std::error_code error;
        EXPECT_FALSE(take(error).held()) << "this handler opens nothing";
        EXPECT_EQ(trapped_calls.load(std::memory_order_relaxed), 1);
    });
    const Ended ended = taker.join();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

/// Taken before main() and given back after it, like the handle of a global ring.
struct BeforeMain {
    int file = ::memfd_create("before main", MFD_CLOEXEC);
    std::error_code error{};
    FileIdentity identity = file_identity(file, error);
    LivenessLock lock = LivenessLock::take(file, identity, kByte, error);
};
BeforeMain before_main;

TEST(LivenessBeforeMain, IsHeld) {
    EXPECT_TRUE(before_main.lock.held()) << before_main.error.message();
    EXPECT_EQ(probe_lock(before_main.file, before_main.identity, kByte), LockState::held);
}

}  // namespace
}  // namespace shmring::test
