// Several that sleep at one line until there is as much room as they need, and those who make room and wake one for it: the shipped
// event count and waiter over the scheduler's Env. Whoever got its room ends the scene for the others.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "shmring/detail/event_count.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/waiter_sleep.hpp"
#include "shmring/wait.hpp"
#include "support/scheduler.hpp"
#include "support/scheduler_env.hpp"

namespace shmring::test {

struct Sleeper {
    std::uint64_t needs = 1;
    bool gives_up = false;  ///< leaves when it finds room that is not enough
};
struct SleeperPlan {
    std::vector<Sleeper> sleepers{};
    std::vector<std::uint64_t> makes{};  ///< of each that makes room, how much
    bool hands_on = true;                ///< as shipped: what a sleeper cannot use may be another's

    [[nodiscard]] std::string name() const {
        std::string text = "sleepers that need";
        for (const Sleeper& each : sleepers)
            text += " " + std::to_string(each.needs) + (each.gives_up ? " or leave" : "");
        text += ", made is";
        for (const std::uint64_t each : makes) text += " " + std::to_string(each);
        return text + (hands_on ? "" : ", nothing handed on");
    }
};

class SleeperScene : public Scene {
    using Events = detail::EventCount<SchedulerEnv>;
    using Word = SchedulerEnv::Atom<std::uint64_t>;

 public:
    explicit SleeperScene(SleeperPlan plan) : plan_(std::move(plan)) {}

    [[nodiscard]] int actors() const override {
        return static_cast<int>(plan_.sleepers.size() + plan_.makes.size());
    }
    void arrange() override {
        line_.word.set(0);
        line_.missed_wakes.set(0);
        room_.set(0);
        is_over_.set(0);
        taken_ = {};
        fault_ = nullptr;
    }
    void act(int actor) override {
        const auto index = static_cast<std::size_t>(actor);
        const std::size_t sleepers = plan_.sleepers.size();
        index < sleepers ? sleep(index) : make(plan_.makes[index - sleepers]);
    }
    [[nodiscard]] std::string judge() override {
        if (fault_ != nullptr) return fault_;
        const std::uint64_t made = std::accumulate(plan_.makes.begin(), plan_.makes.end(), std::uint64_t{0});
        const std::uint64_t taken = std::accumulate(taken_.begin(), taken_.end(), std::uint64_t{0});
        if (room_.now() + taken != made) return "room was lost";
        return (line_.word.now() & detail::kWaitersMask) == 0 || plan_.sleepers.size() > 1
                   ? ""
                   : "one is counted asleep who is not";
    }

 private:
    void make(std::uint64_t room) {
        scheduler.begin_call();
        room_.fetch_add(room, detail::release);
        if (Events::somebody_waits(line_)) (void)Events::notify(line_, 1);
    }
    void sleep(std::size_t index) {
        scheduler.begin_call();
        const Sleeper& me = plan_.sleepers[index];
        const auto take = [this, &me]() noexcept {
            std::uint64_t seen = room_.load(detail::acquire);
            while (seen >= me.needs)
                if (room_.compare_exchange_weak(seen, seen - me.needs, detail::acquire, detail::acquire))
                    return Status::ok;
            if (me.gives_up && seen != 0) return Status::too_large;
            return is_over_.load(detail::acquire) != 0 ? Status::closed : Status::full;
        };
        const auto left = [this]() noexcept { return plan_.hands_on && room_.load(detail::relaxed) != 0; };
        detail::Waiter<SchedulerEnv> waiter;
        waiter.set_policy({.spin = std::chrono::nanoseconds(0)});
        const Status status = waiter.wait(
            line_, Status::full, detail::platform::kNever, kPeriod_ns, {}, take, [] {}, left);
        if (status != Status::ok) return;
        taken_[index] = me.needs;
        is_over_.store(1, detail::release);
        Events::notify_all(line_);
    }

    static constexpr std::uint64_t kPeriod_ns = 100'000'000;

    SleeperPlan plan_;
    detail::EventLine<SchedulerEnv> line_{};
    Word room_{};
    Word is_over_{};
    std::array<std::uint64_t, kMostActors> taken_{};
    const char* fault_ = nullptr;
};

}  // namespace shmring::test
