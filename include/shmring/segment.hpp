// Segment: one piece of shared memory with a checked header. Made by name, anonymous, or in memory the caller provides.
// Rings stand on it; users meet it for metadata, removal and for what was granted.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <system_error>

#include "shmring/detail/layout.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/result.hpp"

namespace shmring {

/// How a segment is made and mapped. What is asked and not granted is reported by Segment::grants(), never fatal.
struct SegmentOptions {
    /// Permission bits of a named segment, exactly, whatever the umask. Opening: the most it may have, reading included,
    /// because who can read a segment can also hold locks on it and so spoil the proof of who is alive.
    unsigned mode = 0600;
    std::optional<unsigned> trusted_owner{};  ///< opening: a user id that may own it beside our effective one
    /// Opening a ByteRing, MpmcByteRing or BytePipe that was made with a schema: that schema. Other rings have their type's.
    std::string_view schema{};
    bool prefault = true;      ///< touch every page now, so that the data path takes no page fault
    bool lock_memory = false;  ///< mlock: never swapped
    bool huge_pages =
        false;  ///< transparent huge pages, now: granted only where the kernel (6.1 on) really made them
    /// Caller-provided memory only: a regular file whose bytes serve as liveness locks (duplicated; the caller keeps its
    /// own and never locks through it), and on creation the first of those bytes. The same file in every process; without
    /// one the ring has no crash recovery.
    int liveness_descriptor = -1;
    std::uint64_t liveness_offset = 0;
    /// What Consumer::readable_fd() needs where there is no name: an eventfd, made on creation if asked (`bell`), inherited by
    /// forked children, and given to everybody else by descriptor passing beside the segment (Segment::bell_descriptor(), then
    /// `bell_descriptor` here, duplicated). Named rings need neither: theirs is a FIFO, made when it is first asked for.
    bool bell = false;
    int bell_descriptor = -1;
    int second_bell_descriptor =
        -1;  ///< of a duplex pipe, whose `bell` makes two: Segment::bell_descriptor(1)
};

/// What the kernel granted: an empty error_code for what was done or not asked for.
struct SegmentGrants {
    std::error_code prefault{};
    std::error_code lock_memory{};
    std::error_code huge_pages{};
};

namespace detail {

/// Why set-up failed: the code, and a sentence that says what, on which name, expected, found. Fits the stack.
struct SetupError {
    std::error_code code{};
    char text[512] = {};  // a name may take 250 of them
};
/// Throws a std::system_error with this code, whose what() is this text and nothing else.
[[noreturn]] void throw_setup_error(const SetupError& error);

/// What a ring wants of its segment: the fields it writes on creation and compares on opening.
struct SegmentSpec {
    RingKind kind = RingKind::none;
    std::uint64_t capacity = 0;  ///< opening: 0 = whatever it has; open_or_create: compared
    std::uint32_t element_size = 0;
    std::uint32_t element_alignment = 0;
    std::string_view schema{};
    bool schema_is_an_option = false;   ///< no type says what the bytes mean: who opens the ring names it
    bool has_misplaced_schema = false;  ///< one was named where none is asked for: refused
    std::uint32_t participants = kDefaultParticipants;
    std::uint64_t liveness_period_ns = kDefaultLivenessPeriodNs;
    std::array<std::uint32_t, 3> block{};        ///< messages per block, block stride, payload offset
    Delivery delivery = Delivery::at_most_once;  ///< opening: whatever it has
    std::uint64_t unit_count = 0;                ///< of a byte ring of many; opening: whatever it has
    bool ends_with_last_producer = false;        ///< opening: whatever it has
    std::uint32_t pipe_shape = 0;                ///< kPipe bits; opening: whatever it has
    std::uint64_t least_capacity = 1;
    std::uint64_t lease_size =
        0;  ///< bytes per participant, where the kind has leases; opening: whatever it has
    std::uint64_t control_size = 0;
    /// Bytes of the data section for a capacity: on opening that is the one found, so the check needs the rule, not a number.
    /// The slots of units, `block` says how large each is, come on top.
    /// Asked only about capacities whose blocks stay under kMaxSegmentSize, so that it cannot overflow.
    std::uint64_t (*data_size_for)(std::uint64_t capacity) noexcept = nullptr;
};

[[nodiscard]] std::uint64_t type_fingerprint(std::uint32_t size, std::uint32_t alignment,
                                             std::string_view schema) noexcept;

}  // namespace detail

/// The private, checked copy of a header's geometry: what a peer writes into the header later changes nothing here.
struct SegmentGeometry {
    detail::RingKind kind = detail::RingKind::none;
    std::uint32_t participant_count = 0;
    std::uint64_t segment_size = 0;
    std::uint64_t capacity = 0;
    std::uint32_t element_size = 0;
    std::uint32_t element_alignment = 0;
    Delivery delivery = Delivery::at_most_once;
    std::uint64_t unit_count = 0;  ///< of a byte ring of many
    bool ends_with_last_producer = false;
    std::uint32_t pipe_shape = 0;
    std::uint64_t generation = 0;
    std::uint64_t liveness_period_ns = 0;
    std::uint64_t liveness_base = 0;  ///< detail::kNoLiveness: deaths cannot be noticed
    std::uint64_t participants_offset = 0;
    std::uint64_t control_offset = 0;
    std::uint64_t control_size = 0;
    std::uint64_t data_offset = 0;
    std::uint64_t data_size = 0;
    std::uint64_t leases_offset = 0;
    std::uint64_t lease_size = 0;  ///< bytes per participant; 0: there are none

    friend bool operator==(const SegmentGeometry&, const SegmentGeometry&) = default;
};

/// Move-only owner of a mapping. Thread-safe to read; set-up calls are for one thread at a time. Usable in a forked child
/// (the mapping is inherited). The destructor unmaps and never removes the name: that is remove().
/// All set-up calls are noexcept and report through SetupError; the rings turn it into exceptions or error codes.
class Segment {
 public:
    Segment() noexcept = default;
    Segment(Segment&& other) noexcept;
    Segment& operator=(Segment&& other) noexcept;
    ~Segment();

    /// A new name; std::errc::file_exists when it is taken. The name appears complete or not at all.
    static Segment create(std::string_view name, const detail::SegmentSpec& spec,
                          const SegmentOptions& options, detail::SetupError& error) noexcept;
    /// An existing name, checked field by field before use.
    static Segment open(std::string_view name, const detail::SegmentSpec& spec, const SegmentOptions& options,
                        detail::SetupError& error) noexcept;
    /// Whichever comes first, also when many processes try at once. An existing ring must have the asked capacity.
    static Segment open_or_create(std::string_view name, const detail::SegmentSpec& spec,
                                  const SegmentOptions& options, detail::SetupError& error) noexcept;
    /// A sealed memfd without a name: for fork, and for passing descriptor() to another process.
    static Segment anonymous(const detail::SegmentSpec& spec, const SegmentOptions& options,
                             detail::SetupError& error) noexcept;
    /// A descriptor received from another process (duplicated; the caller keeps its own). A memfd must be sealed; a file
    /// with a name is checked as open() does.
    static Segment from_descriptor(int descriptor, const detail::SegmentSpec& spec,
                                   const SegmentOptions& options, detail::SetupError& error) noexcept;
    /// Formats a segment in memory that is shared already (page-aligned; needed: required_size()), whatever it held before.
    /// The caller keeps it mapped as long as the segment is used.
    static Segment create_in(std::span<std::byte> memory, const detail::SegmentSpec& spec,
                             const SegmentOptions& options, detail::SetupError& error) noexcept;
    /// Joins a segment that create_in() made in this memory; errc::not_a_segment while it is not finished.
    static Segment open_in(std::span<std::byte> memory, const detail::SegmentSpec& spec,
                           const SegmentOptions& options, detail::SetupError& error) noexcept;

    /// Deletes the name, also of what is no valid segment as long as it is a regular file of ours, and marks the ring retired
    /// for those who still have it mapped. Empty: done. no_such_file_or_directory: there is none, or another removed it first.
    /// resource_unavailable_try_again: another one is at it, and has been stopped in the middle of it for a second.
    static std::error_code remove(std::string_view name) noexcept;
    /// Bytes that a segment of this spec takes; 0 when there can be none.
    [[nodiscard]] static std::uint64_t required_size(const detail::SegmentSpec& spec) noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return base_ != nullptr; }
    [[nodiscard]] const SegmentGeometry& geometry() const noexcept { return geometry_; }
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return {base_, geometry_.segment_size}; }
    [[nodiscard]] std::byte* at(std::uint64_t offset) const noexcept { return base_ + offset; }
    [[nodiscard]] detail::SegmentHeader& header() const noexcept;
    /// The open descriptor (never locked through, so it serves as the probe for liveness), or a duplicate of the liveness
    /// descriptor of caller-provided memory, or -1.
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    /// Which file descriptor() was when we opened it: the application may have closed and reused the number since.
    [[nodiscard]] const detail::platform::FileIdentity& file_identity() const noexcept { return file_; }
    /// The eventfd that wakes readable_fd() of a ring without a name, to be passed on; -1: there is none. A duplex pipe has one
    /// for each lane: 0 wakes its first end, 1 its second.
    [[nodiscard]] int bell_descriptor(std::size_t lane = 0) const noexcept { return bells_[lane]; }
    /// Whether this process can notice deaths of participants now; a few system calls. False: caller memory without a liveness
    /// descriptor; or our descriptor was closed, or a sandbox has come to refuse the questions (fcntl, fstat): then waits behind a death
    /// end by other means only, such as close().
    [[nodiscard]] bool crash_recovery() const noexcept;
    /// 64 bytes of the application's own, zero at first. The library never reads them; access is the caller's to order.
    [[nodiscard]] std::span<std::byte, 64> user_metadata() const noexcept;
    /// The name leads here no more: removed by remove(), deleted or moved by whatever does that to files (rm, mv, a clean-up at logout),
    /// or another's by now. What is still in the ring can be used by those who have it, but newcomers will not find it. No call on a
    /// ring tells this by itself: ask now and then where that may happen. Some microseconds, unless it was remove(). Of segments that had a
    /// name when we joined; who joined by from_descriptor() knows no name, and hears only that the file has none left.
    [[nodiscard]] bool retired() const noexcept;
    /// The name without the leading '/', empty for the others.
    [[nodiscard]] std::string_view name() const noexcept { return name_buffer_.data(); }
    [[nodiscard]] const SegmentGrants& grants() const noexcept { return grants_; }

 private:
    friend class SegmentBuilder;
    void let_go() noexcept;

    std::byte* base_ = nullptr;
    int descriptor_ = -1;
    std::array<int, 2> bells_{-1, -1};
    bool owns_mapping_ = false;
    bool had_name_ = false;                    // when we joined; a memfd has none
    detail::platform::FileIdentity folder_{};  // where its name was then
    detail::platform::FileIdentity
        file_{};  // what descriptor_ is: the application may close and reuse the number
    std::array<detail::platform::FileIdentity, 2> bell_files_{};  // the same for bells_
    SegmentGeometry geometry_{};
    SegmentGrants grants_{};
    std::array<char, 252> name_buffer_{};
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
