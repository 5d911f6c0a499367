// Deadlines, and the sleeping of all rings' waits.
// SPDX-License-Identifier: MIT
#include "shmring/wait.hpp"

#include "shmring/detail/waiter_sleep.hpp"

namespace shmring::detail {

template class Waiter<ShippedEnv>;

std::uint64_t deadline_in(long double ns) noexcept {
    if (!(ns > 0)) return 0;                     // nor does a NaN wait for ever
    constexpr long double kFarthest_ns = 4e18L;  // 126 years, a quarter of what 64 bits hold
    if (ns >= kFarthest_ns) return platform::kNever;
    const auto whole_ns = static_cast<std::uint64_t>(ns);
    const bool is_rounded_down = static_cast<long double>(whole_ns) < ns;
    return platform::monotonic_ns() + whole_ns + (is_rounded_down ? 1 : 0);
}

}  // namespace shmring::detail
