// What a pipe asks of its segment.
// SPDX-License-Identifier: MIT
#include "shmring/detail/pipe_lane.hpp"

namespace shmring::detail {

namespace {

/// Two ends with two seats each; the rest of their page is for those who come too many, and are told so.
constexpr std::uint32_t kPipeParticipants = 16;

}  // namespace

SegmentSpec pipe_spec(SegmentSpec lane, RingKind kind, const PipeOptions& options) noexcept {
    lane.kind = kind;
    lane.participants = kPipeParticipants;
    lane.liveness_period_ns = static_cast<std::uint64_t>(options.liveness_period.count());
    lane.control_size = sizeof(PipeControl<ShippedEnv>);
    lane.has_misplaced_schema = !lane.schema_is_an_option && !options.schema.empty();
    lane.pipe_shape = options.duplex ? kPipe | kPipeDuplex : kPipe;
    return lane;
}

SegmentSpec byte_pipe_spec(const PipeOptions& options) noexcept {
    return pipe_spec(ByteRing::spec({.capacity_bytes = options.capacity_bytes, .schema = options.schema}),
                     RingKind::pipe_bytes, options);
}

SegmentSpec byte_pipe_spec(const PipeOptions& options, std::string_view type_schema) noexcept {
    SegmentSpec lane = ByteRing::spec({.capacity_bytes = options.capacity_bytes, .schema = type_schema});
    lane.schema_is_an_option = false;
    return pipe_spec(lane, RingKind::pipe_bytes, options);
}

}  // namespace shmring::detail
