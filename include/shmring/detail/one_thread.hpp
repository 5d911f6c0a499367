// A handle belongs to one thread at a time: where assertions are on, two that are in calls of it at once are caught.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cassert>
#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::detail {

/// Whether assertions are compiled in here.
consteval bool asserts() noexcept {
    bool on = false;
    assert(on = true);  // NOLINT(bugprone-assert-side-effect): which is the question
    return on;
}

/// Whether somebody is in a call of a handle. A member in every build, so that handles are the same in all of them.
class Occupied {
 public:
    Occupied() noexcept = default;
    Occupied(const Occupied&) noexcept {}  // a handle that was moved to is another
    // NOLINTNEXTLINE(cert-oop54-cpp): nothing is assigned
    Occupied& operator=(const Occupied&) noexcept { return *this; }

 private:
    template <bool>
    friend class InCallIf;
    std::atomic<std::uint32_t> word_{0};
};

/// For the length of a call. Relaxed: it orders nothing, for who hands a handle on to another thread must do so himself.
template <bool kChecks>
class [[maybe_unused]] InCallIf {
 public:
    template <class IsOurs>
    InCallIf(Occupied&, const IsOurs&) noexcept {}
};
template <>
class InCallIf<true> {
 public:
    /// `is_ours()`: in a forked child's copy the word is as another thread of the parent left it. So it says whose thread it was, too: for
    /// one that was at its first use `is_ours` cannot tell.
    template <class IsOurs>
    InCallIf(Occupied& handle, const IsOurs& is_ours) noexcept : handle_(is_ours() ? &handle : nullptr) {
        if (handle_ == nullptr) return;
        const std::uint32_t us = static_cast<std::uint32_t>(platform::process_token()) | 1;
        const bool is_free = handle_->word_.exchange(us, relaxed) != us;
        assert(is_free && "shmring: two threads are in calls of one handle: each needs a handle of its own");
        (void)is_free;
    }
    InCallIf(const InCallIf&) = delete;
    InCallIf& operator=(const InCallIf&) = delete;
    ~InCallIf() {
        if (handle_ != nullptr) handle_->word_.store(0, relaxed);
    }

 private:
    Occupied* handle_;
};
using InCall = InCallIf<asserts()>;

}  // namespace shmring::detail
