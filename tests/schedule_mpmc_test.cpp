// MpmcRing's and MpmcByteRing's algorithm and recovery under every schedule, weak memory and every death: see docs/proof.md.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support/executions.hpp"
#include "support/mpmc_kinds.hpp"
#include "support/mpmc_scene.hpp"
#include "support/playing.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

constexpr std::array kPromises{
    Promise{"TwoOperationsOfEachSide", {15'000, 15'000}},
    Promise{"OneOperationOfThree", {9'000, 9'000}},
    Promise{"AnExchangeThatFailsForNothingIsTriedAgain", {220, 220}},
    Promise{"TheEndOfAStream", {470, 470}},
    Promise{"AWriterDies", {127'000, 127'000}},
    Promise{"AReaderDies", {175'000, 175'000}},
    Promise{"TheOneWhoRepairsDiesToo", {196'000, 196'000}},
    Promise{"TheDeadOnesRecordIsTakenAgain", {94'000, 94'000}},
    Promise{"WithAtMostThreeDepartures", {80'000, 80'000}},
    Promise{"LongerRunsAtRandom", {120'000, 4'000'000}},
};
static_assert(keep(kPromises, kOfRingsOfMany));
class ScheduleMpmc : public CountedExecutions {
 protected:
    ScheduleMpmc() : CountedExecutions(kPromises) {}
};

template <class Kind>
constexpr const char* kRing = Kind::kCountsMessages ? "MpmcRing" : "MpmcByteRing";

template <class Kind>
Findings play(CrowdPlan plan, const Plan& how = {}) {
    plan.is_weak = how.weak;
    CrowdScene<Kind> scene(plan);
    return expect_all_runs_right(
        std::string(kRing<Kind>) + (how.weak ? "" : ", sequential") + ", " + plan.name(), scene, how);
}
/// Of every capacity, with any number of messages inside, from the beginning and across the wrap.
template <class Kind>
Findings play_all_standings(const CrowdPlan& acts, const Plan& how = {}) {
    Findings all;
    CrowdPlan plan = acts;
    for (plan.capacity = 1; plan.capacity <= (Kind::kCountsMessages ? 2U : 3U); ++plan.capacity)
        for (plan.inside = 0; plan.inside <= plan.capacity; ++plan.inside)
            for (const std::uint64_t before : {std::uint64_t{0}, 3 * plan.capacity - 1}) {
                plan.before = before;
                all.add(play<Kind>(plan, how));
            }
    return all;
}
/// The same of both rings.
void report_all(const std::string& what, const CrowdPlan& acts, const Plan& how = {}) {
    report("MpmcRing, " + what, play_all_standings<FixedKind>(acts, how));
    report("MpmcByteRing, " + what, play_all_standings<UnitsKind>(acts, how));
}
Part writer(Acts acts) { return {true, std::move(acts)}; }
Part reader(Acts acts) { return {false, std::move(acts)}; }
Part heir(int of, bool writes, Acts acts) { return {writes, std::move(acts), of}; }
/// As many runs of a scene as the quick form has time for.
Strategy at_most(std::uint64_t runs) { return {.most_runs = is_soak() ? 4 * runs : runs}; }

const Acts kOnce{Act::one};
const Acts kTry{Act::try_one};
const std::vector<Act> kActs{Act::try_one, Act::two, Act::in_place};

TEST_F(ScheduleMpmc, TwoOperationsOfEachSide) {
    for (const Act first : kActs)
        for (const Act second : kActs)
            for (const Act reads : {Act::try_one, Act::two})
                report_all(text_of({first, second}, true) + " | " + text_of({reads, Act::try_one}, false),
                           {.parts = {writer({first, second}), reader({reads, Act::try_one})}});
}
TEST_F(ScheduleMpmc, OneOperationOfThree) {
    for (const Act act : kActs) {
        report_all("two writers: " + text_of({act}, true),
                   {.parts = {writer({act}), writer(kTry), reader(kTry)}}, {.strategy = at_most(20'000)});
        if (act != Act::in_place)
            report_all("two readers: " + text_of({act}, false),
                       {.parts = {writer(kTry), reader({act}), reader(kTry)}}, {.strategy = at_most(20'000)});
    }
}
TEST_F(ScheduleMpmc, AnExchangeThatFailsForNothingIsTriedAgain) {
    report_all("try_push | try_pop", {.parts = {writer(kTry), reader(kTry)}}, {.spurious = 1});
}
TEST_F(ScheduleMpmc, TheEndOfAStream) {
    report_all("try_push, close | try_pop, try_pop",
               {.parts = {writer({Act::try_one, Act::close}), reader({Act::try_one, Act::try_one})}});
    report_all("close | try_push | try_pop", {.parts = {writer({Act::close}), writer(kTry), reader(kTry)}},
               {.strategy = at_most(20'000)});
}

TEST_F(ScheduleMpmc, AWriterDies) {
    for (const Act act : kActs) {
        report_all(text_of({act}, true) + " and death | pop", {.parts = {writer({act}), reader(kOnce)}},
                   {.strategy = at_most(20'000), .mortals = only(0)});
        report_all(text_of({act}, true) + " and death | push | pop",
                   {.parts = {writer({act}), writer(kOnce), reader(kOnce)}},
                   {.strategy = at_most(2'000), .mortals = only(0)});
    }
}
TEST_F(ScheduleMpmc, AReaderDies) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        for (const Act act : {Act::try_one, Act::two}) {
            report_all(text_of({act}, false) + " and death | push, push",
                       {.delivery = delivery, .parts = {reader({act}), writer({Act::one, Act::one})}},
                       {.strategy = at_most(20'000), .mortals = only(0)});
            report_all(text_of({act}, false) + " and death | try_push | pop",
                       {.delivery = delivery, .parts = {reader({act}), writer(kTry), reader(kOnce)}},
                       {.strategy = at_most(2'000), .mortals = only(0)});
        }
}
TEST_F(ScheduleMpmc, TheOneWhoRepairsDiesToo) {
    const Plan how{.strategy = at_most(3'000), .mortals = only(0) | only(1)};
    report_all("push and death | pop and death | pop",
               {.parts = {writer(kTry), reader(kOnce), reader(kOnce)}}, how);
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        report_all("pop and death | push and death | pop",
                   {.inside = 1, .delivery = delivery, .parts = {reader(kTry), writer(kOnce), reader(kOnce)}},
                   how);
}
TEST_F(ScheduleMpmc, TheDeadOnesRecordIsTakenAgain) {
    const Plan how{.strategy = at_most(3'000), .mortals = only(0)};
    report_all("push and death, heir pushes | pop",
               {.parts = {writer(kTry), reader(kOnce), heir(0, true, kTry)}}, how);
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        report_all("pop and death, heir pops | pop",
                   {.delivery = delivery, .parts = {reader(kTry), reader(kOnce), heir(0, false, kOnce)}},
                   how);
}

TEST_F(ScheduleMpmc, WithAtMostThreeDepartures) {
    const Plan how{.strategy = {.kind = Strategy::Kind::bounded,
                                .bound = 3,
                                .most_runs = is_soak() ? 200'000U : 40'000U}};
    const CrowdPlan plan{.capacity = 2,
                         .parts = {writer({Act::one, Act::one}), writer(kTry), reader(kOnce), reader(kTry)}};
    report("MpmcRing, push, push | try_push | pop | try_pop", play<FixedKind>(plan, how));
    report("MpmcByteRing, push, push | try_push | pop | try_pop", play<UnitsKind>(plan, how));
}
TEST_F(ScheduleMpmc, LongerRunsAtRandom) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        for (const std::uint64_t seed : {1U, 2U}) {
            const Plan how{.strategy = {.kind = Strategy::Kind::random,
                                        .most_runs = is_soak() ? 500'000U : 15'000U,
                                        .seed = seed},
                           .mortals = only(0) | only(2)};
            const CrowdPlan plan{
                .capacity = 2,
                .delivery = delivery,
                .parts = {writer({Act::one, Act::two, Act::one}), writer({Act::one, Act::in_place, Act::one}),
                          reader({Act::one, Act::two, Act::one}), reader({Act::one, Act::one, Act::one}),
                          heir(2, false, {Act::one, Act::one})}};
            report("MpmcRing, two writers, two readers, an heir", play<FixedKind>(plan, how));
            report("MpmcByteRing, two writers, two readers, an heir", play<UnitsKind>(plan, how));
        }
}

}  // namespace
}  // namespace shmring::test
