// How a byte ring lies in its segment.
#include "shmring/byte_ring.hpp"

namespace shmring {

namespace {

using Memory = detail::ByteMemory<detail::ShippedEnv>;

/// Payloads are aligned, so headers stand 8 bytes before an aligned place; the data section starts on a page.
[[nodiscard]] constexpr std::uint64_t first_header(std::uint64_t alignment) noexcept {
    return alignment - detail::kRecordHeaderSize;
}

}  // namespace

detail::SegmentSpec ByteRing::spec(const ByteRingOptions& options) noexcept {
    detail::SegmentSpec spec;
    spec.kind = detail::RingKind::spsc_bytes;
    spec.capacity = options.capacity_bytes;
    const bool opening = options.capacity_bytes == 0;
    spec.element_alignment = opening ? 0 : options.alignment;
    spec.schema = options.schema;
    spec.participants = options.participants;
    spec.liveness_period_ns = static_cast<std::uint64_t>(options.liveness_period.count());
    spec.control_size = sizeof(detail::SpscControl<Env>);
    spec.data_size_for = [](std::uint64_t capacity) noexcept {
        return Memory::storage_for(capacity) +
               detail::kLineSize;  // the headers' offset and their last payload's end
    };
    return spec;
}

detail::ByteMemory<ByteRing::Env> ByteRing::memory(const Segment& segment) noexcept {
    const SegmentGeometry& geometry = segment.geometry();
    const std::uint64_t alignment = geometry.element_alignment;
    return {&control(segment), segment.at(geometry.data_offset + first_header(alignment)), geometry.capacity,
            Memory::storage_for(geometry.capacity), alignment};
}

}  // namespace shmring
