// SIGKILL at random moments, over and over: no survivor hangs, and nothing is torn, lost, repeated or out of order. What the
// processes do: support/stream_roles.hpp, fixed_traffic.hpp; who is killed and when: kill_storm.hpp; who judges: oracle.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "support/fixed_traffic.hpp"
#include "support/kill_campaign.hpp"
#include "support/numbered_message.hpp"
#include "support/oracle.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

// ---- the storms ----------------------------------------------------------------------------------------------------

constexpr std::array<std::uint64_t, 4> kCapacities = {1, 3, 64, 1000};

/// At least `rounds` in all, spread over every capacity, style and way of waiting.
template <std::size_t kSize>
void kill_at_random(int rounds, std::chrono::nanoseconds liveness_period, const char* title) {
    test::kill_at_random<FixedTraffic<kSize>>(kCapacities, rounds, liveness_period, kSize,
                                              std::to_string(kSize) + "-byte messages, " + title);
}

/// Four sizes make 5,000 rounds, and 100,000 in a soak.
template <std::size_t kSize>
void storm() {
    kill_at_random<kSize>(is_soak() ? 25'000 : 2'500 / kSlowness, 2ms, "asking for the dead every 2 ms");
}
TEST(KillStorm, NothingOf8BytesIsTornLostOrRepeatedAndNobodyHangs) { storm<8>(); }
TEST(KillStorm, NothingOf48BytesIsTornLostOrRepeatedAndNobodyHangs) { storm<48>(); }
TEST(KillStorm, NothingOf64BytesIsTornLostOrRepeatedAndNobodyHangs) { storm<64>(); }
TEST(KillStorm, NothingOf200BytesIsTornLostOrRepeatedAndNobodyHangs) { storm<200>(); }

/// 500 kills and more (10,000 in a soak) where a missed death costs a tenth of a second.
TEST(KillStorm, TheDefaultLivenessPeriodServesAsWell) {
    const int rounds = is_soak() ? 2'500 : 250 / kSlowness;
    const auto period = RingOptions{}.liveness_period;
    kill_at_random<8>(rounds, period, "asking for the dead as by default");
    kill_at_random<48>(rounds, period, "asking for the dead as by default");
    kill_at_random<64>(rounds, period, "asking for the dead as by default");
    kill_at_random<200>(rounds, period, "asking for the dead as by default");
}

// ---- the oracle is no rubber stamp ---------------------------------------------------------------------------------

class KillOracle : public testing::Test {
 protected:
    void sent(std::uint64_t sender, std::uint64_t journalled, std::uint64_t attempted) {
        senders[sender].sent = journalled;
        senders[sender].attempted = attempted;
    }
    [[nodiscard]] Oracle after(Number last, std::uint64_t missable = 0) const {
        return {senders, last, missable};
    }

    std::array<SenderJournal, 5> senders{};
};

TEST_F(KillOracle, AcceptsWhatWasSentInItsOrder) {
    sent(1, 3, 3);
    sent(2, 2, 2);
    Oracle oracle = after({});
    for (const Number number : {Number{1, 0}, Number{1, 1}, Number{1, 2}, Number{2, 0}, Number{2, 1}})
        EXPECT_EQ(oracle.judge(number), Fault::none);
    EXPECT_EQ(oracle.judge_end(), Fault::none);
}

TEST_F(KillOracle, FindsALossARepetitionAndADisorder) {
    sent(1, 9, 9);
    EXPECT_EQ(after({1, 3}).judge({1, 5}), Fault::lost);
    EXPECT_EQ(after({1, 3}).judge({1, 3}), Fault::repeated);
    EXPECT_EQ(after({1, 3}).judge({1, 2}), Fault::repeated);
    EXPECT_EQ(after({}).judge({1, 1}), Fault::lost);
    EXPECT_EQ(after({1, 7}).judge_end(), Fault::lost);
}

TEST_F(KillOracle, FindsWhatNobodySent) {
    sent(1, 9, 10);
    EXPECT_EQ(after({1, 8}).judge({1, 9}), Fault::none) << "the sender was killed in this call";
    EXPECT_EQ(after({1, 8}).judge({1, 10}), Fault::invented);
    EXPECT_EQ(after({1, 8}).judge({0, 0}), Fault::invented);
    EXPECT_EQ(after({1, 8}).judge({2, 0}), Fault::invented);
    EXPECT_EQ(after({1, 8}).judge({5, 0}), Fault::invented);
}

TEST_F(KillOracle, ForgivesASenderOnlyTheCallItDiedIn) {
    sent(1, 5, 8);
    sent(2, 1, 1);
    EXPECT_EQ(after({1, 4}).judge({2, 0}), Fault::none) << "nothing of that call came";
    EXPECT_EQ(after({1, 6}).judge({2, 0}), Fault::none) << "two of its three came";
    EXPECT_EQ(after({1, 3}).judge({2, 0}), Fault::lost) << "its last push had returned";
    EXPECT_EQ(after({1, 4}).judge({1, 6}), Fault::lost) << "a call has no holes";
}

TEST_F(KillOracle, ForgivesAReceiverOnlyTheCallItDiedIn) {
    sent(1, 20, 20);
    sent(2, 20, 20);
    EXPECT_EQ(after({1, 3}, 4).judge({1, 8}), Fault::none);
    EXPECT_EQ(after({1, 3}, 4).judge({1, 9}), Fault::lost);
    EXPECT_EQ(after({1, 17}, 4).judge({2, 2}), Fault::none);
    EXPECT_EQ(after({1, 17}, 4).judge({2, 3}), Fault::lost);
    EXPECT_EQ(after({2, 17}, 2).judge_end(), Fault::none);
    EXPECT_EQ(after({2, 17}, 1).judge_end(), Fault::lost);
    Oracle oracle = after({1, 3}, 4);
    EXPECT_EQ(oracle.judge({1, 5}), Fault::none);
    EXPECT_EQ(oracle.judge({1, 7}), Fault::lost) << "the next call is the survivor's own";
}

TEST_F(KillOracle, FindsEveryTornByte) {
    NumberedMessage<48> message{};
    message.write({7, 123456});
    EXPECT_TRUE(message.is_whole());
    EXPECT_EQ(message.number(), (Number{7, 123456}));
    const auto bytes = std::as_writable_bytes(std::span(message.words));
    for (std::byte& byte : bytes) {
        byte ^= std::byte{1};
        EXPECT_FALSE(message.is_whole());
        byte ^= std::byte{1};
    }
    NumberedMessage<48> next{};
    next.write({7, 123457});
    for (std::size_t from = 1; from != message.words.size(); ++from) {
        NumberedMessage<48> mixture = message;
        for (std::size_t i = from; i != message.words.size(); ++i) mixture.words[i] = next.words[i];
        EXPECT_FALSE(mixture.is_whole()) << "words from " << from << " on are the next one's";
    }
}

}  // namespace
}  // namespace shmring::test
