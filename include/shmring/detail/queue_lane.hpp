// Which ring a queue of T runs on, found by the compiler: fixed-size messages as they are, everything else by its Codec. Both lanes
// have the same calls, so that the queue has one body.
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/message.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/options.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// A value, copied as its bytes.
template <class T>
struct FixedLane {
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

    [[nodiscard]] static Result<void> try_push(Producer& out, const T& value) noexcept {
        return out.try_push(value);
    }
    [[nodiscard]] static Result<void> push(Producer& out, const T& value,
                                           const std::stop_token& stop) noexcept {
        return out.push(value, stop);
    }
    template <class Time>
    [[nodiscard]] static Result<void> push_by(Producer& out, const T& value, const Time& when,
                                              const std::stop_token& stop) noexcept {
        if constexpr (requires { when.time_since_epoch(); })
            return out.try_push_until(value, when, stop);
        else
            return out.try_push_for(value, when, stop);
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
    [[nodiscard]] static Result<void> try_pop_n(Consumer& in, std::span<T> values,
                                                std::size_t& done) noexcept {
        while (done != values.size()) {
            const Result<std::size_t> popped = in.try_pop_n(values.subspan(done));
            if (!popped) return popped.error();
            done += *popped;
        }
        return {};
    }
    [[nodiscard]] static Result<T> try_pop(Consumer& in) noexcept { return in.try_pop(); }
    [[nodiscard]] static Result<T> pop(Consumer& in, const std::stop_token& stop) noexcept {
        return in.pop(stop);
    }
    template <class Time>
    [[nodiscard]] static Result<T> pop_by(Consumer& in, const Time& when,
                                          const std::stop_token& stop) noexcept {
        if constexpr (requires { when.time_since_epoch(); })
            return in.try_pop_until(when, stop);
        else
            return in.try_pop_for(when, stop);
    }
};

/// A value, encoded into the ring and decoded out of it.
template <class T>
struct CodecLane {
    static_assert(explain_codec<T>() && Encodable<T> && Decodable<T>);
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

    [[nodiscard]] static Result<void> try_push(Producer& out, const T& value) noexcept {
        return out.try_push_value(value);
    }
    [[nodiscard]] static Result<void> push(Producer& out, const T& value,
                                           const std::stop_token& stop) noexcept {
        return out.push_value(value, 0, stop);
    }
    template <class Time>
    [[nodiscard]] static Result<void> push_by(Producer& out, const T& value, const Time& when,
                                              const std::stop_token& stop) noexcept {
        if constexpr (requires { when.time_since_epoch(); })
            return out.try_push_value_until(value, when, 0, stop);
        else
            return out.try_push_value_for(value, when, 0, stop);
    }
    /// One by one: each is a record of its own size.
    [[nodiscard]] static Result<void> try_push_n(Producer& out, std::span<const T> values,
                                                 std::size_t& done) noexcept {
        for (; done != values.size(); ++done)
            if (const Result<void> pushed = try_push(out, values[done]); !pushed) return pushed;
        return {};
    }
    [[nodiscard]] static Result<void> try_pop_n(Consumer& in, std::span<T> values, std::size_t& done) {
        for (; done != values.size(); ++done)
            if (const Result<Received> popped = in.try_pop_value(values[done]); !popped)
                return popped.error();
        return {};
    }
    [[nodiscard]] static Result<T> try_pop(Consumer& in) {
        return value_of([&](T& value) { return in.try_pop_value(value); });
    }
    [[nodiscard]] static Result<T> pop(Consumer& in, const std::stop_token& stop) {
        return value_of([&](T& value) { return in.pop_value(value, stop); });
    }
    template <class Time>
    [[nodiscard]] static Result<T> pop_by(Consumer& in, const Time& when, const std::stop_token& stop) {
        return value_of([&](T& value) {
            if constexpr (requires { when.time_since_epoch(); })
                return in.try_pop_value_until(value, when, stop);
            else
                return in.try_pop_value_for(value, when, stop);
        });
    }

 private:
    template <class Call>
    [[nodiscard]] static Result<T> value_of(Call&& call) {
        T value{};
        const Result<Received> received = call(value);
        if (!received) return received.error();
        return Result<T>(std::move(value));
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
