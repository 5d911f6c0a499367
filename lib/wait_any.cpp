// The wait over several rings: poll for a while, then sleep on all of their event lines.
#include "shmring/wait_any.hpp"

namespace shmring::detail {

namespace {

using Set = EventSet<ShippedEnv>;

/// A little longer than a sleep and its wake-up cost.
[[nodiscard]] std::size_t poll(std::span<ReadPoint> points, std::size_t start, std::uint64_t until_ns,
                               const std::stop_token& stop) noexcept {
    for (;;) {
        const std::size_t found = Set::find_ready(points, start);
        if (found != Set::kNone || stop.stop_requested() || ShippedEnv::now() >= until_ns) return found;
    }
}

}  // namespace

std::size_t next_turn() noexcept {
    thread_local std::size_t turn = 0;
    return turn++;
}

Result<std::size_t> wait_for_any(std::span<ReadPoint> points, std::span<platform::FutexTarget> targets,
                                 std::size_t start, std::uint64_t deadline_ns, const WaitPolicy& policy,
                                 const std::stop_token& stop) noexcept {
    std::size_t found = Set::find_ready(points, start);
    if (found != Set::kNone) return found;
    if (deadline_ns == 0) return Status::timed_out;
    const std::uint64_t spin_ns =
        policy.spin.count() > 0 ? static_cast<std::uint64_t>(policy.spin.count()) : 0;
    const std::uint64_t poll_end_ns = ShippedEnv::now() + spin_ns;
    found = poll(points, start, poll_end_ns < deadline_ns ? poll_end_ns : deadline_ns, stop);
    if (found != Set::kNone) return found;

    // Any one line will do to wake us: we look at the token after every sleep.
    const std::stop_callback wake_on_stop(
        stop, [line = points[0].line]() noexcept { EventCount<ShippedEnv>::notify_all(*line); });
    for (;;) {
        const SleepResult result = Set::sleep(
            points, targets, start, deadline_ns, [&]() noexcept { return stop.stop_requested(); }, found);
        if (found != Set::kNone) return found;
        if (stop.stop_requested()) return Status::interrupted;
        if (result == SleepResult::timed_out) return Status::timed_out;
        if (policy.return_on_signal) return Status::interrupted;
        for (ReadPoint& point : points)
            point.examine(point.object);  // a timer signal must not keep us from asking
    }
}

}  // namespace shmring::detail
