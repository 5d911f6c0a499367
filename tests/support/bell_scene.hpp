// Consumers that wait for a bell and not at the line itself, and those who publish: the shipped armed bit over the scheduler's Env, with
// the order of Attendee::settle (silence, arm, look again) and a word for the bell. As in epoll, a bell that is silent again when a sleeper
// comes to itself lets it sleep on.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <string>

#include "shmring/detail/event_count.hpp"
#include "shmring/detail/layout.hpp"
#include "support/scheduler.hpp"
#include "support/scheduler_env.hpp"

namespace shmring::test {

struct BellPlan {
    int consumers = 1;  ///< each takes `each` messages and goes
    int producers =
        1;  ///< each publishes one message after the other, so that there are as many as are taken
    std::uint64_t each = 1;
    bool looks_again = true;  ///< as shipped: after arming
    bool strikes_again =
        true;  ///< as shipped: after a second look that found something, for the silence may have been another's, too

    [[nodiscard]] std::string name() const {
        return "bell: " + std::to_string(consumers) + " take " + std::to_string(each) + " each from " +
               std::to_string(producers) + (looks_again ? "" : ", without a second look") +
               (strikes_again ? "" : ", without a second stroke");
    }
};

class BellScene : public Scene {
    using Events = detail::EventCount<SchedulerEnv>;
    using Word = SchedulerEnv::Atom<std::uint64_t>;

 public:
    explicit BellScene(const BellPlan& plan) : plan_(plan) {}

    [[nodiscard]] int actors() const override { return plan_.consumers + plan_.producers; }
    void arrange() override {
        line_.word.set(0);
        line_.missed_wakes.set(0);
        messages_.set(0);
        bell_.set(0);
        taken_ = {};
    }
    void act(int actor) override {
        if (actor >= plan_.consumers) return publish();
        for (std::uint64_t i = 0; i != plan_.each; ++i) {
            consume();
            ++taken_[static_cast<std::size_t>(actor)];
        }
    }
    [[nodiscard]] std::string judge() override {
        const std::uint64_t taken = std::accumulate(taken_.begin(), taken_.end(), std::uint64_t{0});
        return messages_.now() == 0 && taken == all() ? "" : "a message was lost";
    }

 private:
    [[nodiscard]] std::uint64_t all() const {
        return static_cast<std::uint64_t>(plan_.consumers) * plan_.each;
    }
    void publish() {
        for (std::uint64_t i = 0; i != all() / static_cast<std::uint64_t>(plan_.producers); ++i) {
            scheduler.begin_call();
            messages_.fetch_add(1, detail::release);
            if (Events::somebody_waits(line_) && Events::notify(line_, 1)) strike();
        }
    }
    void strike() {
        bell_.store(1, detail::release);  // as the kernel: who hears it sees what was before
        SchedulerEnv::futex_wake(bell_word(), 2);
    }
    [[nodiscard]] bool take() {
        std::uint64_t seen = messages_.load(detail::acquire);
        while (seen != 0)
            if (messages_.compare_exchange_weak(seen, seen - 1, detail::acquire, detail::acquire))
                return true;
        return false;
    }
    void consume() {
        for (;;) {
            scheduler.begin_call();
            if (take()) return;
            bell_.store(0, detail::relaxed);
            (void)Events::arm(line_);
            if (plan_.looks_again && take()) {
                if (plan_.strikes_again) strike();
                return;
            }
            while (bell_.load(detail::acquire) == 0)
                (void)SchedulerEnv::futex_wait(bell_word(), 0, SchedulerEnv::now() + detail::kFirstSleep_ns);
        }
    }
    [[nodiscard]] const std::uint32_t* bell_word() const {
        constexpr int kLowHalf = std::endian::native == std::endian::little ? 0 : 1;
        return reinterpret_cast<const std::uint32_t*>(&bell_) + kLowHalf;
    }

    BellPlan plan_;
    detail::EventLine<SchedulerEnv> line_{};
    Word messages_{};
    Word bell_{};
    std::array<std::uint64_t, kMostActors> taken_{};
};

}  // namespace shmring::test
