// The intent word: what makes a claim in a shared ring attributable. A participant writes into its own record which position it is
// about to claim, then claims it with a compare-and-swap that anybody may win, and clears the word when it has published or released.
//
// A position that is claimed, not published (or not released) and named by no *living* participant's intent belongs to a dead one:
// its owner named it before the claim, and clears the name only after the slot's word says that it is done.
//
// Edge `claim`: release side is the compare-and-swap that claims; acquire side the load that finds the position claimed. It carries
// the claimer's intent: whoever sees the claim sees the name, or a later one, and then also the slot's later word.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/layout.hpp"

namespace shmring::detail {

enum class ClaimSide : std::uint64_t { write = 0, read = 1 };

/// `side:1 | position:55 | count:8`; 0: nothing in hand. Names the positions [position, position + count).
///
/// A count beyond kMaxCount is the claim of one orphan, and says which delivery it is: so a name that was claimed once can never be
/// claimed again, and recovery may take it from a dead one's record by a compare-and-swap, whoever holds that record by then.
struct Intent {
    std::uint64_t value = 0;

    static constexpr std::uint64_t kMaxCount = 223;  // and a delivery is at most 31

    [[nodiscard]] static constexpr Intent of(ClaimSide side, std::uint64_t position,
                                             std::uint64_t count) noexcept {
        return {static_cast<std::uint64_t>(side) << 63 | position << 8 | count};
    }
    [[nodiscard]] constexpr ClaimSide side() const noexcept { return static_cast<ClaimSide>(value >> 63); }
    [[nodiscard]] constexpr std::uint64_t position() const noexcept {
        return value >> 8 & (kMaxPosition - 1);
    }
    /// `delivery`: at least 1, what the slot's word will say.
    [[nodiscard]] static constexpr Intent of_orphan(std::uint64_t position, std::uint64_t delivery) noexcept {
        return of(ClaimSide::read, position, kMaxCount + delivery);
    }
    [[nodiscard]] constexpr std::uint64_t count() const noexcept {
        return delivery() == 0 ? value & 0xff : 1;
    }
    /// 0: no claim of an orphan.
    [[nodiscard]] constexpr std::uint64_t delivery() const noexcept {
        const std::uint64_t field = value & 0xff;
        return field > kMaxCount ? field - kMaxCount : 0;
    }
    [[nodiscard]] constexpr bool names(ClaimSide which, std::uint64_t where) const noexcept {
        return count() != 0 && side() == which && where - position() < count();
    }
    friend constexpr bool operator==(Intent, Intent) = default;
};

}  // namespace shmring::detail
