// Which borrowed records came back: a ring takes its bytes back in order, but scopes end in reverse.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cassert>
#include <cstdint>

namespace shmring::detail {

/// Up to 64 records at once. Private to one handle, one thread.
class BorrowLedger {
 public:
    static constexpr std::uint32_t kMost = 64;

    [[nodiscard]] bool full() const noexcept { return next_ - oldest_ == kMost; }
    [[nodiscard]] bool empty() const noexcept { return next_ == oldest_; }

    /// Notes a record of `bytes`; the answer names it when it comes back.
    [[nodiscard]] std::uint32_t lend(std::uint64_t bytes) noexcept {
        assert(!full());
        lent_[next_ % kMost] = bytes;
        return next_++;
    }
    /// Record `name` came back: how many bytes, in order, can be handed to the producer now.
    [[nodiscard]] std::uint64_t give_back(std::uint32_t name) noexcept {
        assert(name - oldest_ < next_ - oldest_);
        returned_ |= std::uint64_t{1} << name % kMost;
        std::uint64_t bytes = 0;
        while (!empty() && (returned_ >> oldest_ % kMost & 1) != 0) {
            returned_ &= ~(std::uint64_t{1} << oldest_ % kMost);
            bytes += lent_[oldest_ % kMost];
            ++oldest_;
        }
        return bytes;
    }

 private:
    std::array<std::uint64_t, kMost> lent_{};
    std::uint64_t returned_ = 0;
    std::uint32_t oldest_ = 0;
    std::uint32_t next_ = 0;
};

}  // namespace shmring::detail
