// Every weaker order, every operation left out or done too late in SpscRing's algorithm, event count and waiter must be noticed by the
// scenes of the scheduler; those that are not are named here, and explained in docs/proof.md.

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "support/mutation_campaign.hpp"
#include "support/soak.hpp"
#include "support/spsc_scene.hpp"

namespace shmring::test {
namespace {

using Small = Sized<24, 8>;  // two in a block
using Large = Sized<56, 8>;  // one

template <class T>
void add(MutationCampaign& campaign, StreamPlan plan, const Plan& how = {}) {
    plan.is_weak = how.weak;
    const std::string name = std::to_string(sizeof(T)) + " bytes, " + plan.name() +
                             (how.weak ? "" : ", sequential") + (how.mortals != 0 ? ", a death" : "");
    campaign.add(name, std::make_unique<SpscScene<T>>(plan), how);
}

TEST(MutationSpsc, EveryWeakerOrDroppedStepIsNoticed) {
    const Acts pair{Act::try_one, Act::try_one};
    const Acts batch{Act::two, Act::two};
    const Acts in_place{Act::in_place, Act::in_place};
    const Plan sequential{.weak = false, .oversleep = Oversleep::never};
    MutationCampaign campaign;
    add<Large>(campaign, {.producer = pair, .consumer = pair});
    add<Large>(campaign, {.capacity = 1, .inside = 1, .producer = pair, .consumer = pair});
    add<Small>(campaign, {.capacity = 2, .inside = 1, .before = 1, .producer = batch, .consumer = batch});
    add<Large>(campaign, {.capacity = 2, .inside = 1, .producer = in_place, .consumer = in_place});
    add<Small>(campaign,
               {.capacity = 2, .producer = {Act::two, Act::try_one}, .consumer = {Act::two, Act::try_one}});
    add<Large>(campaign, {.producer = {Act::try_one, Act::close}, .consumer = pair});
    add<Large>(campaign, {.inside = 1, .producer = pair, .consumer = {Act::close}});
    add<Large>(campaign, {.producer = {Act::try_one}, .consumer = {Act::one}, .wakes = true}, sequential);
    add<Large>(campaign, {.inside = 1, .producer = {Act::one}, .consumer = {Act::try_one}, .wakes = true},
               sequential);
    add<Large>(campaign, {.producer = {Act::close}, .consumer = {Act::one}, .wakes = true}, sequential);
    add<Large>(campaign, {.inside = 1, .producer = {Act::one}, .consumer = {Act::close}, .wakes = true},
               sequential);
    add<Large>(campaign, {.producer = {Act::one, Act::one}, .consumer = {Act::one, Act::one}, .wakes = true},
               sequential);
    add<Large>(campaign, {.producer = {Act::close}, .consumer = {Act::one}, .wakes = true},
               {.oversleep = Oversleep::never});
    add<Large>(campaign, {.inside = 1, .producer = {Act::one}, .consumer = {Act::close}, .wakes = true},
               {.oversleep = Oversleep::never});
    const Plan served{.oversleep = Oversleep::not_after_a_wake};
    add<Large>(campaign, {.producer = {Act::try_one}, .consumer = {Act::one}, .wakes = true}, served);
    add<Large>(campaign, {.inside = 1, .producer = {Act::one}, .consumer = {Act::try_one}, .wakes = true},
               served);
    for (const std::uint64_t inside : {0U, 1U}) {
        StreamPlan plan{.capacity = 2,
                        .inside = inside,
                        .before = 3,
                        .producer = pair,
                        .consumer = pair,
                        .heir_of = 0,
                        .heir = pair};
        add<Large>(campaign, plan, {.mortals = only(0)});
        add<Small>(campaign, plan, {.mortals = only(0)});
        plan.heir_of = 1;
        add<Large>(campaign, plan, {.mortals = only(1)});
        plan.consumer = plan.producer = plan.heir = batch;
        add<Small>(campaign, plan, {.mortals = only(1)});
    }
    add<Small>(campaign, {.capacity = 2,
                          .producer = {Act::two, Act::two, Act::two},
                          .consumer = {Act::two, Act::two, Act::two}});
    add<Large>(campaign, {.producer = {Act::one, Act::one}, .consumer = {Act::one, Act::one}, .wakes = true},
               {.strategy = {.most_runs = 20'000}});
    campaign.survey();
    campaign.run(1);
    EXPECT_LE(campaign.survivors().size() * 20, campaign.tried()) << "less than 95 % were caught";
}

}  // namespace
}  // namespace shmring::test
