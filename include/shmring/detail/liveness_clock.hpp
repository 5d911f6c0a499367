// When it is time to ask who lives: about once per liveness period.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/env.hpp"

namespace shmring::detail {

/// One thread at a time.
class LivenessClock {
 public:
    /// Whether a period has passed since this was last true. By the coarse clock, which costs a few ns and stands still for up to 10 ms:
    /// who comes once in each period, as sleepers and timers do, must not be told now and then to come again in the next one. So an
    /// eighth less will do.
    [[nodiscard]] bool due(std::uint64_t period_ns) noexcept {
        return due_at(ShippedEnv::coarse_now(), period_ns);
    }
    /// The same for who has just looked at that clock.
    [[nodiscard]] bool due_at(std::uint64_t now_ns, std::uint64_t period_ns) noexcept {
        if (now_ns - last_ns_ < period_ns - period_ns / 8) return false;
        last_ns_ = now_ns;
        return true;
    }

 private:
    std::uint64_t last_ns_ = 0;
};

}  // namespace shmring::detail
