// Putting values into a queue, in all shapes of the call: the half that the queues have in common.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>

#include "shmring/message.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// Takes a participant record when it is first used. overflow: none was free.
template <class T, class Lane>
class QueueSender {
 public:
    using value_type = T;

    /// Puts a copy of `value` into the queue: full, closed, or too_large where T's size varies.
    [[nodiscard]] Result<void> try_push(const T& value) noexcept {
        return sending(value, [&](auto& out) noexcept { return Lane::try_push(out, value); });
    }
    /// Waits while the queue is full. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<void> push(const T& value, const std::stop_token& stop = {}) noexcept {
        return sending(value, [&](auto& out) noexcept { return Lane::push(out, value, stop); });
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_push_for(const T& value, std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return sending(value, [&](auto& out) noexcept { return Lane::push_by(out, value, timeout, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_push_until(const T& value,
                                              std::chrono::time_point<Clock, Duration> deadline,
                                              const std::stop_token& stop = {}) noexcept {
        return sending(value, [&](auto& out) noexcept { return Lane::push_by(out, value, deadline, stop); });
    }
    /// As many of `values` as fit, in order: how many (at least one, unless none were given), or the Status that says why none.
    [[nodiscard]] Result<std::size_t> try_push_n(std::span<const T> values) noexcept {
        std::size_t done = 0;
        while (done != values.size()) {
            const Result<void> pushed = try_push(values[done]);
            if (!pushed) return done != 0 ? Result<std::size_t>(done) : pushed.error();
            ++done;
        }
        return done;
    }
    /// Ends the queue for every process: pushes answer closed, readers get what is left, then closed; every sleeper wakes.
    Result<void> close() noexcept {
        return with_record([](auto& out) noexcept { return out.close(); });
    }

    /// Values the queue holds at most, exactly as asked.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return Lane::capacity(ring_); }
    [[nodiscard]] bool was_closed() const noexcept { return ring_.was_closed(); }
    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(ring_); }

 protected:
    using Ring = typename Lane::Ring;

    QueueSender() noexcept = default;
    explicit QueueSender(Ring ring, std::size_t largest = std::numeric_limits<std::size_t>::max()) noexcept
        : ring_(std::move(ring)), largest_(largest) {}

    template <class Call>
    [[nodiscard]] Result<void> with_record(Call&& call) noexcept {
        if (!out_) [[unlikely]] {
            std::error_code code;
            out_ = ring_.producer(policy_, code);
            if (code) return Status::overflow;
        }
        return call(out_);
    }

    Ring ring_{};
    typename Lane::Producer out_{};
    WaitPolicy policy_{};

 private:
    template <class Call>
    [[nodiscard]] Result<void> sending(const T& value, Call&& call) noexcept {
        if constexpr (!Message<T>) {
            if (Lane::size(value) > largest_) return Status::too_large;
        }
        return with_record(call);
    }

    std::size_t largest_ = std::numeric_limits<std::size_t>::max();
};

}  // namespace shmring::detail
