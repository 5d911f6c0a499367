// Sleeping on several event lines at once: registered on all of them, woken by any. The promises are those of one line
// (detail/event_count.hpp).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "shmring/detail/event_count.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::detail {

/// One thing to wait for. `ready` says whether a call on it would not wait; `examine` asks whether its peer lives.
template <class Env>
struct WaitPoint {
    EventLine<Env>* line = nullptr;
    void* object = nullptr;
    bool (*ready)(void* object, bool asks) noexcept = nullptr;  // asks: after the dead, too, once per period
    void (*examine)(void* object) noexcept = nullptr;
    std::uint64_t period_ns = 0;
    std::uint64_t epoch = 0;  // of our registration, while we sleep
    bool first_sleep = false;
};

template <class Env>
class EventSet {
    using Point = WaitPoint<Env>;
    using Events = EventCount<Env>;

 public:
    static constexpr std::size_t kNone = ~std::size_t{0};
    static constexpr std::size_t kMostExamined = 128;

    /// The first ready point from `start` on, going round; kNone when there is none. The first of a large set ask after the dead: where
    /// something is always ready nobody sleeps, and `start` goes round; where nothing is, those of all would cost too much.
    [[nodiscard]] static std::size_t find_ready(std::span<Point> points, std::size_t start) noexcept {
        for (std::size_t i = 0; i != points.size(); ++i) {
            const std::size_t index = start + i < points.size() ? start + i : start + i - points.size();
            if (points[index].ready(points[index].object, i < kMostExamined)) return index;
        }
        return kNone;
    }

    /// Sleeps until a point is ready (`found`), `over()` says that waiting is over, a signal came or the deadline did.
    /// `targets` is room for a futex word for each point, and one more: for `also`, another word that ends sleeps while it is not 0,
    /// which `over()` finds out; or null.
    template <class Over>
    static SleepResult sleep(std::span<Point> points, std::span<platform::FutexTarget> targets,
                             std::size_t start, std::uint64_t deadline_ns, Over&& over, std::size_t& found,
                             const std::uint32_t* also = nullptr) noexcept {
        for (Point& point : points) enlist(point);
        if (also != nullptr) targets[points.size()] = {also, 0};
        const SleepResult result =
            sleep_enlisted(points, targets.first(points.size() + (also != nullptr ? 1 : 0)), start,
                           deadline_ns, over, found);
        for (std::size_t i = 0; i != points.size(); ++i) {
            Point& point = points[i];
            Events::unregister_waiter(*point.line, point.epoch);
            // A wake-up meant for us on a line that we do not serve now: somebody else may sleep there.
            const bool passed_over = i != found && Events::credited(*point.line, point.epoch);
            if (passed_over) Events::pass_on(*point.line);
        }
        return result;
    }

 private:
    /// Asks for a part of a large set who lives: the next part each time, whichever set it is.
    static void examine_some(std::span<Point> points) noexcept {
        thread_local std::size_t next = 0;
        const std::size_t count = points.size() < kMostExamined ? points.size() : kMostExamined;
        for (std::size_t i = 0; i != count; ++i) {
            Point& point = points[next++ % points.size()];
            point.examine(point.object);
        }
    }

    static void enlist(Point& point) noexcept {
        point.epoch = Events::register_waiter(*point.line);
        point.first_sleep = true;
    }

    template <class Over>
    static SleepResult sleep_enlisted(std::span<Point> points, std::span<platform::FutexTarget> targets,
                                      std::size_t start, std::uint64_t deadline_ns, Over& over,
                                      std::size_t& found) noexcept {
        const auto ready = [&]() noexcept {
            found = find_ready(points, start);
            return found != kNone || over();
        };
        std::uint64_t stage_end =
            0;  // 0: a stage begins, 1 ms long after a registration, a liveness period otherwise
        bool first = false;
        for (;;) {
            if (stage_end == 0) {
                const std::uint64_t span = plan_stage(points, targets, first);
                if (first && Events::recheck(ready)) return SleepResult::ready;
                stage_end = Env::now() + span;
            }
            if (Env::now() >= deadline_ns) return SleepResult::timed_out;
            const platform::FutexResult result = Env::futex_wait_any(
                targets.data(), targets.size(), stage_end < deadline_ns ? stage_end : deadline_ns);
            const bool stage_over = Env::now() >= stage_end;
            if (stage_over) {
                if (!first) examine_some(points);
                for (Point& point : points) point.first_sleep = false;
            }
            if (ready()) {
                // A statistic. Not missed: a wake-up that came and found us late on the processor.
                if (result == platform::FutexResult::timed_out && stage_over && first && found != kNone &&
                    !Events::credited(*points[found].line, points[found].epoch))
                    points[found].line->missed_wakes.fetch_add(1, relaxed);
                return SleepResult::ready;
            }
            if (result == platform::FutexResult::interrupted) return SleepResult::interrupted;
            bool credited = false;
            for (Point& point : points) {
                if (!Events::credited(*point.line, point.epoch)) continue;
                enlist(point);
                credited = true;
            }
            if (stage_over || credited) stage_end = 0;
        }
    }

    /// Writes the futex targets; answers how long the next stage lasts, and whether it is the first of a registration.
    static std::uint64_t plan_stage(std::span<Point> points, std::span<platform::FutexTarget> targets,
                                    bool& first) noexcept {
        std::uint64_t span = platform::kNever;
        first = false;
        for (std::size_t i = 0; i != points.size(); ++i) {
            targets[i] = {Events::futex_word(*points[i].line),
                          static_cast<std::uint32_t>(points[i].epoch >> 32)};
            if (points[i].period_ns < span) span = points[i].period_ns;
            first = first || points[i].first_sleep;
        }
        return first && span > kFirstSleep_ns ? kFirstSleep_ns : span;
    }
};

}  // namespace shmring::detail
