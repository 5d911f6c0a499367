// Checking the header of an existing segment. All of it is input: nothing is used before it was compared.
//
// The order is that of use to a person: is it ours, can this version read it, is it whole, is it the ring that was asked for.
// SPDX-License-Identifier: MIT

#include <algorithm>
#include <cinttypes>
#include <string_view>

#include "shmring/detail/env.hpp"
#include "shmring/detail/lease.hpp"
#include "shmring/detail/segment_header.hpp"

namespace shmring::detail {

namespace {

using Record = ParticipantRecord<ShippedEnv>;

constexpr std::size_t kDeliveryConstant = 5;
constexpr std::size_t kUnusedConstant = 6;
constexpr std::size_t kKindsOwnConstant = 7;  // bytes of a lease, shape of a pipe

[[nodiscard]] const char* kind_name(RingKind kind) noexcept {
    switch (kind) {
        case RingKind::none:
            return "no ring";
        case RingKind::spsc:
            return "an SPSC ring";
        case RingKind::spsc_bytes:
            return "an SPSC byte ring";
        case RingKind::mpmc:
            return "an MPMC ring";
        case RingKind::mpmc_bytes:
            return "an MPMC byte ring";
        case RingKind::broadcast:
            return "a broadcast ring";
        case RingKind::priority:
            return "a priority ring";
        case RingKind::pipe:
            return "a pipe";
        case RingKind::pipe_bytes:
            return "a pipe of bytes";
        case RingKind::tasks:
            return "a joinable queue";
        case RingKind::byte_tasks:
            return "a joinable queue of messages that differ in size";
    }
    return "a ring of a kind this version does not know";
}

[[nodiscard]] bool is_readable(const HeaderCopy& copy, const Room& room, SetupReport& report) noexcept {
    const SegmentHeader& header = copy.fields();
    if (copy.size < sizeof header.magic || header.magic != kMagic) {
        if (header.magic == __builtin_bswap64(kMagic))
            return report.refuse(errc::wrong_layout_version,
                                 "it was made on a machine of the other byte order");
        return report.refuse(errc::not_a_segment, "%" PRIu64 " bytes without the magic number of a segment",
                             room.size);
    }
    if (copy.size < HeaderCopy::kSize || room.size < kHeaderSize)
        return report.refuse(errc::wrong_size, "it is %" PRIu64 " bytes long, its header alone takes %zu",
                             room.size, kHeaderSize);
    if (header.layout_version != kLayoutVersion)
        return report.refuse(errc::wrong_layout_version, "layout %u, this program speaks %u",
                             header.layout_version, kLayoutVersion);
    if (header.header_size != kHeaderSize)
        return report.refuse(errc::corrupt_header, "header size is %u, layout %u has %zu", header.header_size,
                             kLayoutVersion, kHeaderSize);
    const std::uint64_t sum = header_checksum(reinterpret_cast<const std::byte*>(&header));
    if (header.checksum != sum)
        return report.refuse(errc::corrupt_header,
                             "header checksum is %016" PRIx64 ", its fields give %016" PRIx64,
                             header.checksum, sum);
    const std::uint64_t known = is_of_many(header.kind) ? kFeatureEndsWithLastProducer : 0;
    const std::uint64_t unknown = header.required_features & ~known;
    if (unknown != 0)
        return report.refuse(errc::unsupported_feature,
                             "it requires features %#" PRIx64 ", which this version does not know", unknown);
    return true;
}

[[nodiscard]] bool has_its_size(const SegmentHeader& header, const Room& room, SetupReport& report) noexcept {
    if (room.rule == Room::Rule::exactly && header.segment_size != room.size)
        return report.refuse(errc::wrong_size, "the file is %" PRIu64 " bytes long, its header says %" PRIu64,
                             room.size, header.segment_size);
    if (header.segment_size > room.size)
        return report.refuse(errc::memory_too_small,
                             "the memory is %" PRIu64 " bytes long, the segment in it %" PRIu64, room.size,
                             header.segment_size);
    return true;
}

[[nodiscard]] bool is_in_range(const SegmentHeader& header, SetupReport& report) noexcept {
    if (header.participant_count == 0 || header.participant_count > kMaxParticipants)
        return report.refuse(errc::corrupt_header, "participant count is %u, possible is 1 to %u",
                             header.participant_count, kMaxParticipants);
    if (header.capacity == 0 || header.capacity > kMaxCapacity)
        return report.refuse(errc::corrupt_header, "capacity is %" PRIu64 ", possible is 1 to %" PRIu64,
                             header.capacity, kMaxCapacity);
    if (header.liveness_period_ns < kMinLivenessPeriodNs || header.liveness_period_ns > kMaxLivenessPeriodNs)
        return report.refuse(errc::corrupt_header,
                             "liveness period is %" PRIu64 " ns, possible is %" PRIu64 " to %" PRIu64,
                             header.liveness_period_ns, kMinLivenessPeriodNs, kMaxLivenessPeriodNs);
    if (header.liveness_base > kMaxLivenessBase && header.liveness_base != kNoLiveness)
        return report.refuse(errc::corrupt_header, "liveness base is %" PRIu64 ", possible is 0 to %" PRIu64,
                             header.liveness_base, kMaxLivenessBase);
    return true;
}

/// A file on a disk, which caller memory may be, outlives a boot: after a power cut its pages are of different ages, so that a commit
/// word may vouch for a payload that never arrived.
[[nodiscard]] bool is_of_this_boot(const SegmentHeader& header, const Room& room,
                                   SetupReport& report) noexcept {
    constexpr decltype(header.boot_id) kUnknown{};
    if (!room.may_outlive_boots) return true;
    const auto now = platform::process_identity().boot_id;
    if (header.boot_id == now || header.boot_id == kUnknown || now == kUnknown) return true;
    return report.refuse(
        errc::corrupt_header,
        "it was made under another boot id (/proc/sys/kernel/random/boot_id): before this machine's last "
        "boot, so that what it holds may be torn, or in a container with a boot id of its own");
}

/// Where the three sections lie that every ring has, and the leases of those that have tasks; 0 at first.
struct Sections {
    Section participants{};
    Section control{};
    Section data{};
    Section leases{};

    [[nodiscard]] Section* of(SectionKind kind) noexcept {
        switch (kind) {
            case SectionKind::participants:
                return &participants;
            case SectionKind::control:
                return &control;
            case SectionKind::data:
                return &data;
            case SectionKind::leases:
                return &leases;
            default:
                return nullptr;  // an optional feature's: none of ours
        }
    }
};

[[nodiscard]] bool find_sections(const SegmentHeader& header, SetupReport& report, Sections& found) noexcept {
    std::uint64_t end = kHeaderSize;  // of the section before; at most segment_size
    bool ended = false;
    for (unsigned index = 0; index != header.sections.size(); ++index) {
        const Section& section = header.sections[index];
        const bool none = section.kind == SectionKind::none;
        if (none && (section.offset != 0 || section.size != 0))
            return report.refuse(errc::corrupt_header, "section %u has a place but no kind", index);
        if (ended && !none)
            return report.refuse(errc::corrupt_header, "section %u comes behind the last one", index);
        ended = none;
        if (none) continue;

        if (section.offset % kPageSize != 0 || section.offset < end || section.offset > header.segment_size ||
            section.size == 0 || section.size > header.segment_size - section.offset)
            return report.refuse(errc::corrupt_header,
                                 "section %u is %" PRIu64 " bytes at %" PRIu64 ", free is %" PRIu64
                                 " to %" PRIu64,
                                 index, section.size, section.offset, end, header.segment_size);
        end = section.offset + section.size;
        if (Section* place = found.of(section.kind)) {
            if (place->size != 0)
                return report.refuse(errc::corrupt_header, "section %u is there twice", index);
            *place = section;
        }
    }
    if (found.participants.size == 0 || found.control.size == 0 || found.data.size == 0)
        return report.refuse(errc::corrupt_header, "a section for participants, control or data is missing");
    return true;
}

[[nodiscard]] bool is_the_type(const SegmentHeader& header, const SegmentSpec& spec,
                               SetupReport& report) noexcept {
    if (!has_its_schema(spec, report)) return false;
    if (header.kind != spec.kind)
        return report.refuse(errc::wrong_kind, "it holds %s (kind %u), this program asked for %s",
                             kind_name(header.kind), static_cast<unsigned>(header.kind),
                             kind_name(spec.kind));
    if (header.element_size != spec.element_size)
        return report.refuse(errc::wrong_type, "message is %u bytes in the segment, %u in this program",
                             header.element_size, spec.element_size);
    // A byte ring is opened with whatever alignment it was made with.
    const bool any_alignment = spec.element_alignment == 0 && is_record_alignment(header.element_alignment);
    if (header.element_alignment != spec.element_alignment && !any_alignment)
        return report.refuse(errc::wrong_type, "message alignment is %u in the segment, %u in this program",
                             header.element_alignment, spec.element_alignment);
    if (header.type_fingerprint !=
        type_fingerprint(spec.element_size, header.element_alignment, spec.schema)) {
        const std::string_view recorded(header.schema.data(), header.schema.size());
        if (spec.schema_is_an_option && spec.schema.empty())
            return report.refuse(errc::wrong_type,
                                 "message schema is \"%s\" in the segment, this program named none "
                                 "(SegmentOptions::schema)",
                                 Printable{recorded.substr(0, recorded.find('\0'))}.text());
        return report.refuse(
            errc::wrong_type, "message schema is \"%s\" in the segment, \"%s\" in this program",
            Printable{recorded.substr(0, recorded.find('\0'))}.text(), Printable{spec.schema}.text());
    }
    return true;
}

/// Two builds of one layout version that disagree on a constant must not meet.
[[nodiscard]] bool has_our_constants(const SegmentHeader& header, const SegmentSpec& spec,
                                     SetupReport& report) noexcept {
    struct Constant {
        const char* name;
        std::uint64_t ours;
    };
    const std::array<Constant, 5> constants = {{{"cache line", kLineSize},
                                                {"distance of lines", kLineGap},
                                                {"messages per block", spec.block[0]},
                                                {"block stride", spec.block[1]},
                                                {"payload offset", spec.block[2]}}};
    for (std::size_t i = 0; i != constants.size(); ++i) {
        if (header.constants[i] != constants[i].ours)
            return report.refuse(errc::wrong_layout_version,
                                 "%s is %u in the segment, %" PRIu64 " in this program", constants[i].name,
                                 header.constants[i], constants[i].ours);
    }
    const std::uint32_t delivery = header.constants[kDeliveryConstant];
    const auto most_delivery = static_cast<std::uint32_t>(is_of_many(header.kind) ? Delivery::at_least_once
                                                                                  : Delivery::at_most_once);
    // The ring under tasks always delivers again what no pop has returned: the leases rely on it.
    if (delivery > most_delivery || (has_leases(header.kind) && delivery != most_delivery))
        return report.refuse(errc::corrupt_header, "delivery is %u, possible is 0 to %u", delivery,
                             most_delivery);
    if (header.constants[kUnusedConstant] != 0)
        return report.refuse(errc::corrupt_header, "a constant that is not used is %u, not 0",
                             header.constants[kUnusedConstant]);
    const bool has_units = is_of_units(header.kind);
    const std::uint64_t most = has_units ? header.capacity / kLineSize : 0;
    if (header.unit_count > most || (has_units && header.unit_count == 0))
        return report.refuse(errc::corrupt_header,
                             "it has %" PRIu64 " units for messages, possible is %u to %" PRIu64,
                             header.unit_count, has_units ? 1u : 0u, most);
    const std::uint32_t own = header.constants[kKindsOwnConstant];
    if (has_leases(header.kind)) {
        const bool any_size = header.element_size == 0;
        if (any_size ? is_lease_size(own)
                     : own == lease_size_for(0) || own == lease_size_for(header.element_size))
            return true;
        return report.refuse(errc::corrupt_header, "a lease takes %u bytes, which is not possible", own);
    }
    const bool has_shape = (own & kPipe) != 0 && own <= (kPipe | kPipeDuplex | kPipeTethered);
    if (is_pipe(header.kind) ? !has_shape : own != 0)
        return report.refuse(errc::corrupt_header, "the shape of a pipe is %u in %s", own,
                             kind_name(header.kind));
    return true;
}

[[nodiscard]] bool is_as_large_as_asked(const SegmentHeader& header, const Sections& sections,
                                        const SegmentSpec& spec, SetupReport& report) noexcept {
    if (spec.capacity != 0 && header.capacity != spec.capacity)
        return report.refuse(errc::wrong_capacity,
                             "capacity is %" PRIu64 " in the segment, this program asked for %" PRIu64,
                             header.capacity, spec.capacity);
    if (spec.capacity != 0 && header.unit_count != spec.unit_count)
        return report.refuse(errc::wrong_capacity,
                             "it holds %" PRIu64 " messages at most, this program asked for %" PRIu64,
                             header.unit_count, spec.unit_count);
    if (sections.participants.size != header.participant_count * sizeof(Record))
        return report.refuse(
            errc::corrupt_header, "%u participants take %zu bytes, their section has %" PRIu64,
            header.participant_count, header.participant_count * sizeof(Record), sections.participants.size);
    if (sections.control.size != spec.control_size)
        return report.refuse(errc::wrong_layout_version,
                             "control section is %" PRIu64 " bytes in the segment, %" PRIu64
                             " in this program",
                             sections.control.size, spec.control_size);
    const std::uint32_t lease = has_leases(header.kind) ? header.constants[kKindsOwnConstant] : 0;
    const std::uint32_t shape = is_pipe(header.kind) ? header.constants[kKindsOwnConstant] : 0;
    const std::uint64_t leases = leases_size(header.participant_count, lease);
    if (sections.leases.size != leases)
        return report.refuse(errc::corrupt_header,
                             "%u participants take %" PRIu64 " bytes of leases, the section has %" PRIu64,
                             header.participant_count, leases, sections.leases.size);
    if (spec.capacity != 0 && shape != spec.pipe_shape)
        return report.refuse(errc::wrong_type, "the pipe is %s, this program asked for %s",
                             (shape & kPipeDuplex) != 0 ? "duplex" : "one-way",
                             (spec.pipe_shape & kPipeDuplex) != 0 ? "duplex" : "one-way");
    const std::uint64_t expected = data_size_of(spec, header.capacity, shape, header.unit_count);
    if (sections.data.size != expected)
        return report.refuse(errc::corrupt_header,
                             "capacity %" PRIu64 " takes %" PRIu64 " bytes of data, the section has %" PRIu64,
                             header.capacity, expected, sections.data.size);
    return true;
}

}  // namespace

bool check_header(const HeaderCopy& copy, const Room& room, const SegmentSpec& spec, SetupReport& report,
                  SegmentGeometry& geometry) noexcept {
    const SegmentHeader& header = copy.fields();
    Sections sections;
    if (!is_readable(copy, room, report) || !has_its_size(header, room, report) ||
        !is_in_range(header, report) || !find_sections(header, report, sections) ||
        !is_of_this_boot(header, room, report) || !is_the_type(header, spec, report) ||
        !has_our_constants(header, spec, report) || !is_as_large_as_asked(header, sections, spec, report))
        return false;

    geometry.kind = header.kind;
    geometry.participant_count = header.participant_count;
    geometry.segment_size = header.segment_size;
    geometry.capacity = header.capacity;
    geometry.element_size = header.element_size;
    geometry.element_alignment = header.element_alignment;
    geometry.delivery = static_cast<Delivery>(header.constants[kDeliveryConstant]);
    geometry.unit_count = header.unit_count;
    geometry.ends_with_last_producer = (header.required_features & kFeatureEndsWithLastProducer) != 0;
    geometry.pipe_shape = is_pipe(header.kind) ? header.constants[kKindsOwnConstant] : 0;
    geometry.generation = header.generation;
    geometry.liveness_period_ns = header.liveness_period_ns;
    geometry.liveness_base = header.liveness_base;
    geometry.participants_offset = sections.participants.offset;
    geometry.control_offset = sections.control.offset;
    geometry.control_size = sections.control.size;
    geometry.data_offset = sections.data.offset;
    geometry.data_size = sections.data.size;
    geometry.leases_offset = sections.leases.offset;
    geometry.lease_size = has_leases(header.kind) ? header.constants[kKindsOwnConstant] : 0;
    return true;
}

}  // namespace shmring::detail
