// How a byte ring of many lies in its segment: the table of units, then the units.
// SPDX-License-Identifier: MIT
#include "shmring/mpmc_byte_ring.hpp"

#include <algorithm>

namespace shmring {

namespace {

using detail::kLineSize;
using detail::kUnitSlot;

/// The table, up to where the units begin.
[[nodiscard]] std::uint64_t table_size(std::uint64_t units) noexcept {
    return detail::round_up(units * kUnitSlot.stride, kLineSize);
}

}  // namespace

detail::SegmentSpec MpmcByteRing::spec(const MpmcByteRingOptions& options) noexcept {
    detail::SegmentSpec spec;
    spec.kind = detail::RingKind::mpmc_bytes;
    spec.capacity = options.capacity_bytes;
    const bool opening = options.capacity_bytes == 0;
    const std::uint64_t most = std::clamp<std::uint64_t>(options.capacity_messages, 1,
                                                         std::uint64_t{1} << 57);  // what fits into a number
    spec.unit_count = opening                          ? 0
                      : options.capacity_messages != 0 ? most
                                                       : options.capacity_bytes / kLineSize;
    spec.least_capacity = opening && options.capacity_messages == 0 ? 0 : kLineSize * most;
    spec.delivery = options.delivery;
    spec.element_alignment = static_cast<std::uint32_t>(kLineSize);
    spec.schema = options.schema;
    spec.schema_is_an_option = true;
    spec.participants = options.participants;
    spec.liveness_period_ns = static_cast<std::uint64_t>(options.liveness_period.count());
    spec.block = {1, kUnitSlot.stride, kUnitSlot.payload_offset};
    spec.control_size = sizeof(Control);
    spec.data_size_for = [](std::uint64_t capacity) noexcept { return capacity / kLineSize * kLineSize; };
    return spec;
}

detail::MpmcByteMemory<MpmcByteRing::Env> MpmcByteRing::memory(const Segment& segment) noexcept {
    const SegmentGeometry& geometry = segment.geometry();
    std::byte* table = segment.at(geometry.data_offset);
    return {{control(segment), table, geometry.unit_count},
            table + table_size(geometry.unit_count),
            geometry.capacity / kLineSize / geometry.unit_count * kLineSize};
}

std::uint64_t MpmcByteRing::capacity_messages() const noexcept { return geometry().unit_count; }

std::uint64_t MpmcByteRing::count_up_to(std::uint64_t most, std::uint64_t looks) const noexcept {
    if (!*this) return 0;
    const detail::MpmcByteMemory<Env> here = memory(segment());
    detail::UnitExtent<Env> extent(here);
    const Control& words = control(segment());
    std::uint64_t position = words.head.load(detail::relaxed);  // an estimate
    const std::uint64_t tail = words.tail.load(detail::relaxed) & ~detail::kTailClosed;
    if (position >= detail::kMaxPosition) return 0;
    const std::uint64_t end = std::min(tail, position + here.slots.capacity());
    std::uint64_t count = 0;
    for (bool in_claim = false; position < end && count < most; --looks) {
        if (looks == 0) return count + 1;  // there may be more
        const detail::Slot<Env> slot = here.slots.at(position);
        const detail::SlotWord word = slot.read();
        std::uint64_t places = extent.skipped(here.slots, slot, word);
        if (places != 0) {
            in_claim = false;
        } else if (word == slot.when(detail::SlotState::published) &&
                   extent.published(here.slots, position, slot, ~std::uint64_t{0}, places) == Status::ok) {
            ++count;
            in_claim = false;
        } else {  // being written: where it ends nobody knows but its producer
            count += in_claim ? 0 : 1;
            in_claim = true;
            places = 1;
        }
        position += places;
    }
    return count;
}

bool MpmcByteRing::was_full() const noexcept {
    if (!*this) return false;
    const detail::MpmcByteMemory<Env> here = memory(segment());
    const std::uint64_t head = control(segment()).head.load(detail::relaxed);  // an estimate
    const std::uint64_t tail = control(segment()).tail.load(detail::relaxed) & ~detail::kTailClosed;
    return tail > head && tail - head >= here.slots.capacity();
}

}  // namespace shmring
