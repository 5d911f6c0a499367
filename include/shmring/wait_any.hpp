// Waiting for several rings at once: which of these consumers can be read without waiting?
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <stop_token>
#include <vector>

#include "shmring/detail/event_set.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring {

namespace detail {

using ReadPoint = WaitPoint<ShippedEnv>;

/// Waits until a point is ready. `start` is where the search begins: move it on after each call and ready rings take turns.
/// `targets`: as for EventSet::sleep.
[[nodiscard]] Result<std::size_t> wait_for_any(std::span<ReadPoint> points,
                                               std::span<platform::FutexTarget> targets, std::size_t start,
                                               std::uint64_t deadline_ns, const WaitPolicy& policy,
                                               AdaptiveSpin& spin, const std::stop_token& stop) noexcept;
/// How long this thread polls in waits that belong to no object.
[[nodiscard]] AdaptiveSpin& spin_of_this_thread() noexcept;
/// A number that grows with each call of this thread: where to start, so that ready rings take turns.
[[nodiscard]] std::size_t next_turn() noexcept;

template <class... Consumers>
[[nodiscard]] Result<std::size_t> wait_any_until_ns(std::uint64_t deadline_ns,
                                                    Consumers&... consumers) noexcept {
    std::array<ReadPoint, sizeof...(Consumers)> points{consumers.read_point()...};
    std::array<platform::FutexTarget, sizeof...(Consumers) + 1> targets;
    return wait_for_any(points, targets, next_turn() % sizeof...(Consumers), deadline_ns, {},
                        spin_of_this_thread(), {});
}

}  // namespace detail

/// Waits until one of the consumers can be read without waiting and answers its place in the argument list. A stream that has
/// ended or lost its producer can be "read": the call on it says so. Ready ones take turns. Consumers of any ring, all used by this thread.
template <class... Consumers>
requires(sizeof...(Consumers) > 0)
    [[nodiscard]] Result<std::size_t> wait_any(Consumers&... consumers) noexcept {
    return detail::wait_any_until_ns(detail::platform::kNever, consumers...);
}
/// As wait_any, at most for `timeout`: then timed_out.
template <class Rep, class Period, class... Consumers>
requires(sizeof...(Consumers) > 0)
    [[nodiscard]] Result<std::size_t> wait_any_for(std::chrono::duration<Rep, Period> timeout,
                                                   Consumers&... consumers) noexcept {
    return detail::wait_any_until_ns(detail::deadline_after(timeout), consumers...);
}
template <class Clock, class Duration, class... Consumers>
requires(sizeof...(Consumers) > 0) [[nodiscard]] Result<std::size_t> wait_any_until(
    std::chrono::time_point<Clock, Duration> deadline,
    Consumers&... consumers) noexcept(detail::kNothrowClock<Clock>) {
    Result<std::size_t> ready = Status::timed_out;
    (void)detail::wait_until(deadline, [&](std::uint64_t ns) noexcept {
        ready = detail::wait_any_until_ns(ns, consumers...);
        return ready.error();
    });
    return ready;
}

/// The same for a number of consumers that is not known at compile time. Up to 128 are one system call (Linux 5.16); with more,
/// or on older kernels, a sleeping wait looks around: every millisecond at first, then after a quarter of the time for which nothing came,
/// at most 32 ms, so that idle sets cost little. Deaths are asked about for 128 of them in each liveness period. Holds references: the consumers must not move. One thread.
class WaitSet {
 public:
    /// Adds a consumer; its index is the number of those added before. May throw std::bad_alloc.
    template <class Consumer>
    void add(Consumer& consumer) {
        targets_.resize(points_.size() +
                        2);  // first: where this throws, or the next, there is room for all points still
        points_.push_back(consumer.read_point());
    }
    void clear() noexcept {
        points_.clear();
        targets_.clear();
    }
    [[nodiscard]] std::size_t size() const noexcept { return points_.size(); }
    void set_wait_policy(const WaitPolicy& policy) noexcept {
        policy_ = policy;
        spin_.set_longest(policy.spin);
    }

    /// Answers the index of a consumer that can be read. An empty set answers `empty`.
    [[nodiscard]] Result<std::size_t> wait(const std::stop_token& stop = {}) noexcept {
        return wait_until_ns(detail::platform::kNever, stop);
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<std::size_t> wait_for(std::chrono::duration<Rep, Period> timeout,
                                               const std::stop_token& stop = {}) noexcept {
        return wait_until_ns(detail::deadline_after(timeout), stop);
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<std::size_t> wait_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(detail::kNothrowClock<Clock>) {
        Result<std::size_t> ready = Status::timed_out;
        (void)detail::wait_until(deadline, [&](std::uint64_t ns) noexcept {
            ready = wait_until_ns(ns, stop);
            return ready.error();
        });
        return ready;
    }

 private:
    [[nodiscard]] Result<std::size_t> wait_until_ns(std::uint64_t deadline_ns,
                                                    const std::stop_token& stop) noexcept {
        if (points_.empty()) return Status::empty;
        turn_ = turn_ + 1 < points_.size() ? turn_ + 1 : 0;
        return detail::wait_for_any(points_, targets_, turn_, deadline_ns, policy_, spin_, stop);
    }

    std::vector<detail::ReadPoint> points_{};
    std::vector<detail::platform::FutexTarget> targets_{};
    std::size_t turn_ = 0;
    WaitPolicy policy_{};
    detail::AdaptiveSpin spin_{policy_.spin};
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
