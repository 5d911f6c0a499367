// The header of a segment as bytes: planned, written, and checked field by field. Pure functions: no file, no mapping.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "shmring/detail/layout.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/detail/setup_report.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// A header read once into private memory, where no peer can change it between check and use.
class HeaderCopy {
 public:
    /// All that has to be known before a segment is mapped: everything but the user's metadata.
    static constexpr std::size_t kSize = offsetof(SegmentHeader, user_metadata);

    [[nodiscard]] std::byte* data() noexcept { return bytes_.data(); }
    [[nodiscard]] const SegmentHeader& fields() const noexcept {
        return *reinterpret_cast<const SegmentHeader*>(bytes_.data());
    }
    /// How much of it was there to be read.
    std::size_t size = 0;

 private:
    alignas(SegmentHeader) std::array<std::byte, sizeof(SegmentHeader)> bytes_{};
};

/// What a header must agree with besides itself and the spec: how much memory there is.
struct Room {
    enum class Rule { exactly, at_most };  // a file is as long as its segment; caller memory may be longer
    std::uint64_t size = 0;
    Rule rule = Rule::exactly;
    bool may_outlive_boots =
        true;  // not where the memory ends with the machine's boot: a boot id says nothing there
};

/// What a header records and only its maker knows.
struct Origin {
    std::uint32_t user_id = 0;
    platform::FileIdentity liveness_file{};  // zeros: the segment's own file
};

/// Whether no schema was named where none is asked for.
[[nodiscard]] bool has_its_schema(const SegmentSpec& spec, SetupReport& report) noexcept;
/// Lays out a new segment, or refuses a spec that is out of range. Generation and liveness base are those of a segment that
/// has its own file, ready to be written.
[[nodiscard]] bool plan_segment(const SegmentSpec& spec, SetupReport& report,
                                SegmentGeometry& geometry) noexcept;

/// Writes a header into zeroed memory. The magic number comes last, with release order: whoever sees it sees the rest.
void write_header(std::byte* segment, const SegmentSpec& spec, const SegmentGeometry& geometry,
                  const Origin& origin) noexcept;

/// Copies the header out of memory that others may be writing to.
void copy_header(const std::byte* segment, HeaderCopy& copy) noexcept;

/// Takes the geometry out of a header after checking every field against the others, the room and the spec.
[[nodiscard]] bool check_header(const HeaderCopy& copy, const Room& room, const SegmentSpec& spec,
                                SetupReport& report, SegmentGeometry& geometry) noexcept;

/// Bytes of the data section for a capacity; 0 when they are more than a segment can have. The lanes of a pipe start on pages, and
/// a byte ring of many has a slot for each of its units before them.
[[nodiscard]] std::uint64_t data_size_of(const SegmentSpec& spec, std::uint64_t capacity,
                                         std::uint32_t pipe_shape = 0, std::uint64_t unit_count = 0) noexcept;

[[nodiscard]] std::uint64_t header_checksum(const std::byte* header) noexcept;

}  // namespace shmring::detail
