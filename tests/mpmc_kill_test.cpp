// MpmcRing and MpmcByteRing under SIGKILL at random moments: four senders, four receivers, each followed by another when it was killed.
// Nothing is torn, invented, repeated, lost or out of order beyond what the ring's policy says, and nobody hangs. What the processes
// do: support/crowd_roles.hpp, crowd_traffic.hpp, crowd_byte_traffic.hpp; who is killed and when: crowd_storm.hpp; who judges:
// crowd_oracle.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/crowd_byte_traffic.hpp"
#include "support/crowd_storm.hpp"
#include "support/crowd_traffic.hpp"
#include "support/kill_campaign.hpp"
#include "support/numbered_message.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

// ---- the storms ----------------------------------------------------------------------------------------------------

constexpr std::array<std::uint64_t, 4> kCapacities = {1, 3, 64, 1000};
constexpr std::array<std::uint64_t, 4> kByteCapacities = {64, 256, 4096, 65536};
constexpr int kMostKillsOfOneStorm = 400;

struct Policy {
    Delivery delivery;
    bool receives_in_place_only;
};
constexpr std::array<Policy, 3> kPolicies = {{
    {Delivery::at_most_once, false},
    {Delivery::at_least_once, false},
    {Delivery::at_least_once, true},
}};

/// At least `kills` in all, spread over every capacity and policy.
template <class Traffic>
CrowdReport kill_in_crowds(std::span<const std::uint64_t> capacities, int kills, CrowdPlan plan,
                           const std::string& title) {
    const int storms = static_cast<int>(capacities.size() * kPolicies.size());
    CrowdReport all;
    for (const std::uint64_t capacity : capacities)
        for (const Policy& policy : kPolicies) {
            plan.capacity = capacity;
            plan.delivery = policy.delivery;
            plan.receives_in_place_only = policy.receives_in_place_only;
            for (int left = (kills + storms - 1) / storms; left > 0; left -= plan.kills) {
                plan.kills = left < kMostKillsOfOneStorm ? left : kMostKillsOfOneStorm;
                ++plan.seed;
                const CrowdReport report = CrowdStorm<Traffic>(plan).run();
                EXPECT_EQ(report.failure, "")
                    << "capacity " << capacity << ", policy " << static_cast<int>(policy.delivery)
                    << (policy.receives_in_place_only ? " (in place)" : "");
                if (policy.receives_in_place_only) {
                    EXPECT_EQ(report.missing, 0U) << "capacity " << capacity;
                }
                all += report;
                if (testing::Test::HasFailure()) return all;  // children would inherit the failure
            }
        }
    all.print(title.c_str());
    EXPECT_GE(all.kills, static_cast<std::uint64_t>(kills));
    EXPECT_GT(all.messages, all.kills);
    return all;
}

/// Six kinds of traffic make 10,000 kills, and 100,000 in a soak.
template <class Traffic>
void storm(std::span<const std::uint64_t> capacities, int kills, const std::string& title) {
    CrowdPlan plan;
    plan.seed = static_cast<std::uint64_t>(kills) + title.size();
    const CrowdReport all =
        kill_in_crowds<Traffic>(capacities, is_soak() ? 10 * kills : kills / kSlowness, plan, title);
    EXPECT_GT(all.died_with_claim, 0U);
    EXPECT_GT(all.died_with_view, 0U);
    EXPECT_GT(all.losses.lost, 0U) << "no receiver died in a call";
    EXPECT_GT(all.flagged, 0U) << "nothing was delivered again";
}
TEST(CrowdKillStorm, OfMessagesOf8Bytes) { storm<CrowdTraffic<8>>(kCapacities, 1800, "8-byte messages"); }
TEST(CrowdKillStorm, OfMessagesOf48Bytes) { storm<CrowdTraffic<48>>(kCapacities, 1600, "48-byte messages"); }
TEST(CrowdKillStorm, OfMessagesOf64Bytes) { storm<CrowdTraffic<64>>(kCapacities, 1600, "64-byte messages"); }
TEST(CrowdKillStorm, OfMessagesOf200Bytes) {
    storm<CrowdTraffic<200>>(kCapacities, 1600, "200-byte messages");
}
TEST(CrowdKillStorm, OfMessagesOfAnySizeFromNothing) {
    storm<CrowdByteTraffic<false>>(kByteCapacities, 1800, "messages of any size");
}
TEST(CrowdKillStorm, OfMessagesOfAnySizeInBatches) {
    storm<CrowdByteTraffic<true>>(kByteCapacities, 1600, "messages of any size, in batches");
}

/// 100 kills and more (1,000 in a soak) where a missed death costs a tenth of a second. Rests are as long as recoveries.
TEST(CrowdKillStorm, TheDefaultLivenessPeriodServesAsWell) {
    CrowdPlan plan;
    plan.liveness_period = MpmcRingOptions{}.liveness_period;
    plan.longest_rest = 60ms;
    const int kills = is_soak() ? 504 : 60 / kSlowness;
    kill_in_crowds<CrowdTraffic<48>>(kCapacities, kills, plan, "48-byte messages, the default period");
    kill_in_crowds<CrowdByteTraffic<true>>(kByteCapacities, kills, plan,
                                           "messages of any size, the default period");
}

// ---- the oracle is no rubber stamp ---------------------------------------------------------------------------------

class CrowdOracleTest : public testing::Test {
 protected:
    static constexpr std::uint64_t kNothing = CrowdReceiverJournal::kNothing;

    void sent(std::uint64_t sender, std::uint64_t journalled, std::uint64_t attempted) {
        senders[sender].sent = journalled;
        senders[sender].attempted = attempted;
    }
    [[nodiscard]] CrowdOracle oracle(bool redelivers = false) const { return {senders, 2, redelivers}; }
    static void all_but(CrowdOracle& which, std::uint64_t sender, std::uint64_t missing,
                        std::uint64_t count) {
        for (std::uint64_t i = 0; i != count; ++i)
            if (i != missing) {
                EXPECT_EQ(which.judge(i % 2, {{sender, i}}), CrowdFault::none);
            }
    }
    static void dies(CrowdOracle& which, std::size_t receiver, std::uint64_t in_call, std::uint64_t in_hand) {
        CrowdReceiverJournal journal;
        journal.in_call = in_call;
        journal.in_hand = in_hand;
        which.died(receiver, journal);
    }

    std::array<SenderJournal, 4> senders{};
};

TEST_F(CrowdOracleTest, AcceptsWhatWasSentInEachSendersOrder) {
    sent(1, 3, 3);
    sent(2, 2, 2);
    CrowdOracle which = oracle();
    for (const auto& [receiver, number] :
         {std::pair<std::size_t, Number>{0, {2, 0}}, {0, {1, 1}}, {1, {1, 0}}, {1, {1, 2}}, {0, {2, 1}}})
        EXPECT_EQ(which.judge(receiver, {number}), CrowdFault::none);
    EXPECT_EQ(which.judge_end(), CrowdFault::none);
    EXPECT_EQ(which.messages(), 5U);
}

TEST_F(CrowdOracleTest, FindsALossAndForgivesOnlyTheCallOfTheDead) {
    sent(1, 9, 9);
    for (const std::uint64_t missing : {0U, 4U, 8U}) {
        CrowdOracle which = oracle();
        all_but(which, 1, missing, 9);
        EXPECT_EQ(which.judge_end(), CrowdFault::lost) << missing;
        CrowdOracle forgiving = oracle();
        all_but(forgiving, 1, missing, 9);
        dies(forgiving, 0, 1, kNothing);
        EXPECT_EQ(forgiving.judge_end(), CrowdFault::none) << missing;
        EXPECT_EQ(forgiving.missing(), 1U);
    }
    CrowdOracle two_gone = oracle();
    all_but(two_gone, 1, 0, 8);
    dies(two_gone, 0, 1, kNothing);
    EXPECT_EQ(two_gone.judge_end(), CrowdFault::lost);
    CrowdOracle nothing_came = oracle();
    EXPECT_EQ(nothing_came.judge_end(), CrowdFault::lost);
}

TEST_F(CrowdOracleTest, FindsWhatNobodySent) {
    sent(1, 9, 10);
    EXPECT_EQ(oracle().judge(0, {{1, 9}}), CrowdFault::none) << "its sender was killed in this call";
    EXPECT_EQ(oracle().judge(0, {{1, 10}}), CrowdFault::invented);
    EXPECT_EQ(oracle().judge(0, {{0, 0}}), CrowdFault::invented);
    EXPECT_EQ(oracle().judge(0, {{2, 0}}), CrowdFault::invented);
    EXPECT_EQ(oracle().judge(0, {{4, 0}}), CrowdFault::invented);
}

TEST_F(CrowdOracleTest, FindsARepetitionWhoeverGetsIt) {
    sent(1, 9, 9);
    for (const std::size_t receiver : {0U, 1U}) {
        CrowdOracle which = oracle();
        EXPECT_EQ(which.judge(0, {{1, 3}}), CrowdFault::none);
        EXPECT_EQ(which.judge(receiver, {{1, 3}}), CrowdFault::repeated);
        CrowdOracle unflagged = oracle(true);
        EXPECT_EQ(unflagged.judge(0, {{1, 3}}), CrowdFault::none);
        EXPECT_EQ(unflagged.judge(receiver, {{1, 3}}), CrowdFault::repeated);
    }
    EXPECT_EQ(oracle().judge(0, {{1, 3}, true}), CrowdFault::repeated)
        << "a flag, but nothing is delivered again";
}

TEST_F(CrowdOracleTest, ForgivesAFlaggedRepetitionOfWhatSomebodyDiedWith) {
    sent(1, 1, 1);
    const auto end_after = [this](std::uint64_t died_with, int times) {
        CrowdOracle which = oracle(true);
        EXPECT_EQ(which.judge(0, {{1, 0}}), CrowdFault::none);
        if (died_with != kNothing) dies(which, 0, 0, died_with);
        for (int i = 0; i != times; ++i) {
            EXPECT_EQ(which.judge(1, {{1, 0}, true}), CrowdFault::none);
        }
        return which.judge_end();
    };
    EXPECT_EQ(end_after(Number{1, 0}.packed(), 1), CrowdFault::none);
    EXPECT_EQ(end_after(Number{1, 0}.packed(), 2), CrowdFault::repeated) << "one death, two repetitions";
    EXPECT_EQ(end_after(Number{1, 7}.packed(), 1), CrowdFault::repeated) << "it died with another one";
    EXPECT_EQ(end_after(kNothing, 1), CrowdFault::repeated);
}

TEST_F(CrowdOracleTest, FindsADisorderWithinOneReceiver) {
    sent(1, 9, 9);
    CrowdOracle which = oracle(true);
    EXPECT_EQ(which.judge(0, {{1, 5}}), CrowdFault::none);
    EXPECT_EQ(which.judge(1, {{1, 4}}), CrowdFault::none) << "another receiver";
    EXPECT_EQ(which.judge(0, {{1, 2}, true}), CrowdFault::none) << "delivered again";
    EXPECT_EQ(which.judge(0, {{1, 3}}), CrowdFault::disordered);
    CrowdOracle after_death = oracle();
    EXPECT_EQ(after_death.judge(0, {{1, 5}}), CrowdFault::none);
    dies(after_death, 0, 0, kNothing);
    EXPECT_EQ(after_death.judge(0, {{1, 4}}), CrowdFault::none) << "another process";
}

TEST_F(CrowdOracleTest, KeepsTheFirstFault) {
    CrowdOracle which = oracle();
    EXPECT_EQ(which.judge_torn({3, 4}), CrowdFault::torn);
    EXPECT_EQ(which.judge(0, {{2, 0}}), CrowdFault::invented);
    EXPECT_EQ(which.text(), "torn at 3:4");
}

TEST(CrowdBytesTest, FindsEveryTornByteAndSize) {
    const ByteSizes sizes{0, 2040};
    for (std::uint64_t i = 0; i != 100; ++i) {
        const Number number{7, i};
        std::vector<std::byte> bytes(sizes.of(number));
        NumberedBytes::write(number, bytes);
        ASSERT_EQ(CrowdTag::number(CrowdTag::of(number)), number);
        ASSERT_TRUE(CrowdBytes(bytes, number, sizes).is_whole());
        for (std::byte& byte : bytes) {
            byte ^= std::byte{1};
            ASSERT_FALSE(CrowdBytes(bytes, number, sizes).is_whole());
            byte ^= std::byte{1};
        }
        if (bytes.size() >= NumberedBytes::kNumberSize) {
            ASSERT_EQ(CrowdBytes::number_in(bytes), number);
            ASSERT_FALSE(CrowdBytes(bytes, {7, i + 1}, sizes).is_whole());
        }
        bytes.push_back(std::byte{0});
        ASSERT_FALSE(CrowdBytes(bytes, number, sizes).is_whole());
    }
}

}  // namespace
}  // namespace shmring::test
