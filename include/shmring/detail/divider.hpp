// Division by a number that is known when a ring is opened: one multiplication instead of twenty-odd cycles, so that a ring's
// capacity may be any number and need not be a power of two.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace shmring::detail {

/// Divides positions, which stay below 2^55, by 1 to 2^40. Exact: with 2^s >= d, ceil(2^(55+s) / d) exceeds the true ratio by less
/// than 2^s / d <= 1 part in 2^55, which no 55-bit dividend can turn into a whole one (Granlund and Montgomery, 1994).
class Divider {
 public:
    constexpr Divider() noexcept = default;
    constexpr explicit Divider(std::uint64_t divisor) noexcept : divisor_(divisor) {
        while ((std::uint64_t{1} << (shift_ - kDividendBits)) < divisor) ++shift_;
        multiplier_ = static_cast<std::uint64_t>(((Wide{1} << shift_) + divisor - 1) / divisor);
    }

    [[nodiscard]] constexpr std::uint64_t divisor() const noexcept { return divisor_; }
    [[nodiscard]] constexpr std::uint64_t quotient(std::uint64_t dividend) const noexcept {
        return static_cast<std::uint64_t>((Wide{dividend} * multiplier_) >> shift_);
    }

 private:
    __extension__ using Wide = unsigned __int128;
    static constexpr unsigned kDividendBits = 55;

    std::uint64_t divisor_ = 1;
    std::uint64_t multiplier_ = std::uint64_t{1} << kDividendBits;
    unsigned shift_ = kDividendBits;
};

}  // namespace shmring::detail
