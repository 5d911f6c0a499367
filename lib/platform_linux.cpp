// The Linux behind detail/platform.hpp: clock, futex, random numbers, process token and process identity.
// Nothing here allocates or throws, and all of it works before main(). Locks: platform_liveness.cpp.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <limits>
#include <new>
#include <span>
#include <string_view>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::detail::platform {

namespace {

constexpr std::uint64_t kNanosecondsPerSecond = 1'000'000'000;

// futex_waitv(2), in words of our own: the kernel's headers have it from 5.16 on, and a program that is built with older ones may run on
// a newer kernel.
constexpr long kFutexWaitv = 449;  // on every architecture but Alpha
constexpr std::uint32_t kFutexOf32Bits = 2;
struct FutexWaiter {
    std::uint64_t expected = 0;
    std::uint64_t address = 0;
    std::uint32_t flags = 0;
    std::uint32_t reserved = 0;
};

/// The farthest deadlines lie beyond what time_t holds where it has 32 bits: 68 years after the start will do
/// for them.
[[nodiscard]] timespec to_timespec(std::uint64_t ns) noexcept {
    constexpr auto kLastSecond = static_cast<std::uint64_t>(std::numeric_limits<std::time_t>::max());
    timespec time{};
    time.tv_sec = static_cast<std::time_t>(std::min(ns / kNanosecondsPerSecond, kLastSecond));
    time.tv_nsec = static_cast<long>(ns % kNanosecondsPerSecond);
    return time;
}

/// Up to `buffer.size()` bytes of a file in /proc; empty when it cannot be read.
[[nodiscard]] std::string_view read_file(const char* path, std::span<char> buffer) noexcept {
    const int descriptor = ::open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return {};
    ssize_t size = 0;
    do {
        size = ::read(descriptor, buffer.data(), buffer.size());
    } while (size < 0 && errno == EINTR);
    ::close(descriptor);
    return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// "8a4f0c2e-..." as 16 bytes. Zeroes for anything that is not a whole UUID.
[[nodiscard]] std::array<std::uint8_t, 16> parse_uuid(std::string_view text) noexcept {
    constexpr std::size_t kDigits = 32;
    std::array<std::uint8_t, 16> bytes{};
    std::size_t digits = 0;
    for (const char character : text) {
        if (character == '-') continue;
        std::uint8_t value = 0;
        if (std::from_chars(&character, &character + 1, value, 16).ec != std::errc{}) break;
        if (digits == kDigits) return {};
        bytes[digits / 2] = static_cast<std::uint8_t>(bytes[digits / 2] << 4 | value);
        ++digits;
    }
    return digits == kDigits ? bytes : std::array<std::uint8_t, 16>{};
}

/// Takes command and start time out of /proc/self/stat: `pid (command) state ppid ...`. The command may hold
/// blanks and parentheses; no later field does, so the last ')' ends it.
void parse_stat(std::string_view text, ProcessIdentity& identity) noexcept {
    constexpr int kFirstField = 3;  // behind the command, counted as proc(5) counts
    constexpr int kStartTimeField = 22;
    const std::size_t open = text.find('(');
    const std::size_t close = text.rfind(')');
    if (open == std::string_view::npos || close == std::string_view::npos || close < open) return;

    const std::string_view command = text.substr(open + 1, close - open - 1);
    std::copy_n(command.begin(), std::min(command.size(), identity.command.size() - 1),
                identity.command.begin());

    std::string_view rest = text.substr(close + 1);
    for (int field = kFirstField; field <= kStartTimeField; ++field) {
        rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
        const std::size_t size = std::min(rest.find(' '), rest.size());
        if (field == kStartTimeField) std::from_chars(rest.data(), rest.data() + size, identity.start_time);
        rest.remove_prefix(size);
    }
}

/// What random_u64() falls back on where the kernel gives nothing (a strict sandbox): different in each
/// process and call, not secret. Mixes by multiplication and shifts, so that near inputs give far outputs.
[[nodiscard]] std::uint64_t improvised_u64() noexcept {
    static constinit std::atomic<std::uint64_t> calls{0};
    std::uint64_t mixed = monotonic_ns();
    for (const std::uint64_t part :
         {static_cast<std::uint64_t>(::getpid()), calls.fetch_add(1, relaxed) + 1}) {
        mixed = (mixed ^ part) * 0x9e37'79b9'7f4a'7c15;
        mixed ^= mixed >> 29;
    }
    return mixed;
}

using TokenWord = std::atomic<std::uint64_t>;

/// One page of this process's own, holding its token. The page is ready before its address is published, so a
/// fork() at any moment finds either no page, and the child makes its own, or one that the kernel wipes in
/// the child.
constinit std::atomic<TokenWord*> token_page{nullptr};

[[nodiscard]] TokenWord* writable_token_word() noexcept {
    TokenWord* word = token_page.load(acquire);  // [token page] acquire side
    if (word != nullptr) return word;

    void* page = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return nullptr;
    if (::madvise(page, kPageSize, MADV_WIPEONFORK) != 0) {
        ::munmap(page, kPageSize);
        return nullptr;
    }
    auto* mine = ::new (page) TokenWord{0};
    if (token_page.compare_exchange_strong(word, mine, acq_rel, acquire))
        return mine;            // [token page] release side
    ::munmap(page, kPageSize);  // another thread was quicker
    return word;
}

std::uint64_t read_clock(clockid_t clock) noexcept {
    timespec now{};
    if (::clock_gettime(clock, &now) != 0)
        ::clock_gettime(CLOCK_MONOTONIC, &now);  // no coarse one, in some emulation of a kernel
    return static_cast<std::uint64_t>(now.tv_sec) * kNanosecondsPerSecond +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// One sleep on one word: 0 when we were woken, else why not.
[[nodiscard]] int sleep_on(const std::uint32_t* word, std::uint32_t expected,
                           std::uint64_t deadline_ns) noexcept {
    // kNever travels as a deadline, too, centuries ahead: a wait without one would go on by itself after a
    // signal whose handler has SA_RESTART, and `interrupted` would depend on how the application installs its
    // handlers.
    const timespec deadline = to_timespec(deadline_ns);
    const long result =
        ::syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected, &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
    return result == 0 ? 0 : errno;
}

/// Where the kernel or a sandbox lets nobody sleep on all of these words: sleeps on the first, or on none, and looks at all of them
/// every millisecond; at several more rarely later on: after a quarter of the time for which nothing came.
[[nodiscard]] FutexResult look_now_and_then(const FutexTarget* targets, std::size_t count,
                                            std::uint64_t deadline_ns) noexcept {
    constexpr std::uint64_t kShortSleep_ns = 1'000'000;
    constexpr std::uint64_t kLongestSleep_ns = 32'000'000;
    const std::uint64_t begin = monotonic_ns();
    const auto has_changed = [](const FutexTarget& target) noexcept {
        // Half of an atomic word, read as the kernel reads it.
        const std::atomic_ref<std::uint32_t> word(*const_cast<std::uint32_t*>(target.word));
        return word.load(relaxed) != target.expected;  // who goes on looks again, and acquires
    };
    for (;;) {
        if (std::any_of(targets, targets + count, has_changed)) return FutexResult::value_changed;
        const std::uint64_t now = monotonic_ns();
        if (now >= deadline_ns) return FutexResult::timed_out;
        const std::uint64_t share = count > 1 ? (now - begin) / 4 : 0;
        const std::uint64_t soon =
            std::min(deadline_ns, now + std::clamp(share, kShortSleep_ns, kLongestSleep_ns));
        int error = sleep_on(targets->word, targets->expected, soon);
        if (error == 0) return FutexResult::woken;
        if (error != ETIMEDOUT && error != EAGAIN && error != EINTR) {
            const timespec until = to_timespec(soon);
            error = ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
            if (error != 0 && error != EINTR) ::sched_yield();  // not even that
        }
        if (error == EINTR) return FutexResult::interrupted;
    }
}

}  // namespace

std::uint64_t monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC); }

std::uint64_t coarse_monotonic_ns() noexcept { return read_clock(CLOCK_MONOTONIC_COARSE); }

FutexResult futex_wait(const std::uint32_t* word, std::uint32_t expected,
                       std::uint64_t deadline_ns) noexcept {
    switch (sleep_on(word, expected, deadline_ns)) {
        case 0:
            return FutexResult::woken;
        case ETIMEDOUT:
            return FutexResult::timed_out;
        case EINTR:
            return FutexResult::interrupted;
        case EAGAIN:
        case EFAULT:
            return FutexResult::value_changed;
        default:  // a sandbox may answer anything: ENOSYS, EPERM, EACCES, EINVAL
            const FutexTarget target{word, expected};
            return look_now_and_then(&target, 1, deadline_ns);
    }
}

FutexResult futex_wait_any(const FutexTarget* targets, std::size_t count,
                           std::uint64_t deadline_ns) noexcept {
    static std::atomic<bool> supported{true};
    if (count <= kMaxFutexTargets && supported.load(relaxed)) {
        std::array<FutexWaiter, kMaxFutexTargets> waiters{};
        for (std::size_t i = 0; i != count; ++i) {
            waiters[i].expected = targets[i].expected;
            waiters[i].address = reinterpret_cast<std::uintptr_t>(targets[i].word);
            waiters[i].flags = kFutexOf32Bits;
        }
        const timespec deadline = to_timespec(deadline_ns);
        if (::syscall(kFutexWaitv, waiters.data(), count, 0, &deadline, CLOCK_MONOTONIC) >= 0)
            return FutexResult::woken;
        if (errno == ETIMEDOUT) return FutexResult::timed_out;
        if (errno == EINTR) return FutexResult::interrupted;
        if (errno == EAGAIN || errno == EFAULT) return FutexResult::value_changed;
        // An older kernel, or a sandbox, which may answer anything; every thread may find out for itself.
        if (errno != ENOMEM) supported.store(false, relaxed);
    }
    return look_now_and_then(targets, count, deadline_ns);
}

int futex_wake(const std::uint32_t* word, int count) noexcept {
    const long woken = ::syscall(SYS_futex, word, FUTEX_WAKE, count, nullptr, nullptr, 0);
    return woken < 0 ? 0 : static_cast<int>(woken);
}

std::uint64_t random_u64() noexcept {
    std::uint64_t value = 0;
    ssize_t size = 0;
    do {
        size = ::getrandom(&value, sizeof value, 0);
    } while (size < 0 && errno == EINTR);
    return size == static_cast<ssize_t>(sizeof value) ? value : improvised_u64();
}

const std::atomic<std::uint64_t>* process_token_word() noexcept { return writable_token_word(); }

std::uint64_t process_token() noexcept {
    TokenWord* word = writable_token_word();
    if (word == nullptr) return 0;
    std::uint64_t token = word->load(relaxed);  // the token is the whole message
    while (token == 0) {
        const std::uint64_t drawn = random_u64();
        // Threads that ask for the first time at once agree on the first one's.
        if (drawn != 0 && word->compare_exchange_strong(token, drawn, relaxed, relaxed)) return drawn;
    }
    return token;
}

ProcessIdentity process_identity() noexcept {
    ProcessIdentity identity;
    identity.process_id = static_cast<std::uint32_t>(::getpid());
    identity.thread_id = static_cast<std::uint32_t>(::syscall(SYS_gettid));

    struct stat namespace_file {};
    if (::stat("/proc/self/ns/pid", &namespace_file) == 0) identity.pid_namespace = namespace_file.st_ino;

    std::array<char, 1024> text{};  // some 350 bytes are used
    parse_stat(read_file("/proc/self/stat", text), identity);
    identity.boot_id = parse_uuid(read_file("/proc/sys/kernel/random/boot_id", text));
    return identity;
}

}  // namespace shmring::detail::platform
