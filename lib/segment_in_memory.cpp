// Segments in memory that the caller provides: managed segments of Boost.Interprocess, huge pages, files on a disk.
// SPDX-License-Identifier: MIT

#include <atomic>
#include <cstring>

#include "shmring/detail/segment_builder.hpp"
#include "shmring/detail/segment_file.hpp"
#include "shmring/detail/segment_header.hpp"
#include "shmring/detail/setup_report.hpp"
#include "shmring/segment.hpp"

namespace shmring {

using namespace detail;

namespace {

/// Deaths are told by locks of one file, or not at all; a process that looked elsewhere would take the living for dead.
[[nodiscard]] bool same_liveness(const SegmentHeader& header, const SegmentGeometry& geometry,
                                 const SegmentOptions& options, const platform::FileIdentity& file,
                                 SetupReport& report) noexcept {
    const bool recorded = geometry.liveness_base != kNoLiveness;
    if (recorded != (options.liveness_descriptor >= 0))
        return report.refuse(errc::bad_option, "it was made %s a liveness descriptor, and is opened %s one",
                             recorded ? "with" : "without", recorded ? "without" : "with");
    const platform::FileIdentity expected{header.liveness_file[0], header.liveness_file[1]};
    if (recorded && expected != file)
        return report.refuse(errc::bad_option,
                             "the liveness descriptor is another file than the one it was made with");
    return true;
}

[[nodiscard]] bool check_memory(std::span<std::byte> memory, std::uint64_t needed,
                                SetupReport& report) noexcept {
    if (reinterpret_cast<std::uintptr_t>(memory.data()) % kPageSize != 0)
        return report.refuse(
            errc::memory_misaligned, "the memory starts %zu bytes behind a page boundary",
            static_cast<std::size_t>(reinterpret_cast<std::uintptr_t>(memory.data()) % kPageSize));
    if (memory.data() == nullptr || memory.size() < needed)
        return report.refuse(errc::memory_too_small, "the memory is %zu bytes long, needed are %zu",
                             memory.size(), static_cast<std::size_t>(needed));
    return true;
}

}  // namespace

Segment Segment::create_in(std::span<std::byte> memory, const SegmentSpec& spec,
                           const SegmentOptions& options, SetupError& error) noexcept {
    SetupReport report(error, "create in provided memory");
    SegmentGeometry geometry;
    if (!plan_segment(spec, report, geometry) || !check_memory(memory, geometry.segment_size, report))
        return {};
    if (options.liveness_offset > kMaxLivenessBase) {
        (void)report.refuse(errc::bad_option, "the liveness offset is beyond what a lock can name");
        return {};
    }
    Bells bells;
    if (!prepare_bells(options, spec.pipe_shape, bells, report)) return {};
    Descriptor liveness;
    Origin origin{.user_id = effective_user()};
    geometry.liveness_base = options.liveness_descriptor >= 0 ? options.liveness_offset : kNoLiveness;
    if (options.liveness_descriptor >= 0) {
        liveness = adopt_liveness_descriptor(options.liveness_descriptor, origin.liveness_file, report);
        if (!liveness) return {};
    }
    // There is no name to hide behind: while the magic number is missing, open_in() refuses, also over an older ring.
    auto& magic = *reinterpret_cast<std::uint64_t*>(memory.data());
    std::atomic_ref(magic).store(
        0, relaxed);  // unordered: who reads half of an older header finds its checksum wrong
    memory = memory.first(static_cast<std::size_t>(geometry.segment_size));
    std::memset(memory.data() + sizeof magic, 0, memory.size() - sizeof magic);
    write_header(memory.data(), spec, geometry, origin);
    Segment segment = SegmentBuilder::of_memory(memory, geometry, options);
    if (liveness) SegmentBuilder::give_descriptor(segment, liveness);
    SegmentBuilder::give_bells(segment, bells);
    return segment;
}

Segment Segment::open_in(std::span<std::byte> memory, const SegmentSpec& spec, const SegmentOptions& options,
                         SetupError& error) noexcept {
    SetupReport report(error, "open in provided memory");
    if (!check_memory(memory, kHeaderSize, report)) return {};
    HeaderCopy header;
    copy_header(memory.data(), header);
    SegmentGeometry geometry;
    if (!check_header(header, {memory.size(), Room::Rule::at_most}, spec, report, geometry)) return {};
    Bells bells;
    if (!check_joining_options(options, report) ||
        !prepare_bells(options, geometry.pipe_shape, bells, report))
        return {};
    Descriptor liveness;
    platform::FileIdentity file;
    if (options.liveness_descriptor >= 0) {
        liveness = adopt_liveness_descriptor(options.liveness_descriptor, file, report);
        if (!liveness) return {};
    }
    if (!same_liveness(header.fields(), geometry, options, file, report)) return {};
    memory = memory.first(static_cast<std::size_t>(geometry.segment_size));
    Segment segment = SegmentBuilder::of_memory(memory, geometry, options);
    if (liveness) SegmentBuilder::give_descriptor(segment, liveness);
    SegmentBuilder::give_bells(segment, bells);
    return segment;
}

}  // namespace shmring
