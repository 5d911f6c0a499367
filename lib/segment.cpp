// Segments with a file of their own: how file, header and mapping come together, one function per way to get one.
// Segments in memory that the caller provides: segment_in_memory.cpp.
// SPDX-License-Identifier: MIT

#include "shmring/segment.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "shmring/detail/segment_builder.hpp"
#include "shmring/detail/segment_file.hpp"
#include "shmring/detail/segment_header.hpp"
#include "shmring/detail/segment_memory.hpp"
#include "shmring/detail/setup_report.hpp"

namespace shmring {

using namespace detail;

namespace {

[[nodiscard]] bool check_options(const SegmentOptions& options, SetupReport& report) noexcept {
    if (options.mode > 0777 || (options.mode & 0600) != 0600)
        return report.refuse(errc::bad_option,
                             "mode is %#o, it must be 0600 to 0777 and let the owner read and write",
                             options.mode);
    if (options.liveness_descriptor >= 0)
        return report.refuse(errc::bad_option,
                             "a liveness descriptor is for caller-provided memory: this has a file");
    return true;
}

[[nodiscard]] bool check_named_options(const SegmentOptions& options, SetupReport& report) noexcept {
    if (options.bell || options.bell_descriptor >= 0 || options.second_bell_descriptor >= 0)
        return report.refuse(errc::bad_option,
                             "a bell is for rings without a name: this has a FIFO beside it when asked");
    return check_options(options, report);
}

[[nodiscard]] bool check_name(std::string_view name, std::string_view& plain, SetupReport& report) noexcept {
    plain = plain_name(name);
    if (!plain.empty()) return true;
    return report.refuse(errc::bad_name,
                         "a name is one path component of 1 to %zu bytes, with an optional leading '/'",
                         kMaxNameSize);
}

[[nodiscard]] Segment create_named(std::string_view plain, const SegmentSpec& spec,
                                   const SegmentOptions& options, SetupReport& report) noexcept {
    SegmentGeometry geometry;
    if (!plan_segment(spec, report, geometry)) return {};
    if (name_is_taken(plain)) {  // before memory is allocated for nothing
        (void)report.refuse_errno(static_cast<int>(std::errc::file_exists),
                                  "the name is taken; open it, or remove it first");
        return {};
    }
    Descriptor file = make_unnamed_file(geometry.segment_size, options.mode, report);
    Mapping mapping;
    if (!file || !mapping.map(file.number(), geometry.segment_size, options.huge_pages, report)) return {};
    write_header(mapping.data(), spec, geometry, {.user_id = effective_user()});
    if (!publish(file, plain, report)) return {};
    return SegmentBuilder::of_file(file, mapping, geometry, options, plain);
}

/// Header, mapping: what opening a file ends with, wherever it came from.
[[nodiscard]] Segment join_file(Descriptor& file, std::uint64_t size, const SegmentSpec& spec,
                                const SegmentOptions& options, std::string_view plain,
                                SetupReport& report) noexcept {
    HeaderCopy header;
    read_header(file, header);
    SegmentGeometry geometry;
    if (!check_header(header, {size, Room::Rule::exactly, may_outlive_boots(file)}, spec, report, geometry))
        return {};
    if (!plain.empty() && header.fields().retired.load(relaxed) != 0) {  // our own copy
        (void)refuse_retired(file, report);
        return {};
    }
    Mapping mapping;
    if (!mapping.map(file.number(), size, options.huge_pages, report)) return {};
    return SegmentBuilder::of_file(file, mapping, geometry, options, plain);
}

[[nodiscard]] Segment open_named(std::string_view plain, const SegmentSpec& spec,
                                 const SegmentOptions& options, SetupReport& report) noexcept {
    std::uint64_t size = 0;
    Descriptor file = open_named_file(plain, options, size, report);
    return file ? join_file(file, size, spec, options, plain, report) : Segment{};
}

}  // namespace

Segment Segment::create(std::string_view name, const SegmentSpec& spec, const SegmentOptions& options,
                        SetupError& error) noexcept {
    SetupReport report(error, "create", name);
    std::string_view plain;
    if (!check_name(name, plain, report) || !check_named_options(options, report)) return {};
    return create_named(plain, spec, options, report);
}

Segment Segment::open(std::string_view name, const SegmentSpec& spec, const SegmentOptions& options,
                      SetupError& error) noexcept {
    SetupReport report(error, "open", name);
    std::string_view plain;
    if (!check_name(name, plain, report) || !check_named_options(options, report)) return {};
    return open_named(plain, spec, options, report);
}

Segment Segment::open_or_create(std::string_view name, const SegmentSpec& spec, const SegmentOptions& options,
                                SetupError& error) noexcept {
    constexpr int kAttempts =
        100;  // names that come and go: each attempt lost means that another one's was won
    constexpr int kPatience =
        8;  // /dev/shm full: another creator's copy may go in a moment, or become the ring
    SetupReport report(error, "open or create", name);
    std::string_view plain;
    if (!check_name(name, plain, report) || !check_named_options(options, report)) return {};

    SegmentGeometry unused;
    if (!plan_segment(spec, report, unused))
        return {};  // also where there is one already: its capacity is compared

    int times_full = 0;
    for (int attempt = 0; attempt != kAttempts; ++attempt) {
        report.clear();
        Segment segment = open_named(plain, spec, options, report);
        if (report.code() != std::errc::no_such_file_or_directory) return segment;
        report.clear();
        segment = create_named(plain, spec, options, report);
        if (report.code() == std::errc::no_space_on_device && times_full != kPatience)
            std::this_thread::sleep_for(std::chrono::milliseconds(1 << times_full++));
        else if (report.code() != std::errc::file_exists)
            return segment;
    }
    (void)report.refuse_errno(static_cast<int>(std::errc::resource_unavailable_try_again),
                              "the name was made and removed by others %d times meanwhile", kAttempts);
    return {};
}

Segment Segment::anonymous(const SegmentSpec& spec, const SegmentOptions& options,
                           SetupError& error) noexcept {
    SetupReport report(error, "create an anonymous segment");
    SegmentGeometry geometry;
    if (!check_options(options, report) || !plan_segment(spec, report, geometry)) return {};
    Descriptor file = make_memfd(geometry.segment_size, report);
    Mapping mapping;
    if (!file || !mapping.map(file.number(), geometry.segment_size, options.huge_pages, report)) return {};
    Bells bells;
    if (!prepare_bells(options, spec.pipe_shape, bells, report)) return {};
    write_header(mapping.data(), spec, geometry, {.user_id = effective_user()});
    if (!seal(file, report)) return {};
    Segment segment = SegmentBuilder::of_file(file, mapping, geometry, options, {});
    SegmentBuilder::give_bells(segment, bells);
    return segment;
}

Segment Segment::from_descriptor(int descriptor, const SegmentSpec& spec, const SegmentOptions& options,
                                 SetupError& error) noexcept {
    SetupReport report(error, "open a descriptor");
    std::uint64_t size = 0;
    Bells bells;
    if (!check_options(options, report) || !check_joining_options(options, report)) return {};
    Descriptor file = adopt_descriptor(descriptor, options, size, report);
    if (!file) return {};
    Segment segment = join_file(file, size, spec, options, {}, report);
    if (!segment || !prepare_bells(options, segment.geometry().pipe_shape, bells, report)) return {};
    SegmentBuilder::give_bells(segment, bells);
    return segment;
}

std::error_code Segment::remove(std::string_view name) noexcept {
    const std::string_view plain = plain_name(name);
    return plain.empty() ? make_error_code(errc::bad_name) : remove_named_file(plain);
}

std::uint64_t Segment::required_size(const SegmentSpec& spec) noexcept {
    SetupError unused;
    SetupReport report(unused, "plan");
    SegmentGeometry geometry;
    return plan_segment(spec, report, geometry) ? geometry.segment_size : 0;
}

Segment::Segment(Segment&& other) noexcept { *this = std::move(other); }

Segment& Segment::operator=(Segment&& other) noexcept {
    if (this == &other) return *this;
    let_go();
    base_ = std::exchange(other.base_, nullptr);
    descriptor_ = std::exchange(other.descriptor_, -1);
    bells_ = std::exchange(other.bells_, {-1, -1});
    bell_files_ = std::exchange(other.bell_files_, {});
    owns_mapping_ = std::exchange(other.owns_mapping_, false);
    had_name_ = std::exchange(other.had_name_, false);
    folder_ = other.folder_;
    file_ = std::exchange(other.file_, {});
    geometry_ = std::exchange(other.geometry_, {});
    grants_ = std::exchange(other.grants_, {});
    name_buffer_ = std::exchange(other.name_buffer_, {});
    return *this;
}

Segment::~Segment() { let_go(); }

void Segment::let_go() noexcept {
    if (owns_mapping_) unmap(base_, geometry_.segment_size);
    close_if_still(descriptor_, file_);
    for (std::size_t lane = 0; lane != bells_.size(); ++lane) close_if_still(bells_[lane], bell_files_[lane]);
}

bool Segment::crash_recovery() const noexcept {
    if (descriptor_ < 0) return false;
    const std::uint64_t any = geometry_.liveness_base;
    return platform::probe_lock(descriptor_, file_, any) != platform::LockState::unknown;
}

SegmentHeader& Segment::header() const noexcept { return *reinterpret_cast<SegmentHeader*>(base_); }

std::span<std::byte, 64> Segment::user_metadata() const noexcept { return header().user_metadata; }

bool Segment::retired() const noexcept {
    if (base_ == nullptr) return false;
    const bool marked = header().retired.load(relaxed) != 0;  // a mark: nothing is published by it
    return marked || (had_name_ && has_lost_its_name(descriptor_, file_, name(), folder_));
}

}  // namespace shmring
