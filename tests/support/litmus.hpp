// Small programs of a few words and registers, played in every way: which ends they can come to.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "support/scheduler.hpp"
#include "support/scheduler_env.hpp"

namespace shmring::test {

/// The shared words, x[0] to x[3], all 0 at the beginning, and as many bytes that are not atomic.
struct LitmusWords {
    using Word = SchedulerEnv::Atom<std::uint64_t>;
    std::array<Word, 4> x{};
    std::array<std::uint64_t, 4> plain{};
};
/// What the actors found: r[0] to r[7].
using Registers = std::array<std::uint64_t, 8>;

class Litmus : public Scene {
 public:
    using Act = std::function<void(LitmusWords& words, Registers& r)>;
    using Ends = std::set<std::vector<std::uint64_t>>;

    explicit Litmus(std::vector<Act> acts) : acts_(std::move(acts)) {}

    /// The values that the first `count` registers can have at the end, or the fault of a run that failed.
    [[nodiscard]] Ends ends(std::size_t count, Strategy::Kind kind = Strategy::Kind::pruned,
                            ActorSet mortals = 0) {
        count_ = count;
        ends_.clear();
        Plan plan;
        plan.strategy.kind = kind;
        plan.mortals = mortals;
        findings_ = scheduler.explore(*this, plan);
        return ends_;
    }
    [[nodiscard]] const Findings& findings() const { return findings_; }

    [[nodiscard]] int actors() const override { return static_cast<int>(acts_.size()); }
    void arrange() override {
        for (auto& word : words_.x) word.set(0);
        words_.plain = {};
        registers_ = {};
    }
    void act(int actor) override { acts_[static_cast<std::size_t>(actor)](words_, registers_); }
    [[nodiscard]] std::string judge() override {
        ends_.insert({registers_.begin(), registers_.begin() + static_cast<std::ptrdiff_t>(count_)});
        return {};
    }

 private:
    std::vector<Act> acts_;
    std::size_t count_ = 0;
    Ends ends_{};
    Findings findings_{};
    LitmusWords words_{};
    Registers registers_{};
};

}  // namespace shmring::test
