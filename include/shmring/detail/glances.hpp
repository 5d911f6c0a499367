// When calls that succeed should ask whether their peer lives: about once per liveness period of time, and seldom a look at the clock.
// Infrequent callers check the clock on every call, which costs nothing beside the pause between. Frequent callers check it on every
// 16th call; one that has just slowed down does so once more. (Calls that find nothing look each time: LivenessClock.)
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/env.hpp"
#include "shmring/detail/liveness_clock.hpp"

namespace shmring::detail {

/// Of one side of one end. One thread at a time.
class Glances {
 public:
    /// Counts a call. True: it is time to ask. `period_ns()` answers the liveness period.
    template <class Period>
    [[nodiscard]] bool due(Period&& period_ns) noexcept {
        if (--left_ != 0) [[likely]]
            return false;
        return glance(period_ns());
    }

 private:
    static constexpr std::uint32_t kMostCalls = 16;

    [[gnu::noinline]] bool glance(std::uint64_t period_ns) noexcept {
        const std::uint64_t now = ShippedEnv::coarse_now();
        const bool in_haste = now - glanced_ns_ < period_ns / 8;
        stride_ = !in_haste ? 1 : stride_ < kMostCalls ? stride_ * 2 : kMostCalls;
        left_ = stride_;
        glanced_ns_ = now;
        return asked_.due_at(now, period_ns);
    }

    std::uint32_t left_ = 1;
    std::uint32_t stride_ = 1;
    std::uint64_t glanced_ns_ = 0;
    LivenessClock asked_{};
};

}  // namespace shmring::detail
