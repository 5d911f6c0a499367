// How a facade sends and receives a value of T through the ends of any ring: fixed-size messages as they are, everything else by
// its Codec. Both have the same calls, so that a facade has one body.
// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <stop_token>
#include <type_traits>
#include <utility>

#include "shmring/codec.hpp"
#include "shmring/detail/byte_verbs.hpp"
#include "shmring/message.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// A value, copied as its bytes: ends of rings of T.
template <class T>
struct FixedCalls {
    template <class Out>
    [[nodiscard]] static Result<void> try_push(Out& out, const T& value) noexcept {
        return out.try_push(value);
    }
    template <class Out>
    [[nodiscard]] static Result<void> push(Out& out, const T& value, const std::stop_token& stop) noexcept {
        return out.push(value, stop);
    }
    template <class Out, class Time>
    [[nodiscard]] static Result<void> push_by(Out& out, const T& value, const Time& when,
                                              const std::stop_token& stop) {
        if constexpr (requires { when.time_since_epoch(); })
            return out.try_push_until(value, when, stop);
        else
            return out.try_push_for(value, when, stop);
    }
    /// What a visitor sees.
    template <class View>
    [[nodiscard]] static const T& content(const View& view) noexcept {
        return *view;
    }
    template <class In>
    [[nodiscard]] static Result<T> try_pop(In& in) noexcept {
        return in.try_pop();
    }
    template <class In>
    [[nodiscard]] static Result<T> pop(In& in, const std::stop_token& stop) noexcept {
        return in.pop(stop);
    }
    template <class In, class Time>
    [[nodiscard]] static Result<T> pop_by(In& in, const Time& when, const std::stop_token& stop) {
        if constexpr (requires { when.time_since_epoch(); })
            return in.try_pop_until(when, stop);
        else
            return in.try_pop_for(when, stop);
    }
};

/// A value that `fill(T&)`, a Status, makes where its receiver has it: one that was taken out of a ring must not be lost by a move that
/// throws.
template <class T, class Fill>
[[nodiscard]] Result<T> made(Fill&& fill) {
    if constexpr (std::is_trivially_copyable_v<T>) {
        T value{};
        if (const Status status = fill(value); status != Status::ok) return status;
        return Result<T>(value);
    } else {
        return Result<T>(std::in_place, [&](std::optional<T>& to) { return fill(to.emplace()); });
    }
}

/// A value, encoded into the ring and decoded out of it: ends of rings of bytes.
template <class T>
struct CodecCalls {
    static_assert(explain_codec<T>() && Encodable<T> && Decodable<T>);

    template <class Out>
    [[nodiscard]] static Result<void> try_push(Out& out, const T& value) noexcept {
        return out.try_push_value(value);
    }
    template <class Out>
    [[nodiscard]] static Result<void> push(Out& out, const T& value, const std::stop_token& stop) noexcept {
        return out.push_value(value, 0, stop);
    }
    template <class Out, class Time>
    [[nodiscard]] static Result<void> push_by(Out& out, const T& value, const Time& when,
                                              const std::stop_token& stop) {
        if constexpr (requires { when.time_since_epoch(); })
            return out.try_push_value_until(value, when, 0, stop);
        else
            return out.try_push_value_for(value, when, 0, stop);
    }
    /// What a visitor sees.
    template <class View>
    [[nodiscard]] static Bytes content(const View& view) noexcept {
        return view.bytes();
    }
    template <class In>
    [[nodiscard]] static Result<T> try_pop(In& in) {
        return made<T>([&](T& value) { return in.try_pop_value(value).error(); });
    }
    template <class In>
    [[nodiscard]] static Result<T> pop(In& in, const std::stop_token& stop) {
        return made<T>([&](T& value) { return in.pop_value(value, stop).error(); });
    }
    template <class In, class Time>
    [[nodiscard]] static Result<T> pop_by(In& in, const Time& when, const std::stop_token& stop) {
        return made<T>([&](T& value) {
            if constexpr (requires { when.time_since_epoch(); })
                return in.try_pop_value_until(value, when, stop).error();
            else
                return in.try_pop_value_for(value, when, stop).error();
        });
    }
};

}  // namespace shmring::detail
