// Batches: as many as fit or are there, in order, with one publication per block and one wake-up in all.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <random>
#include <span>
#include <thread>
#include <vector>

#include "shmring/spsc_ring.hpp"
#include "support/memory_ring.hpp"
#include "support/ring_internals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Message = Sized<8, 8>;
using Ring = SpscRing<Message>;

template <class T>
std::vector<T> numbered(std::uint64_t first, std::size_t count) {
    std::vector<T> messages;
    for (std::size_t at = 0; at != count; ++at) messages.push_back(T::numbered(first + at));
    return messages;
}
std::vector<Message> messages(std::uint64_t first, std::size_t count) {
    return numbered<Message>(first, count);
}

class Batch : public ::testing::Test {
 protected:
    /// Takes up to `most` and expects them to be the next ones; answers how many.
    std::size_t take(std::size_t most, std::uint64_t first) {
        std::vector<Message> taken(most + 1, Message::numbered(0xdead));
        const auto count = consumer_.try_pop_n(std::span(taken).first(most));
        if (!count) return 0;
        EXPECT_TRUE(std::equal(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(*count),
                               messages(first, *count).begin()));
        EXPECT_EQ(taken[*count], Message::numbered(0xdead));
        return *count;
    }

    Ring ring_ = Ring::anonymous({.capacity = 20});
    Ring::Producer producer_ = ring_.producer();
    Ring::Consumer consumer_ = ring_.consumer();
};

TEST_F(Batch, PushesAsManyAsFitAndSaysHowMany) {
    EXPECT_EQ(*producer_.try_push_n(messages(0, 13)), 13U);
    EXPECT_EQ(*producer_.try_push_n(messages(13, 13)), 7U);
    EXPECT_EQ(producer_.try_push_n(messages(20, 1)).error(), Status::full);
    EXPECT_EQ(take(5, 0), 5U);
    EXPECT_EQ(*producer_.try_push_n(messages(20, 100)), 5U);
    EXPECT_EQ(take(100, 5), 20U);
}

TEST_F(Batch, PopsAsManyAsThereAreAndSaysHowMany) {
    std::array<Message, 3> three{};
    EXPECT_EQ(consumer_.try_pop_n(three).error(), Status::empty);
    EXPECT_EQ(*producer_.try_push_n(messages(0, 7)), 7U);
    EXPECT_EQ(take(3, 0), 3U);
    EXPECT_EQ(take(3, 3), 3U);
    EXPECT_EQ(take(3, 6), 1U);
    EXPECT_EQ(consumer_.try_pop_n(three).error(), Status::empty);
}

TEST_F(Batch, OfNothingIsDoneWhateverTheStateOfTheRing) {
    const auto expect_done = [this] {
        EXPECT_EQ(producer_.try_push_n({}).value_or(99U), 0U);
        EXPECT_EQ(consumer_.try_pop_n({}).value_or(99U), 0U);
    };
    expect_done();
    EXPECT_EQ(*producer_.try_push_n(messages(0, 20)), 20U);
    expect_done();
    producer_.close();
    expect_done();
}

TEST_F(Batch, MeetsTheEndOfTheStreamAfterTheLastMessage) {
    std::array<Message, 20> sink{};
    EXPECT_EQ(*producer_.try_push_n(messages(0, 9)), 9U);
    producer_.close();
    EXPECT_EQ(producer_.try_push_n(messages(9, 1)).error(), Status::closed);
    EXPECT_EQ(take(5, 0), 5U);
    EXPECT_EQ(take(20, 5), 4U);
    EXPECT_EQ(consumer_.try_pop_n(sink).error(), Status::closed);
}

TEST_F(Batch, LargerThanTheRingGoesThroughInParts) {
    constexpr std::size_t kCount = 100'000;
    const std::vector<Message> sent = messages(0, kCount);
    std::jthread producing([&] {
        for (std::span<const Message> rest = sent; !rest.empty();) {
            const auto pushed = producer_.try_push_n(rest);
            if (pushed) {
                rest = rest.subspan(*pushed);
            } else {
                ASSERT_EQ(pushed.error(), Status::full);
                std::this_thread::yield();
            }
        }
    });
    std::vector<Message> received(kCount);
    for (std::span<Message> rest = received; !rest.empty();) {
        const auto popped = consumer_.try_pop_n(rest);
        if (popped) {
            rest = rest.subspan(*popped);
        } else {
            ASSERT_EQ(popped.error(), Status::empty);
            std::this_thread::yield();
        }
    }
    EXPECT_EQ(received, sent);
}

TEST_F(Batch, WakesTheOtherSideOnce) {
    // As if two slept there: a second wake-up would be seen in the count of those not yet woken.
    auto& readable = control_of(ring_).readable.word;
    auto& writable = control_of(ring_).writable.word;
    readable.store(2, std::memory_order_relaxed);
    writable.store(2, std::memory_order_relaxed);
    EXPECT_EQ(*producer_.try_push_n(messages(0, 20)), 20U);
    EXPECT_EQ(readable.load(std::memory_order_relaxed), detail::kOneEpoch + 1);
    EXPECT_EQ(take(20, 0), 20U);
    EXPECT_EQ(writable.load(std::memory_order_relaxed), detail::kOneEpoch + 1);

    EXPECT_EQ(*producer_.try_push_n({}), 0U);
    std::array<Message, 1> one{};
    EXPECT_EQ(consumer_.try_pop_n(one).error(), Status::empty);
    EXPECT_EQ(readable.load(std::memory_order_relaxed), detail::kOneEpoch + 1)
        << "nothing sent, nobody woken";
    EXPECT_EQ(writable.load(std::memory_order_relaxed), detail::kOneEpoch + 1);
}

TEST_F(Batch, WakesASleeper) {
    consumer_.set_wait_policy({.spin = 0ns});
    std::jthread popping([&] {
        const auto popped = consumer_.pop();
        ASSERT_TRUE(popped);
        EXPECT_EQ(*popped, Message::numbered(0));
    });
    await_sleeper(control_of(ring_).readable);
    EXPECT_EQ(*producer_.try_push_n(messages(0, 3)), 3U);
}

TEST_F(Batch, FindsCorruptionOnlyWhereItIs) {
    EXPECT_EQ(*producer_.try_push_n(messages(0, 10)), 10U);
    memory_of(ring_).blocks[detail::BlockShape::of(8, 8).block_stride + 2] =
        std::byte{1};  // the second block's lap
    EXPECT_EQ(take(20, 0), 7U) << "what is right is delivered";
    std::array<Message, 1> one{};
    EXPECT_EQ(consumer_.try_pop_n(one).error(), Status::corrupt);
}

template <class T>
class BatchOfSize : public ::testing::Test {};
using Sizes = ::testing::Types<Sized<1, 1>, Sized<3, 1>, Sized<8, 8>, Sized<24, 8>, Sized<56, 8>,
                               Sized<64, 8>, Sized<200, 8>>;
TYPED_TEST_SUITE(BatchOfSize, Sizes);

TYPED_TEST(BatchOfSize, OfRandomLengthsKeepTheOrderAmongSingleMessages) {
    for (const std::uint64_t capacity : {1U, 2U, 7U, 8U, 13U, 64U, 500U}) {
        auto ring = SpscRing<TypeParam>::anonymous({.capacity = capacity});
        auto producer = ring.producer();
        auto consumer = ring.consumer();
        std::mt19937_64 random(capacity);
        std::uint64_t pushed = 0;
        std::uint64_t popped = 0;
        for (int step = 0; step != 1000; ++step) {
            const std::uint64_t room = capacity - (pushed - popped);
            const std::size_t wanted = random() % (capacity + 3);
            if (wanted == 1) {
                ASSERT_EQ(producer.try_push(TypeParam::numbered(pushed)).has_value(), room != 0);
                pushed += room != 0 ? 1 : 0;
            } else if (const auto count = producer.try_push_n(numbered<TypeParam>(pushed, wanted))) {
                ASSERT_EQ(*count, std::min<std::size_t>(wanted, room));
                pushed += *count;
            } else {
                ASSERT_EQ(count.error(), Status::full);
                ASSERT_EQ(room, 0U);
            }
            ASSERT_EQ(ring.count_approx(), pushed - popped);

            const std::uint64_t there = pushed - popped;
            std::vector<TypeParam> taken(random() % (capacity + 3));
            if (const auto count = consumer.try_pop_n(taken)) {
                ASSERT_EQ(*count, std::min<std::size_t>(taken.size(), there));
                taken.resize(*count);
                ASSERT_EQ(taken, numbered<TypeParam>(popped, *count));
                popped += *count;
            } else {
                ASSERT_EQ(count.error(), Status::empty);
                ASSERT_EQ(there, 0U);
            }
        }
    }
}

}  // namespace
}  // namespace shmring::test
