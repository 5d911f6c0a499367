// Which samples of a row count, and what a row does that has too few of them: on made-up transports, whose distance is told.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <utility>
#include <vector>

#include "harness/distance.hpp"
#include "harness/schedule.hpp"

namespace bench {
namespace {

/// Its runs, one after the other, are at these distances and this quick; the last goes on for ever.
Transport told(Kind kind, const char* name, std::vector<std::pair<double, double>> laps_and_rates) {
    return {Traits{.name = name, .about = "", .kind = kind, .spins = true},
            [runs = std::move(laps_and_rates), next = std::size_t{0}](const Job&) mutable {
                const auto [lap_ns, rate] = runs[next];
                if (next + 1 != runs.size()) ++next;
                Sample sample;
                sample.seconds = 1;
                sample.messages = 1;
                sample.msgs_per_s = rate;
                sample.laps_ns = {lap_ns, lap_ns};
                return sample;
            }};
}
Group table(unsigned rounds, const std::vector<const Transport*>& transports) {
    Group group{Mode::near_full, 64, rounds};
    group.usual_lap_ns = 150;
    for (const Transport* transport : transports) group.rows.push_back({transport, {Mode::near_full}, {}});
    run_group(group, [](const Row&, unsigned) {});
    return group;
}

TEST(Distance, TheUsualLapIsTheOneThatMostSaw) {
    EXPECT_EQ(usual_distance({}).lap_ns, 0);
    EXPECT_EQ(usual_distance({540}).lap_ns, 540);
    const UsualDistance usual = usual_distance({97, 150, 540, 145, 530, 160, 99});
    EXPECT_TRUE(same_distance(usual.lap_ns, 150)) << usual.lap_ns;
    EXPECT_EQ(usual.seen, 3);
    EXPECT_EQ(usual.of, 7);
    EXPECT_FALSE(same_distance(97, 150));
    EXPECT_FALSE(same_distance(150, 540));
}
TEST(Distance, ASampleAtAnotherDistanceDoesNotCount) {
    const Transport ring = told(Kind::ours, "ring", {{540, 1}, {150, 10}, {97, 99}, {160, 12}, {140, 11}});
    const Group group = table(5, {&ring});
    EXPECT_EQ(group.rows[0].samples.size(), 5U);
    EXPECT_EQ(samples_that_count(group.rows[0]), 3U);
    const std::optional<Spread> rate = spread(group.rows[0], group.mode);
    ASSERT_TRUE(rate);
    EXPECT_EQ(rate->median, 11);
    EXPECT_EQ(rate->max, 12);
    EXPECT_FALSE(group.rows[0].at_any_distance);
}
TEST(Distance, APairThatCameNearerMeanwhileDoesNotCount) {
    Transport ring = told(Kind::ours, "ring", {{150, 10}});
    ring.run = [run = ring.run](const Job& job) {
        Sample sample = run(job);
        sample.laps_ns[1] = 540;
        return sample;
    };
    EXPECT_TRUE(table(3, {&ring}).rows[0].at_any_distance);
}
TEST(Distance, WhoIsSeldomThereGetsMoreTurns) {
    const Transport ring = told(Kind::ours, "ring", {{540, 1}, {540, 1}, {540, 1}, {150, 10}});
    const Group group = table(3, {&ring});
    EXPECT_EQ(group.rows[0].samples.size(), 6U);
    EXPECT_EQ(samples_that_count(group.rows[0]), 3U);
    EXPECT_FALSE(group.rows[0].at_any_distance);
}
TEST(Distance, WhoIsNeverThereIsComparedByAllOfItsSamples) {
    const Transport ring = told(Kind::ours, "ring", {{540, 1}});
    const Group group = table(3, {&ring});
    EXPECT_TRUE(group.rows[0].at_any_distance);
    EXPECT_EQ(group.rows[0].samples.size(), 6U);
    EXPECT_EQ(samples_that_count(group.rows[0]), 6U);
}
TEST(Distance, WhereNobodyKnowsItAllSamplesCount) {
    const Transport crowd = told(Kind::ours, "crowd", {{0, 1}, {0, 2}, {0, 3}});
    const Group group = table(3, {&crowd});
    EXPECT_EQ(group.rows[0].samples.size(), 3U);
    EXPECT_EQ(samples_that_count(group.rows[0]), 3U);
    EXPECT_FALSE(group.rows[0].at_any_distance);
}
TEST(Ratio, TheBestPeerIsTheOneThatIsBestMostly) {
    // The best of a round would be a lucky one: 90, 80, 100.
    const Transport ring = told(Kind::ours, "ring", {{150, 60}});
    const Transport one = told(Kind::peer, "one", {{150, 90}, {150, 20}, {150, 30}});
    const Transport two = told(Kind::peer, "two", {{150, 40}, {150, 80}, {150, 30}});
    const Transport three = told(Kind::peer, "three", {{150, 10}, {150, 20}, {150, 100}});
    const Group group = table(3, {&ring, &one, &two, &three});
    EXPECT_EQ(ratio_to_best_peer(group, group.rows[0]), 60.0 / 40.0);
    EXPECT_EQ(ratio(group, group.rows[0], &group.rows[1]), 60.0 / 30.0);
}

}  // namespace
}  // namespace bench
