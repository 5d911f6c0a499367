// ByteRing under SIGKILL at random moments: messages of random sizes, each numbered and checksummed, copied, gathered, in batches
// and in place; nothing is torn, lost or repeated, and nobody hangs. What the processes do: support/stream_roles.hpp,
// byte_traffic.hpp; who is killed and when: kill_storm.hpp; who judges: oracle.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "support/byte_traffic.hpp"
#include "support/kill_campaign.hpp"
#include "support/numbered_bytes.hpp"
#include "support/oracle.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Messages of up to 8 bytes, 88 bytes, 2 KiB and 32 KiB. Each storm of rounds kills about a quarter oftener.
constexpr std::array<std::uint64_t, 4> kCapacities = {32, 200, 4096, 65536};

/// Some 3,700 kills, and 125,000 in a soak.
TEST(ByteKillStorm, ByteRingIsCrashSafeForMessagesOfEverySize) {
    const int rounds = is_soak() ? 100'000 : 6'000 / kSlowness;
    kill_at_random<ByteTraffic>(kCapacities, rounds, 2ms, 1000, "messages of any size");
}

// ---- the judge of bytes is no rubber stamp -------------------------------------------------------------------------

constexpr ByteSizes kSizes{0, 2040};

std::vector<std::byte> message(Number number) {
    std::vector<std::byte> bytes(kSizes.of(number));
    NumberedBytes::write(number, bytes);
    return bytes;
}

TEST(NumberedBytesTest, ComeInEverySortOfSize) {
    std::set<std::size_t> sizes;
    std::size_t small = 0;
    for (std::uint64_t i = 0; i != 4000; ++i) {
        const std::size_t size = kSizes.of({1, i});
        ASSERT_LE(size, kSizes.most);
        sizes.insert(size);
        small += size < 120 ? 1 : 0;
    }
    EXPECT_TRUE(sizes.contains(0));
    EXPECT_TRUE(sizes.contains(kSizes.most));
    EXPECT_GT(small, 3000U);
    EXPECT_GT(sizes.size(), 300U);
}

TEST(NumberedBytesTest, FindEveryTornByteSizeAndTag) {
    for (std::uint64_t i = 0; i != 200; ++i) {
        const Number number{7, 500'000 + i};
        const Number last{7, 500'000 + i - 1};
        auto bytes = message(number);
        const std::uint32_t tag = NumberTag::of(number);
        const NumberedBytes read(bytes, tag, last, kSizes);
        ASSERT_TRUE(read.is_whole()) << bytes.size();
        ASSERT_EQ(read.number(), number);
        for (std::byte& byte : bytes) {
            byte ^= std::byte{1};
            ASSERT_FALSE(NumberedBytes(bytes, tag, last, kSizes).is_whole());
            byte ^= std::byte{1};
        }
        bytes.push_back(std::byte{0});
        ASSERT_FALSE(NumberedBytes(bytes, tag, last, kSizes).is_whole());
        bytes.pop_back();
        if (bytes.size() < NumberedBytes::kNumberSize) continue;
        ASSERT_FALSE(NumberedBytes(bytes, tag + 1, last, kSizes).is_whole());
        ASSERT_FALSE(NumberedBytes(bytes, tag - 1, last, kSizes).is_whole());
        ASSERT_TRUE(NumberedBytes(bytes, tag - 1, last, kSizes, 1).is_whole()) << "second of a batch";
    }
}

TEST(NumberedBytesTest, AreNumberedByTheirTagWhereTheyHaveNoRoomForMore) {
    const Number number{3, NumberTag::kSequences * 5 - 1};
    const std::uint32_t tag = NumberTag::of(number);
    EXPECT_EQ(NumberTag::after({3, number.sequence - 1}, tag), number);
    EXPECT_EQ(NumberTag::after({3, number.sequence - 5}, tag), number);
    EXPECT_EQ(NumberTag::after({3, number.sequence}, NumberTag::of({3, number.sequence + 1})),
              (Number{3, number.sequence + 1}));
    EXPECT_NE(NumberTag::after({3, number.sequence}, tag), number) << "a repetition is a huge gap";
    EXPECT_EQ(NumberTag::after({2, 77}, NumberTag::of({3, 0})), (Number{3, 0}));
}

}  // namespace
}  // namespace shmring::test
