// What the lanes of a pipe are made of, found by the compiler: the stream of SpscRing for fixed-size messages, that of ByteRing for
// everything else, each twice in one segment (detail/pipe_layout.hpp). Ends, algorithms and verbs are the rings' own.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>

#include "shmring/byte_ring.hpp"
#include "shmring/detail/pipe_layout.hpp"
#include "shmring/detail/pipe_watch.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/detail/value_calls.hpp"
#include "shmring/message.hpp"
#include "shmring/options.hpp"
#include "shmring/spsc_ring.hpp"

namespace shmring::detail {

/// What an end of a pipe does with the ends of its lanes that nobody else may.
struct PipeAccess {
    template <class Side, Role kRole, class Memory>
    static void enter(StreamEnd<Side, kRole>& end, const std::shared_ptr<Segment>& segment,
                      const Memory& memory, const WaitPolicy& policy, const PipeWatch& watch,
                      SetupError& error) noexcept {
        end.enter(segment, memory, policy, error, watch);
    }
    template <class Side, Role kRole>
    static void renounce(StreamEnd<Side, kRole>& end) noexcept {
        end.end_.renounce();
    }
    template <class Side, Role kRole>
    [[nodiscard]] static bool usable(const StreamEnd<Side, kRole>& end) noexcept {
        return end.end_.usable();
    }
    template <class Side, Role kRole>
    [[nodiscard]] static Status peek(StreamEnd<Side, kRole>& end) noexcept {
        return end.peek();
    }
    template <class Side, Role kRole>
    [[nodiscard]] static Result<void> await_peer(StreamEnd<Side, kRole>& end, std::uint64_t deadline_ns,
                                                 const std::stop_token& stop) noexcept {
        return end.await_peer_by(deadline_ns, stop);
    }
    template <class Side, Role kRole>
    [[nodiscard]] static Status await_readable(StreamEnd<Side, kRole>& end, std::uint64_t deadline_ns,
                                               const std::stop_token& stop) noexcept {
        return end.await_readable(deadline_ns, stop);
    }
    template <class Side, Role kRole>
    static void examine(StreamEnd<Side, kRole>& end) noexcept {
        if (end.end_.usable()) end.end_.examine_peer();
    }
};

/// Turns the spec of a ring into that of a pipe.
[[nodiscard]] SegmentSpec pipe_spec(SegmentSpec lane, RingKind kind, const PipeOptions& options) noexcept;
[[nodiscard]] SegmentSpec byte_pipe_spec(const PipeOptions& options) noexcept;
/// Of values whose type has this schema, so that no option names one.
[[nodiscard]] SegmentSpec byte_pipe_spec(const PipeOptions& options, std::string_view type_schema) noexcept;

[[nodiscard]] inline SpscControl<ShippedEnv>& lane_control(const Segment& segment, PipeSide to) noexcept {
    auto* control = reinterpret_cast<PipeControl<ShippedEnv>*>(segment.at(segment.geometry().control_offset));
    return control->lane_to(to);
}
[[nodiscard]] inline std::byte* lane_data(const Segment& segment, PipeSide to) noexcept {
    const SegmentGeometry& geometry = segment.geometry();
    return segment.at(geometry.data_offset + (to == PipeSide::second ? geometry.data_size / 2 : 0));
}

/// Messages of type T.
template <class T>
struct FixedPipeLane : FixedCalls<T> {
    using Producer = SpscRingProducer<T>;
    using Consumer = SpscRingConsumer<T>;

    [[nodiscard]] static SegmentSpec spec(const PipeOptions& options) noexcept {
        return pipe_spec(SpscRing<T>::spec({.capacity = options.capacity}), RingKind::pipe, options);
    }
    [[nodiscard]] static SpscMemory<ShippedEnv> memory(const Segment& segment, PipeSide to) noexcept {
        const std::uint64_t capacity = segment.geometry().capacity;
        return {&lane_control(segment, to), lane_data(segment, to), capacity,
                BlockShape::of(sizeof(T), alignof(T)).block_count(capacity)};
    }
};

/// Bytes.
struct BytePipeLane {
    using Producer = ByteRingProducer;
    using Consumer = ByteRingConsumer;

    [[nodiscard]] static SegmentSpec spec(const PipeOptions& options) noexcept {
        return byte_pipe_spec(options);
    }
    [[nodiscard]] static ByteMemory<ShippedEnv> memory(const Segment& segment, PipeSide to) noexcept {
        return ByteMemory<ShippedEnv>::in_section(lane_control(segment, to), lane_data(segment, to),
                                                  segment.geometry().capacity,
                                                  segment.geometry().element_alignment);
    }
};

/// Values of type T, as their Codec writes them.
template <class T>
struct CodecPipeLane : CodecCalls<T>, BytePipeLane {
    [[nodiscard]] static SegmentSpec spec(const PipeOptions& options) noexcept {
        return byte_pipe_spec(options, schema<T>);
    }
};

template <class T>
struct PipeLaneOf {
    using type = CodecPipeLane<T>;
};
template <Message T>
struct PipeLaneOf<T> {
    using type = FixedPipeLane<T>;
};

}  // namespace shmring::detail
