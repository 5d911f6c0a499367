// A process in a PID namespace of its own, and one of a given number, where the kernel or a sandbox allows them.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "support/child_process.hpp"

namespace shmring::test {

/// Runs `inside` as process 1 of a new PID namespace; `tell(pid)` hears its number outside. Exit code 8: it was killed.
template <class Tell, class Inside>
int in_new_pid_namespace(Tell&& tell, Inside&& inside) {
    if (::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0 && ::unshare(CLONE_NEWPID) != 0)
        return kCannotBeTriedHere;
    const pid_t first = ::fork();
    if (first == 0) {
        ::alarm(60);
        ::_exit(::getpid() == 1 ? inside() : 6);
    }
    tell(first);
    int status = 0;
    ::waitpid(first, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 8;
}

/// As fork(), but the child gets this number, which nobody has. -1: refused (errno), or another was quicker.
inline pid_t fork_with_number(pid_t number) {
    clone_args how{};
    how.exit_signal = SIGCHLD;
    how.set_tid = reinterpret_cast<std::uintptr_t>(&number);
    how.set_tid_size = 1;
    const auto pid = static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
    if (pid >= 0) return pid;
    const int refused_with = errno;
    const int file = ::open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        errno = refused_with;
        return -1;
    }
    const std::string last = std::to_string(number - 1);
    const bool written = ::write(file, last.data(), last.size()) == static_cast<ssize_t>(last.size());
    ::close(file);
    if (!written) {
        errno = refused_with;
        return -1;
    }
    const pid_t next = ::fork();
    if (next <= 0 || next == number) return next;
    ::kill(next, SIGKILL);
    ::waitpid(next, nullptr, 0);
    errno = EAGAIN;
    return -1;
}

}  // namespace shmring::test
