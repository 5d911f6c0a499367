// How a byte ring of many lies in its segment: the table of units, then the units.
#include "shmring/mpmc_byte_ring.hpp"

#include <algorithm>

namespace shmring {

namespace {

using detail::kUnitSize;
using detail::kUnitSlot;

/// Whole shares of the minimum only, so that as many of them fit as were asked for.
[[nodiscard]] std::uint64_t units_in(std::uint64_t capacity, std::uint64_t minimum_units) noexcept {
    return capacity / kUnitSize / minimum_units * minimum_units;
}

/// The table, up to where the units begin.
[[nodiscard]] std::uint64_t table_size(std::uint64_t units) noexcept {
    return detail::round_up(units * kUnitSlot.stride, kUnitSize);
}

}  // namespace

detail::SegmentSpec MpmcByteRing::spec(const MpmcByteRingOptions& options) noexcept {
    detail::SegmentSpec spec;
    spec.kind = detail::RingKind::mpmc_bytes;
    spec.capacity = options.capacity_bytes;
    const std::uint64_t units = options.capacity_bytes / kUnitSize;
    const bool opening = options.capacity_bytes == 0;
    spec.minimum_units = opening ? 0 : options.capacity_messages == 0 ? 1 : units / options.capacity_messages;
    const std::uint64_t least_units = std::clamp<std::uint64_t>(
        options.capacity_messages, 1, std::uint64_t{1} << 57);  // more would not fit into a number
    spec.least_capacity = opening ? 0 : kUnitSize * least_units;
    spec.delivery = options.delivery;
    spec.element_alignment = static_cast<std::uint32_t>(kUnitSize);
    spec.schema = options.schema;
    spec.schema_is_an_option = true;
    spec.participants = options.participants;
    spec.liveness_period_ns = static_cast<std::uint64_t>(options.liveness_period.count());
    spec.block = {1, kUnitSlot.stride, kUnitSlot.payload_offset};
    spec.control_size = sizeof(Control);
    spec.data_size_for = [](std::uint64_t capacity) noexcept {
        const std::uint64_t all = capacity / kUnitSize;
        return table_size(all) + all * kUnitSize;
    };
    return spec;
}

detail::MpmcByteMemory<MpmcByteRing::Env> MpmcByteRing::memory(const Segment& segment) noexcept {
    const SegmentGeometry& geometry = segment.geometry();
    std::byte* table = segment.at(geometry.data_offset);
    return {{control(segment), table, units_in(geometry.capacity, geometry.minimum_units)},
            table + table_size(geometry.capacity / kUnitSize),
            geometry.minimum_units};
}

std::uint64_t MpmcByteRing::capacity_messages() const noexcept {
    if (!*this) return 0;
    const detail::MpmcByteMemory<Env> here = memory(segment());
    return here.slots.capacity() / here.minimum_units;
}

std::uint64_t MpmcByteRing::count_up_to(std::uint64_t most) const noexcept {
    if (!*this) return 0;
    const detail::MpmcByteMemory<Env> here = memory(segment());
    detail::UnitExtent<Env> extent(here);
    const Control& words = control(segment());
    std::uint64_t position = words.head.load(detail::relaxed);  // an estimate
    const std::uint64_t tail = words.tail.load(detail::relaxed) & ~detail::kTailClosed;
    if (position >= detail::kMaxPosition) return 0;
    const std::uint64_t end = std::min(tail, position + here.slots.capacity());
    std::uint64_t count = 0;
    for (bool in_claim = false; position < end && count < most;) {
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
    return tail > head && tail - head + here.minimum_units > here.slots.capacity();
}

}  // namespace shmring
