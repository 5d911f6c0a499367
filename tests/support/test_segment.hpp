// A small ring's worth of a segment, for tests of segments that need no ring.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/segment.hpp"

namespace shmring::test {

/// Three messages of 16 bytes to a block of 64; 16 participants, so that header, participants and control take a page each.
[[nodiscard]] inline detail::SegmentSpec test_spec(std::uint64_t capacity = 96) {
    detail::SegmentSpec spec;
    spec.kind = detail::RingKind::spsc;
    spec.capacity = capacity;
    spec.element_size = 16;
    spec.element_alignment = 8;
    spec.schema = "Test/1";
    spec.participants = 16;
    spec.block = {3, 64, 16};
    spec.control_size = 640;
    spec.data_size_for = [](std::uint64_t messages) noexcept { return (messages + 4) / 3 * 64; };
    return spec;
}

/// The same spec as an opener gives it: whatever capacity is there.
[[nodiscard]] inline detail::SegmentSpec opening_spec() { return test_spec(0); }

/// What a set-up call gave: the segment, and what it said about it.
struct Outcome {
    Segment segment;
    detail::SetupError error;

    [[nodiscard]] std::string text() const { return error.text; }
    friend std::ostream& operator<<(std::ostream& out, const Outcome& outcome) {
        if (!outcome.error.code) return out << "success";
        return out << outcome.error.code << ", " << outcome.error.text;
    }
};

[[nodiscard]] inline Outcome create(std::string_view name, const detail::SegmentSpec& spec = test_spec(),
                                    const SegmentOptions& options = {}) {
    Outcome outcome;
    outcome.segment = Segment::create(name, spec, options, outcome.error);
    return outcome;
}
[[nodiscard]] inline Outcome open(std::string_view name, const detail::SegmentSpec& spec = opening_spec(),
                                  const SegmentOptions& options = {}) {
    Outcome outcome;
    outcome.segment = Segment::open(name, spec, options, outcome.error);
    return outcome;
}
[[nodiscard]] inline Outcome open_or_create(std::string_view name,
                                            const detail::SegmentSpec& spec = test_spec(),
                                            const SegmentOptions& options = {}) {
    Outcome outcome;
    outcome.segment = Segment::open_or_create(name, spec, options, outcome.error);
    return outcome;
}
[[nodiscard]] inline Outcome anonymous(const detail::SegmentSpec& spec = test_spec(),
                                       const SegmentOptions& options = {}) {
    Outcome outcome;
    outcome.segment = Segment::anonymous(spec, options, outcome.error);
    return outcome;
}
[[nodiscard]] inline Outcome from_descriptor(int descriptor, const detail::SegmentSpec& spec = opening_spec(),
                                             const SegmentOptions& options = {}) {
    Outcome outcome;
    outcome.segment = Segment::from_descriptor(descriptor, spec, options, outcome.error);
    return outcome;
}

}  // namespace shmring::test
