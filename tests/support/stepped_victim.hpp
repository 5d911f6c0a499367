// Killing one victim after another, each a step later in the same operation: what the worlds of torture have in common. Who the victims
// are, and what becomes of those who survive them, is each world's own (torture.hpp, pipe_torture.hpp, joinable_torture.hpp).
// SPDX-License-Identifier: MIT
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "shmring/detail/platform.hpp"
#include "shmring/segment.hpp"
#include "support/effective_steps.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"
#include "support/torture_report.hpp"

namespace shmring::test {

/// When a victim dies: at the first of these, or never.
struct Moment {
    static constexpr std::uint64_t kNever = ~std::uint64_t{0};

    std::uint64_t steps = kNever;  ///< after so many
    bool literally = false;        ///< any instructions, not only those that matter
    RunUp run_up{};                ///< through which it runs at full speed
    /// Right after an instruction that matters and is none of these.
    const std::set<std::uintptr_t>* known = nullptr;
    std::uintptr_t place = kNoAddress;  ///< right after this instruction, where it matters
    std::uint64_t calls = kNever;       ///< right after so many system calls

    [[nodiscard]] bool has_come(const EffectiveSteps& now) const {
        return is_after_all_steps(now) || (now.is_behind_a_call() && now.after_calls().size() == calls) ||
               (now.just_done() != kNoAddress &&
                (now.just_done() == place || (known != nullptr && !known->contains(now.just_done()))));
    }
    [[nodiscard]] bool is_after_all_steps(const EffectiveSteps& now) const {
        return (literally ? now.instructions() : now.effective()) == steps;
    }
    [[nodiscard]] std::string in_words() const {
        if (place != kNoAddress) return "killed at a place that was missed";
        if (calls != kNever) return "killed after " + std::to_string(calls) + " system calls";
        if (steps == kNever) return "not killed";
        return "killed after " + std::to_string(steps) + (literally ? " instructions" : " steps that matter");
    }
};

/// A process that dies in the middle of its operation, or comes to its end.
class SteppedVictim {
 public:
    explicit SteppedVictim(const Moment& death) : death_(death) {}

    /// Forks it. `falls_asleep` is set when it stands in front of its futex call.
    template <class Body>
    [[nodiscard]] SteppedChild::End kill(const Segment& segment, std::atomic<std::uint32_t>& falls_asleep,
                                         Body&& body) {
        steps_.emplace(segment, death_.run_up.effective);
        const auto is_time = [&](pid_t child) {
            steps_->look(child);
            if (steps_->is_about_to_sleep()) falls_asleep.store(1, std::memory_order_release);
            death_ns_ = detail::platform::monotonic_ns();
            return death_.has_come(*steps_);
        };
        const SteppedChild::End end = SteppedChild::kill_when(is_time, body, death_.run_up.calls);
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
    Moment death_;
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
    bool is_alone = true;       ///< nobody else changes the segment meanwhile
    bool each_step = is_soak();
    bool behind_each_call =
        false;  ///< right after each system call, too: while a peer moves, steps do not say where that is
    bool tries_missed = is_soak();  ///< instructions that matter and behind which nobody was killed
};

/// The distinct instructions of a path that matter, and whether a victim was killed right behind each. While nobody else is about, those
/// matter that ever made a difference. Else a change may be somebody else's: then those that made one at least every other time that a
/// victim executed them, which is a good guess and no more.
class Places {
 public:
    explicit Places(bool is_alone) : is_alone_(is_alone) {}

    void note(const Moment& death, const EffectiveSteps& steps, bool was_killed) {
        if (was_killed) killed_.insert(steps.just_done());
        if (is_settled_) return;
        for (const auto& [address, seen] : steps.executed()) {
            Place& here = places_[address];
            here.executed.times += seen.times;
            here.executed.effective += seen.effective;
            if (seen.effective != 0) here.run_up = death.run_up;
        }
    }
    /// Behind which somebody was killed, if that says for sure what is new.
    [[nodiscard]] const std::set<std::uintptr_t>* known() const { return is_alone_ ? &killed_ : nullptr; }
    [[nodiscard]] std::vector<std::uintptr_t> all() const {
        std::vector<std::uintptr_t> all;
        for (const auto& [address, here] : places_)
            if (matters(here.executed)) all.push_back(address);
        return all;
    }
    [[nodiscard]] std::vector<std::uintptr_t> missed() const {
        std::vector<std::uintptr_t> missed = all();
        std::erase_if(missed, [&](std::uintptr_t address) { return killed_.contains(address); });
        return missed;
    }
    /// What was missed is tried again, by itself: a way that was taken once need not be taken soon.
    template <class LetRun>
    void kill_at_missed(LetRun&& let_run) {
        constexpr int kTries = 32;
        is_settled_ = true;
        for (int tries = 0; tries != kTries; ++tries) {
            for (const std::uintptr_t place : missed()) {
                if (testing::Test::HasFailure()) return;
                (void)let_run({.run_up = tries % 2 == 0 ? places_[place].run_up : RunUp{}, .place = place});
            }
        }
    }

 private:
    struct Place {
        Executed executed{};
        RunUp run_up{};  ///< of the last victim to which it made a difference
    };
    [[nodiscard]] bool matters(const Executed& seen) const {
        return seen.effective != 0 && (is_alone_ || 2 * seen.effective >= seen.times);
    }

    bool is_alone_;
    bool is_settled_ = false;  ///< no try may talk a place away
    std::map<std::uintptr_t, Place> places_{};
    std::set<std::uintptr_t> killed_{};
};

/// Where in which file, for addr2line.
[[nodiscard]] inline std::string in_words(const std::vector<std::uintptr_t>& addresses) {
    std::ostringstream words;
    for (const std::uintptr_t address : addresses) {
        Dl_info file{};
        if (::dladdr(reinterpret_cast<const void*>(address), &file) == 0) continue;
        words << ' ' << file.dli_fname << "+0x" << std::hex
              << address - reinterpret_cast<std::uintptr_t>(file.dli_fbase);
    }
    return words.str();
}

/// Lets one victim get its operation done, and kills others after each step of it, or after some, evenly spread. A way need not be the
/// same each time: when it is time to look after the dead, or somebody else is about, it has other steps. So where all steps are asked for
/// and nobody else is about, a victim that comes to an instruction behind which nobody was killed yet dies there, and another one takes
/// its step.
/// `make()` a world, `kill(world, victim)` in it, `settle(world, victim, finished, report)` what is left.
template <class Make, class Kill, class Settle>
void kill_at_each_step(const KillPlan& plan, Make&& make, Kill&& kill, Settle&& settle) {
    const std::uint64_t some = plan.literally ? 8 : 2;  // and each form of a path is killed elsewhere
    ASSERT_FALSE(plan.literally && plan.is_long) << "a run-up counts the steps that matter";
    TortureReport report;
    Places places(plan.is_alone);
    std::vector<std::uint64_t> after_calls;  // of the run to the end
    bool has_died_in_time = false;           // the last one, and not before
    const auto let_run = [&](const Moment& death) {
        SCOPED_TRACE(plan.name + ", " + death.in_words());
        auto world = make();
        SteppedVictim victim(death);
        const SteppedChild::End end = kill(world, victim);
        EXPECT_NE(end, SteppedChild::End::failed);
        const bool finished = end == SteppedChild::End::finished;
        if (!finished && end != SteppedChild::End::on_the_way) return end;
        settle(world, victim, finished, report);
        places.note(death, victim.steps(), !finished);
        report.kills += finished ? 0 : 1;
        has_died_in_time = death.is_after_all_steps(victim.steps());
        if (report.instructions != 0) return end;
        report.instructions = victim.steps().instructions();  // the first one is not killed
        report.effective = victim.steps().effective();
        after_calls = victim.steps().after_calls();
        return end;
    };

    const SteppedChild::End of_all = let_run({});
    if (of_all == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
    ASSERT_EQ(of_all, SteppedChild::End::finished) << plan.name;
    const std::uint64_t all = plan.literally ? report.instructions : report.effective;
    const std::uint64_t stride = plan.each_step ? 1 : std::max<std::uint64_t>(1, all / some);
    const std::set<std::uintptr_t>* known = plan.each_step ? places.known() : nullptr;
    for (std::uint64_t steps = (2 * plan.quarter + 1) * stride / 8;
         steps < all + (plan.each_step ? 1 : 0) && !testing::Test::HasFailure(); steps += stride) {
        Moment death{.steps = steps,
                     .literally = plan.literally,
                     .run_up = plan.is_long ? RunUp::to(steps, after_calls) : RunUp{},
                     .known = known};
        SteppedChild::End end = let_run(death);
        // At full speed it may do with fewer calls than stepped, and is done before it should be killed: then the slow way.
        if (end == SteppedChild::End::finished && death.run_up.calls != 0) {
            death.run_up = {};
            end = let_run(death);
        }
        while (end == SteppedChild::End::on_the_way && !has_died_in_time && !testing::Test::HasFailure())
            end = let_run(death);
    }
    const std::uint64_t all_calls = plan.behind_each_call ? after_calls.size() : 0;
    for (std::uint64_t calls = 1; calls <= all_calls && !testing::Test::HasFailure(); ++calls)
        (void)let_run({.calls = calls});
    EXPECT_GE(2 * report.kills, plan.each_step ? all : 1U)
        << plan.name << ": most victims were done before their time";
    if (plan.tries_missed) places.kill_at_missed(let_run);
    const std::vector<std::uintptr_t> missed = places.missed();
    report.places = places.all().size();
    report.missed = missed.size();
    report.print(plan.name);
    if (!plan.tries_missed) return;
    if (!missed.empty()) std::printf("nobody was killed behind%s\n", in_words(missed).c_str());
    EXPECT_LE(5 * missed.size(), report.places * (plan.is_alone ? 1 : 2)) << plan.name;
}

}  // namespace shmring::test
