// System calls made deadly: a process that installs one of these filters is killed with SIGSYS by the first call it forbids.
// Exact, unlike a trace: nothing can be missed, and nothing else is slowed down.
// SPDX-License-Identifier: MIT
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

namespace shmring::test {

enum class Listed { forbidden, allowed_alone };

/// For the rest of this process's life. False: the machine does not permit filters.
[[nodiscard]] inline bool filter_system_calls(Listed rule, std::initializer_list<long> calls) {
    const auto verdict = [](std::uint32_t action) { return sock_filter(BPF_STMT(BPF_RET | BPF_K, action)); };
    const std::uint32_t of_listed = rule == Listed::forbidden ? SECCOMP_RET_KILL_PROCESS : SECCOMP_RET_ALLOW;
    const std::uint32_t of_others = rule == Listed::forbidden ? SECCOMP_RET_ALLOW : SECCOMP_RET_KILL_PROCESS;
    std::vector<sock_filter> program{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const long call : calls) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
        program.push_back(verdict(of_listed));
    }
    program.push_back(verdict(of_others));
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/// One call gets this verdict, for the rest of this process's life.
[[nodiscard]] inline bool judge_system_call(long call, std::uint32_t verdict) {
    std::vector<sock_filter> program{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1),
        BPF_STMT(BPF_RET | BPF_K, verdict), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}
/// As sandboxes do: it answers an error.
[[nodiscard]] inline bool refuse_system_call(long call, int error) {
    return judge_system_call(call, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error));
}
/// As other sandboxes do: it raises SIGSYS, whose handler may do the work, or leave it.
[[nodiscard]] inline bool trap_system_call(long call) { return judge_system_call(call, SECCOMP_RET_TRAP); }

/// From here on these commands of fcntl() fail with `error`, as in a sandbox that does not know them.
[[nodiscard]] inline bool refuse_fcntl(int error, std::initializer_list<int> commands) {
    constexpr std::uint32_t kSecondArgument =
        offsetof(seccomp_data, args) + sizeof(std::uint64_t);  // its lower half
    const auto allow = sock_filter(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    std::vector<sock_filter> program{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(SYS_fcntl), 1, 0), allow,
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kSecondArgument)};
    for (const int command : commands) {
        program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(command), 0, 1));
        program.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error)));
    }
    program.push_back(allow);
    const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

[[nodiscard]] inline bool forbid_futex() {
    constexpr long kFutexWaitv =
        449;  // this one and the next three are younger than the headers of Debian 12
    constexpr long kFutexWake = 454;
    constexpr long kFutexWait = 455;
    constexpr long kFutexRequeue = 456;
    return filter_system_calls(Listed::forbidden,
                               {SYS_futex, kFutexWaitv, kFutexWake, kFutexWait, kFutexRequeue});
}
/// Only the end of the process is left.
[[nodiscard]] inline bool forbid_all_but_exit() {
    return filter_system_calls(Listed::allowed_alone, {SYS_exit, SYS_exit_group});
}

}  // namespace shmring::test
