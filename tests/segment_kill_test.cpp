// A creator killed at every system call of creation leaves no name or a whole ring, and the next creator succeeds.
//
// The victim is stepped from system call to system call with ptrace, and killed in front of and behind each one.

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "support/child_process.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

enum class Fate { killed, finished, untraceable };

/// Runs `body` in a child that is killed at its stop number `stop`, counted from 0; every system call has two stops.
template <class Body>
[[nodiscard]] Fate run_until(int stop, Body body) {
    ChildProcess victim([&] {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return kCannotBeTriedHere;
        ::raise(SIGSTOP);
        return body() ? 0 : 1;
    });
    const pid_t pid = victim.pid();
    int status = 0;
    // A victim that hangs is stopped by its own alarm clock, and killed for it below.
    if (::waitpid(pid, &status, WUNTRACED) != pid) return Fate::untraceable;
    if (WIFEXITED(status)) return Fate::untraceable;
    if (::ptrace(PTRACE_SETOPTIONS, pid, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) != 0) return Fate::untraceable;
    for (int passed = 0;; ++passed) {
        if (::ptrace(PTRACE_SYSCALL, pid, nullptr, nullptr) != 0 || ::waitpid(pid, &status, 0) != pid) {
            ADD_FAILURE() << "lost the victim, errno " << errno;
            return Fate::untraceable;
        }
        if (WIFEXITED(status)) {
            EXPECT_EQ(WEXITSTATUS(status), 0);
            return Fate::finished;
        }
        EXPECT_TRUE(WIFSTOPPED(status) && WSTOPSIG(status) == (SIGTRAP | 0x80)) << "status " << status;
        if (passed == stop) break;
    }
    victim.kill(SIGKILL);
    EXPECT_TRUE(victim.join().killed_by(SIGKILL));
    return Fate::killed;
}

/// Kills `body` at each stop in turn, and looks at what is left each time. The number of stops; below 0: it cannot be done.
template <class Body, class Look>
[[nodiscard]] int kill_everywhere(Body body, Look look) {
    for (int stop = 0;; ++stop) {
        const Fate fate = run_until(stop, body);
        if (fate == Fate::untraceable || testing::Test::HasFailure()) return -1;
        look(stop);
        if (fate == Fate::finished) return stop;
        if (testing::Test::HasFailure()) return -1;
    }
}

[[nodiscard]] int files_named_like(std::string_view prefix) {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
        count += entry.path().filename().string().starts_with(prefix) ? 1 : 0;
    return count;
}

TEST(SegmentKill, ACreatorKilledAtAnySystemCallLeavesNoNameOrAWholeRing) {
    const UniqueName name;
    int absent = 0;
    int whole = 0;
    const int stops = kill_everywhere(
        [&] { return static_cast<bool>(create(name).segment); },
        [&](int stop) {
            const Outcome left = open(name);
            if (left.segment) {
                ++whole;
                EXPECT_EQ(left.segment.geometry().capacity, 96U);
                EXPECT_EQ(create(name).error.code, std::errc::file_exists);
            } else {
                ++absent;
                EXPECT_EQ(left.error.code, std::errc::no_such_file_or_directory) << "stop " << stop << ": " << left;
                EXPECT_FALSE(std::filesystem::exists(name.path())) << "stop " << stop;
                const Outcome next = create(name);
                EXPECT_TRUE(next.segment) << "stop " << stop << ": " << next;
            }
            EXPECT_TRUE(open_or_create(name).segment) << "stop " << stop;
            EXPECT_FALSE(Segment::remove(name));
            EXPECT_EQ(files_named_like(name.name()), 0) << "stop " << stop;
        });
    if (stops < 0) GTEST_SKIP() << "ptrace is not permitted here";
    EXPECT_GT(stops, 20) << "creation takes a dozen system calls";
    EXPECT_GT(absent, 10);
    EXPECT_GT(whole, 2) << "some calls come behind the link";
}

TEST(SegmentKill, ARemoverKilledAtAnySystemCallLeavesAUsableName) {
    const UniqueName name;
    int removed = 0;
    int still_there = 0;
    const int stops = kill_everywhere(
        [&] { return create(name).segment && !Segment::remove(name); },
        [&](int stop) {
            const Outcome left = open_or_create(name);
            EXPECT_TRUE(left.segment) << "stop " << stop << ": " << left;
            EXPECT_FALSE(left.segment.retired()) << "stop " << stop;
            (left.segment.header().creator.process_id == static_cast<std::uint32_t>(::getpid()) ? removed : still_there)++;
            EXPECT_FALSE(Segment::remove(name));
        });
    if (stops < 0) GTEST_SKIP() << "ptrace is not permitted here";
    EXPECT_GT(removed, 10);
    EXPECT_GT(still_there, 5);
}

TEST(SegmentKill, AnOpenerKilledAtAnySystemCallLeavesTheRingAsItWas) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    const std::string before(reinterpret_cast<const char*>(made.segment.at(0)), made.segment.bytes().size());
    const int stops = kill_everywhere([&] { return static_cast<bool>(open(name).segment); },
                                      [&](int stop) {
                                          const std::string after(reinterpret_cast<const char*>(made.segment.at(0)),
                                                                  made.segment.bytes().size());
                                          EXPECT_EQ(before, after) << "stop " << stop;
                                      });
    if (stops < 0) GTEST_SKIP() << "ptrace is not permitted here";
    EXPECT_GT(stops, 10);
}

}  // namespace
}  // namespace shmring::test
