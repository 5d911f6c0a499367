// Killing or stopping a process after exactly so many instructions of an operation: the child is traced and single-stepped.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#if defined(__x86_64__)
#include <sys/user.h>
#endif

#include "support/child_process.hpp"
#include "support/soak.hpp"

namespace shmring::test {

/// To be called by the child: before the operation that is stepped through, and after it.
inline void mark_for_stepping() { ::raise(SIGSTOP); }

class SteppedChild {
 public:
    enum class End {
        on_the_way,        ///< it was killed or stopped between its marks
        finished,          ///< it came to its second mark first
        cannot_be_traced,  ///< the machine does not permit it
        failed,
    };

    /// `body` runs at full speed up to its first mark_for_stepping(), then `instructions` are executed one by one, and then
    /// it is killed.
    template <class Body>
    [[nodiscard]] static End kill_after(std::uint64_t instructions, Body&& body) {
        ChildProcess child = traced(body);
        const End end = step(child, instructions);
        if (end == End::cannot_be_traced || end == End::failed) return end;
        child.kill(SIGKILL);
        return child.join().killed_by(SIGKILL) ? end : End::failed;
    }
    /// The same, but it is killed as soon as `is_time()`, `is_time(process number)` or `is_time(child)`, which is asked before the first
    /// instruction and after each. From its mark on it runs at full speed through `unstepped_calls` system calls first.
    template <class Body, class IsTime>
    [[nodiscard]] static End kill_when(IsTime&& is_time, Body&& body, std::uint64_t unstepped_calls = 0) {
        ChildProcess child = traced(body);
        const auto ask = [&](const ChildProcess& stepped) {
            if constexpr (std::is_invocable_v<IsTime&, pid_t>)
                return is_time(stepped.pid());
            else if constexpr (std::is_invocable_v<IsTime&, const ChildProcess&>)
                return is_time(stepped);
            else
                return is_time();
        };
        const End end = step_until(child, ask, unstepped_calls);
        if (end == End::cannot_be_traced || end == End::failed) return end;
        child.kill(SIGKILL);
        return child.join().killed_by(SIGKILL) ? end : End::failed;
    }
    /// The same, but it stands still while `meanwhile` runs, and then goes on to its end, which must be a success.
    template <class Body, class Meanwhile>
    [[nodiscard]] static End stop_after(std::uint64_t instructions, Body&& body, Meanwhile&& meanwhile) {
        std::uint64_t done = 0;
        return stop_when([&](const ChildProcess&) { return done++ == instructions; }, body, meanwhile);
    }

    /// The same, but it stands still as soon as `is_time(child)`.
    template <class Body, class IsTime, class Meanwhile>
    [[nodiscard]] static End stop_when(IsTime&& is_time, Body&& body, Meanwhile&& meanwhile) {
        ChildProcess child = traced(body);
        const End end = step_until(child, is_time);
        if (end == End::cannot_be_traced || end == End::failed) return end;
        meanwhile();
        if (end == End::on_the_way && stop_after(child, PTRACE_CONT) != SIGSTOP) return End::failed;
        return go_on(child, PTRACE_CONT) && child.join().exited_with(0) ? end : End::failed;
    }

    /// Whether its next instruction is a system call; where we cannot tell, none is.
    [[nodiscard]] static bool is_at_system_call([[maybe_unused]] const ChildProcess& child) {
#if defined(__x86_64__)
        const long at = ::ptrace(PTRACE_PEEKUSER, child.pid(), offsetof(user, regs.rip), nullptr);
        return (::ptrace(PTRACE_PEEKTEXT, child.pid(), at, nullptr) & 0xffff) == 0x050f;
#else
        return false;
#endif
    }

 private:
    template <class Body>
    [[nodiscard]] static ChildProcess traced(Body& body) {
        return ChildProcess(
            [&] {
                if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return kCannotBeTriedHere;
                body();
                return 0;
            },
            3 * hang_time());
    }
    /// Brings it to its first mark, and on by so many instructions, or to its second mark.
    static End step(ChildProcess& child, std::uint64_t instructions) {
        std::uint64_t done = 0;
        return step_until(child, [&] { return done++ == instructions; });
    }
    template <class IsTime>
    static End step_until(ChildProcess& child, IsTime&& is_time, std::uint64_t unstepped_calls = 0) {
        int first = next_stop(child);
        if (is_foreign(child, first)) first = stop_after(child, PTRACE_CONT);
        if (first != SIGSTOP)
            return child.join().exited_with(kCannotBeTriedHere) ? End::cannot_be_traced : End::failed;
        for (std::uint64_t left = 2 * unstepped_calls; left != 0; --left) {  // before each call, and after it
            const int stop = stop_after(child, PTRACE_SYSCALL);
            if (stop == SIGSTOP) return End::finished;  // it made fewer
            if (stop != SIGTRAP) return End::failed;
        }
        const auto is_time_now = [&] {
            if constexpr (std::is_invocable_v<IsTime&, const ChildProcess&>)
                return is_time(child);
            else
                return is_time();
        };
        while (!is_time_now()) {
            const int stop = stop_after(child, PTRACE_SINGLESTEP);
            if (stop == SIGSTOP) return End::finished;
            if (stop != SIGTRAP) return End::failed;
        }
        return End::on_the_way;
    }
    /// Lets it go on so far.
    static int stop_after(const ChildProcess& child, __ptrace_request how) {
        int stop = 0;
        do {
            if (!go_on(child, how)) return -1;
            stop = next_stop(child);
        } while (is_foreign(child, stop));
        return stop;
    }
    /// Not its mark: somebody stops all processes of the machine for a while, or lets them go on.
    static bool is_foreign(const ChildProcess& child, int stop) {
        if (stop != SIGSTOP && stop != SIGCONT) return false;
        siginfo_t signal{};
        (void)::ptrace(PTRACE_GETSIGINFO, child.pid(), nullptr, &signal);
        return stop == SIGCONT || signal.si_pid != child.pid();
    }
    static bool go_on(const ChildProcess& child, __ptrace_request how) {
        return ::ptrace(how, child.pid(), nullptr, nullptr) == 0;
    }
    /// The signal it stopped with; -1: it ended.
    static int next_stop(const ChildProcess& child) {
        siginfo_t info{};
        while (::waitid(P_PID, static_cast<id_t>(child.pid()), &info, WEXITED | WSTOPPED | WNOWAIT) != 0)
            if (errno != EINTR) return -1;
        if (info.si_code != CLD_STOPPED && info.si_code != CLD_TRAPPED) return -1;  // left for join()
        int status = 0;
        return ::waitpid(child.pid(), &status, WUNTRACED) == child.pid() ? WSTOPSIG(status) : -1;
    }
};

}  // namespace shmring::test
