// What the library asks of the operating system, without its headers: clock, futex, process identity,
// liveness locks.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <system_error>

namespace shmring::detail::platform {

inline constexpr std::uint64_t kNever = ~std::uint64_t{0};  ///< a deadline that does not come

/// Nanoseconds of CLOCK_MONOTONIC: the same clock in every process of this machine.
[[nodiscard]] std::uint64_t monotonic_ns() noexcept;
/// The same clock as of the last timer tick (some milliseconds): cheaper, for questions that can wait.
[[nodiscard]] std::uint64_t coarse_monotonic_ns() noexcept;

enum class FutexResult { woken, value_changed, timed_out, interrupted };

/// Sleeps while `*word == expected`, across processes (never a private futex), until CLOCK_MONOTONIC reaches
/// `deadline_ns` (kNever: no limit). Spurious wakes count as woken, a signal handler that ran as interrupted
/// (with SA_RESTART, too), and a word that cannot be read as value_changed: look again. Where a sandbox refuses the
/// call, with whatever error, the word is looked at every millisecond.
[[nodiscard]] FutexResult futex_wait(const std::uint32_t* word, std::uint32_t expected,
                                     std::uint64_t deadline_ns) noexcept;
/// One of the words of futex_wait_any.
struct FutexTarget {
    const std::uint32_t* word = nullptr;
    std::uint32_t expected = 0;
};
inline constexpr std::size_t kMaxFutexTargets = 128;
/// Sleeps while every word has its expected value (futex_waitv, Linux 5.16). Where the kernel lacks it, a sandbox
/// refuses it, or there are more targets than it takes, all of them are looked at: every millisecond at first, then after a
/// quarter of the time for which nothing came, at most 32 ms.
[[nodiscard]] FutexResult futex_wait_any(const FutexTarget* targets, std::size_t count,
                                         std::uint64_t deadline_ns) noexcept;
/// Wakes up to `count` sleepers of `word`; returns how many there were.
int futex_wake(const std::uint32_t* word, int count) noexcept;

/// Which process this is, as one load: the word reads 0 in a forked child (MADV_WIPEONFORK) until
/// `process_token()` is called there. Its address never changes. Null only when the kernel refused the page.
[[nodiscard]] const std::atomic<std::uint64_t>* process_token_word() noexcept;
/// This process's token: random, never 0, another one in each forked child. 0 only when the kernel refused
/// the page.
[[nodiscard]] std::uint64_t process_token() noexcept;

/// Who a process is, for people to read: no decision rests on it.
struct ProcessIdentity {
    std::uint32_t process_id = 0;
    std::uint32_t thread_id = 0;
    std::uint64_t pid_namespace = 0;  ///< inode of /proc/self/ns/pid, 0 where unreadable
    std::uint64_t start_time = 0;     ///< clock ticks since boot, field 22 of /proc/self/stat
    std::array<std::uint8_t, 16> boot_id{};
    std::array<char, 16> command{};  ///< of the main thread, as in /proc/self/comm, zero-terminated
};
[[nodiscard]] ProcessIdentity process_identity() noexcept;

[[nodiscard]] std::uint64_t random_u64() noexcept;

/// Device and inode: which file a descriptor really is.
struct FileIdentity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
[[nodiscard]] FileIdentity file_identity(int descriptor, std::error_code& error) noexcept;

/// The proof of life: a write lock on one byte of a file, kept by a private mapping of a description of its
/// own. It is free in a zombie, is not inherited by a forked child, survives close_range(), and ends at exec
/// and at death. Move-only. The destructor releases, except in a forked child, which owns nothing.
class LivenessLock {
 public:
    LivenessLock() noexcept = default;
    LivenessLock(LivenessLock&& other) noexcept;
    LivenessLock& operator=(LivenessLock&& other) noexcept;
    ~LivenessLock() { release(); }

    /// Takes `byte` of the file behind `descriptor` (re-opened for writing through /proc/self/fd, never by
    /// name, and checked to be `file`). Somebody else holds it: std::errc::resource_unavailable_try_again,
    /// which means nothing else here. Another file: std::errc::bad_file_descriptor. Serialised against fork()
    /// of this process.
    [[nodiscard]] static LivenessLock take(int descriptor, const FileIdentity& file, std::uint64_t byte,
                                           std::error_code& error) noexcept;
    void release() noexcept;
    [[nodiscard]] bool held() const noexcept { return page_ != nullptr; }

 private:
    void* page_ = nullptr;
    std::size_t page_size_ = 0;
    const std::atomic<std::uint64_t>* owner_word_ = nullptr;
    std::uint64_t owner_token_ = 0;
};

/// A sign of life that is shared on purpose: a read lock on one byte of a file, kept by a mapping that every forked child
/// inherits. The byte is free when no process has a tether of it any more: each let its copy go, ended, or called exec.
/// Survives close_range(). Move-only; the destructor lets go this process's copy and no other.
class Tether {
 public:
    Tether() noexcept = default;
    Tether(Tether&& other) noexcept;
    Tether& operator=(Tether&& other) noexcept;
    ~Tether() { let_go(); }

    /// As LivenessLock::take(), but any number of tethers may hold one byte.
    [[nodiscard]] static Tether take(int descriptor, const FileIdentity& file, std::uint64_t byte,
                                     std::error_code& error) noexcept;
    /// A new descriptor of the file that holds the byte likewise, until it and all its copies are closed, also those that
    /// travel through a socket. The caller's to close; -1 and `error`.
    [[nodiscard]] static int tied_descriptor(int descriptor, const FileIdentity& file, std::uint64_t byte,
                                             std::error_code& error) noexcept;
    void let_go() noexcept;
    [[nodiscard]] bool held() const noexcept { return page_ != nullptr; }

 private:
    void* page_ = nullptr;
    std::size_t page_size_ = 0;
};

enum class LockState { free, held, unknown };
/// Whether anybody holds `byte`, asked through `descriptor`, through which nothing must ever be locked.
/// `unknown` when the descriptor is no longer that file (a caller may have closed all descriptors), or a sandbox refuses the question:
/// never a death.
[[nodiscard]] LockState probe_lock(int descriptor, const FileIdentity& file, std::uint64_t byte) noexcept;

}  // namespace shmring::detail::platform
