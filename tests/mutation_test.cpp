// Every weaker order, every operation left out or done too late in the shipped algorithms must be noticed by the scenes of the
// scheduler; what is not is explained in docs/proof.md. No mutant is compiled: the Env plays it, by the operation's place in the source.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/byte_scene.hpp"
#include "support/mpmc_kinds.hpp"
#include "support/mpmc_scene.hpp"
#include "support/mutation_campaign.hpp"
#include "support/sleeper_scene.hpp"
#include "support/soak.hpp"
#include "support/spsc_scene.hpp"

namespace shmring::test {
namespace {

using Small = SpscEnds<Sized<24, 8>>;  // two in a block
using Large = SpscEnds<Sized<56, 8>>;  // one

std::string conditions(const Plan& how) {
    return std::string(how.weak ? "" : ", sequential") + (how.mortals != 0 ? ", a death" : "");
}
template <class Ends>
void add(MutationCampaign& campaign, StreamPlan plan, const Plan& how = {}) {
    plan.is_weak = how.weak;
    const char* ring = Ends::kCountsMessages ? "SpscRing, " : "ByteRing, ";
    campaign.add(ring + plan.name() + conditions(how), std::make_unique<StreamScene<Ends>>(plan), how);
}
template <class Kind>
void add(MutationCampaign& campaign, CrowdPlan plan, const Plan& how = {}) {
    plan.is_weak = how.weak;
    const char* ring = Kind::kCountsMessages ? "MpmcRing, " : "MpmcByteRing, ";
    campaign.add(ring + plan.name() + conditions(how), std::make_unique<CrowdScene<Kind>>(plan), how);
}

const Plan kSequential{.weak = false, .oversleep = Oversleep::never};
const Plan kServed{.oversleep = Oversleep::not_after_a_wake};
const Acts kPair{Act::try_one, Act::try_one};
const Acts kBatch{Act::two, Act::two};
const Acts kInPlace{Act::in_place, Act::in_place};

void add_streams(MutationCampaign& campaign) {
    add<Large>(campaign, {.producer = kPair, .consumer = kPair});
    add<Large>(campaign, {.inside = 1, .producer = kPair, .consumer = kPair});
    add<Small>(campaign, {.capacity = 2, .inside = 1, .before = 1, .producer = kBatch, .consumer = kBatch});
    add<Large>(campaign, {.capacity = 2, .inside = 1, .producer = kInPlace, .consumer = kInPlace});
    add<Small>(campaign,
               {.capacity = 2, .producer = {Act::two, Act::try_one}, .consumer = {Act::two, Act::try_one}});
    add<Large>(campaign, {.producer = {Act::try_one, Act::close}, .consumer = kPair});
    add<Large>(campaign, {.inside = 1, .producer = kPair, .consumer = {Act::close}});
    for (const std::uint64_t inside : {0U, 1U}) {
        StreamPlan plan{.capacity = 2,
                        .inside = inside,
                        .before = 3,
                        .producer = kPair,
                        .consumer = kPair,
                        .heir_of = 0,
                        .heir = kPair};
        add<Large>(campaign, plan, {.mortals = only(0)});
        add<Small>(campaign, plan, {.mortals = only(0)});
        plan.heir_of = 1;
        add<Large>(campaign, plan, {.mortals = only(1)});
        plan.consumer = plan.producer = plan.heir = kBatch;
        add<Small>(campaign, plan, {.mortals = only(1)});
    }
    const Acts batches(3, Act::two);
    add<Small>(campaign, {.capacity = 2, .producer = batches, .consumer = batches});
}
template <class Ends>
void add_sleepers(MutationCampaign& campaign) {
    constexpr std::uint64_t full = Ends::kCountsMessages ? 1 : 2;
    const StreamPlan pop{.producer = {Act::try_one}, .consumer = {Act::one}, .wakes = true};
    const StreamPlan push{.inside = full, .producer = {Act::one}, .consumer = {Act::try_one}, .wakes = true};
    const StreamPlan close_pop{.producer = {Act::close}, .consumer = {Act::one}, .wakes = true};
    const StreamPlan push_close{
        .inside = full, .producer = {Act::one}, .consumer = {Act::close}, .wakes = true};
    for (const StreamPlan& plan : {pop, push, close_pop, push_close}) add<Ends>(campaign, plan, kSequential);
    for (const StreamPlan& plan : {pop, push}) add<Ends>(campaign, plan, kServed);
    for (const StreamPlan& plan : {close_pop, push_close})
        add<Ends>(campaign, plan, {.oversleep = Oversleep::never});
    // Who missed a wake-up counts it before it may die elsewhere.
    add<Ends>(campaign, pop, {.mortals = only(1)});
    add<Ends>(campaign, push, {.mortals = only(0)});
    const Acts ones{Act::one, Act::one};
    add<Ends>(campaign, {.producer = ones, .consumer = ones, .wakes = true}, kSequential);
    add<Ends>(campaign, {.producer = ones, .consumer = ones, .wakes = true},
              {.strategy = {.most_runs = 20'000}});
}
/// Who cannot use its wake-up hands it on.
void add_choosy_sleepers(MutationCampaign& campaign) {
    const std::vector<Sleeper> two{{.needs = 2}, {.needs = 1}};
    const std::vector<Sleeper> one_leaves{{.needs = 2, .gives_up = true}, {.needs = 1}};
    for (const std::vector<Sleeper>& sleepers : {two, one_leaves}) {
        const SleeperPlan plan{.sleepers = sleepers, .makes = {1}};
        for (Plan how : {kSequential, kServed}) {
            how.strategy = {.kind = Strategy::Kind::bounded, .bound = 2, .most_runs = 20'000};
            campaign.add(plan.name() + conditions(how), std::make_unique<SleeperScene>(plan), how);
            how.late = only(0);  // sees no room where it need not
            campaign.add(plan.name() + conditions(how) + ", late", std::make_unique<SleeperScene>(plan), how);
        }
    }
}
void add_byte_streams(MutationCampaign& campaign) {
    for (const std::uint64_t before : {0U, 3U}) {
        const StreamPlan plain{.capacity = 2,
                               .inside = before == 0 ? 0U : 1U,
                               .before = before,
                               .producer = kPair,
                               .consumer = kPair};
        add<ByteEnds<false>>(campaign, plain);
        add<ByteEnds<true>>(campaign, plain);
        StreamPlan other = plain;
        other.consumer = kBatch;
        other.producer = kInPlace;
        add<ByteEnds<false>>(campaign, other);
        add<ByteEnds<true>>(campaign, other);
    }
    for (std::uint64_t before = 0; before != 6; ++before)
        add<ByteEnds<true>>(campaign,
                            {.capacity = 1, .before = before, .producer = kPair, .consumer = kPair});
    add<ByteEnds<false>>(campaign, {.producer = {Act::try_one, Act::close}, .consumer = kPair});
    // The heir comes round to what the consumer read a moment ago.
    add<ByteEnds<true>>(campaign,
                        {.capacity = 2,
                         .inside = 4,
                         .producer = {Act::try_one},
                         .consumer = Acts(4, Act::try_one),
                         .heir_of = 0,
                         .heir = Acts(3, Act::try_one)},
                        {.mortals = only(0)});
    for (const int mortal : {0, 1})
        for (const std::uint64_t before : {0U, 2U, 3U}) {
            const StreamPlan plan{.capacity = 2,
                                  .inside = 1,
                                  .before = before,
                                  .producer = kPair,
                                  .consumer = kPair,
                                  .heir_of = mortal,
                                  .heir = kPair};
            add<ByteEnds<true>>(campaign, plan, {.mortals = only(mortal)});
            add<ByteEnds<false>>(campaign, plan, {.mortals = only(mortal)});
        }
}

Part writer(Acts acts) { return {true, std::move(acts)}; }
Part reader(Acts acts) { return {false, std::move(acts)}; }
Part heir(int of, bool writes, Acts acts) { return {writes, std::move(acts), of}; }
Part inspector() { return {false, {Act::inspect}}; }

template <class Kind>
void add_crowds(MutationCampaign& campaign) {
    const Acts once{Act::one};
    const Acts try_once{Act::try_one};
    const Acts drop_and_try{Act::in_place, Act::try_one};
    const auto at_most = [](std::uint64_t runs) { return Strategy{.most_runs = runs}; };
    add<Kind>(campaign, {.capacity = 1, .parts = {writer(kPair), reader(kPair)}});
    add<Kind>(campaign, {.capacity = 2, .inside = 1, .before = 1, .parts = {writer(kBatch), reader(kBatch)}});
    add<Kind>(campaign,
              {.capacity = 3, .inside = 1, .before = 2, .parts = {writer(drop_and_try), reader(kPair)}});
    add<Kind>(campaign, {.capacity = 3, .inside = 0, .before = 8, .parts = {writer(kPair), reader(kPair)}});
    add<Kind>(campaign, {.capacity = 1, .parts = {writer({Act::try_one, Act::close}), reader(kPair)}});
    for (const std::uint64_t capacity : {1U, 2U}) {
        add<Kind>(campaign, {.capacity = capacity,
                             .inside = 1,
                             .parts = {writer(try_once), reader(try_once), reader(try_once)}});
        add<Kind>(campaign,
                  {.capacity = capacity, .parts = {writer(try_once), writer(try_once), reader(once)}});
        for (const Act act : {Act::try_one, Act::two, Act::in_place}) {
            add<Kind>(campaign, {.capacity = capacity, .parts = {writer({act}), reader(once)}},
                      {.mortals = only(0)});
            add<Kind>(
                campaign,
                {.capacity = capacity + 1, .before = 2, .parts = {writer({act}), writer(once), reader(once)}},
                {.strategy = at_most(3'000), .mortals = only(0)});
        }
        for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
            add<Kind>(campaign,
                      {.capacity = capacity,
                       .inside = 1,
                       .delivery = delivery,
                       .parts = {reader(kBatch), writer({Act::one, Act::one})}},
                      {.strategy = at_most(3'000), .mortals = only(0)});
            add<Kind>(campaign,
                      {.capacity = capacity,
                       .inside = 1,
                       .delivery = delivery,
                       .parts = {reader(try_once), writer(try_once), reader(once)}},
                      {.strategy = at_most(5'000), .mortals = only(0)});
            add<Kind>(campaign,
                      {.capacity = capacity,
                       .inside = 1,
                       .delivery = delivery,
                       .parts = {reader(try_once), reader(once), heir(0, false, once)}},
                      {.strategy = at_most(5'000), .mortals = only(0)});
            add<Kind>(campaign,
                      {.capacity = capacity,
                       .inside = 1,
                       .delivery = delivery,
                       .parts = {reader(try_once), writer(once), reader(once)}},
                      {.strategy = at_most(5'000), .mortals = only(0) | only(1)});
        }
    }
    // A reader comes late, and finds a filler of the next lap.
    for (const std::uint64_t capacity : {1U, 2U})
        add<Kind>(campaign,
                  {.capacity = capacity,
                   .inside = capacity,
                   .parts = {writer({Act::in_place}), reader(try_once), reader(try_once)}},
                  {.strategy = at_most(20'000)});
    // Who comes after all others finds nothing to do again.
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        add<Kind>(campaign,
                  {.capacity = 2,
                   .inside = 1,
                   .delivery = delivery,
                   .parts = {reader(try_once), reader(try_once), heir(0, false, try_once), inspector()}},
                  {.strategy = at_most(20'000), .mortals = only(0)});
    // Two name the same message, one of them is dead, and its record is taken: nobody stands still for it.
    add<Kind>(campaign,
              {.capacity = 2,
               .inside = 1,
               .before = 1,
               .delivery = Delivery::at_least_once,
               .parts = {reader(try_once), reader(once), heir(0, false, try_once)}},
              {.strategy = at_most(20'000), .mortals = only(0)});
    // What a living one named, too, when the dead one's record was taken, is found by one who sees little of the others yet.
    const auto departures = [](int bound) {
        return Strategy{.kind = Strategy::Kind::bounded, .bound = bound, .most_runs = 60'000};
    };
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        add<Kind>(
            campaign,
            {.capacity = 2,
             .inside = 1,
             .before = 1,
             .delivery = delivery,
             .parts = {reader({Act::die}), reader(try_once), heir(0, false, {}), reader({Act::repair})}},
            {.strategy = departures(2), .mortals = only(0), .late = only(3)});
    // Who takes an orphan counts it before it may die without it.
    add<Kind>(campaign,
              {.inside = 1, .delivery = Delivery::at_least_once, .parts = {reader({Act::die}), reader(once)}},
              {.strategy = at_most(20'000), .mortals = only(0) | only(1)});
    // Who makes an orphan says so before it takes the name away, and may die.
    add<Kind>(campaign,
              {.capacity = 2,
               .inside = 1,
               .before = 1,
               .delivery = Delivery::at_least_once,
               .parts = {reader({Act::die}), reader({Act::repair})}},
              {.mortals = only(0) | only(1)});
    // One that was overtaken by more than a lap, or by two, knows better than to call the ring corrupt.
    add<Kind>(campaign, {.parts = {writer(try_once), writer(try_once), reader(try_once), writer(try_once)}},
              {.strategy = departures(3)});
    for (const Act late : {Act::try_one, Act::in_place})
        for (const Acts& writes : {drop_and_try, kPair})
            add<Kind>(campaign, {.capacity = 2, .parts = {writer(writes), reader({late}), reader(kPair)}},
                      {.strategy = departures(3)});
    if (!Kind::kCountsMessages)  // of two units, that its reader dies with
        for (const std::vector<Part>& writers :
             {std::vector{writer(Acts(3, Act::one))}, std::vector{writer({Act::one}), writer(kPair)}}) {
            std::vector<Part> parts{reader({Act::die}), reader(once)};
            parts.insert(parts.end(), writers.begin(), writers.end());
            add<Kind>(campaign, {.capacity = 4, .inside = 1, .before = 2, .parts = parts},
                      {.strategy = at_most(20'000), .mortals = only(0)});
        }
    add<Kind>(campaign, {.capacity = 2, .parts = {writer(kPair), reader(once), heir(0, true, once)}},
              {.strategy = at_most(5'000), .mortals = only(0)});
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        add<Kind>(
            campaign,
            {.capacity = 2,
             .inside = 1,
             .delivery = delivery,
             .parts = {writer({Act::one, Act::two}), reader({Act::one, Act::two}),
                       reader({Act::one, Act::one}), writer(kPair)}},
            {.strategy = {.kind = Strategy::Kind::random, .most_runs = 4'000}, .mortals = only(0) | only(1)});
}

using Explained = std::vector<MutationCampaign::Explained>;

void expect_caught(MutationCampaign& campaign, double percent, std::size_t least,
                   const Explained& explained = {}) {
    campaign.survey();
    campaign.run(explained);
    EXPECT_GE(campaign.caught_percent(), percent);
    EXPECT_GE(campaign.tried(), least) << "operations are not come to any more";
}
// Why these make no difference: docs/proof.md.
const Explained kOfCrowds = {
    {"mpmc_reader.hpp", "control.searched.store(announced", "done after the next write"},
    {"mpmc_recovery.hpp", "control.lost.fetch_add(intent.count()", "done after the next write"},
};

TEST(Mutation, OfSpscRingAndOfSleepingAreNoticed) {
    MutationCampaign campaign("SpscRing, event count and waiter", {"event_count.hpp", "spsc.hpp"});
    add_streams(campaign);
    add_sleepers<Large>(campaign);
    add_choosy_sleepers(campaign);
    expect_caught(campaign, 95, 35);
}
TEST(Mutation, OfByteRingAreNoticedOrExplained) {
    MutationCampaign campaign("ByteRing", {"spsc_bytes.hpp"});
    add_byte_streams(campaign);
    add_sleepers<ByteEnds<true>>(campaign);
    // The copy is then behind the clearing of the next word, and still before its publication; and who sleeps alone on its side has
    // nobody to hand a wake-up to, so what it acquires for that is of use only among others (OfSpscRingAndOfSleeping).
    expect_caught(campaign, 94, 35,
                  {{"spsc_bytes.hpp", "Env::copy_in(place(), bytes, size)", "done after the next write"},
                   {"event_count.hpp", "seen = line.word.load(acquire)", "acquire -> relaxed"}});
}
TEST(Mutation, OfMpmcRingAreNoticedOrExplained) {
    if (!is_soak()) GTEST_SKIP() << "takes minutes: SHMRING_SOAK=1";
    MutationCampaign campaign("MpmcRing", {"mpmc.hpp", "mpmc_claims.hpp", "mpmc_reader.hpp",
                                           "mpmc_recovery.hpp", "mpmc_slots.hpp", "mpmc_writer.hpp"});
    add_crowds<FixedKind>(campaign);
    expect_caught(campaign, 95, 60, kOfCrowds);
}
TEST(Mutation, OfMpmcByteRingAreNoticedOrExplained) {
    if (!is_soak()) GTEST_SKIP() << "takes minutes: SHMRING_SOAK=1";
    MutationCampaign campaign("MpmcByteRing", {"mpmc_bytes.hpp", "mpmc_claims.hpp", "mpmc_reader.hpp",
                                               "mpmc_recovery.hpp", "mpmc_slots.hpp", "mpmc_writer.hpp"});
    add_crowds<UnitsKind>(campaign);
    expect_caught(campaign, 95, 60, kOfCrowds);
}

}  // namespace
}  // namespace shmring::test
