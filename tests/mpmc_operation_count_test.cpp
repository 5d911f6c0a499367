// What a push, a pop and a batch of a ring of many cost, operation by operation, as docs/algorithms/mpmc.md states it: the algorithm, and
// after it the question whether somebody sleeps, which is what a ring does per call.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "shmring/detail/event_count.hpp"
#include "support/counting_env.hpp"
#include "support/mpmc_memory.hpp"

namespace shmring::test {
namespace {

using Kind = Operation::Kind;
using Events = detail::EventCount<CountingEnv>;

template <class T>
class MpmcOperationCount : public ::testing::Test {
 protected:
    using Memory = MpmcMemory<T, CountingEnv>;
    static constexpr std::uint64_t kCapacity = 7;

    Status push(std::uint64_t number) {
        const T message = T::numbered(number);
        const Status status = out_.try_push(&message, sizeof message);
        if (status == Status::ok) ask_for_sleepers();
        return status;
    }
    Status pop() {
        T message;
        const Status status = in_.try_pop(&message, sizeof message);
        if (status == Status::ok) ask_for_sleepers();
        return status;
    }
    Status push_n(std::uint64_t most) {
        const Status status = out_.claim(most);
        if (status != Status::ok) return status;
        for (std::uint64_t i = 0; i != out_.claimed().count; ++i) out_.publish(i);
        out_.settle();
        ask_for_sleepers();
        return status;
    }
    Status pop_n(std::uint64_t most) {
        const Status status = in_.claim(most);
        if (status != Status::ok) return status;
        for (std::uint64_t i = 0; i != in_.claimed().count; ++i) in_.hand_back(i);
        in_.settle();
        ask_for_sleepers();
        return status;
    }
    /// On the other side, and on our own.
    void ask_for_sleepers() {
        (void)Events::somebody_waits(control().readable);
        (void)Events::somebody_waits(control().writable);
    }
    detail::MpmcControl<CountingEnv>& control() { return ring_.control(); }
    Operations taken() { return std::exchange(world.operations, {}); }

    static Operation load(const void* address, std::memory_order order = std::memory_order_acquire) {
        return {.kind = Kind::load, .address = address, .order = order};
    }
    static Operation store(const void* address) {
        return {.kind = Kind::store, .address = address, .order = std::memory_order_release};
    }
    static Operation exchange(const void* address) {
        return {.kind = Kind::exchange, .address = address, .order = std::memory_order_release};
    }
    Operation copy(Kind kind, std::uint64_t position) {
        return {.kind = kind, .address = ring_.payload(position), .size = sizeof(T)};
    }
    /// Load position, load words, name, exchange.
    Operations claim_costs(const void* counter, const void* intent, std::uint64_t position,
                           std::uint64_t count) {
        Operations operations = {load(counter)};
        for (std::uint64_t i = 0; i != count; ++i) operations.push_back(load(&ring_.word(position + i)));
        operations.push_back(store(intent));
        operations.push_back(exchange(counter));
        return operations;
    }
    void end(Operations& operations, const void* intent) {
        operations.push_back(store(intent));
        for (const auto* line : {&control().readable, &control().writable}) {
            operations.push_back({.kind = Kind::barrier});
            operations.push_back(load(&line->word, std::memory_order_relaxed));
        }
    }
    Operations push_costs(std::uint64_t position) {
        Operations operations = claim_costs(&control().tail, &intents_[0], position, 1);
        operations.push_back(copy(Kind::copy_in, position));
        operations.push_back(store(&ring_.word(position)));
        end(operations, &intents_[0]);
        return operations;
    }
    Operations pop_costs(std::uint64_t position) {
        Operations operations = claim_costs(&control().head, &intents_[1], position, 1);
        operations.push_back(copy(Kind::copy_out, position));
        operations.push_back(store(&ring_.word(position)));
        end(operations, &intents_[1]);
        return operations;
    }

    FreshWorld fresh_world_{};
    Memory ring_{kCapacity};
    std::array<typename Memory::Word, 2> intents_{};
    typename Memory::Producer out_{ring_.slots(), intents_[0], false};
    typename Memory::Consumer in_{ring_.slots(), intents_[1], false};
};

using Sizes = ::testing::Types<Sized<8, 8>, Sized<48, 8>, Sized<64, 8>, Sized<4096, 64>>;
TYPED_TEST_SUITE(MpmcOperationCount, Sizes);

TYPED_TEST(MpmcOperationCount, APushIsTwoLoadsTwoNamesOneExchangeAndOneReleaseStore) {
    (void)this->taken();
    for (std::uint64_t at = 0; at != 3 * this->kCapacity; ++at) {
        ASSERT_EQ(this->push(at), Status::ok);
        ASSERT_EQ(this->taken(), this->push_costs(at)) << at;
        ASSERT_EQ(this->pop(), Status::ok);
        ASSERT_EQ(this->taken(), this->pop_costs(at)) << at;
    }
}
TYPED_TEST(MpmcOperationCount, ABatchIsOneExchangeAndOneQuestionForSleepers) {
    (void)this->taken();
    std::uint64_t at = 0;
    for (const std::uint64_t count : {1U, 2U, 5U, 7U}) {
        ASSERT_EQ(this->push_n(count), Status::ok);
        Operations expected = this->claim_costs(&this->control().tail, &this->intents_[0], at, count);
        for (std::uint64_t i = 0; i != count; ++i) expected.push_back(this->store(&this->ring_.word(at + i)));
        this->end(expected, &this->intents_[0]);
        ASSERT_EQ(this->taken(), expected) << count;
        ASSERT_EQ(this->pop_n(count), Status::ok);
        expected = this->claim_costs(&this->control().head, &this->intents_[1], at, count);
        for (std::uint64_t i = 0; i != count; ++i) expected.push_back(this->store(&this->ring_.word(at + i)));
        this->end(expected, &this->intents_[1]);
        ASSERT_EQ(this->taken(), expected) << count;
        at += count;
    }
}
TYPED_TEST(MpmcOperationCount, FullIsTwoLooksAtTheTailAndEmptyTwoLooksAtHeadAndSlot) {
    const auto& control = this->control();
    const void* word = &this->ring_.word(0);
    (void)this->taken();
    ASSERT_EQ(this->pop(), Status::empty);
    EXPECT_EQ(this->taken(), (Operations{this->load(&control.head),
                                         this->load(word),
                                         this->load(&control.tail),
                                         this->load(&control.head),
                                         this->load(word),
                                         {.kind = Kind::pause},
                                         this->store(&this->intents_[1])}));
    for (std::uint64_t at = 0; at != this->kCapacity; ++at) ASSERT_EQ(this->push(at), Status::ok);
    (void)this->taken();
    ASSERT_EQ(this->push(0), Status::full);
    EXPECT_EQ(this->taken(), (Operations{this->load(&control.tail),
                                         this->load(word),
                                         this->load(&control.tail),
                                         {.kind = Kind::pause},
                                         this->store(&this->intents_[0])}));
}
TYPED_TEST(MpmcOperationCount, AtLeastOnceCostsTwoLoadsOfOneLineMore) {
    this->in_ = {this->ring_.slots(), this->intents_[1], true};
    ASSERT_EQ(this->push(0), Status::ok);
    (void)this->taken();
    ASSERT_EQ(this->pop(), Status::ok);
    Operations expected = this->pop_costs(0);
    const auto& control = this->control();
    expected.insert(expected.begin(), {this->load(&control.orphans, std::memory_order_relaxed),
                                       this->load(&control.searched, std::memory_order_relaxed)});
    EXPECT_EQ(this->taken(), expected);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&control.orphans) / detail::kLineSize,
              reinterpret_cast<std::uintptr_t>(&control.searched) / detail::kLineSize);
}

// The orders within: killed before any of them, nothing half-done is to be seen.
TEST(MpmcOrder, TheNameComesBeforeTheClaimAndGoesAfterTheWord) {
    using Message = Sized<48, 8>;
    const FreshWorld fresh;
    MpmcMemory<Message, CountingEnv> ring(2);
    std::array<decltype(ring)::Word, 2> intents{};
    decltype(ring)::Producer out(ring.slots(), intents[0], false);
    decltype(ring)::Consumer in(ring.slots(), intents[1], false);
    const auto now = [](auto& word) { return word.load(std::memory_order_relaxed); };
    world.meanwhile = [&](const Operation&) {
        const detail::Intent writes{now(intents[0])};
        const detail::Intent reads{now(intents[1])};
        const std::uint64_t tail = now(ring.control().tail);
        const std::uint64_t head = now(ring.control().head);
        using detail::SlotState;
        using detail::SlotWord;
        if (tail != 0 && now(ring.word(tail - 1)) == SlotWord::of((tail - 1) / 2, SlotState::free).value) {
            EXPECT_TRUE(writes.names(detail::ClaimSide::write, tail - 1));
        }
        if (head != 0 &&
            now(ring.word(head - 1)) == SlotWord::of((head - 1) / 2, SlotState::published).value) {
            EXPECT_TRUE(reads.names(detail::ClaimSide::read, head - 1));
        }
    };
    for (std::uint64_t at = 0; at != 9; ++at) {
        Message message = Message::numbered(at);
        ASSERT_EQ(out.try_push(&message, sizeof message), Status::ok);
        ASSERT_EQ(in.try_pop(&message, sizeof message), Status::ok);
    }
}
TEST(MpmcControlLines, WordsOfDifferentWritersStandTwoLinesApart) {
    const detail::MpmcControl<CountingEnv> control{};
    const std::array<const void*, 5> lines = {&control.tail, &control.head, &control.orphans,
                                              &control.readable, &control.writable};
    for (std::size_t line = 0; line != lines.size(); ++line) {
        const auto offset =
            static_cast<const std::byte*>(lines[line]) - reinterpret_cast<const std::byte*>(&control);
        EXPECT_EQ(static_cast<std::size_t>(offset), line * detail::kLineGap);
    }
    EXPECT_EQ(sizeof control, 640U);
}

}  // namespace
}  // namespace shmring::test
