// Killing one victim after another, each a step later in the same operation: what the worlds of torture have in common. Who the victims
// are, and what becomes of those who survive them, is each world's own (torture.hpp, pipe_torture.hpp, joinable_torture.hpp).
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "shmring/detail/platform.hpp"
#include "shmring/segment.hpp"
#include "support/effective_steps.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"
#include "support/torture_report.hpp"

namespace shmring::test {

/// A process that dies after so many steps of its operation, or comes to its end.
class SteppedVictim {
 public:
    /// Steps are those that matter, or all instructions. Through the run-up it runs at full speed.
    SteppedVictim(std::uint64_t most_steps, const RunUp& run_up, bool literally)
        : most_steps_(most_steps), run_up_(run_up), literally_(literally) {}

    /// Forks it. `falls_asleep` is set when it stands in front of its futex call.
    template <class Body>
    [[nodiscard]] SteppedChild::End kill(const Segment& segment, std::atomic<std::uint32_t>& falls_asleep,
                                         Body&& body) {
        steps_.emplace(segment, run_up_.effective);
        death_ns_ = detail::platform::monotonic_ns();  // where it makes fewer calls than were to be run up
        const auto is_time = [&](pid_t child) {
            steps_->look(child);
            if (steps_->is_about_to_sleep()) falls_asleep.store(1, std::memory_order_release);
            death_ns_ = detail::platform::monotonic_ns();
            return (literally_ ? steps_->instructions() : steps_->effective()) == most_steps_;
        };
        return SteppedChild::kill_when(is_time, body, run_up_.calls);
    }
    /// What it did, once it was forked.
    [[nodiscard]] const EffectiveSteps& steps() const { return *steps_; }
    /// Somebody moved on after its death.
    void note_recovery(std::uint64_t moved_on_ns, TortureReport& report) const {
        if (moved_on_ns > death_ns_) report.worst_ns = std::max(report.worst_ns, moved_on_ns - death_ns_);
    }

 private:
    std::uint64_t most_steps_;
    RunUp run_up_;
    bool literally_;
    std::optional<EffectiveSteps> steps_{};
    std::uint64_t death_ns_ = 0;
};

/// After which steps of an operation its victims are killed.
struct KillPlan {
    std::string name;
    std::uint64_t quarter = 0;  ///< 0 to 3: where between two kills, if there is time for few of them
    bool literally = false;     ///< after every instruction, not just after those that matter
    bool is_long = false;       ///< ten thousands of instructions, with the same system calls each time
};

/// Lets one victim get its operation done, and kills others after each step of it; after some, evenly spread, where time is short.
/// `make()` a world, `kill(world, victim)` in it, `settle(world, victim, finished, report)` what is left.
template <class Make, class Kill, class Settle>
void kill_at_each_step(const KillPlan& plan, Make&& make, Kill&& kill, Settle&& settle) {
    constexpr std::uint64_t kNever = ~std::uint64_t{0};
    const std::uint64_t quick_kills = plan.literally ? 8 : 2;  // and each form of a path is killed elsewhere
    TortureReport report;
    std::vector<std::uint64_t> after_calls;  // of the run to the end
    const auto let_run = [&](std::uint64_t most_steps) {
        auto world = make();
        SteppedVictim victim(most_steps, RunUp::to(most_steps, after_calls), plan.literally);
        const SteppedChild::End end = kill(world, victim);
        if (end == SteppedChild::End::cannot_be_traced || end == SteppedChild::End::failed) return end;
        const bool finished = end == SteppedChild::End::finished;
        settle(world, victim, finished, report);
        const EffectiveSteps& steps = victim.steps();
        report.effective = std::max(report.effective, steps.effective());
        report.kills += finished ? 0 : 1;
        if (finished) report.instructions = std::max(report.instructions, steps.instructions());
        if (finished && plan.is_long && after_calls.empty()) after_calls = steps.after_calls();
        return end;
    };

    const SteppedChild::End of_all = let_run(kNever);
    if (of_all == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
    ASSERT_EQ(of_all, SteppedChild::End::finished) << plan.name;
    const std::uint64_t all = plan.literally ? report.instructions : report.effective;
    const std::uint64_t stride = is_soak() ? 1 : std::max<std::uint64_t>(1, all / quick_kills);
    const std::uint64_t end_of_all = is_soak() ? kNever : all;
    for (std::uint64_t steps = (2 * plan.quarter + 1) * stride / 8; steps < end_of_all; steps += stride) {
        SCOPED_TRACE(plan.name + ", killed after " + std::to_string(steps) +
                     (plan.literally ? " instructions" : " steps that matter"));
        const SteppedChild::End end = let_run(steps);
        ASSERT_TRUE(end == SteppedChild::End::on_the_way || end == SteppedChild::End::finished);
        if (end == SteppedChild::End::finished || testing::Test::HasFailure()) break;
    }
    report.print(plan.name);
    EXPECT_NE(report.kills, 0U) << plan.name;
}

}  // namespace shmring::test
