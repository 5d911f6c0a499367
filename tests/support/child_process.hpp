// Child processes for tests: forked, running a lambda, and never left behind. Every wait has a watchdog.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <ostream>
#include <type_traits>
#include <utility>

#if defined(SHMRING_COVERAGE)
extern "C" void __gcov_dump(void);  // NOLINT(bugprone-reserved-identifier): libgcov's
#endif

namespace shmring::test {

/// How a child ended.
struct Ended {
    int status = -1;

    [[nodiscard]] bool exited_with(int code) const {
        return WIFEXITED(status) && WEXITSTATUS(status) == code;
    }
    [[nodiscard]] bool killed_by(int signal) const {
        return WIFSIGNALED(status) && WTERMSIG(status) == signal;
    }
    friend std::ostream& operator<<(std::ostream& out, const Ended& ended) {
        if (WIFEXITED(ended.status)) return out << "exited with " << WEXITSTATUS(ended.status);
        if (WIFSIGNALED(ended.status)) return out << "killed by signal " << WTERMSIG(ended.status);
        return out << "was not waited for";
    }
};

/// What a child's body returns or makes its process exit with.
inline constexpr int kCannotBeTriedHere = 77;  ///< the machine does not allow what the test needs: skip it
inline constexpr int kExpectationFailed =
    120;  ///< a GoogleTest expectation in the child failed; its text was printed
inline constexpr int kExceptionEscaped = 121;

/// A forked child that runs `body()`, whose int is its exit code (no int: 0). GoogleTest expectations work in it.
/// The body ends by _exit: no destructor of the parent's objects, no atexit handler runs in the child.
class ChildProcess {
 public:
    static constexpr std::chrono::seconds kWatchdog{60};

    template <class Body>
    // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): a ChildProcess is no body
    explicit ChildProcess(Body&& body, std::chrono::seconds watchdog = kWatchdog) : watchdog_(watchdog) {
        std::fflush(nullptr);  // or both of us print what is buffered
        const bool from_main_thread = ::syscall(SYS_gettid) == ::getpid();
        pid_ = ::fork();
        if (pid_ < 0) ADD_FAILURE() << "cannot fork, errno " << errno;
        if (pid_ != 0) return;
        // Against a parent that dies first: at once where the signal means its process and not just a thread of it, else later.
        if (from_main_thread) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        ::alarm(static_cast<unsigned>(watchdog_.count()) + 30);
        ::_exit(run(body));
    }
    ChildProcess(ChildProcess&& other) noexcept
        : pid_(std::exchange(other.pid_, -1)), watchdog_(other.watchdog_) {}
    ChildProcess& operator=(ChildProcess&&) = delete;
    ~ChildProcess() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGKILL);
        (void)reap();
    }

    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Not after its end was waited for: its number may be somebody else's by then (and -1 would be everybody).
    void kill(int signal) const {
        if (pid_ > 0)
            ::kill(pid_, signal);
        else
            ADD_FAILURE() << "there is no child to send signal " << signal << " to";
    }

    /// Waits until it is stopped. The test fails if it ends first.
    void await_stop() const {
        siginfo_t news{};
        const int waited = ::waitid(P_PID, static_cast<id_t>(pid_), &news, WSTOPPED | WEXITED | WNOWAIT);
        EXPECT_TRUE(waited == 0 && news.si_code == CLD_STOPPED) << "the child was not stopped";
    }
    /// Waits for its end. A child that outlasts the watchdog is killed, and the test fails.
    Ended join() {
        if (pid_ <= 0) return {};
        if (!ends_in_time()) {
            ADD_FAILURE() << "the child did not end within " << watchdog_.count() << " s and was killed";
            ::kill(pid_, SIGKILL);
        }
        return reap();
    }

 private:
    template <class Body>
    static int run(Body& body) {
        int code = 0;
        try {
            if constexpr (std::is_convertible_v<std::invoke_result_t<Body&>, int>)
                code = static_cast<int>(body());
            else
                body();
        } catch (const std::exception& exception) {
            std::fprintf(stderr, "an exception left the child: %s\n", exception.what());
            code = kExceptionEscaped;
        }
        if (code == 0 && testing::Test::HasFailure()) code = kExpectationFailed;
        std::fflush(nullptr);
#if defined(SHMRING_COVERAGE)
        __gcov_dump();  // _exit does not
#endif
        return code;
    }

    [[nodiscard]] bool ends_in_time() const {
        const auto deadline = std::chrono::steady_clock::now() + watchdog_;
        const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
        if (handle < 0) {
            ADD_FAILURE() << "pidfd_open failed, errno " << errno;
            return false;
        }
        for (;;) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
            if (left.count() <= 0) break;
            pollfd ended{handle, POLLIN, 0};
            const int ready = ::poll(&ended, 1, static_cast<int>(left.count()));
            if (ready > 0 || (ready < 0 && errno != EINTR)) break;
        }
        ::close(handle);
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid != 0;
    }

    Ended reap() {
        Ended ended;
        while (::waitpid(pid_, &ended.status, 0) < 0 && errno == EINTR) {
        }
        pid_ = -1;
        return ended;
    }

    pid_t pid_ = -1;
    std::chrono::seconds watchdog_;
};

/// In a child: from here on an unprivileged user, as whom it may have begun already. False when the kernel refuses.
[[nodiscard]] inline bool drop_root() {
    constexpr unsigned kNobody = 65534;
    return ::geteuid() != 0 || (::setgid(kNobody) == 0 && ::setuid(kNobody) == 0);
}

/// Lets processes through one by one: each pass() waits until somebody has called let_through() for it. Made before the fork.
/// Two of them are a start line: the runners let the starter through, the starter lets the runners through.
class Turnstile {
 public:
    Turnstile() {
        if (::pipe2(ends_.data(), O_NONBLOCK) != 0) ADD_FAILURE() << "cannot make a pipe, errno " << errno;
    }
    Turnstile(const Turnstile&) = delete;
    Turnstile& operator=(const Turnstile&) = delete;
    ~Turnstile() {
        for (const int end : ends_) ::close(end);
    }

    void let_through(int count = 1) const {
        for (int i = 0; i != count; ++i) {
            const char token = 1;
            while (::write(ends_[1], &token, 1) < 0 && errno == EINTR) {
            }
        }
    }
    /// False, and a failed test, when nobody lets us through before the watchdog barks.
    bool pass() const {
        char token = 0;
        pollfd readable{ends_[0], POLLIN, 0};
        for (;;) {
            const int ready =
                ::poll(&readable, 1, static_cast<int>(std::chrono::milliseconds(kWatchdog).count()));
            if (ready > 0 && ::read(ends_[0], &token, 1) == 1) return true;
            if (ready > 0 || (ready < 0 && errno == EINTR)) continue;
            ADD_FAILURE() << "nobody opened the turnstile within " << kWatchdog.count() << " s";
            return false;
        }
    }

 private:
    static constexpr std::chrono::seconds kWatchdog{60};
    std::array<int, 2> ends_{-1, -1};
};

}  // namespace shmring::test
