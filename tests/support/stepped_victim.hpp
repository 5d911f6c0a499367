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
        const auto is_time = [&](pid_t child) {
            steps_->look(child);
            if (steps_->is_about_to_sleep()) falls_asleep.store(1, std::memory_order_release);
            death_ns_ = detail::platform::monotonic_ns();
            return (literally_ ? steps_->instructions() : steps_->effective()) == most_steps_;
        };
        const SteppedChild::End end = SteppedChild::kill_when(is_time, body, run_up_.calls);
        was_killed_ = end == SteppedChild::End::on_the_way;
        return end;
    }
    /// What it did, once it was forked.
    [[nodiscard]] const EffectiveSteps& steps() const { return *steps_; }
    /// Somebody moved on after its death, if it died.
    void note_recovery(std::uint64_t moved_on_ns, TortureReport& report) const {
        if (was_killed_ && moved_on_ns > death_ns_)
            report.worst_ns = std::max(report.worst_ns, moved_on_ns - death_ns_);
    }

 private:
    std::uint64_t most_steps_;
    RunUp run_up_;
    bool literally_;
    std::optional<EffectiveSteps> steps_{};
    std::uint64_t death_ns_ = 0;
    bool was_killed_ = false;
};

/// After which steps of an operation its victims are killed.
struct KillPlan {
    std::string name;
    std::uint64_t quarter = 0;  ///< 0 to 3: where between two kills, if not after each step
    bool literally = false;     ///< after every instruction, not just after those that matter
    bool is_long = false;       ///< ten thousands of instructions, with the same system calls each time
    bool each_step = is_soak();
};

/// Lets one victim get its operation done, and kills others after each step of it, or after some, evenly spread.
/// `make()` a world, `kill(world, victim)` in it, `settle(world, victim, finished, report)` what is left.
template <class Make, class Kill, class Settle>
void kill_at_each_step(const KillPlan& plan, Make&& make, Kill&& kill, Settle&& settle) {
    constexpr std::uint64_t kNever = ~std::uint64_t{0};
    const std::uint64_t some = plan.literally ? 8 : 2;  // and each form of a path is killed elsewhere
    ASSERT_FALSE(plan.literally && plan.is_long) << "a run-up counts the steps that matter";
    TortureReport report;
    std::vector<std::uint64_t> after_calls;  // of the run to the end
    const auto let_run = [&](std::uint64_t most_steps, const RunUp& run_up) {
        SCOPED_TRACE(plan.name + (most_steps == kNever
                                      ? ", not killed"
                                      : ", killed after " + std::to_string(most_steps) +
                                            (plan.literally ? " instructions" : " steps that matter")));
        auto world = make();
        SteppedVictim victim(most_steps, run_up, plan.literally);
        const SteppedChild::End end = kill(world, victim);
        EXPECT_NE(end, SteppedChild::End::failed);
        const bool finished = end == SteppedChild::End::finished;
        if (!finished && end != SteppedChild::End::on_the_way) return end;
        settle(world, victim, finished, report);
        report.kills += finished ? 0 : 1;
        if (most_steps != kNever) return end;
        report.instructions = victim.steps().instructions();
        report.effective = victim.steps().effective();
        if (plan.is_long) after_calls = victim.steps().after_calls();
        return end;
    };

    const SteppedChild::End of_all = let_run(kNever, {});
    if (of_all == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
    ASSERT_EQ(of_all, SteppedChild::End::finished) << plan.name;
    const std::uint64_t all = plan.literally ? report.instructions : report.effective;
    const std::uint64_t stride = plan.each_step ? 1 : std::max<std::uint64_t>(1, all / some);
    for (std::uint64_t steps = (2 * plan.quarter + 1) * stride / 8;
         steps < all + (plan.each_step ? 1 : 0) && !testing::Test::HasFailure(); steps += stride) {
        const RunUp run_up = RunUp::to(steps, after_calls);
        const SteppedChild::End end = let_run(steps, run_up);
        // At full speed it may do with fewer calls than stepped, and is done before it should be killed: then the slow way.
        if (end == SteppedChild::End::finished && run_up.calls != 0) (void)let_run(steps, {});
    }
    report.print(plan.name);
    EXPECT_GE(2 * report.kills, plan.each_step ? all : 1U)
        << plan.name << ": most victims were done before their time";
}

}  // namespace shmring::test
