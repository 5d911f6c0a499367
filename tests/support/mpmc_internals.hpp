// What a test sees of a ring of many that users do not: its shared words, and its slots as the algorithm sees them. For tests that
// place a process at an exact point before they stop or kill it.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/env.hpp"
#include "shmring/detail/mpmc_layout.hpp"
#include "shmring/detail/mpmc_slots.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/segment.hpp"
#include "support/ring_internals.hpp"

namespace shmring::test {

[[nodiscard]] inline detail::MpmcControl<detail::ShippedEnv>& mpmc_control_of(const Segment& segment) {
    return *reinterpret_cast<detail::MpmcControl<detail::ShippedEnv>*>(
        segment.at(segment.geometry().control_offset));
}
template <class T>
[[nodiscard]] detail::MpmcControl<detail::ShippedEnv>& control_of(const MpmcRing<T>& ring) {
    return mpmc_control_of(ring.segment());
}
[[nodiscard]] inline detail::MpmcControl<detail::ShippedEnv>& control_of(const MpmcByteRing& ring) {
    return mpmc_control_of(ring.segment());
}

template <class T>
[[nodiscard]] auto slots_of(const MpmcRing<T>& ring) {
    constexpr detail::SlotShape kShape = detail::SlotShape::of(sizeof(T), alignof(T));
    const SegmentGeometry& geometry = ring.segment().geometry();
    return detail::MpmcSlots<detail::ShippedEnv, kShape>(
        control_of(ring), ring.segment().at(geometry.data_offset), geometry.capacity);
}

}  // namespace shmring::test
