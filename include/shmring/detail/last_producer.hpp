// The end of a stream with its last explicit producer, for rings that were made so: whether there has been one, and none is left.
//
//   an explicit producer    its role, in its record; then it counts itself: control.bound
//   who looks               control.bound; each record: explicit, and not proven gone? ; control.bound again
//
// Everybody who was counted before the first look is in a record that the looker sees, as explicit or as gone. Nobody was counted
// between the two looks. So at the second one, all that there have been are gone. One that came before another left was counted before
// that, and is seen or counted in between. Who dies between its role and its count has not been there.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/mpmc_layout.hpp"

namespace shmring::detail {

/// `Roll` is the list of participants: count(), and is_explicit_producer(index): one that is not proven gone.
template <class Env, class Roll>
[[nodiscard]] bool is_deserted(const MpmcControl<Env>& control, const Roll& roll) noexcept {
    const std::uint64_t bound = control.bound.load(acquire);  // [bind] acquire side
    if (bound == 0) return false;
    for (std::uint32_t index = 0; index != roll.count(); ++index)
        if (roll.is_explicit_producer(index)) return false;
    return control.bound.load(relaxed) == bound;  // behind the acquiring looks that showed each of them gone
}

}  // namespace shmring::detail
