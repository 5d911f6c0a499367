// The handler must not be dispatched itself: while it runs, the selector lets all calls pass; and its way back, the call that
// the C library's trampoline makes, is let pass by its address.
// SPDX-License-Identifier: MIT
#include "harness/system_calls.hpp"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>

namespace bench {

namespace {

bool wanted_here = false;
bool counting = false;

#if defined(__x86_64__)

// Younger than some headers. See the kernel's Documentation/admin-guide/syscall-user-dispatch.rst.
constexpr int kSetDispatch = 59;  // PR_SET_SYSCALL_USER_DISPATCH
constexpr unsigned long kOn = 1;  // PR_SYS_DISPATCH_ON
constexpr char kAllow = 0;        // SYSCALL_DISPATCH_FILTER_ALLOW
constexpr char kHandBack = 1;     // SYSCALL_DISPATCH_FILTER_BLOCK
constexpr unsigned long kTrampolineBytes = 16;

// Atomic because a signal handler writes them; the kernel reads the selector at each system call.
std::atomic<char> selector{kAllow};
std::atomic<std::uint64_t> counted{0};
std::atomic<const void*> trampoline{nullptr};
static_assert(sizeof selector == 1 && std::atomic<char>::is_always_lock_free);

void learn_trampoline(int) { trampoline = __builtin_return_address(0); }

void count_and_make(int, siginfo_t*, void* context) {
    selector = kAllow;
    const int error_before = errno;
    ++counted;
    greg_t* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const long answer =
        ::syscall(registers[REG_RAX], registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                  registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    registers[REG_RAX] = answer == -1 ? -errno : answer;
    errno = error_before;
    selector = kHandBack;
}

bool begin() {
    struct sigaction action {};
    action.sa_handler = &learn_trampoline;
    if (::sigaction(SIGSYS, &action, nullptr) != 0 || ::raise(SIGSYS) != 0) return false;
    action.sa_sigaction = &count_and_make;
    action.sa_flags = SA_SIGINFO;
    if (::sigaction(SIGSYS, &action, nullptr) != 0) return false;
    if (::prctl(kSetDispatch, kOn, trampoline.load(), kTrampolineBytes, &selector) != 0) return false;
    selector = kHandBack;
    return true;
}

#else

constexpr std::uint64_t counted = 0;
bool begin() { return false; }

#endif

}  // namespace

void want_system_calls_counted(bool wanted) { wanted_here = wanted; }

void begin_counting_system_calls() {
    if (wanted_here && !counting) counting = begin();
}

std::uint64_t system_calls_so_far() { return counting ? std::uint64_t{counted} : 0; }

bool can_count_system_calls() {
    static const bool able = [] {
        const pid_t trial = ::fork();
        if (trial == 0) {
            if (!begin()) ::_exit(1);
            for (int call = 0; call != 3; ++call) (void)::syscall(SYS_getppid);
            const bool right = counted == 3;
            ::_exit(right ? 0 : 1);
        }
        int status = -1;
        return trial > 0 && ::waitpid(trial, &status, 0) == trial && status == 0;
    }();
    return able;
}

}  // namespace bench
