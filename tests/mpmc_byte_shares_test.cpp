// MpmcByteRing with a limit of messages: the limit is exact, whatever the bytes; what a message up to its share costs does not depend on
// how large the share is; questions about the whole take a few looks.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/queue.hpp"
#include "support/counting_env.hpp"
#include "support/mpmc_byte_memory.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using Ring = MpmcByteRing;

std::uint64_t pushed_until_full(Ring::Producer& out, std::size_t size) {
    const std::vector<std::byte> message(size);
    std::uint64_t count = 0;
    Result<void> pushed;
    while ((pushed = out.try_push(message))) ++count;
    EXPECT_EQ(pushed.error(), Status::full);
    return count;
}
void drain(const Ring& ring) {
    auto in = ring.consumer();
    while (in.try_next()) {
    }
    EXPECT_TRUE(ring.was_empty());
}

TEST(MpmcByteShares, TheNumberOfMessagesIsExactWhateverTheBytes) {
    struct Asked {
        std::uint64_t messages;
        std::uint64_t bytes;
    };
    for (const Asked& asked : {Asked{3, 320}, Asked{7, 13 * 64}, Asked{100, 64 * 1024}, Asked{1000, 127'936},
                               Asked{1, 640}, Asked{10, 640}, Asked{9, 1 << 20}}) {
        SCOPED_TRACE(std::to_string(asked.messages) + " in " + std::to_string(asked.bytes));
        const Ring ring =
            Ring::anonymous({.capacity_bytes = asked.bytes, .capacity_messages = asked.messages});
        EXPECT_EQ(ring.capacity_messages(), asked.messages);
        EXPECT_EQ(ring.capacity_bytes(), asked.bytes);
        const std::uint64_t share = asked.bytes / 64 / asked.messages * 64;
        auto out = ring.producer();
        for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, share}) {
            EXPECT_EQ(pushed_until_full(out, size), asked.messages) << size;
            EXPECT_TRUE(ring.was_full());
            EXPECT_EQ(ring.count_approx(), asked.messages);
            drain(ring);
        }
    }
}

TEST(MpmcByteShares, QueuesHoldExactlyAsManyValuesAsAsked) {
    auto queue = Queue<std::string>::anonymous({.capacity = 100, .capacity_bytes = 64 * 1024});
    EXPECT_EQ(queue.capacity(), 100U);
    for (int i = 0; i != 100; ++i) ASSERT_TRUE(queue.try_push("x"));
    EXPECT_EQ(queue.try_push("x").error(), Status::full);
    EXPECT_EQ(queue.count_approx(), 100U);
    EXPECT_EQ(queue.count_approx(7), 7U);
}

TEST(MpmcByteShares, ALargerMessageTakesAsManyAsItNeeds) {
    const Ring ring = Ring::anonymous({.capacity_bytes = 8 * 128, .capacity_messages = 8});
    auto out = ring.producer();
    EXPECT_EQ(ring.max_message_bytes(), 4U * 128);
    for (const std::size_t shares : {2U, 3U, 4U}) {
        for (const std::size_t size : {(shares - 1) * 128 + 1, shares * 128}) {
            const std::vector<std::byte> large(size);
            ASSERT_TRUE(out.try_push(large));
            EXPECT_EQ(pushed_until_full(out, 128), 8 - shares) << size;
            drain(ring);
        }
    }
}

TEST(MpmcByteShares, OpeningWithAnotherLimitIsRefused) {
    const UniqueName name;
    const Ring made = Ring::create(name, {.capacity_bytes = 6400, .capacity_messages = 10});
    std::error_code code;
    EXPECT_FALSE(Ring::open_or_create(name, {.capacity_bytes = 6400, .capacity_messages = 20}, code));
    EXPECT_EQ(code, errc::wrong_capacity);
    EXPECT_TRUE(Ring::open_or_create(name, {.capacity_bytes = 6400, .capacity_messages = 10}, code));
    EXPECT_EQ(Ring::open(name).capacity_messages(), 10U);
}

/// Pushes and pops one short message in a ring whose units have so many lines, on any lap.
std::size_t operations_of_a_pair(std::uint64_t unit_lines) {
    using Memory = MpmcByteHeap<CountingEnv>;
    Memory ring(8, unit_lines);
    ring.arrange_empty(24);
    std::array<Memory::Word, 2> intents{};
    auto out = ring.producer(intents[0], false);
    auto in = ring.consumer(intents[1], false);
    world.operations.clear();
    EXPECT_EQ(out.prepare(10), Status::ok);
    out.publish(10, 0);
    EXPECT_EQ(in.claim(100), Status::ok);
    in.hand_back();
    return world.operations.size();
}

TEST(MpmcByteShares, AGenerousShareCostsASmallMessageNothing) {
    const std::size_t plain = operations_of_a_pair(1);
    EXPECT_GT(plain, 8U);
    for (const std::uint64_t lines : {2U, 4U, 1048U}) EXPECT_EQ(operations_of_a_pair(lines), plain) << lines;
}

TEST(MpmcByteShares, EmptinessAndCountsUpToALimitTakeAFewLooks) {
    const Ring ring = Ring::anonymous({.capacity_bytes = 64 * 1000});
    EXPECT_TRUE(ring.was_empty());
    auto out = ring.producer();
    for (int i = 0; i != 20; ++i) (void)out.try_claim(100);  // and dropped
    EXPECT_TRUE(ring.was_empty()) << "claims that were dropped are no messages";
    EXPECT_EQ(ring.count_approx(), 0U);
    for (int i = 0; i != 100; ++i) (void)out.try_claim(100);
    EXPECT_FALSE(ring.was_empty()) << "so many that a few looks do not tell";
    EXPECT_EQ(ring.count_approx(), 0U);
    drain(ring);
    for (int i = 0; i != 500; ++i) ASSERT_TRUE(out.try_push({}));
    EXPECT_FALSE(ring.was_empty());
    EXPECT_EQ(ring.count_approx(), 500U);
    EXPECT_EQ(ring.count_approx(10), 10U);
    EXPECT_EQ(ring.count_approx(0), 0U);
    EXPECT_EQ(ring.count_approx(500), 500U);
    EXPECT_EQ(ring.count_approx(501), 500U);
}

}  // namespace
}  // namespace shmring::test
