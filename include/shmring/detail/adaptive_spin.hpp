// How long to poll before a sleep: as long as polling pays.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cstdint>

namespace shmring::detail {

/// Of one waiter. One thread at a time.
class AdaptiveSpin {
 public:
    explicit AdaptiveSpin(std::chrono::nanoseconds longest) noexcept { set_longest(longest); }

    /// Starts afresh.
    void set_longest(std::chrono::nanoseconds longest) noexcept {
        longest_ns_ = longest.count() > 0 ? static_cast<std::uint64_t>(longest.count()) : 0;
        now_ns_ = longest_ns_;
    }
    [[nodiscard]] std::uint64_t longest_ns() const noexcept { return longest_ns_; }
    [[nodiscard]] std::uint64_t now_ns() const noexcept { return now_ns_; }

    /// After a wait that polling ended.
    void found_polling(std::uint64_t waited_ns) noexcept { adapt(waited_ns + 1); }
    /// After a wait that ended asleep.
    void slept(std::uint64_t slept_ns) noexcept { adapt(slept_ns < longest_ns_ ? slept_ns : 0); }

 private:
    /// Twice the waits we see, slowly: polling pays while they are shorter than a sleep. 0 stands for a wait that was not.
    void adapt(std::uint64_t waited_ns) noexcept {
        std::uint64_t next = now_ns_ - now_ns_ / 8 + waited_ns / 4;
        if (waited_ns == 0) next = now_ns_ / 2;
        if (next < longest_ns_ / 16) next = longest_ns_ / 16;
        now_ns_ = next < longest_ns_ ? next : longest_ns_;
    }

    std::uint64_t longest_ns_ = 0;
    std::uint64_t now_ns_ = 0;
};

}  // namespace shmring::detail

#include "shmring/detail/header_end.hpp"
