// Several that sleep at one line and need different amounts of what they wait for, and several that wait for one bell, under every
// schedule: nobody sleeps beside what is enough for it. See docs/proof.md.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "support/bell_scene.hpp"
#include "support/executions.hpp"
#include "support/playing.hpp"
#include "support/sleeper_scene.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

constexpr std::array kPromises{
    Promise{"NobodySleepsBesideRoomThatIsEnoughForIt", {70'000, 70'000}},
    Promise{"TheSameWhereStoresAreSeenLate", {15'000, 15'000}},
    Promise{"WhereNothingIsHandedOnOneSleepsBesideRoom", {4, 4}},
    Promise{"NobodyWaitsForABellBesideAMessage", {16'000, 16'000}},
    Promise{"WithoutASecondLookOrStrokeABellIsMissed", {2, 2}},
};
class ScheduleSleepers : public CountedExecutions {
 protected:
    ScheduleSleepers() : CountedExecutions(kPromises) {}
};

Findings play(const SleeperPlan& plan, const Plan& how) {
    SleeperScene scene(plan);
    return expect_all_runs_right((how.weak ? "" : "sequential, ") + plan.name(), scene, how);
}
const Strategy kSome{.kind = Strategy::Kind::bounded, .bound = 3, .most_runs = is_soak() ? 200'000U : 8'000U};
const Plan kSequential{.strategy = kSome, .weak = false, .oversleep = Oversleep::never};
/// Where a notifier may miss a registration (docs/algorithms/sleeping.md), but who was woken has handed on.
const Plan kServed{.strategy = kSome, .oversleep = Oversleep::not_after_a_wake};

const std::vector<Sleeper> kTwo{{.needs = 2}, {.needs = 1}};
const std::vector<Sleeper> kOneThatLeaves{{.needs = 2, .gives_up = true}, {.needs = 1}};
const std::vector<Sleeper> kThree{{.needs = 3}, {.needs = 2}, {.needs = 1}};

TEST_F(ScheduleSleepers, NobodySleepsBesideRoomThatIsEnoughForIt) {
    for (const std::vector<std::uint64_t>& makes : {std::vector<std::uint64_t>{1}, {2}, {1, 1}})
        for (const auto& sleepers : {kTwo, kOneThatLeaves, kThree}) {
            const SleeperPlan plan{.sleepers = sleepers, .makes = makes};
            report(plan.name(), play(plan, kSequential));
        }
}
TEST_F(ScheduleSleepers, TheSameWhereStoresAreSeenLate) {
    for (const auto& sleepers : {kTwo, kOneThatLeaves}) {
        const SleeperPlan plan{.sleepers = sleepers, .makes = {1}};
        report(plan.name(), play(plan, kServed));
    }
}
TEST_F(ScheduleSleepers, WhereNothingIsHandedOnOneSleepsBesideRoom) {
    for (const auto& how : {kSequential, kServed})
        for (const auto& sleepers : {kTwo, kOneThatLeaves}) {
            SleeperScene scene({.sleepers = sleepers, .makes = {1}, .hands_on = false});
            const Findings findings = scheduler.explore(scene, how);
            EXPECT_NE(findings.fault, "") << "these scenes notice nothing";
            report("found", findings);
        }
}

TEST_F(ScheduleSleepers, NobodyWaitsForABellBesideAMessage) {
    for (const BellPlan& plan : {BellPlan{}, BellPlan{.each = 2}, BellPlan{.consumers = 2},
                                 BellPlan{.consumers = 2, .producers = 2}}) {
        BellScene scene(plan);
        report(plan.name(), expect_all_runs_right("sequential, " + plan.name(), scene, kSequential));
    }
}
TEST_F(ScheduleSleepers, WithoutASecondLookOrStrokeABellIsMissed) {
    for (const BellPlan& plan :
         {BellPlan{.looks_again = false}, BellPlan{.consumers = 2, .strikes_again = false}}) {
        BellScene scene(plan);
        const Findings findings = scheduler.explore(scene, kSequential);
        EXPECT_NE(findings.fault, "") << "these scenes notice nothing: " << plan.name();
        report("found", findings);
    }
}

}  // namespace
}  // namespace shmring::test
