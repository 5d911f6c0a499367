// Views, claims and tasks as variables that are assigned to: what was held before goes back first.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <utility>

#include "shmring/shmring.hpp"

namespace shmring::test {
namespace {

template <class RingType>
class AssignedIn : public ::testing::Test {
 protected:
    static constexpr bool kOfBytes =
        std::is_same_v<RingType, ByteRing> || std::is_same_v<RingType, MpmcByteRing>;

    struct Side {
        RingType ring = make();
        typename RingType::Producer out = ring.producer();
        typename RingType::Consumer in = ring.consumer();

        void push(std::uint64_t number) {
            auto claimed = claim();
            ASSERT_TRUE(claimed);
            commit(*claimed, number);
        }
        auto claim() {
            if constexpr (kOfBytes)
                return out.try_claim(sizeof(std::uint64_t));
            else
                return out.try_claim();
        }
        /// A new handle finds exactly these messages, and a claim is possible.
        void expect_left(std::initializer_list<std::uint64_t> numbers) {
            in = {};
            in = ring.consumer();
            for (const std::uint64_t number : numbers) {
                const auto view = in.try_next();
                ASSERT_TRUE(view) << to_string(view.error());
                EXPECT_EQ(value(*view), number);
            }
            EXPECT_EQ(in.try_next().error(), Status::empty);
            EXPECT_TRUE(claim());
        }
    };
    static RingType make() {
        if constexpr (kOfBytes)
            return RingType::anonymous({.capacity_bytes = 4096});
        else
            return RingType::anonymous({.capacity = 8});
    }
    static std::uint64_t value(const typename RingType::Consumer::View& view) {
        if constexpr (kOfBytes) {
            std::uint64_t number = 0;
            std::memcpy(&number, view.bytes().data(), sizeof number);
            return number;
        } else {
            return *view;
        }
    }
    static void commit(typename RingType::Producer::Claim& claim, std::uint64_t number) {
        if constexpr (kOfBytes) {
            std::memcpy(claim.bytes().data(), &number, sizeof number);
            claim.commit(sizeof number);
        } else {
            *claim = number;
            claim.commit();
        }
    }

    Side left;
    Side right;
};
using Rings = ::testing::Types<SpscRing<std::uint64_t>, ByteRing, MpmcRing<std::uint64_t>, MpmcByteRing>;
TYPED_TEST_SUITE(AssignedIn, Rings);

TYPED_TEST(AssignedIn, WhoLooksFirstAndThenWaitsDoesSoInOneVariable) {
    auto message = this->left.in.try_next();
    ASSERT_EQ(message.error(), Status::empty);
    this->left.push(1);
    this->left.push(2);
    if (!message) message = this->left.in.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(this->value(*message), 1U);
    message->hand_back();
    message = this->left.in.next();
    ASSERT_TRUE(message);
    EXPECT_EQ(this->value(*message), 2U);
    message = Status::empty;
    this->left.expect_left({});
}

TYPED_TEST(AssignedIn, AViewHandsBackWhatItHeldAndHoldsTheOther) {
    this->left.push(1);
    this->right.push(2);
    {
        auto view = this->left.in.next();
        auto other = this->right.in.next();
        ASSERT_TRUE(view && other);
        *view = *std::move(other);
        EXPECT_EQ(this->value(*view), 2U);
        this->left.expect_left({});
        auto& same = *view;
        *view = std::move(same);
        EXPECT_EQ(this->value(*view), 2U) << "assigned to itself";
    }
    this->right.expect_left({});
}

TYPED_TEST(AssignedIn, AClaimDropsWhatItHeldAndHoldsTheOther) {
    {
        auto claim = this->left.claim();
        auto other = this->right.claim();
        ASSERT_TRUE(claim && other);
        claim = std::move(other);
        this->commit(*claim, 2);
    }
    this->left.expect_left({});
    this->right.expect_left({2});
}

TEST(TaskAssigned, IsDoneWithWhatItHeld) {
    auto queue = JoinableQueue<int>::anonymous({.capacity = 4});
    ASSERT_TRUE(queue.push(1) && queue.push(2));
    auto task = queue.try_pop();
    ASSERT_TRUE(task);
    EXPECT_EQ(queue.unfinished(), 2U);
    task = queue.try_pop();
    ASSERT_TRUE(task);
    EXPECT_EQ(**task, 2);
    EXPECT_EQ(queue.unfinished(), 1U);
    task = queue.try_pop();
    EXPECT_EQ(task.error(), Status::empty);
    EXPECT_EQ(queue.unfinished(), 0U);
}

}  // namespace
}  // namespace shmring::test
