// What a push and a pop cost, operation by operation, as docs/algorithms/spsc.md states it: the algorithm, and after it the question
// whether somebody sleeps, which is what a ring does per call.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "shmring/detail/event_count.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/spsc.hpp"
#include "support/counting_env.hpp"
#include "support/memory_ring.hpp"

namespace shmring::test {
namespace {

using Kind = Operation::Kind;
using Events = detail::EventCount<CountingEnv>;

template <class T>
class SpscOperationCount : public ::testing::Test {
 protected:
    static constexpr std::uint64_t kCapacity = 64;
    static constexpr std::uint64_t kPerBlock = MemoryRing<T, CountingEnv>::kPerBlock;

    // What a ring does per call.
    Status push(std::uint64_t number) {
        const Status status = producer_.try_push(T::numbered(number));
        if (status == Status::ok) (void)Events::somebody_waits(control().readable);
        return status;
    }
    Status pop() {
        T message;
        const Status status = consumer_.try_pop(&message);
        if (status == Status::ok) (void)Events::somebody_waits(control().writable);
        return status;
    }
    detail::SpscControl<CountingEnv>& control() { return ring_.control(); }
    Operations taken() { return std::exchange(world.operations, {}); }

    const void* word_of(std::uint64_t position) {
        return &ring_.word(position / kPerBlock % ring_.block_count());
    }
    static Operation load(const void* address, std::memory_order order) {
        return {.kind = Kind::load, .address = address, .order = order};
    }
    static Operation store(const void* address) {
        return {.kind = Kind::store, .address = address, .order = std::memory_order_release};
    }
    Operation copy(Kind kind, std::uint64_t position, std::size_t count = 1) {
        return {.kind = kind, .address = ring_.at(position), .size = count * sizeof(T)};
    }
    /// "Is anybody asleep there?"
    static void ask(Operations& operations, const detail::EventLine<CountingEnv>& line) {
        operations.push_back({.kind = Kind::barrier});
        operations.push_back(load(&line.word, std::memory_order_relaxed));
    }
    Operations push_costs(std::uint64_t position) {
        Operations operations = {load(&control().closed, std::memory_order_relaxed),
                                 copy(Kind::copy_in, position), store(word_of(position))};
        ask(operations, control().readable);
        return operations;
    }

    FreshWorld fresh_world_{};
    MemoryRing<T, CountingEnv> ring_{kCapacity};
    Status status_ = Status::corrupt;
    typename MemoryRing<T, CountingEnv>::Producer producer_ = ring_.join_producer(status_);
    typename MemoryRing<T, CountingEnv>::Consumer consumer_ = ring_.join_consumer(status_);
};

using Sizes =
    ::testing::Types<Sized<1, 1>, Sized<8, 8>, Sized<24, 8>, Sized<48, 8>, Sized<64, 8>, Sized<256, 8>>;
TYPED_TEST_SUITE(SpscOperationCount, Sizes);

TYPED_TEST(SpscOperationCount, APushIsTwoLoadsAndOneReleaseStoreAndNoReadModifyWriteAndNoFence) {
    (void)this->taken();
    for (std::uint64_t at = 0; at != this->kCapacity; ++at) {
        ASSERT_EQ(this->push(at), Status::ok);
        ASSERT_EQ(this->taken(), this->push_costs(at)) << at;
    }
}

TYPED_TEST(SpscOperationCount, APushInPlaceCostsTheSameWithoutTheCopy) {
    (void)this->taken();
    ASSERT_EQ(this->producer_.prepare(), Status::ok);
    this->producer_.publish(1);
    (void)Events::somebody_waits(this->control().readable);
    Operations expected = this->push_costs(0);
    expected.erase(expected.begin() + 1);
    EXPECT_EQ(this->taken(), expected);
}

TYPED_TEST(SpscOperationCount, APopOfASeenBlockIsOneReleaseStoreAndOneLoadAndALookIsOneLoadMore) {
    for (std::uint64_t at = 0; at != this->kCapacity; ++at) ASSERT_EQ(this->push(at), Status::ok);
    (void)this->taken();
    for (std::uint64_t at = 0; at != this->kCapacity; ++at) {
        ASSERT_EQ(this->pop(), Status::ok);
        Operations expected;
        if (at % this->kPerBlock == 0)
            expected.push_back(this->load(this->word_of(at), std::memory_order_acquire));
        expected.push_back(this->copy(Kind::copy_out, at));
        expected.push_back(this->store(&this->control().read_pos));
        if ((at + 1) % (this->kCapacity / 8) == 0)
            expected.push_back(this->store(&this->control().read_pos_published));
        this->ask(expected, this->control().writable);
        ASSERT_EQ(this->taken(), expected) << at;
    }
}

TYPED_TEST(SpscOperationCount, ThePublishedReadPositionIsStoredAndReadOncePerEighthOfTheRing) {
    for (std::uint64_t at = 0; at != this->kCapacity / 2; ++at) ASSERT_EQ(this->push(at), Status::ok);
    (void)this->taken();
    constexpr std::uint64_t kLaps = 10;
    std::uint64_t refreshes = 0;
    for (std::uint64_t at = this->kCapacity / 2; at != this->kCapacity / 2 + kLaps * this->kCapacity; ++at) {
        ASSERT_EQ(this->pop(), Status::ok);
        (void)this->taken();
        ASSERT_EQ(this->push(at), Status::ok);
        Operations expected = this->push_costs(at);
        const Operations found = this->taken();
        if (found.size() != expected.size()) {
            ++refreshes;
            expected.insert(expected.begin() + 1,
                            this->load(&this->control().read_pos_published, std::memory_order_acquire));
        }
        ASSERT_EQ(found, expected) << "a half-full ring never reads the exact position";
    }
    EXPECT_LE(refreshes, 8 * kLaps);
    EXPECT_GE(refreshes, kLaps);
}

TYPED_TEST(SpscOperationCount, FullIsAnsweredOnlyAfterTheExactReadPositionWasRead) {
    for (std::uint64_t at = 0; at != this->kCapacity; ++at) ASSERT_EQ(this->push(at), Status::ok);
    (void)this->taken();
    const auto& control = this->control();
    for (int again = 0; again != 3; ++again) {
        ASSERT_EQ(this->push(0), Status::full);
        EXPECT_EQ(this->taken(),
                  (Operations{this->load(&control.closed, std::memory_order_relaxed),
                              this->load(&control.read_pos_published, std::memory_order_acquire),
                              this->load(&control.read_pos, std::memory_order_acquire),
                              {.kind = Kind::pause}}));
    }
    // One place is free and was not published: found by the same loads.
    ASSERT_EQ(this->pop(), Status::ok);
    (void)this->taken();
    ASSERT_EQ(this->push(this->kCapacity), Status::ok);
    EXPECT_EQ(world.count(Kind::load, &control.read_pos), 1U);
}

TYPED_TEST(SpscOperationCount, EmptyIsOneLookAPauseAndAQuestionForTheEnd) {
    (void)this->taken();
    for (int again = 0; again != 3; ++again) {
        ASSERT_EQ(this->pop(), Status::empty);
        EXPECT_EQ(this->taken(),
                  (Operations{this->load(this->word_of(0), std::memory_order_acquire),
                              {.kind = Kind::pause},
                              this->load(&this->control().closed, std::memory_order_acquire)}));
    }
}

TYPED_TEST(SpscOperationCount, ABatchPublishesOncePerBlockAndAsksOnceForSleepers) {
    for (const std::uint64_t first :
         {std::uint64_t{0}, std::uint64_t{1}, this->kPerBlock, this->kPerBlock + 2}) {
        for (const std::size_t count : {1U, 2U, 7U, 8U, 33U}) {
            this->ring_.arrange(first, first);
            this->producer_ = this->ring_.join_producer(this->status_);
            const std::vector<TypeParam> messages(count, TypeParam::numbered(5));
            (void)this->taken();
            ASSERT_EQ(this->producer_.try_push_n(messages.data(), count, this->status_), count);
            (void)Events::somebody_waits(this->control().readable);

            Operations expected;
            for (std::uint64_t at = first; at != first + count;) {
                const std::uint64_t run =
                    std::min(this->kPerBlock - at % this->kPerBlock, first + count - at);
                expected.push_back(this->load(&this->control().closed, std::memory_order_relaxed));
                expected.push_back(this->copy(Kind::copy_in, at, run));
                expected.push_back(this->store(this->word_of(at)));
                at += run;
            }
            this->ask(expected, this->control().readable);
            ASSERT_EQ(this->taken(), expected) << count << " from " << first;
        }
    }
}

TYPED_TEST(SpscOperationCount, ABatchIsTakenWithOneLookPerBlockAndOneHandBack) {
    for (const std::uint64_t first :
         {std::uint64_t{0}, std::uint64_t{1}, this->kPerBlock, this->kPerBlock + 2}) {
        for (const std::size_t count : {1U, 2U, 7U, 8U, 33U}) {
            this->ring_.arrange(first, first + count);
            this->consumer_ = this->ring_.join_consumer(this->status_);
            std::vector<TypeParam> messages(count, TypeParam::numbered(5));
            (void)this->taken();
            ASSERT_EQ(this->consumer_.try_pop_n(messages.data(), count, this->status_), count);
            (void)Events::somebody_waits(this->control().writable);

            Operations expected;
            for (std::uint64_t at = first; at != first + count;) {
                const std::uint64_t run =
                    std::min(this->kPerBlock - at % this->kPerBlock, first + count - at);
                expected.push_back(this->load(this->word_of(at), std::memory_order_acquire));
                expected.push_back(this->copy(Kind::copy_out, at, run));
                at += run;
            }
            expected.push_back(this->store(&this->control().read_pos));
            if (count >= this->kCapacity / 8)
                expected.push_back(this->store(&this->control().read_pos_published));
            this->ask(expected, this->control().writable);
            ASSERT_EQ(this->taken(), expected) << count << " from " << first;
        }
    }
}

TEST(SpscControlLines, WordsOfDifferentWritersStandTwoLinesApart) {
    const detail::SpscControl<CountingEnv> control{};
    const std::array<const void*, 5> lines = {&control.closed, &control.read_pos, &control.read_pos_published,
                                              &control.readable, &control.writable};
    for (std::size_t line = 0; line != lines.size(); ++line) {
        const auto offset =
            static_cast<const std::byte*>(lines[line]) - reinterpret_cast<const std::byte*>(&control);
        EXPECT_EQ(static_cast<std::size_t>(offset) / detail::kLineGap, line);
    }
}

}  // namespace
}  // namespace shmring::test
