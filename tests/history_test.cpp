// The checker of histories: what it must accept, and above all what it must reject.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "support/history.hpp"

namespace shmring::test {
namespace {

using Kind = QueueCall::Kind;
using Answer = QueueCall::Answer;
using Calls = std::vector<QueueCall>;

QueueCall pushed(std::uint64_t value, std::uint32_t before = 0) {
    return {Kind::push, Answer::done, value, before};
}
QueueCall popped(std::uint64_t value, std::uint32_t before = 0) {
    return {Kind::pop, Answer::done, value, before};
}
QueueCall full(std::uint32_t before = 0) { return {Kind::push, Answer::refused, 0, before}; }
QueueCall empty(std::uint32_t before = 0) { return {Kind::pop, Answer::refused, 0, before}; }
QueueCall push_without_end(std::uint64_t value, std::uint32_t before = 0) {
    return {Kind::push, Answer::none, value, before};
}
QueueCall pop_without_end(std::uint32_t before = 0) { return {Kind::pop, Answer::none, 0, before}; }

bool is_explained(const Calls& calls, const std::vector<std::uint64_t>& rest = {}, std::size_t capacity = 2,
                  const std::vector<std::uint64_t>& inside = {}) {
    QueueHistory history({.capacity = capacity});
    history.begin(inside);
    for (const QueueCall& call : calls) history.add(call);
    return history.is_explained(rest);
}

TEST(History, AcceptsWhatAQueueDoes) {
    EXPECT_TRUE(is_explained({}));
    EXPECT_TRUE(is_explained({pushed(1), popped(1)}));
    EXPECT_TRUE(is_explained({popped(1), pushed(1)})) << "at the same time, whatever stands first";
    EXPECT_TRUE(is_explained({pushed(1), pushed(2), popped(2), popped(1)})) << "all at the same time";
    EXPECT_TRUE(is_explained({pushed(1)}, {1}));
    EXPECT_TRUE(is_explained({popped(7)}, {8}, 2, {7, 8}));
    EXPECT_TRUE(is_explained({empty(), pushed(1)}, {1}));
    EXPECT_TRUE(is_explained({pushed(1), full()}, {1}, 1));
}
TEST(History, RejectsALostOneARepeatedOneAndAnInventedOne) {
    EXPECT_FALSE(is_explained({pushed(1)}, {}));
    EXPECT_FALSE(is_explained({pushed(1), popped(1), popped(1)}));
    EXPECT_FALSE(is_explained({popped(1)}));
    EXPECT_FALSE(is_explained({pushed(1), popped(2)}));
    EXPECT_FALSE(is_explained({}, {1}));
}
TEST(History, RejectsAnotherOrder) {
    EXPECT_FALSE(is_explained({pushed(1), pushed(2, 1), popped(2), popped(1, 4)}));
    EXPECT_FALSE(is_explained({pushed(1), pushed(2, 1)}, {2, 1}));
    EXPECT_FALSE(is_explained({popped(1)}, {}, 2, {2, 1}));
    EXPECT_TRUE(is_explained({pushed(1), pushed(2), popped(2), popped(1, 4)})) << "the pushes overlap";
    EXPECT_TRUE(is_explained({pushed(1), pushed(2, 1), popped(2), popped(1)})) << "the pops overlap";
}
TEST(History, RejectsARefusalWithoutACause) {
    EXPECT_FALSE(is_explained({pushed(1), empty(1)}, {1})) << "the message was there";
    EXPECT_FALSE(is_explained({full()})) << "there was room";
    EXPECT_FALSE(is_explained({popped(1), full(1)}, {}, 1, {1})) << "it was handed back before";
    EXPECT_TRUE(is_explained({popped(1), full()}, {}, 1, {1}));
}
TEST(History, ExplainsRefusalsEachForItselfWhereAskedTo) {
    const auto judge = [](const Calls& calls, bool alone) {
        QueueHistory history({.capacity = 2, .refusals_alone = alone});
        history.begin({7});
        for (const QueueCall& call : calls) history.add(call);
        return history.is_explained({8});
    };
    const Calls both_late{pushed(8), full(1), popped(7), empty(4)};  // each sees the other's past
    EXPECT_FALSE(judge(both_late, false));
    EXPECT_TRUE(judge(both_late, true));
    EXPECT_FALSE(judge({pushed(8), popped(7), empty(3)}, true)) << "it knew of the push";
}
TEST(History, RejectsMoreThanTheCapacity) {
    EXPECT_FALSE(is_explained({pushed(1), pushed(2), pushed(3)}, {1, 2, 3}));
    EXPECT_FALSE(is_explained({pushed(1), pushed(2, 1), popped(1, 3)}, {2}, 1));
    EXPECT_TRUE(is_explained({pushed(1), pushed(2, 1), popped(1)}, {2}, 1));
}
TEST(History, ACallThatNeverReturnedWasDoneOrNot) {
    EXPECT_TRUE(is_explained({push_without_end(1)}));
    EXPECT_TRUE(is_explained({push_without_end(1)}, {1}));
    EXPECT_TRUE(is_explained({push_without_end(1), popped(1)}));
    EXPECT_TRUE(is_explained({pushed(1), pop_without_end()}, {1}));
    EXPECT_TRUE(is_explained({pushed(1), pop_without_end()}));
    EXPECT_FALSE(is_explained({pushed(1), pushed(2), pop_without_end()})) << "it took one at most";
    EXPECT_FALSE(is_explained({push_without_end(1, 2), popped(1)})) << "it had not begun";
}
TEST(History, JudgesLongerOnes) {
    Calls calls;
    std::uint32_t before = 0;
    for (std::uint64_t i = 0; i != 8; ++i) {
        calls.push_back(pushed(i, before));
        before |= 1U << (2 * i);
        calls.push_back(popped(i, i < 4 ? before : 0));
        before |= 1U << (2 * i + 1);
    }
    EXPECT_TRUE(is_explained(calls));
    std::swap(calls[1].value, calls[3].value);
    EXPECT_FALSE(is_explained(calls));
}

}  // namespace
}  // namespace shmring::test
