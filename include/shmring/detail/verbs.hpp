// The four shapes of a call that may have to wait - now, for ever, for a time, until a time - written once for each verb of the
// rings of fixed-size messages. Each is one line over what the end provides:
//
//   once(attempt), waiting(deadline, stop, attempt)     make one attempt, or as many as it takes; waiting_until on any clock
//   pushing(message), preparing()                       one attempt each
//   published(status), claimed(status)                  what follows a success: the wake-up, the guard
//   popped(call), borrowed(status)                      likewise for readers
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "shmring/detail/platform.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// Sending messages of type T. `Claim` is what the ring calls a message under construction.
template <class Self, class T, class Claim>
class SendVerbs {
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }

 public:
    /// Publishes a copy of `message`. full: no room, and the exact read position was looked at; closed: the stream has ended.
    [[nodiscard]] Result<void> try_push(const T& message) noexcept {
        return self().published(self().once(self().pushing(message)));
    }
    /// Waits while the ring is full. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<void> push(const T& message, const std::stop_token& stop = {}) noexcept {
        return self().published(self().waiting(platform::kNever, stop, self().pushing(message)));
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_push_for(const T& message, std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return self().published(self().waiting(deadline_after(timeout), stop, self().pushing(message)));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_push_until(
        const T& message, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return self().published(self().waiting_until(deadline, stop, self().pushing(message)));
    }

    /// The place of the next message, to be written there and committed. Statuses as for try_push. One claim at a time, no push
    /// meanwhile.
    [[nodiscard]] Result<Claim> try_claim() noexcept {
        return self().claimed(self().once(self().preparing()));
    }
    /// Waits while the ring is full.
    [[nodiscard]] Result<Claim> claim(const std::stop_token& stop = {}) noexcept {
        return self().claimed(self().waiting(platform::kNever, stop, self().preparing()));
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<Claim> try_claim_for(std::chrono::duration<Rep, Period> timeout,
                                              const std::stop_token& stop = {}) noexcept {
        return self().claimed(self().waiting(deadline_after(timeout), stop, self().preparing()));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<Claim> try_claim_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return self().claimed(self().waiting_until(deadline, stop, self().preparing()));
    }
};

/// Receiving messages of type T. `View` is what the ring calls a message borrowed in place.
template <class Self, class T, class View>
class ReceiveVerbs {
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }

 public:
    /// Takes the oldest message. empty: nothing there; closed: the stream has ended and all was read; corrupt: the ring's words
    /// contradict each other.
    [[nodiscard]] Result<T> try_pop() noexcept {
        return self().popped([this](auto&& popping) { return self().once(popping); });
    }
    /// Waits while the ring is empty. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<T> pop(const std::stop_token& stop = {}) noexcept {
        return self().popped([&](auto&& popping) { return self().waiting(platform::kNever, stop, popping); });
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one attempt and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<T> try_pop_for(std::chrono::duration<Rep, Period> timeout,
                                        const std::stop_token& stop = {}) noexcept {
        return self().popped(
            [&](auto&& popping) { return self().waiting(deadline_after(timeout), stop, popping); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<T> try_pop_until(std::chrono::time_point<Clock, Duration> deadline,
                                          const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return self().popped([&](auto&& popping) { return self().waiting_until(deadline, stop, popping); });
    }

    /// Borrows the oldest message where it lies, without a copy; it is handed back when the View goes. One View at a time, no pop
    /// meanwhile. Statuses as for try_pop.
    [[nodiscard]] Result<View> try_next() noexcept {
        return self().borrowed(self().once(self().preparing()));
    }
    /// Waits while the ring is empty.
    [[nodiscard]] Result<View> next(const std::stop_token& stop = {}) noexcept {
        return self().borrowed(self().waiting(platform::kNever, stop, self().preparing()));
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<View> try_next_for(std::chrono::duration<Rep, Period> timeout,
                                            const std::stop_token& stop = {}) noexcept {
        return self().borrowed(self().waiting(deadline_after(timeout), stop, self().preparing()));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<View> try_next_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return self().borrowed(self().waiting_until(deadline, stop, self().preparing()));
    }
};

}  // namespace shmring::detail
