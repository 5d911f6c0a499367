// A creator killed at every system call of creation leaves no name or a whole ring, and the next creator succeeds.
//
// The victim is stepped from system call to system call with ptrace, and killed in front of and behind each one.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
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

/// A child that can be stepped from system call to system call; `steppable()` before anything else.
class Victim {
 public:
    template <class Body>
    explicit Victim(Body body)
        : child_([&] {
              if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return kCannotBeTriedHere;
              ::raise(SIGSTOP);
              return body();
          }) {}

    [[nodiscard]] bool steppable() {
        return wait_for_stop() && ::ptrace(PTRACE_SETOPTIONS, child_.pid(), nullptr,
                                           PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL) == 0;
    }
    /// Goes on to the next entry into a system call or return from one. False: it ended instead.
    [[nodiscard]] bool step() {
        EXPECT_EQ(::ptrace(PTRACE_SYSCALL, child_.pid(), nullptr, nullptr), 0);
        return wait_for_stop();
    }
    /// Which system call it stands in front of; -1: it stands behind one.
    [[nodiscard]] long entering() const {
        __ptrace_syscall_info info{};
        const bool known = ::ptrace(PTRACE_GET_SYSCALL_INFO, child_.pid(), sizeof info, &info) > 0;
        return known && info.op == PTRACE_SYSCALL_INFO_ENTRY ? static_cast<long>(info.entry.nr) : -1;
    }
    [[nodiscard]] Ended run_on() {
        EXPECT_EQ(::ptrace(PTRACE_DETACH, child_.pid(), nullptr, nullptr), 0);
        return child_.join();
    }
    [[nodiscard]] Ended kill() {
        child_.kill(SIGKILL);
        return child_.join();
    }
    [[nodiscard]] Ended join() { return child_.join(); }

 private:
    /// Leaves an ended child unreaped, for join(). One that hangs is stopped by its own alarm clock.
    [[nodiscard]] bool wait_for_stop() const {
        siginfo_t news{};
        const auto id = static_cast<id_t>(child_.pid());
        if (::waitid(P_PID, id, &news, WEXITED | WSTOPPED | WNOWAIT) != 0) return false;
        if (news.si_code != CLD_TRAPPED && news.si_code != CLD_STOPPED) return false;
        return ::waitid(P_PID, id, &news, WSTOPPED) == 0;
    }

    ChildProcess child_;
};

/// Runs `body` in a child that is killed at its stop number `stop`, counted from 0; every system call has two stops.
template <class Body>
[[nodiscard]] Fate run_until(int stop, Body body) {
    Victim victim([&] { return body() ? 0 : 1; });
    if (!victim.steppable()) return Fate::untraceable;
    for (int passed = 0; passed <= stop; ++passed) {
        if (victim.step()) continue;
        const Ended ended = victim.join();
        EXPECT_TRUE(ended.exited_with(0)) << ended;
        return Fate::finished;
    }
    const Ended ended = victim.kill();
    EXPECT_TRUE(ended.killed_by(SIGKILL)) << ended;
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
    const int stops = kill_everywhere([&] { return static_cast<bool>(create(name).segment); },
                                      [&](int stop) {
                                          const Outcome left = open(name);
                                          if (left.segment) {
                                              ++whole;
                                              EXPECT_EQ(left.segment.geometry().capacity, 96U);
                                              EXPECT_EQ(create(name).error.code, std::errc::file_exists);
                                          } else {
                                              ++absent;
                                              EXPECT_EQ(left.error.code, std::errc::no_such_file_or_directory)
                                                  << "stop " << stop << ": " << left;
                                              EXPECT_FALSE(std::filesystem::exists(name.path()))
                                                  << "stop " << stop;
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
            (left.segment.header().creator.process_id == static_cast<std::uint32_t>(::getpid())
                 ? removed
                 : still_there)++;
            EXPECT_FALSE(Segment::remove(name));
        });
    if (stops < 0) GTEST_SKIP() << "ptrace is not permitted here";
    EXPECT_GT(removed, 10);
    EXPECT_GT(still_there, 5);
}

/// A remover is held up at `held_up(victim)`, another one removes the ring meanwhile, and a successor gets the name, if it is free.
/// Whether it got it.
template <class HeldUp>
[[nodiscard]] bool successor_keeps_its_name(const UniqueName& name, HeldUp held_up) {
    EXPECT_TRUE(create(name).segment);
    Victim remover([&] {
        const std::error_code code = Segment::remove(name);
        return !code || code == std::errc::no_such_file_or_directory ? 0 : 1;
    });
    EXPECT_TRUE(remover.steppable());
    EXPECT_TRUE(held_up(remover));
    const std::error_code code = Segment::remove(name);
    EXPECT_TRUE(!code || code == std::errc::no_such_file_or_directory ||
                code == std::errc::resource_unavailable_try_again)
        << code.message();
    const Outcome successor = create(name);
    const Ended ended = remover.run_on();
    EXPECT_TRUE(ended.exited_with(0)) << ended;
    if (successor.segment) {
        EXPECT_FALSE(successor.segment.retired());
        EXPECT_EQ(open(name).segment.geometry().generation, successor.segment.geometry().generation);
        EXPECT_FALSE(Segment::remove(name));
    }
    EXPECT_FALSE(std::filesystem::exists(name.path()));
    return static_cast<bool>(successor.segment);
}

TEST(SegmentKill, ARemoverThatIsHeldUpDeletesNoSuccessor) {
    const UniqueName name;
    if (run_until(0, [] { return true; }) == Fate::untraceable)
        GTEST_SKIP() << "ptrace is not permitted here";
    // Behind its look at the name, until it has the right to remove: there another waits for it, a second each time.
    int stops = 0;
    const auto after_stops = [&](Victim& remover) {
        while (remover.entering() != SYS_newfstatat)
            if (!remover.step()) return false;
        for (int passed = 0; passed <= stops; ++passed)
            if (!remover.step()) return false;
        return true;
    };
    while (!HasFailure() && successor_keeps_its_name(name, after_stops)) ++stops;
    EXPECT_GT(stops, 10);
    EXPECT_FALSE(successor_keeps_its_name(name, [](Victim& remover) {
        while (remover.entering() != SYS_unlink)
            if (!remover.step()) return false;
        return true;
    })) << "the name is still there";
    EXPECT_TRUE(successor_keeps_its_name(name, [](Victim& remover) {
        while (remover.entering() != SYS_unlink)
            if (!remover.step()) return false;
        return remover.step();
    })) << "it is gone";
}

/// Between the open and the look at the file, the name goes: what was opened is a ring that newcomers will not find.
TEST(SegmentKill, ANameThatGoesWhileItIsOpenedIsMissing) {
    constexpr int kMissing = 9;
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    Victim opener([&] {
        const Outcome opened = open(name);
        return opened.error.code == std::errc::no_such_file_or_directory ? kMissing : 0;
    });
    if (!opener.steppable()) GTEST_SKIP() << "ptrace is not permitted here";
    for (bool opening = false;
         !opening || opener.entering() != -1;) {  // until it stands behind its first open
        opening = opening || opener.entering() == SYS_openat;
        ASSERT_TRUE(opener.step());
    }
    ASSERT_EQ(::unlink(name.path().c_str()), 0);
    const Ended ended = opener.run_on();
    EXPECT_TRUE(ended.exited_with(kMissing)) << ended;
}

TEST(SegmentKill, AnOpenerKilledAtAnySystemCallLeavesTheRingAsItWas) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    const std::string before(reinterpret_cast<const char*>(made.segment.at(0)), made.segment.bytes().size());
    const int stops =
        kill_everywhere([&] { return static_cast<bool>(open(name).segment); },
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
