// Which ring a queue of T runs on, found by the compiler: fixed-size messages as they are, everything else by its Codec. Both lanes
// have the same calls, so that the queue has one body.
#pragma once

#include "shmring/codec.hpp"
#include "shmring/detail/value_calls.hpp"
#include "shmring/message.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/options.hpp"

namespace shmring::detail {

/// A value, copied as its bytes.
template <class T>
struct FixedLane : FixedCalls<T> {
    using Ring = MpmcRing<T>;
    using Producer = typename Ring::Producer;
    using Consumer = typename Ring::Consumer;

    [[nodiscard]] static SegmentSpec spec(const QueueOptions& options) noexcept {
        SegmentSpec spec = Ring::spec({.capacity = options.capacity,
                                       .delivery = options.delivery,
                                       .participants = options.participants,
                                       .liveness_period = options.liveness_period});
        spec.ends_with_last_producer = options.ends_with_last_producer;
        return spec;
    }
    [[nodiscard]] static std::uint64_t capacity(const Ring& ring) noexcept { return ring.capacity(); }
};

/// A value, encoded into the ring and decoded out of it.
template <class T>
struct CodecLane : CodecCalls<T> {
    using Ring = MpmcByteRing;
    using Producer = Ring::Producer;
    using Consumer = Ring::Consumer;

    [[nodiscard]] static SegmentSpec spec(const QueueOptions& options) noexcept {
        SegmentSpec spec = Ring::spec({.capacity_bytes = options.capacity_bytes,
                                       .capacity_messages = options.capacity,
                                       .delivery = options.delivery,
                                       .schema = schema<T>,
                                       .participants = options.participants,
                                       .liveness_period = options.liveness_period});
        spec.ends_with_last_producer = options.ends_with_last_producer;
        return spec;
    }
    [[nodiscard]] static std::uint64_t capacity(const Ring& ring) noexcept {
        return ring.capacity_messages();
    }
};

template <class T>
struct LaneOf {
    using type = CodecLane<T>;
};
template <Message T>
struct LaneOf<T> {
    using type = FixedLane<T>;
};

}  // namespace shmring::detail
