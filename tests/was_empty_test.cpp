// Whether a ring with seats was empty, as its ends see it.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <cstddef>
#include <span>
#include <utility>

#include "shmring/byte_ring.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"

namespace shmring::test {
namespace {

struct OfMessages {
    static auto make() { return SpscRing<int>::anonymous({.capacity = 9}); }
    static bool push(auto& out) { return static_cast<bool>(out.try_push(1)); }
};
struct OfBytes {
    static auto make() { return ByteRing::anonymous({.capacity_bytes = 256}); }
    static bool push(auto& out) {
        const std::byte message[20] = {};
        return static_cast<bool>(out.try_push(message));
    }
};

template <class Kind>
class WasEmpty : public ::testing::Test {};
using Kinds = ::testing::Types<OfMessages, OfBytes>;
TYPED_TEST_SUITE(WasEmpty, Kinds);

TYPED_TEST(WasEmpty, IsSaidByBothEndsUntilAMessageIsThereAndAfterItWasHandedBack) {
    const auto ring = TypeParam::make();
    auto out = ring.producer();
    auto in = ring.consumer();
    for (int round = 0; round != 100; ++round) {  // through many laps
        ASSERT_TRUE(out.was_empty() && in.was_empty()) << round;
        ASSERT_TRUE(TypeParam::push(out));
        ASSERT_FALSE(out.was_empty() || in.was_empty()) << round;
        ASSERT_TRUE(TypeParam::push(out));
        {
            auto first = in.try_next();
            ASSERT_TRUE(first);
            ASSERT_FALSE(out.was_empty() || in.was_empty()) << "the first is not handed back";
        }
        ASSERT_FALSE(out.was_empty() || in.was_empty()) << "the second is there";
        {
            auto second = in.try_next();
            ASSERT_TRUE(second);
            ASSERT_FALSE(out.was_empty() || in.was_empty()) << "nor the second";
        }
    }
    ASSERT_TRUE(TypeParam::push(out));
    out.close();
    EXPECT_FALSE(out.was_empty() || in.was_empty()) << "what is left after the end";
    (void)in.try_next();
    EXPECT_TRUE(out.was_empty() && in.was_empty());
}

TYPED_TEST(WasEmpty, IsSaidByASuccessorOfWhatItsPredecessorLeft) {
    const auto ring = TypeParam::make();
    {
        auto out = ring.producer();
        ASSERT_TRUE(TypeParam::push(out));
    }
    auto heir = ring.producer();
    auto in = ring.consumer();
    EXPECT_FALSE(heir.was_empty() || in.was_empty());
    (void)in.try_next();
    EXPECT_TRUE(heir.was_empty() && in.was_empty());
}

TYPED_TEST(WasEmpty, IsSaidOfHandlesThatHoldNoSeat) {
    const auto ring = TypeParam::make();
    auto out = ring.producer();
    ASSERT_TRUE(TypeParam::push(out));
    ChildProcess child([&] { EXPECT_TRUE(out.was_empty()) << "our parent's handle"; });
    EXPECT_TRUE(child.join().exited_with(0));
    out.detach();
    EXPECT_TRUE(out.was_empty());
    decltype(ring.consumer()) none;
    EXPECT_TRUE(none.was_empty());
}

}  // namespace
}  // namespace shmring::test
