// How blocking calls wait: poll for a bounded, self-adjusting time, then sleep in the kernel until woken or the deadline comes.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cmath>
#include <cstdint>
#include <limits>
#include <stop_token>

#include "shmring/detail/adaptive_spin.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/nap.hpp"
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
/// where no duration overflows and 64-bit nanoseconds are exact.
template <class Rep, class Period>
[[nodiscard]] std::uint64_t deadline_after(std::chrono::duration<Rep, Period> duration) noexcept {
    const long double ns = std::ceil(std::chrono::duration<long double, std::nano>(duration).count());
    if (!(ns > 0)) return 0;                     // nor does a NaN wait for ever
    constexpr long double kFarthest_ns = 4e18L;  // 126 years, a quarter of what 64 bits hold
    if (ns >= kFarthest_ns) return platform::kNever;
    return platform::monotonic_ns() + static_cast<std::uint64_t>(ns);
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

/// What the waits of one handle have in common: the policy, the adapted polling time, and how often it slept.
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
    template <class Attempt, class Examine, class Left = NothingLeft>
    [[nodiscard]] Status wait(EventLine<Env>& line, Status not_yet, std::uint64_t deadline_ns,
                              std::uint64_t period_ns, const std::stop_token& stop, Attempt&& attempt,
                              Examine&& examine, Left&& left = {}) noexcept {
        const std::uint64_t start_ns = Env::now();
        Status status = poll(not_yet, start_ns, deadline_ns, stop, attempt);
        if (status != not_yet) return status;
        const std::uint64_t sleep_start_ns = Env::now();
        status = nap_ns(policy_) != 0
                     ? nap(not_yet, deadline_ns, period_ns, stop, attempt, examine)
                     : sleep(line, not_yet, deadline_ns, period_ns, stop, attempt, examine, left);
        spin_.slept(Env::now() - sleep_start_ns);
        return status;
    }

 private:
    static constexpr int kPollsPerClock = 16;  // reading the clock costs about as much as this many polls

    template <class Attempt>
    [[nodiscard]] Status poll(Status not_yet, std::uint64_t start_ns, std::uint64_t deadline_ns,
                              const std::stop_token& stop, Attempt& attempt) noexcept {
        if (spin_.now_ns() == 0) return not_yet;
        for (;;) {
            for (int i = 0; i != kPollsPerClock; ++i) {
                const Status status = attempt();
                if (status == not_yet) continue;
                spin_.found_polling(Env::now() - start_ns);
                return status;
            }
            const std::uint64_t now = Env::now();
            if (stop.stop_requested() || is_interrupted(policy_)) return Status::interrupted;
            if (now >= deadline_ns) return Status::timed_out;
            if (now - start_ns >= spin_.now_ns()) return not_yet;
        }
    }

    /// Woken with nothing at hand yet: the copy of a large message takes about as long as waking did, and the producer sends its
    /// wake-up before it (ByteRing). So poll once more, for the whole span, whatever the waits before were like.
    template <class Over>
    [[nodiscard]] bool await_announced(std::uint64_t deadline_ns, Over& over) const noexcept {
        const std::uint64_t start_ns = Env::now();
        for (std::uint64_t now = start_ns; now - start_ns < spin_.longest_ns() && now < deadline_ns;
             now = Env::now()) {
            for (int i = 0; i != kPollsPerClock; ++i) {
                if (over()) return true;
            }
        }
        return false;
    }

    template <class Attempt, class Examine, class Left>
    [[nodiscard]] Status sleep(EventLine<Env>& line, Status not_yet, std::uint64_t deadline_ns,
                               std::uint64_t period_ns, const std::stop_token& stop, Attempt& attempt,
                               Examine& examine, Left& left) noexcept {
        Status status = not_yet;
        const std::stop_callback wake_on_stop(stop,
                                              [&line]() noexcept { EventCount<Env>::notify_all(line); });
        const auto over = [&]() noexcept {
            status = attempt();
            if (status == not_yet && (stop.stop_requested() || is_interrupted(policy_)))
                status = Status::interrupted;
            return status != not_yet;
        };
        const auto left_over = [&]() noexcept { return status != Status::ok && left(); };
        for (;;) {
            ++sleeps_;
            const auto linger = [&]() noexcept { return await_announced(deadline_ns, over); };
            const SleepResult result = EventCount<Env>::sleep(line, deadline_ns, period_ns, over, examine,
                                                              linger, left_over, interrupt_word(policy_));
            if (result == SleepResult::ready) return status;
            if (result == SleepResult::timed_out) return Status::timed_out;
            if (policy_.return_on_signal) return Status::interrupted;
            examine();  // a program with a quick timer signal must not keep us from asking
        }
    }

    /// Registers nowhere, and so hands nothing on.
    template <class Attempt, class Examine>
    [[nodiscard]] Status nap(Status not_yet, std::uint64_t deadline_ns, std::uint64_t period_ns,
                             const std::stop_token& stop, Attempt& attempt, Examine& examine) noexcept {
        Napper<Env> napper(stop, interrupt_word(policy_));
        std::uint64_t examine_at_ns = Env::now() + period_ns;
        for (;;) {
            const Status status = attempt();
            if (status != not_yet) return status;
            if (stop.stop_requested() || is_interrupted(policy_)) return Status::interrupted;
            const std::uint64_t now = Env::now();
            if (now >= deadline_ns) return Status::timed_out;
            if (now >= examine_at_ns) {
                examine();
                examine_at_ns = now + period_ns;
                continue;  // what it found, the attempt reports
            }
            ++sleeps_;
            const std::uint64_t nap_end_ns = now + nap_ns(policy_);
            const std::uint64_t end_ns = nap_end_ns < examine_at_ns ? nap_end_ns : examine_at_ns;
            const platform::FutexResult result = napper.nap(end_ns < deadline_ns ? end_ns : deadline_ns);
            if (result == platform::FutexResult::interrupted && policy_.return_on_signal) {
                const Status last = attempt();
                return last == not_yet ? Status::interrupted : last;
            }
        }
    }

    WaitPolicy policy_{};
    AdaptiveSpin spin_{policy_.spin};
    std::uint64_t sleeps_ = 0;
};

}  // namespace detail

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
