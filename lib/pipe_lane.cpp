// What a pipe asks of its segment.
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
    lane.pipe_shape = options.duplex ? kPipe | kPipeDuplex : kPipe;
    return lane;
}

SegmentSpec byte_pipe_spec(const PipeOptions& options, std::string_view schema) noexcept {
    return pipe_spec(ByteRing::spec({.capacity_bytes = options.capacity_bytes, .schema = schema}),
                     RingKind::pipe_bytes, options);
}

}  // namespace shmring::detail
