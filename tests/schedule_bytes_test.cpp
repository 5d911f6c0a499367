// ByteRing's algorithm and its successors under every schedule, weak memory and every death: see docs/proof.md.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "support/byte_scene.hpp"
#include "support/executions.hpp"
#include "support/playing.hpp"
#include "support/soak.hpp"
#include "support/spsc_scene.hpp"

namespace shmring::test {
namespace {

constexpr std::array kPromises{
    Promise{"TwoOperationsOfEachSide", {15'000, 15'000}},
    Promise{"MoreOperationsOfEachSide", {28'000, 420'000}},
    Promise{"TheDeadHaveHeirs", {56'000, 56'000}},
    Promise{"TheEndOfAStreamAndTheWakeUps", {390, 390}},
};
static_assert(keep(kPromises, kOfByteRing));
class ScheduleBytes : public CountedExecutions {
 protected:
    ScheduleBytes() : CountedExecutions(kPromises) {}
};

template <bool kLong>
Findings play(StreamPlan plan, const Plan& how = {}) {
    plan.is_weak = how.weak;
    StreamScene<ByteEnds<kLong>> scene(plan);
    const std::string kind =
        std::string("ByteRing") + (kLong ? " of long ones" : "") + (how.weak ? "" : ", sequential");
    return expect_all_runs_right(kind + ", " + plan.name(), scene, how);
}
/// From the start of the storage, and so that padding comes soon, or at once.
Findings play_all_standings(const StreamPlan& acts, const Plan& how = {}) {
    Findings all;
    StreamPlan plan = acts;
    for (plan.capacity = 1; plan.capacity <= 2; ++plan.capacity)
        for (plan.inside = 0; plan.inside <= plan.capacity; ++plan.inside)
            for (const std::uint64_t before : {0U, 2U, 3U, 6U}) {
                plan.before = before;
                all.add(play<false>(plan, how));
                all.add(play<true>(plan, how));
            }
    return all;
}

const std::vector<Act> kWithoutWaiting = {Act::try_one, Act::two, Act::in_place};

TEST_F(ScheduleBytes, TwoOperationsOfEachSide) {
    for (const Act first : kWithoutWaiting)
        for (const Act second : kWithoutWaiting) {
            Findings pair;
            for (const Act third : {Act::try_one, Act::two})
                for (const Act fourth : {Act::try_one, Act::two})
                    pair.add(play_all_standings({.producer = {first, second}, .consumer = {third, fourth}}));
            report(text_of({first, second}, true) + " | any two", pair);
            EXPECT_GT(pair.runs, 900U);
        }
}
TEST_F(ScheduleBytes, MoreOperationsOfEachSide) {
    for (const std::size_t count : {3U, 4U}) {
        if (count == 4 && !is_soak()) continue;
        for (const Act writes : kWithoutWaiting)
            for (const Act reads : {Act::try_one, Act::two}) {
                const StreamPlan plan{.producer = {count, writes}, .consumer = {count, reads}};
                report(text_of(plan.producer, true) + " | " + text_of(plan.consumer, false),
                       play_all_standings(plan));
            }
    }
}
TEST_F(ScheduleBytes, TheDeadHaveHeirs) {
    for (const int mortal : {0, 1})
        for (const Act act : kWithoutWaiting) {
            const StreamPlan plan{.producer = {mortal == 0 ? act : Act::try_one, Act::try_one},
                                  .consumer = {mortal == 1 ? act : Act::try_one, Act::try_one},
                                  .heir_of = mortal,
                                  .heir = {Act::two, Act::try_one}};
            report(std::string(mortal == 0 ? "producer" : "consumer") + " dies in " +
                       text_of({act, Act::try_one}, mortal == 0),
                   play_all_standings(plan, {.mortals = only(mortal)}));
        }
}
TEST_F(ScheduleBytes, TheEndOfAStreamAndTheWakeUps) {
    report("try_push, close | try_pop, try_pop",
           play_all_standings(
               {.producer = {Act::try_one, Act::close}, .consumer = {Act::try_one, Act::try_one}}));
    for (const bool weak : {false, true}) {
        const Plan how{.weak = weak, .oversleep = weak ? Oversleep::not_after_a_wake : Oversleep::never};
        report("push | pop",
               play<true>({.producer = {Act::one}, .consumer = {Act::one}, .wakes = true}, how));
        report("push | try_pop", play<true>({.inside = 2,
                                             .producer = {Act::one},
                                             .consumer = {Act::try_one, Act::try_one},
                                             .wakes = true},
                                            how));
    }
}

}  // namespace
}  // namespace shmring::test
