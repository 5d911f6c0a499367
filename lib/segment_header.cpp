// Planning and writing the header of a new segment. Checking an existing one: segment_check.cpp.
// SPDX-License-Identifier: MIT

#include "shmring/detail/segment_header.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cinttypes>
#include <cstring>
#include <limits>

#include "shmring/detail/env.hpp"
#include "shmring/detail/lease.hpp"

namespace shmring::detail {

namespace {

using Record = ParticipantRecord<ShippedEnv>;

/// FNV-1a, 64 bits: finds accidents, not attackers; who can write the header can write its checksum.
class Fnv1a {
 public:
    void add(const void* data, std::size_t size) noexcept {
        const auto* bytes = static_cast<const unsigned char*>(data);
        for (std::size_t i = 0; i != size; ++i) value_ = (value_ ^ bytes[i]) * 0x100'0000'01b3;
    }
    [[nodiscard]] std::uint64_t value() const noexcept { return value_; }

 private:
    std::uint64_t value_ = 0xcbf2'9ce4'8422'2325;
};

constexpr std::uint64_t kLeastRecordAlignment = 8;

/// What users call the capacity of a ring of this kind.
[[nodiscard]] const char* capacity_option(RingKind kind) noexcept {
    switch (kind) {
        case RingKind::spsc_bytes:
        case RingKind::mpmc_bytes:
        case RingKind::pipe_bytes:
        case RingKind::byte_tasks:
            return "capacity_bytes";
        default:
            return "capacity";
    }
}

[[nodiscard]] bool check_ranges(const SegmentSpec& spec, SetupReport& report) noexcept {
    if (spec.kind == RingKind::none) return report.refuse(errc::bad_option, "no kind of ring was named");
    if (!has_its_schema(spec, report)) return false;
    const bool has_records = spec.kind == RingKind::spsc_bytes || spec.kind == RingKind::pipe_bytes;
    const char* const capacity = capacity_option(spec.kind);
    const std::uint64_t least =
        std::max<std::uint64_t>(spec.least_capacity, has_records ? 2 * kLeastRecordAlignment : 1);
    if (spec.capacity == 0 || spec.capacity > kMaxCapacity)
        return report.refuse(errc::bad_option, "%s is %" PRIu64 ", it must be %" PRIu64 " to %" PRIu64,
                             capacity, spec.capacity, least, kMaxCapacity);
    if (spec.capacity < spec.least_capacity)
        return report.refuse(errc::bad_option, "%s is %" PRIu64 ", what was asked for needs %" PRIu64,
                             capacity, spec.capacity, spec.least_capacity);
    if (has_records && !is_record_alignment(spec.element_alignment))
        return report.refuse(errc::bad_option, "alignment is %u, it must be 8 or 64", spec.element_alignment);
    if (has_records && spec.capacity < 2 * std::uint64_t{spec.element_alignment})
        return report.refuse(errc::bad_option, "capacity_bytes is %" PRIu64 ", an empty message needs %u",
                             spec.capacity, 2 * spec.element_alignment);
    if (spec.participants == 0 || spec.participants > kMaxParticipants)
        return report.refuse(errc::bad_option, "participants is %u, it must be 1 to %u", spec.participants,
                             kMaxParticipants);
    if (spec.liveness_period_ns < kMinLivenessPeriodNs || spec.liveness_period_ns > kMaxLivenessPeriodNs)
        return report.refuse(
            errc::bad_option, "the liveness period is %" PRId64 " ns, it must be %" PRIu64 " to %" PRIu64,
            static_cast<std::int64_t>(spec.liveness_period_ns),  // as the user gave it: signed
            kMinLivenessPeriodNs, kMaxLivenessPeriodNs);
    if (spec.delivery > Delivery::at_least_once)
        return report.refuse(errc::bad_option, "delivery is %u, possible is 0 or 1",
                             static_cast<std::uint32_t>(spec.delivery));
    if (has_leases(spec.kind) && !is_lease_size(spec.lease_size))
        return report.refuse(errc::bad_option, "a lease takes %" PRIu64 " bytes, it must be at most %" PRIu64,
                             spec.lease_size, kMaxLeaseSize);
    if (spec.control_size == 0 || spec.control_size > kMaxSegmentSize || spec.data_size_for == nullptr)
        return report.refuse(errc::bad_option, "the ring does not say how large its sections are");
    return true;
}

[[nodiscard]] CreatorIdentity creator_identity(const platform::ProcessIdentity& process,
                                               std::uint32_t user_id) noexcept {
    using std::chrono::nanoseconds;
    const auto now =
        std::chrono::duration_cast<nanoseconds>(std::chrono::system_clock::now().time_since_epoch());
    return {.process_id = process.process_id,
            .user_id = user_id,
            .pid_namespace = process.pid_namespace,
            .start_time = process.start_time,
            .created_ns = static_cast<std::uint64_t>(now.count()),
            .command = process.command};
}

}  // namespace

std::uint64_t header_checksum(const std::byte* header) noexcept {
    Fnv1a sum;
    sum.add(header, offsetof(SegmentHeader, checksum));
    return sum.value();
}

std::uint64_t type_fingerprint(std::uint32_t size, std::uint32_t alignment,
                               std::string_view schema) noexcept {
    Fnv1a sum;
    sum.add(&size, sizeof size);
    sum.add(&alignment, sizeof alignment);
    sum.add(schema.data(), schema.size());
    return sum.value();
}

std::uint64_t data_size_of(const SegmentSpec& spec, std::uint64_t capacity, std::uint32_t pipe_shape,
                           std::uint64_t unit_count) noexcept {
    const std::uint64_t per_block = std::max<std::uint64_t>(spec.block[0], 1);
    const std::uint64_t stride = std::max<std::uint64_t>(spec.block[1], 1);
    if (spec.data_size_for == nullptr || capacity / per_block > kMaxSegmentSize / stride) return 0;
    const std::uint64_t size = round_up(unit_count * stride, kLineSize) + spec.data_size_for(capacity);
    if (size > kMaxSegmentSize) return 0;
    return pipe_shape == 0 ? size : round_up(size, kPageSize) * ((pipe_shape & kPipeDuplex) != 0 ? 2 : 1);
}

bool has_its_schema(const SegmentSpec& spec, SetupReport& report) noexcept {
    if (!spec.has_misplaced_schema) return true;
    return report.refuse(errc::bad_option, spec.schema_is_an_option
                                               ? "SegmentOptions names a schema: that is for opening; what "
                                                 "is made is given it beside its capacity"
                                               : "an option names a schema: only ByteRing, MpmcByteRing and "
                                                 "BytePipe take one, others have their type's");
}

bool plan_segment(const SegmentSpec& spec, SetupReport& report, SegmentGeometry& geometry) noexcept {
    if (!check_ranges(spec, report)) return false;
    const std::uint64_t data_size = data_size_of(spec, spec.capacity, spec.pipe_shape, spec.unit_count);
    if (data_size == 0)
        return report.refuse(errc::bad_option,
                             "%s is %" PRIu64 ": with blocks of %u bytes that is more than %" PRIu64 " bytes",
                             capacity_option(spec.kind), spec.capacity, spec.block[1], kMaxSegmentSize);

    geometry.kind = spec.kind;
    geometry.participant_count = spec.participants;
    geometry.capacity = spec.capacity;
    geometry.element_size = spec.element_size;
    geometry.element_alignment = spec.element_alignment;
    geometry.delivery = spec.delivery;
    geometry.unit_count = spec.unit_count;
    geometry.ends_with_last_producer = spec.ends_with_last_producer;
    geometry.pipe_shape = spec.pipe_shape;
    geometry.generation = platform::random_u64();
    geometry.liveness_period_ns = spec.liveness_period_ns;
    geometry.liveness_base = kOwnLivenessBase;
    geometry.participants_offset = kHeaderSize;
    geometry.control_offset =
        geometry.participants_offset + round_up(spec.participants * sizeof(Record), kPageSize);
    geometry.control_size = spec.control_size;
    geometry.data_offset = geometry.control_offset + round_up(spec.control_size, kPageSize);
    geometry.data_size = data_size;
    const std::uint64_t end_of_data = geometry.data_offset + round_up(data_size, kPageSize);
    geometry.lease_size = spec.lease_size;
    geometry.leases_offset = spec.lease_size != 0 ? end_of_data : 0;
    geometry.segment_size =
        end_of_data + round_up(leases_size(geometry.participant_count, geometry.lease_size), kPageSize);
    if (geometry.segment_size > std::uint64_t{std::numeric_limits<std::ptrdiff_t>::max()})
        return report.refuse(errc::bad_option, "%" PRIu64 " bytes are more than this program can address",
                             geometry.segment_size);
    return true;
}

void write_header(std::byte* segment, const SegmentSpec& spec, const SegmentGeometry& geometry,
                  const Origin& origin) noexcept {
    const platform::ProcessIdentity process = platform::process_identity();
    SegmentHeader header{};
    header.magic = kMagic;
    header.layout_version = kLayoutVersion;
    header.header_size = kHeaderSize;
    header.kind = geometry.kind;
    header.participant_count = geometry.participant_count;
    header.required_features = geometry.ends_with_last_producer ? kFeatureEndsWithLastProducer : 0;
    header.segment_size = geometry.segment_size;
    header.capacity = geometry.capacity;
    header.element_size = geometry.element_size;
    header.element_alignment = geometry.element_alignment;
    header.type_fingerprint =
        type_fingerprint(geometry.element_size, geometry.element_alignment, spec.schema);
    header.generation = geometry.generation;
    header.liveness_period_ns = geometry.liveness_period_ns;
    header.liveness_base = geometry.liveness_base;
    header.constants = {
        kLineSize,
        kLineGap,
        spec.block[0],
        spec.block[1],
        spec.block[2],
        static_cast<std::uint32_t>(spec.delivery),
        0,
        has_leases(spec.kind) ? static_cast<std::uint32_t>(spec.lease_size) : spec.pipe_shape};
    header.unit_count = spec.unit_count;
    header.boot_id = process.boot_id;
    header.creator = creator_identity(process, origin.user_id);
    std::copy_n(spec.schema.begin(), std::min(spec.schema.size(), header.schema.size() - 1),
                header.schema.begin());
    header.sections[0] = {SectionKind::participants, 0, geometry.participants_offset,
                          geometry.participant_count * sizeof(Record)};
    header.sections[1] = {SectionKind::control, 0, geometry.control_offset, geometry.control_size};
    header.sections[2] = {SectionKind::data, 0, geometry.data_offset, geometry.data_size};
    if (has_leases(geometry.kind))
        header.sections[3] = {SectionKind::leases, 0, geometry.leases_offset,
                              leases_size(geometry.participant_count, geometry.lease_size)};
    header.liveness_file = {origin.liveness_file.device, origin.liveness_file.inode};

    const auto* bytes = reinterpret_cast<const std::byte*>(&header);
    header.checksum = header_checksum(bytes);
    constexpr std::size_t kBehindMagic = sizeof header.magic;
    std::memcpy(segment + kBehindMagic, bytes + kBehindMagic, sizeof header - kBehindMagic);
    auto& magic = *reinterpret_cast<std::uint64_t*>(segment);
    std::atomic_ref(magic).store(kMagic, release);  // [segment] release side
}

void copy_header(const std::byte* segment, HeaderCopy& copy) noexcept {
    auto& magic = *reinterpret_cast<std::uint64_t*>(const_cast<std::byte*>(segment));
    const std::uint64_t found = std::atomic_ref(magic).load(acquire);  // [segment] acquire side
    std::memcpy(copy.data(), segment, HeaderCopy::kSize);
    std::memcpy(copy.data(), &found, sizeof found);
    copy.size = HeaderCopy::kSize;
}

}  // namespace shmring::detail
