// What a test sees of a ring that users do not: the shared words, and who is asleep. For tests that place a process at an exact
// point before they kill it.
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>

#include "shmring/detail/env.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/spsc.hpp"
#include "shmring/segment.hpp"
#include "shmring/spsc_ring.hpp"

namespace shmring::test {

using Control = detail::SpscControl<detail::ShippedEnv>;
using Line = detail::EventLine<detail::ShippedEnv>;

[[nodiscard]] inline Control& control_of(const Segment& segment) {
    return *reinterpret_cast<Control*>(segment.at(segment.geometry().control_offset));
}
template <class T>
[[nodiscard]] Control& control_of(const SpscRing<T>& ring) {
    return control_of(ring.segment());
}

/// The ring as the algorithm sees it: what a process can do that dies before it has told anybody.
template <class T>
[[nodiscard]] detail::SpscMemory<detail::ShippedEnv> memory_of(const SpscRing<T>& ring) {
    using Cursor = detail::SpscCursor<T, detail::ShippedEnv>;
    const SegmentGeometry& geometry = ring.segment().geometry();
    return {&control_of(ring), ring.segment().at(geometry.data_offset), geometry.capacity,
            Cursor::kShape.block_count(geometry.capacity)};
}

/// How many have registered to sleep there and were not woken since.
[[nodiscard]] inline std::uint64_t sleepers(const Line& line) {
    return line.word.load(std::memory_order_acquire) & detail::kWaitersMask;
}
inline void await_sleeper(const Line& line) {
    while (sleepers(line) == 0) ::sched_yield();
}

}  // namespace shmring::test
