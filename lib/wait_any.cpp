// The wait over several rings: poll for a while, then sleep on all of their event lines.
// SPDX-License-Identifier: MIT
#include "shmring/wait_any.hpp"

#include <algorithm>

#include "shmring/detail/nap.hpp"

namespace shmring::detail {

namespace {

using Set = EventSet<ShippedEnv>;

/// What one wait is about.
struct Wait {
    std::span<ReadPoint> points;
    std::size_t start;
    std::uint64_t deadline_ns;
    const WaitPolicy& policy;
    const std::stop_token& stop;

    [[nodiscard]] std::size_t find_ready() const noexcept { return Set::find_ready(points, start); }
    [[nodiscard]] bool is_over() const noexcept { return stop.stop_requested() || is_interrupted(policy); }
    void examine() const noexcept {
        for (ReadPoint& point : points) point.examine(point.object);
    }
};

/// Answers what was found, or kNone.
[[nodiscard]] std::size_t poll(const Wait& wait, AdaptiveSpin& spin) noexcept {
    const std::uint64_t start_ns = ShippedEnv::now();
    for (;;) {
        const std::size_t found = wait.find_ready();
        const std::uint64_t now = ShippedEnv::now();
        if (found != Set::kNone) spin.found_polling(now - start_ns);
        if (found != Set::kNone || wait.is_over() || now >= wait.deadline_ns ||
            now - start_ns >= spin.now_ns())
            return found;
    }
}

[[nodiscard]] Result<std::size_t> sleep(const Wait& wait, std::span<platform::FutexTarget> targets) noexcept {
    // Any one line will do to wake us: we look at the token after every sleep.
    const std::stop_callback wake_on_stop(
        wait.stop, [line = wait.points[0].line]() noexcept { EventCount<ShippedEnv>::notify_all(*line); });
    for (;;) {
        std::size_t found = Set::kNone;
        const SleepResult result = Set::sleep(
            wait.points, targets, wait.start, wait.deadline_ns, [&wait]() noexcept { return wait.is_over(); },
            found, interrupt_word(wait.policy));
        if (found != Set::kNone) return found;
        if (wait.is_over()) return Status::interrupted;
        if (result == SleepResult::timed_out) return Status::timed_out;
        if (wait.policy.return_on_signal) return Status::interrupted;
        wait.examine();  // a timer signal must not keep us from asking
    }
}

/// As Waiter::nap.
[[nodiscard]] Result<std::size_t> nap(const Wait& wait) noexcept {
    Napper<ShippedEnv> napper(wait.stop, interrupt_word(wait.policy));
    std::uint64_t period_ns = platform::kNever;
    for (const ReadPoint& point : wait.points) period_ns = std::min(period_ns, point.period_ns);
    std::uint64_t examine_at_ns = ShippedEnv::now() + period_ns;
    for (bool signalled = false;;) {
        const std::size_t found = wait.find_ready();
        if (found != Set::kNone) return found;
        if (wait.is_over() || signalled) return Status::interrupted;
        const std::uint64_t now = ShippedEnv::now();
        if (now >= wait.deadline_ns) return Status::timed_out;
        if (now >= examine_at_ns) {
            wait.examine();
            examine_at_ns = now + period_ns;
            continue;
        }
        const std::uint64_t end_ns = std::min(now + nap_ns(wait.policy), examine_at_ns);
        signalled = napper.nap(std::min(end_ns, wait.deadline_ns)) == platform::FutexResult::interrupted &&
                    wait.policy.return_on_signal;
    }
}

}  // namespace

std::size_t next_turn() noexcept {
    thread_local std::size_t turn = 0;
    return turn++;
}

AdaptiveSpin& spin_of_this_thread() noexcept {
    thread_local AdaptiveSpin spin(WaitPolicy{}.spin);
    return spin;
}

Result<std::size_t> wait_for_any(std::span<ReadPoint> points, std::span<platform::FutexTarget> targets,
                                 std::size_t start, std::uint64_t deadline_ns, const WaitPolicy& policy,
                                 AdaptiveSpin& spin, const std::stop_token& stop) noexcept {
    const Wait wait{points, start, deadline_ns, policy, stop};
    std::size_t found = wait.find_ready();
    if (found != Set::kNone) return found;
    if (deadline_ns == 0) return Status::timed_out;
    found = poll(wait, spin);
    if (found != Set::kNone) return found;
    const std::uint64_t start_ns = ShippedEnv::now();
    const Result<std::size_t> result = nap_ns(policy) != 0 ? nap(wait) : sleep(wait, targets);
    spin.slept(ShippedEnv::now() - start_ns);
    return result;
}

}  // namespace shmring::detail
