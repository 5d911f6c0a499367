// How a byte ring lies in its segment.
// SPDX-License-Identifier: MIT
#include "shmring/byte_ring.hpp"

namespace shmring {

detail::SegmentSpec ByteRing::spec(const ByteRingOptions& options) noexcept {
    detail::SegmentSpec spec;
    spec.kind = detail::RingKind::spsc_bytes;
    spec.capacity = options.capacity_bytes;
    const bool opening = options.capacity_bytes == 0;
    spec.element_alignment = opening ? 0 : options.alignment;
    spec.schema = options.schema;
    spec.schema_is_an_option = true;
    spec.participants = options.participants;
    spec.liveness_period_ns = static_cast<std::uint64_t>(options.liveness_period.count());
    spec.control_size = sizeof(detail::SpscControl<Env>);
    spec.data_size_for = [](std::uint64_t capacity) noexcept {
        return detail::ByteMemory<Env>::section_for(capacity);
    };
    return spec;
}

detail::ByteMemory<ByteRing::Env> ByteRing::memory(const Segment& segment) noexcept {
    const SegmentGeometry& geometry = segment.geometry();
    return detail::ByteMemory<Env>::in_section(control(segment), segment.at(geometry.data_offset),
                                               geometry.capacity, geometry.element_alignment);
}

}  // namespace shmring
