// Pipe<T>: values between two ends, one or both ways: what Python's multiprocessing.Pipe is for.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <memory>
#include <stop_token>
#include <utility>

#include "shmring/detail/pipe_end.hpp"
#include "shmring/detail/pipe_lane.hpp"
#include "shmring/detail/pipe_object.hpp"
#include "shmring/options.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"

namespace shmring {

template <class T>
class Pipe;

/// One end of a Pipe<T>. Move-only. Sending and receiving may be done by two threads at once, each of them by one at a time; all else
/// when nobody is in a call. What was written before a send is visible after the recv that got the value (release/acquire).
///
/// Unbound until its first use, or bind(): then it takes its seats, and from then on belongs to this process: in a forked child it
/// answers not_owner. An end has one life: when it was closed, destroyed or died with its process, the other end receives what was
/// sent, then answers `closed` for ever; peer() tells which it was. A death is noticed within one liveness period (100 ms by default) of
/// the moment the kernel let the dead process's lock go; a close at once.
///
/// Statuses of every call beside its own: not_owner (another process has this end), unavailable (first use: the system refused a
/// descriptor, a page or a lock; bind() says which), corrupt (the segment holds what no correct program writes), invalid (this end of a one-way pipe
/// does not send, or does not receive).
template <class T>
class PipeEnd : public detail::PipeEndBase<typename detail::PipeLaneOf<T>::type> {
    using Lane = typename detail::PipeLaneOf<T>::type;
    using Base = detail::PipeEndBase<Lane>;

 public:
    using value_type = T;

    /// An empty object without a pipe: its calls answer closed.
    PipeEnd() noexcept = default;

    /// Sends a copy of `value`: full, closed (the other end is gone), or too_large where T's size varies. Until its death was noticed
    /// a dead peer is sent to as a living one that does not read.
    [[nodiscard]] Result<void> try_send(const T& value) noexcept {
        return this->sending([&](auto& out) noexcept { return Lane::try_push(out, value); });
    }
    /// Waits while there is no room. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<void> send(const T& value, const std::stop_token& stop = {}) noexcept {
        return this->sending([&](auto& out) noexcept { return Lane::push(out, value, stop); });
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_send_for(const T& value, std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return this->sending([&](auto& out) noexcept { return Lane::push_by(out, value, timeout, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_send_until(
        const T& value, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(detail::kNothrowClock<Clock>) {
        return this->sending([&](auto& out) { return Lane::push_by(out, value, deadline, stop); });
    }

    /// Receives the oldest value: empty, or closed (the other end is gone, and everything was received). Of a type with a Codec,
    /// corrupt: these bytes are no T, and they stay. noexcept for Messages; for others as their decoding.
    [[nodiscard]] Result<T> try_recv() noexcept(Message<T>) {
        return this->receiving([](auto& in) noexcept(Message<T>) { return Lane::try_pop(in); });
    }
    /// Waits while there is nothing.
    [[nodiscard]] Result<T> recv(const std::stop_token& stop = {}) noexcept(Message<T>) {
        return this->receiving([&](auto& in) noexcept(Message<T>) { return Lane::pop(in, stop); });
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<T> try_recv_for(std::chrono::duration<Rep, Period> timeout,
                                         const std::stop_token& stop = {}) noexcept(Message<T>) {
        return this->receiving(
            [&](auto& in) noexcept(Message<T>) { return Lane::pop_by(in, timeout, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<T> try_recv_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(Message<T>&& detail::kNothrowClock<Clock>) {
        return this->receiving([&](auto& in) { return Lane::pop_by(in, deadline, stop); });
    }

 private:
    friend detail::PipeObject<Pipe<T>, PipeEnd<T>>;
    explicit PipeEnd(detail::PipeHold hold) noexcept : Base(std::move(hold)) {}
};

/// Values between two ends. T is any Message (sent as its bytes) or has a Codec (std::string, std::vector, types of your own).
///
///     auto [here, there] = Pipe<Msg>::pair({.capacity = 64});      // before fork(); each process then uses one end
///     auto pipe = Pipe<Msg>::create("name", {.capacity = 64});     // and another process: Pipe<Msg>::open("name").second()
///
/// The object holds the memory and may be used by many threads and in forked children; the ends do the work.
template <class T>
class Pipe : public detail::PipeObject<Pipe<T>, PipeEnd<T>> {
    using Base = detail::PipeObject<Pipe<T>, PipeEnd<T>>;

 public:
    using value_type = T;

    Pipe() noexcept = default;

    [[nodiscard]] static detail::SegmentSpec spec(const PipeOptions& options) noexcept {
        return detail::PipeLaneOf<T>::type::spec(options);
    }

 private:
    friend detail::RingFactory<Pipe<T>, PipeOptions>;
    explicit Pipe(std::shared_ptr<Segment> segment) noexcept : Base(std::move(segment)) {}
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
