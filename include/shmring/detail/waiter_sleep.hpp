// What of a wait need not be quick: when polling is over, and then asleep on the event count, or napping. Included by lib/wait.cpp,
// which compiles it for all rings, and by tests with an Env of their own.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <stop_token>

#include "shmring/detail/call_ref.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/nap.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

template <class Env>
void Waiter<Env>::found_polling(std::uint64_t start_ns) noexcept {
    spin_.found_polling(Env::now() - start_ns);
}

template <class Env>
bool Waiter<Env>::is_polling_over(std::uint64_t start_ns, std::uint64_t deadline_ns,
                                  const std::stop_token& stop, Status& status) const noexcept {
    const std::uint64_t now = Env::now();
    if (stop.stop_requested() || is_interrupted(policy_))
        status = Status::interrupted;
    else if (now >= deadline_ns)
        status = Status::timed_out;
    else
        return now - start_ns >= spin_.now_ns();
    return true;
}

template <class Env>
Status Waiter<Env>::sleep(EventLine<Env>& line, Status not_yet, std::uint64_t deadline_ns,
                          std::uint64_t period_ns, const std::stop_token& stop, CallRef<Status> attempt,
                          CallRef<void> examine, CallRef<bool> left) noexcept {
    const std::uint64_t start_ns = Env::now();
    const Status status = nap_ns(policy_) != 0 ? nap(not_yet, deadline_ns, period_ns, stop, attempt, examine)
                                               : sleep_until_woken(line, not_yet, deadline_ns, period_ns,
                                                                   stop, attempt, examine, left);
    spin_.slept(Env::now() - start_ns);
    return status;
}

/// Woken with nothing at hand yet: the copy of a large message takes about as long as waking did, and the producer sends its
/// wake-up before it (ByteRing). So poll once more, for the whole span, whatever the waits before were like.
template <class Env>
template <class Over>
bool Waiter<Env>::await_announced(std::uint64_t deadline_ns, Over& over) const noexcept {
    const std::uint64_t start_ns = Env::now();
    for (std::uint64_t now = start_ns; now - start_ns < spin_.longest_ns() && now < deadline_ns;
         now = Env::now()) {
        for (int i = 0; i != kPollsPerClock; ++i) {
            if (over()) return true;
        }
    }
    return false;
}

template <class Env>
Status Waiter<Env>::sleep_until_woken(EventLine<Env>& line, Status not_yet, std::uint64_t deadline_ns,
                                      std::uint64_t period_ns, const std::stop_token& stop,
                                      CallRef<Status> attempt, CallRef<void> examine,
                                      CallRef<bool> left) noexcept {
    Status status = not_yet;
    const std::stop_callback wake_on_stop(stop, [&line]() noexcept { EventCount<Env>::notify_all(line); });
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
        const SleepResult result = EventCount<Env>::sleep(line, deadline_ns, period_ns, over, examine, linger,
                                                          left_over, interrupt_word(policy_));
        if (result == SleepResult::ready) return status;
        if (result == SleepResult::timed_out) return Status::timed_out;
        if (policy_.return_on_signal) return Status::interrupted;
        examine();  // a program with a quick timer signal must not keep us from asking
    }
}

/// Registers nowhere, and so hands nothing on.
template <class Env>
Status Waiter<Env>::nap(Status not_yet, std::uint64_t deadline_ns, std::uint64_t period_ns,
                        const std::stop_token& stop, CallRef<Status> attempt,
                        CallRef<void> examine) noexcept {
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

}  // namespace shmring::detail
