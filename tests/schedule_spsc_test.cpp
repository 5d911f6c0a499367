// SpscRing's algorithm, its event count and its successors under every schedule, weak memory and every death: see docs/proof.md.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "support/executions.hpp"
#include "support/playing.hpp"
#include "support/soak.hpp"
#include "support/spsc_scene.hpp"

namespace shmring::test {
namespace {

constexpr std::array kPromises{
    Promise{"TwoOperationsOfEachSide", {43'000, 43'000}},
    Promise{"MoreOperationsOfEachSide", {413'000, 700'000}},
    Promise{"TheEndOfAStream", {25'000, 25'000}},
    Promise{"ADeadProducerHasAnHeir", {87'000, 87'000}},
    Promise{"ADeadConsumerHasAnHeir", {33'000, 33'000}},
    Promise{"WhoWaitsIsServedAndAMissedWakeUpCostsATimeOut", {54'000, 54'000}},
    Promise{"NoWakeUpIsMissedWhereStoresAreSeenAtOnce", {2'700, 2'700}},
    Promise{"WhoWaitsForTheDeadHearsOfIt", {25'000, 25'000}},
    Promise{"ACloseWakesWhoWaits", {130, 130}},
    Promise{"LongerRunsAtRandom", {120'000, 4'200'000}},
};
static_assert(keep(kPromises, kOfSpscRing));
class ScheduleSpsc : public CountedExecutions {
 protected:
    ScheduleSpsc() : CountedExecutions(kPromises) {}
};

using Small = Sized<24, 8>;  // two in a block
using Large = Sized<56, 8>;  // one

template <class T>
Findings play(StreamPlan plan, const Plan& how = {}) {
    plan.is_weak = how.weak;
    SpscScene<T> scene(plan);
    const std::string memory = how.weak ? "" : ", sequential";
    return expect_all_runs_right("SpscRing of " + std::to_string(sizeof(T)) + memory + ", " + plan.name(),
                                 scene, how);
}
/// In blocks of two and of one, of both capacities, with any number of messages inside, beginning anywhere before the wrap.
Findings play_all_standings(const StreamPlan& acts, const Plan& how = {}) {
    Findings all;
    StreamPlan plan = acts;
    for (plan.capacity = 1; plan.capacity <= 2; ++plan.capacity)
        for (plan.inside = 0; plan.inside <= plan.capacity; ++plan.inside)
            for (plan.before = 0; plan.before <= plan.capacity; ++plan.before) {
                all.add(play<Small>(plan, how));
                all.add(play<Large>(plan, how));
            }
    return all;
}

const std::vector<Act> kWithoutWaiting = {Act::try_one, Act::two, Act::in_place};
Acts repeated(Act act, std::size_t count) { return {count, act}; }

TEST_F(ScheduleSpsc, TwoOperationsOfEachSide) {
    for (const Act first : kWithoutWaiting)
        for (const Act second : kWithoutWaiting) {
            Findings pair;
            for (const Act third : kWithoutWaiting)
                for (const Act fourth : kWithoutWaiting)
                    pair.add(play_all_standings({.producer = {first, second}, .consumer = {third, fourth}}));
            report(text_of({first, second}, true) + " | any two", pair);
            EXPECT_GT(pair.runs, 1000U);
        }
}
TEST_F(ScheduleSpsc, MoreOperationsOfEachSide) {
    for (const std::size_t count : {3U, 4U, 5U}) {
        if (count == 5 && !is_soak()) continue;
        for (const Act writes : kWithoutWaiting)
            for (const Act reads : kWithoutWaiting) {
                const bool is_large = (writes == Act::two) == (reads == Act::two);
                if (is_large && (count == 5 || (count == 4 && !is_soak()))) continue;
                const StreamPlan plan{.producer = repeated(writes, count),
                                      .consumer = repeated(reads, count)};
                report(text_of(plan.producer, true) + " | " + text_of(plan.consumer, false),
                       play_all_standings(plan));
            }
    }
}
TEST_F(ScheduleSpsc, TheEndOfAStream) {
    for (const Acts& producer :
         {Acts{Act::close}, Acts{Act::try_one, Act::close}, Acts{Act::close, Act::try_one}})
        for (const Acts& consumer :
             {Acts{Act::try_one, Act::try_one}, Acts{Act::try_one, Act::close}, Acts{Act::two, Act::two}})
            report(text_of(producer, true) + " | " + text_of(consumer, false),
                   play_all_standings({.producer = producer, .consumer = consumer}));
}

TEST_F(ScheduleSpsc, ADeadProducerHasAnHeir) {
    for (const Act act : kWithoutWaiting)
        for (const Act inherited : {Act::try_one, Act::two})
            report(text_of({act, act}, true) + " and death, heir " + text_of({inherited}, true),
                   play_all_standings({.producer = {act, act},
                                       .consumer = {Act::try_one, Act::try_one},
                                       .heir_of = 0,
                                       .heir = {inherited, Act::try_one}},
                                      {.mortals = only(0)}));
}
TEST_F(ScheduleSpsc, ADeadConsumerHasAnHeir) {
    for (const Act act : kWithoutWaiting)
        for (const Act inherited : {Act::try_one, Act::two})
            report(text_of({act, act}, false) + " and death, heir " + text_of({inherited}, false),
                   play_all_standings({.producer = {Act::try_one, Act::try_one},
                                       .consumer = {act, act},
                                       .heir_of = 1,
                                       .heir = {inherited, Act::try_one}},
                                      {.mortals = only(1)}));
}

TEST_F(ScheduleSpsc, WhoWaitsIsServedAndAMissedWakeUpCostsATimeOut) {
    const Plan served{.oversleep = Oversleep::not_after_a_wake};
    for (const Act writes : {Act::try_one, Act::one})
        report(text_of({writes}, true) + " | pop",
               play<Large>({.producer = {writes}, .consumer = {Act::one}, .wakes = true}, served));
    report("push | try_pop",
           play<Large>({.inside = 1, .producer = {Act::one}, .consumer = {Act::try_one}, .wakes = true},
                       served));
    report("push, push | pop, pop",
           play<Large>({.producer = {Act::one, Act::one}, .consumer = {Act::one, Act::one}, .wakes = true},
                       {.strategy = {.most_runs = is_soak() ? ~std::uint64_t{0} : 200'000}}));
}
TEST_F(ScheduleSpsc, NoWakeUpIsMissedWhereStoresAreSeenAtOnce) {
    const Plan how{.weak = false, .oversleep = Oversleep::never};
    for (const Act writes : {Act::try_one, Act::one, Act::two})
        for (const Act reads : {Act::one, Act::try_one}) {
            if (writes != Act::one && reads != Act::one) continue;
            for (const std::uint64_t inside : {0U, 1U}) {
                if (inside == 0 ? reads != Act::one : writes != Act::one) continue;
                report(
                    text_of({writes}, true) + " | " + text_of({reads}, false),
                    play<Large>({.inside = inside, .producer = {writes}, .consumer = {reads}, .wakes = true},
                                how));
            }
        }
    report("push, push | pop, pop",
           play<Large>({.producer = {Act::one, Act::one}, .consumer = {Act::one, Act::one}, .wakes = true},
                       how));
}
TEST_F(ScheduleSpsc, WhoWaitsForTheDeadHearsOfIt) {
    report(
        "push, close and death | pop, pop",
        play<Large>({.producer = {Act::try_one, Act::close}, .consumer = {Act::one, Act::one}, .wakes = true},
                    {.mortals = only(0)}));
    report(
        "push, push | pop, close and death",
        play<Large>({.producer = {Act::one, Act::one}, .consumer = {Act::try_one, Act::close}, .wakes = true},
                    {.mortals = only(1)}));
}
TEST_F(ScheduleSpsc, ACloseWakesWhoWaits) {
    for (const bool weak : {false, true}) {
        const Plan how{.weak = weak, .oversleep = Oversleep::never};
        report("close | pop",
               play<Large>({.producer = {Act::close}, .consumer = {Act::one}, .wakes = true}, how));
        report(
            "push | close",
            play<Large>({.inside = 1, .producer = {Act::one}, .consumer = {Act::close}, .wakes = true}, how));
    }
}

TEST_F(ScheduleSpsc, LongerRunsAtRandom) {
    for (const std::uint64_t seed : {1U, 2U, 3U}) {
        Plan how{.strategy = {.kind = Strategy::Kind::random,
                              .most_runs = is_soak() ? 700'000U : 20'000U,
                              .seed = seed}};
        const Acts ones = repeated(Act::one, 6);
        report("push 6 times | pop 6 times",
               play<Small>({.capacity = 2, .producer = ones, .consumer = ones, .wakes = true}, how));
        how.mortals = only(static_cast<int>(seed % 2));
        report("claim 6 times | pop_n 6 times, with a death and an heir",
               play<Small>({.capacity = 2,
                            .producer = repeated(Act::in_place, 6),
                            .consumer = repeated(Act::two, 3),
                            .heir_of = static_cast<int>(seed % 2),
                            .heir = repeated(Act::try_one, 4)},
                           how));
    }
}

}  // namespace
}  // namespace shmring::test
