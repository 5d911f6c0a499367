// Which ring a queue of T runs on, found by the compiler: fixed-size messages as they are, everything else by its Codec. Both lanes
// have the same calls, so that the queue has one body.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <span>

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
    [[nodiscard]] static std::size_t max_bytes(const Ring& ring) noexcept { return ring ? sizeof(T) : 0; }
    [[nodiscard]] static std::uint64_t count(const Ring& ring, std::uint64_t most) noexcept {
        const std::uint64_t all = ring.count_approx();
        return all < most ? all : most;
    }

    /// As many as fit, with as few claims as can be. `done`: how many; why not all is the answer.
    [[nodiscard]] static Result<void> try_push_n(Producer& out, std::span<const T> values,
                                                 std::size_t& done) noexcept {
        while (done != values.size()) {
            const Result<std::size_t> pushed = out.try_push_n(values.subspan(done));
            if (!pushed) return pushed.error();
            done += *pushed;
        }
        return {};
    }
    /// `redelivers`: by one claim, which stays in hand until the call is over.
    [[nodiscard]] static Result<void> try_pop_n(Consumer& in, std::span<T> values, std::size_t& done,
                                                bool redelivers) noexcept {
        while (done != values.size()) {
            const Result<std::size_t> popped = in.try_pop_n(values.subspan(done));
            if (!popped) return popped.error();
            done += *popped;
            if (redelivers) break;
        }
        return {};
    }
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
        spec.schema_is_an_option = false;
        spec.ends_with_last_producer = options.ends_with_last_producer;
        return spec;
    }
    [[nodiscard]] static std::uint64_t capacity(const Ring& ring) noexcept {
        return ring.capacity_messages();
    }
    [[nodiscard]] static std::size_t max_bytes(const Ring& ring) noexcept { return ring.max_message_bytes(); }
    [[nodiscard]] static std::uint64_t count(const Ring& ring, std::uint64_t most) noexcept {
        return ring.count_approx(most);
    }

    /// One by one: each is a record of its own size.
    [[nodiscard]] static Result<void> try_push_n(Producer& out, std::span<const T> values,
                                                 std::size_t& done) noexcept {
        for (; done != values.size(); ++done)
            if (const Result<void> pushed = CodecCalls<T>::try_push(out, values[done]); !pushed)
                return pushed;
        return {};
    }
    /// `redelivers`: one, for it is a claim.
    [[nodiscard]] static Result<void> try_pop_n(Consumer& in, std::span<T> values, std::size_t& done,
                                                bool redelivers) {
        const std::size_t most = redelivers && values.size() > 1 ? 1 : values.size();
        for (; done != most; ++done)
            if (const Result<Received> popped = in.try_pop_value(values[done]); !popped)
                return popped.error();
        return {};
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
