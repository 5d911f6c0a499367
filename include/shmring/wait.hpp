// How blocking calls wait: poll for a bounded, self-adjusting time, then sleep in the kernel until woken or the deadline comes.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cstdint>
#include <stop_token>

#include "shmring/detail/adaptive_spin.hpp"
#include "shmring/detail/call_ref.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/interrupt.hpp"
#include "shmring/result.hpp"

namespace shmring {

/// Belongs to one handle. Copyable.
struct WaitPolicy {
    /// The longest time to poll before going to sleep; the time really used adapts between 1/16 of it and all of it to what
    /// waits were like. 0: sleep at once. Worth about the cost of one sleep and wake-up (20 to 50 us).
    std::chrono::nanoseconds spin = std::chrono::microseconds(50);
    /// Return Status::interrupted when a signal handler ran during a sleep, in the thread that sleeps. A signal that comes while the call
    /// polls, or just before it sleeps, it does not notice: who may miss none sets an Interrupt in its handler.
    bool return_on_signal = false;
    /// Return Status::interrupted while this is set, however early that was (a language binding wants its Ctrl-C). Null: not asked for.
    const Interrupt* interrupt = nullptr;
    /// Above 0: instead of sleeping until it is woken, the call looks again after each nap of this length, and nobody need wake it, which
    /// spares the other side a system call. For a reader that may be late. Deaths, deadlines, stop tokens and interrupts are heard
    /// of as ever; `spin` comes before the first nap.
    std::chrono::nanoseconds nap = std::chrono::nanoseconds(0);
};

namespace detail {

/// `now + duration` on the monotonic clock, rounded up, never early; past durations give 0, far ones never come. In long double,
/// where no duration overflows and 64-bit nanoseconds are exact; here, because a program may be compiled with a long double of its own.
template <class Rep, class Period>
[[nodiscard]] std::uint64_t deadline_after(std::chrono::duration<Rep, Period> duration) noexcept {
    const long double ns = std::chrono::duration<long double, std::nano>(duration).count();
    if (!(ns > 0)) return 0;                     // nor does a NaN wait for ever
    constexpr long double kFarthest_ns = 4e18L;  // 126 years, a quarter of what 64 bits hold
    if (ns >= kFarthest_ns) return platform::kNever;
    const auto whole_ns = static_cast<std::uint64_t>(ns);
    const bool is_rounded_down = static_cast<long double>(whole_ns) < ns;
    return platform::monotonic_ns() + whole_ns + (is_rounded_down ? 1 : 0);
}

/// Reading a clock of the user's may throw what it wants to: the call that was given a deadline on it then throws, having taken
/// nothing. The clocks of the standard library do not. (The arithmetic of a duration's Rep must not.)
template <class Clock>
inline constexpr bool kNothrowClock = noexcept(Clock::now());

/// How far `deadline` lies ahead on its own clock, in seconds: in double, where the farthest deadlines do not overflow.
template <class Clock, class Duration>
[[nodiscard]] double seconds_until(std::chrono::time_point<Clock, Duration> deadline) noexcept(
    kNothrowClock<Clock>) {
    using Seconds = std::chrono::duration<double>;
    return Seconds(deadline.time_since_epoch()).count() - Seconds(Clock::now().time_since_epoch()).count();
}

/// Runs `wait(deadline_ns)`, a Status, until it answers something else than timed_out or `deadline` has passed on its own clock: a
/// clock that was set back while we slept makes us sleep again. Only the waiting is repeated: values are made when it is over.
template <class Clock, class Duration, class Wait>
[[nodiscard]] Status wait_until(std::chrono::time_point<Clock, Duration> deadline,
                                Wait&& wait) noexcept(kNothrowClock<Clock>) {
    constexpr double kNear_s = 1e9;  // nearer than this the exact arithmetic below cannot overflow
    for (;;) {
        const double ahead_s = seconds_until(deadline);
        if (ahead_s >= kNear_s) return wait(platform::kNever);
        if (!(ahead_s > -1)) return wait(std::uint64_t{0});  // long past, or not a number
        const Status status = wait(deadline_after(deadline - Clock::now()));
        if (status != Status::timed_out || Clock::now() >= deadline) return status;
    }
}

[[nodiscard]] inline bool is_interrupted(const WaitPolicy& policy) noexcept {
    return policy.interrupt != nullptr && policy.interrupt->is_set();
}
/// What sleeps end with, beside their own words; or null.
[[nodiscard]] inline const std::uint32_t* interrupt_word(const WaitPolicy& policy) noexcept {
    return policy.interrupt != nullptr ? policy.interrupt->word() : nullptr;
}
/// How long a nap lasts; 0: the policy wants none.
[[nodiscard]] inline std::uint64_t nap_ns(const WaitPolicy& policy) noexcept {
    return policy.nap.count() > 0 ? static_cast<std::uint64_t>(policy.nap.count()) : 0;
}

inline constexpr NothingLeft kNothingLeft{};

/// What the waits of one handle have in common: the policy, the adapted polling time, and how often it slept. What polls is here, so that
/// the attempt is inlined; what sleeps is detail/waiter_sleep.hpp, compiled in lib/ for all.
template <class Env>
class Waiter {
 public:
    void set_policy(const WaitPolicy& policy) noexcept {
        policy_ = policy;
        spin_.set_longest(policy.spin);
    }
    [[nodiscard]] const WaitPolicy& policy() const noexcept { return policy_; }
    [[nodiscard]] std::uint64_t sleeps() const noexcept { return sleeps_; }

    /// Repeats `attempt()` (a Status) while it answers `not_yet`, until it answers otherwise or `deadline_ns` passes.
    /// `examine()` is called about once per `period_ns` of sleep, to find out who died; what it finds, `attempt` reports.
    /// `left()` says whether there is something on this side that another who sleeps there could have been woken for.
    template <class Attempt>
    [[nodiscard]] Status wait(EventLine<Env>& line, Status not_yet, std::uint64_t deadline_ns,
                              std::uint64_t period_ns, const std::stop_token& stop, const Attempt& attempt,
                              CallRef<void> examine, CallRef<bool> left = kNothingLeft) noexcept {
        const Status status = poll(not_yet, deadline_ns, stop, attempt);
        if (status != not_yet) return status;
        return sleep(line, not_yet, deadline_ns, period_ns, stop, attempt, examine, left);
    }

    /// The first part of wait(). `not_yet`: the polling time is over.
    template <class Attempt>
    [[nodiscard]] Status poll(Status not_yet, std::uint64_t deadline_ns, const std::stop_token& stop,
                              const Attempt& attempt) noexcept {
        if (spin_.now_ns() == 0) return not_yet;
        const std::uint64_t start_ns = Env::now();
        Status status = not_yet;
        do {
            for (int i = 0; i != kPollsPerClock; ++i) {
                status = attempt();
                if (status == not_yet) continue;
                found_polling(start_ns);
                return status;
            }
        } while (!is_polling_over(start_ns, deadline_ns, stop, status));
        return status;
    }
    /// The other part: asleep, or napping.
    [[nodiscard]] Status sleep(EventLine<Env>& line, Status not_yet, std::uint64_t deadline_ns,
                               std::uint64_t period_ns, const std::stop_token& stop, CallRef<Status> attempt,
                               CallRef<void> examine, CallRef<bool> left) noexcept;

 private:
    static constexpr int kPollsPerClock = 16;  // reading the clock costs about as much as this many polls

    void found_polling(std::uint64_t start_ns) noexcept;
    /// `status`: what to answer then; as it is if only the polling time is over.
    [[nodiscard]] bool is_polling_over(std::uint64_t start_ns, std::uint64_t deadline_ns,
                                       const std::stop_token& stop, Status& status) const noexcept;
    template <class Over>
    [[nodiscard]] bool await_announced(std::uint64_t deadline_ns, Over& over) const noexcept;
    [[nodiscard]] Status sleep_until_woken(EventLine<Env>& line, Status not_yet, std::uint64_t deadline_ns,
                                           std::uint64_t period_ns, const std::stop_token& stop,
                                           CallRef<Status> attempt, CallRef<void> examine,
                                           CallRef<bool> left) noexcept;
    [[nodiscard]] Status nap(Status not_yet, std::uint64_t deadline_ns, std::uint64_t period_ns,
                             const std::stop_token& stop, CallRef<Status> attempt,
                             CallRef<void> examine) noexcept;

    WaitPolicy policy_{};
    AdaptiveSpin spin_{policy_.spin};
    std::uint64_t sleeps_ = 0;
};

extern template class Waiter<ShippedEnv>;  // lib/wait.cpp

}  // namespace detail

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
