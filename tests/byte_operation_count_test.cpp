// What a push and a pop of ByteRing cost, operation by operation, as docs/algorithms/byte_ring.md states it: the algorithm, and after it the
// question whether somebody sleeps, which is what a ring does per call.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <utility>

#include "shmring/detail/event_count.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/spsc_bytes.hpp"
#include "support/counting_env.hpp"
#include "support/memory_byte_ring.hpp"

namespace shmring::test {
namespace {

using Kind = Operation::Kind;
using Events = detail::EventCount<CountingEnv>;

/// Parameters: payload size and alignment. The ring holds exactly 32 of these records; one lap of its storage is longer.
class ByteOperationCount : public testing::TestWithParam<std::tuple<std::uint64_t, std::uint64_t>> {
 protected:
    static constexpr std::uint64_t kRecords = 32;

    [[nodiscard]] static std::uint64_t size() { return std::get<0>(GetParam()); }
    [[nodiscard]] static std::uint64_t alignment() { return std::get<1>(GetParam()); }
    [[nodiscard]] static std::uint64_t span() { return detail::round_up(8 + size(), alignment()); }

    // What a ring does per call.
    Status push() {
        const Status status = producer_.try_push(bytes_.data(), size(), 1);
        if (status == Status::ok) (void)Events::somebody_waits(control().readable);
        return status;
    }
    Status pop(bool copies = true) {
        const Status status = consumer_.prepare();
        if (status != Status::ok) return status;
        const detail::RecordJudgement record = consumer_.record();
        if (copies) CountingEnv::copy_out(bytes_.data(), consumer_.payload(record), record.length);
        consumer_.borrow();
        consumer_.hand_back(record.skip + record.span);
        (void)Events::somebody_waits(control().writable);
        return Status::ok;
    }
    detail::SpscControl<CountingEnv>& control() { return ring_.control(); }
    static Operations taken() { return std::exchange(world.operations, {}); }

    [[nodiscard]] const void* header(std::uint64_t index) const { return &ring_.memory().header(index); }
    static Operation load(const void* address, std::memory_order order) {
        return {.kind = Kind::load, .address = address, .order = order};
    }
    static Operation store(const void* address, std::memory_order order = std::memory_order_release) {
        return {.kind = Kind::store, .address = address, .order = order};
    }
    [[nodiscard]] Operation copy(Kind kind, std::uint64_t index) const {
        return {.kind = kind, .address = ring_.memory().first + index + 8, .size = size()};
    }
    /// "Is anybody asleep there?"
    static void ask(Operations& operations, const detail::EventLine<CountingEnv>& line) {
        operations.push_back({.kind = Kind::barrier});
        operations.push_back(load(&line.word, std::memory_order_relaxed));
    }
    /// Of the record at `index`, `next` behind it; without the question.
    void add_push(Operations& operations, std::uint64_t index, std::uint64_t next) {
        operations.push_back(load(&control().closed, std::memory_order_relaxed));
        operations.push_back(copy(Kind::copy_in, index));
        operations.push_back(store(header(next), std::memory_order_relaxed));
        operations.push_back(store(header(index)));
    }
    Operations push_costs(std::uint64_t index, std::uint64_t next) {
        Operations operations;
        add_push(operations, index, next);
        ask(operations, control().readable);
        return operations;
    }

    FreshWorld fresh_world_{};
    MemoryByteRing<CountingEnv> ring_{kRecords * span(), alignment()};
    std::array<std::byte, 512> bytes_{};
    Status status_ = Status::corrupt;
    detail::ByteProducer<CountingEnv> producer_ =
        detail::ByteProducer<CountingEnv>::join(ring_.memory(), status_);
    detail::ByteConsumer<CountingEnv> consumer_ =
        detail::ByteConsumer<CountingEnv>::join(ring_.memory(), status_);
};

INSTANTIATE_TEST_SUITE_P(Of, ByteOperationCount,
                         testing::Combine(testing::Values(0U, 1U, 8U, 56U, 100U, 256U),
                                          testing::Values(8U, 64U)));

TEST_P(ByteOperationCount, APushIsTwoLoadsAndTwoStoresAndNoReadModifyWriteAndNoFence) {
    (void)taken();
    for (std::uint64_t at = 0; at != kRecords; ++at) {
        ASSERT_EQ(push(), Status::ok);
        ASSERT_EQ(taken(), push_costs(at * span(), (at + 1) * span())) << at;
    }
}

TEST_P(ByteOperationCount, AClaimIsOneLoadAndItsCommitTwoStoresAndOneLoad) {
    (void)taken();
    ASSERT_EQ(producer_.prepare(size()), Status::ok);
    EXPECT_EQ(taken(), Operations{load(&control().closed, std::memory_order_relaxed)});
    producer_.publish(static_cast<std::uint32_t>(size()), 1);
    (void)Events::somebody_waits(control().readable);
    Operations expected = push_costs(0, span());
    expected.erase(expected.begin(), expected.begin() + 2);
    EXPECT_EQ(taken(), expected);
}

TEST_P(ByteOperationCount, APushThatLeavesPaddingIsOneStoreMoreAndOneThatFitsExactlyIsNot) {
    const std::uint64_t storage = ring_.memory().storage;
    const std::uint64_t last = storage / span() * span();  // what is left behind it does not hold a record
    for (std::uint64_t at = 0; at != last; at += span()) {
        (void)taken();
        ASSERT_EQ(push(), Status::ok);
        const Operations pushed = taken();
        const std::uint64_t next = at + span() == storage ? 0 : at + span();
        if (at < kRecords * span()) {  // later ones look at the read position now and then
            ASSERT_EQ(pushed, push_costs(at, next)) << at;
        }
        EXPECT_EQ(pushed[pushed.size() - 4], store(header(next), std::memory_order_relaxed));
        ASSERT_EQ(pop(), Status::ok);
    }
    ASSERT_EQ(producer_.prepare(size()), Status::ok);
    (void)taken();
    producer_.publish(static_cast<std::uint32_t>(size()), 1);
    Operations published{store(header(span()), std::memory_order_relaxed), store(header(0))};
    Operations looks{load(header(0), std::memory_order_acquire)};
    if (last != storage) {
        published[1].order = std::memory_order_relaxed;
        published.push_back(store(header(last)));
        looks[0].order = std::memory_order_relaxed;
        looks.insert(looks.begin(), load(header(last), std::memory_order_acquire));
    }
    EXPECT_EQ(taken(), published);
    ASSERT_EQ(pop(), Status::ok);
    looks.push_back(copy(Kind::copy_out, 0));
    Operations popped = taken();
    ASSERT_GE(popped.size(), looks.size());
    popped.resize(looks.size());
    EXPECT_EQ(popped, looks);
}

TEST_P(ByteOperationCount, APopIsTwoLoadsAndOneReleaseStoreAndInPlaceTheSameWithoutTheCopy) {
    for (std::uint64_t at = 0; at != kRecords; ++at) ASSERT_EQ(push(), Status::ok);
    (void)taken();
    for (std::uint64_t at = 0; at != kRecords; ++at) {
        const bool copies = at % 2 == 0;
        ASSERT_EQ(pop(copies), Status::ok);
        Operations expected{load(header(at * span()), std::memory_order_acquire)};
        if (copies) expected.push_back(copy(Kind::copy_out, at * span()));
        expected.push_back(store(&control().read_pos));
        if ((at + 1) % (kRecords / 8) == 0) expected.push_back(store(&control().read_pos_published));
        ask(expected, control().writable);
        ASSERT_EQ(taken(), expected) << at;
    }
}

TEST_P(ByteOperationCount, FullIsAnsweredOnlyAfterTheExactReadPositionWasRead) {
    for (std::uint64_t at = 0; at != kRecords; ++at) ASSERT_EQ(push(), Status::ok);
    (void)taken();
    for (int again = 0; again != 3; ++again) {
        ASSERT_EQ(push(), Status::full);
        EXPECT_EQ(taken(), (Operations{load(&control().closed, std::memory_order_relaxed),
                                       load(&control().read_pos_published, std::memory_order_acquire),
                                       load(&control().read_pos, std::memory_order_acquire),
                                       {.kind = Kind::pause}}));
    }
}

TEST_P(ByteOperationCount, EmptyIsOneLookAPauseAndAQuestionForTheEnd) {
    (void)taken();
    for (int again = 0; again != 3; ++again) {
        ASSERT_EQ(pop(), Status::empty);
        EXPECT_EQ(taken(), (Operations{load(header(0), std::memory_order_acquire),
                                       {.kind = Kind::pause},
                                       load(&control().closed, std::memory_order_acquire)}));
    }
}

TEST_P(ByteOperationCount, ABatchAsksOnceForSleepersAndIsTakenWithOneHandBack) {
    constexpr std::uint64_t kBatch = 7;
    (void)taken();
    Operations expected;
    for (std::uint64_t at = 0; at != kBatch; ++at) {
        ASSERT_EQ(producer_.try_push(bytes_.data(), size(), 1), Status::ok);
        add_push(expected, at * span(), (at + 1) * span());
    }
    (void)Events::somebody_waits(control().readable);
    ask(expected, control().readable);
    EXPECT_EQ(taken(), expected);

    std::uint64_t bytes = 0;
    expected.clear();
    for (std::uint64_t at = 0; at != kBatch; ++at) {
        ASSERT_EQ(consumer_.prepare(), Status::ok);
        const detail::RecordJudgement record = consumer_.record();
        CountingEnv::copy_out(bytes_.data(), consumer_.payload(record), record.length);
        consumer_.borrow();
        bytes += record.skip + record.span;
        expected.push_back(load(header(at * span()), std::memory_order_acquire));
        expected.push_back(copy(Kind::copy_out, at * span()));
    }
    consumer_.hand_back(bytes);
    (void)Events::somebody_waits(control().writable);
    expected.push_back(store(&control().read_pos));
    expected.push_back(store(&control().read_pos_published));  // more than an eighth of the ring
    ask(expected, control().writable);
    EXPECT_EQ(taken(), expected);
}

/// The word that another process changes right after it was read, also to a length far outside, changes nothing.
TEST_P(ByteOperationCount, AHeaderIsReadOnceAndTheCopyIsUsed) {
    ASSERT_EQ(push(), Status::ok);
    (void)taken();
    world.meanwhile = [&](const Operation& operation) {
        if (operation.kind == Kind::load) return;  // it comes first, and sees what was published
        const detail::RecordHeader huge{9, detail::RecordHeader::State::message,
                                        detail::RecordHeader::kMaxLength};
        ring_.memory().header(0).store(huge.word(), std::memory_order_relaxed);
    };
    ASSERT_EQ(pop(), Status::ok);
    EXPECT_EQ(world.count(Kind::load, header(0)), 1U);
    EXPECT_EQ(consumer_.record().length, size());
    EXPECT_EQ(consumer_.position(), span());
}

}  // namespace
}  // namespace shmring::test
