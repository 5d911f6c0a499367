// The three forms of waiting for the one on the other side.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "shmring/detail/platform.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// `End` provides `Result<void> await_peer_by(deadline_ns, stop)`.
template <class End>
class AwaitVerbs {
 public:
    /// Waits until somebody living has the other side: the first one, or a successor of one who left. ok, closed (the stream has ended,
    /// and nobody has the other side; what is left can be read), peer_lost (who had it died, and has no successor yet), interrupted.
    [[nodiscard]] Result<void> await_peer(const std::stop_token& stop = {}) noexcept {
        return self().await_peer_by(platform::kNever, stop);
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one look, and also answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> await_peer_for(std::chrono::duration<Rep, Period> timeout,
                                              const std::stop_token& stop = {}) noexcept {
        return self().await_peer_by(deadline_after(timeout), stop);
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> await_peer_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrowClock<Clock>) {
        return wait_until(deadline,
                          [&](std::uint64_t ns) noexcept { return self().await_peer_by(ns, stop).error(); });
    }

 protected:
    AwaitVerbs() noexcept = default;
    AwaitVerbs(const AwaitVerbs&) noexcept = default;
    AwaitVerbs& operator=(const AwaitVerbs&) noexcept = default;
    ~AwaitVerbs() = default;

 private:
    [[nodiscard]] End& self() noexcept { return static_cast<End&>(*this); }
};

}  // namespace shmring::detail
