// Ends waits from a signal handler, at any moment of theirs.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <atomic>
#include <cerrno>
#include <cstdint>

#include "shmring/detail/platform.hpp"

namespace shmring {

/// A flag of this process that waits look at while they poll and sleep on beside their ring: those whose WaitPolicy points to it answer
/// `interrupted` while it is set, in whatever thread, whoever set it, with SA_RESTART or without. No moment is too early: a call that
/// begins while it is set, and would have to wait, does not. It must outlive the waits; a forked child has its own copy.
class Interrupt {
 public:
    constexpr Interrupt() noexcept = default;
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;

    /// May be called in a signal handler. One system call.
    void set() noexcept {
        const int saved = errno;
        word_.store(1, std::memory_order_release);  // [interrupt] release side
        (void)detail::platform::futex_wake(word(), kEverybody);
        errno = saved;
    }
    [[nodiscard]] bool is_set() const noexcept {
        return word_.load(std::memory_order_acquire) != 0;  // [interrupt] acquire side
    }
    /// Whether it was set; it is not any more.
    bool take() noexcept {
        return word_.exchange(0, std::memory_order_acquire) != 0;  // [interrupt] acquire side
    }

    /// What waits sleep on beside their ring, while it is 0.
    [[nodiscard]] const std::uint32_t* word() const noexcept {
        return reinterpret_cast<const std::uint32_t*>(&word_);
    }

 private:
    static constexpr int kEverybody = 0x7fffffff;
    static_assert(sizeof(std::atomic<std::uint32_t>) == 4 && std::atomic<std::uint32_t>::is_always_lock_free);

    std::atomic<std::uint32_t> word_{0};
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
