// Claims and Views: writing and reading a message where it lies in the ring, without a copy.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <thread>
#include <type_traits>
#include <utility>

#include "shmring/spsc_ring.hpp"
#include "support/memory_ring.hpp"
#include "support/ring_internals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Message = Sized<48, 8>;
using Ring = SpscRing<Message>;

Message message(std::uint64_t number) { return Message::numbered(number); }

class InPlace : public ::testing::Test {
 protected:
    void send(std::uint64_t number) { ASSERT_TRUE(producer_.try_push(message(number))); }
    void expect_next(std::uint64_t number) {
        const auto view = consumer_.try_next();
        ASSERT_TRUE(view) << to_string(view.error());
        EXPECT_EQ(**view, message(number));
    }

    Ring ring_ = Ring::anonymous({.capacity = 2});
    Ring::Producer producer_ = ring_.producer();
    Ring::Consumer consumer_ = ring_.consumer();
};

// ---- claims ----------------------------------------------------------------------------------------------------------

TEST_F(InPlace, AClaimIsSentWhenItIsCommittedAndNotBefore) {
    auto claim = producer_.try_claim();
    ASSERT_TRUE(claim);
    **claim = message(1);
    EXPECT_EQ(consumer_.try_pop().error(), Status::empty);
    EXPECT_TRUE(ring_.was_empty());
    claim->commit();
    expect_next(1);
}

TEST_F(InPlace, AClaimThatIsDroppedSendsNothing) {
    for (int round = 0; round != 10; ++round) {
        {
            auto claim = producer_.try_claim();
            ASSERT_TRUE(claim);
            **claim = message(99);
        }
        EXPECT_EQ(consumer_.try_pop().error(), Status::empty);
    }
    send(1);
    EXPECT_TRUE(producer_.try_claim()) << "dropped at once";
    send(2);
    EXPECT_EQ(producer_.try_claim().error(), Status::full);
    expect_next(1);
    expect_next(2);
}

TEST_F(InPlace, AClaimMayMoveBeforeItIsCommitted) {
    static_assert(!std::is_copy_constructible_v<Ring::Producer::Claim>);
    static_assert(!std::is_copy_constructible_v<Ring::Consumer::View>);
    auto claim = producer_.try_claim();
    ASSERT_TRUE(claim);
    (*claim)->bytes = message(4).bytes;
    {
        Ring::Producer::Claim moved = *std::move(claim);
        EXPECT_EQ(*moved, message(4));
        moved.commit();
    }
    expect_next(4);
    EXPECT_EQ(consumer_.try_pop().error(), Status::empty);
}

TEST_F(InPlace, AClaimAnswersAsAPushWould) {
    send(1);
    send(2);
    EXPECT_EQ(producer_.try_claim().error(), Status::full);
    EXPECT_EQ(producer_.try_claim_for(1ms).error(), Status::timed_out);
    EXPECT_EQ(producer_.try_claim_for(0ms).error(), Status::timed_out);
    EXPECT_EQ(producer_.try_claim_until(std::chrono::system_clock::now() + 1ms).error(), Status::timed_out);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(producer_.claim(stop.get_token()).error(), Status::interrupted);
    {
        std::jthread reading([&] {
            await_sleeper(control_of(ring_).writable);
            EXPECT_TRUE(consumer_.try_pop());
        });
        producer_.set_wait_policy({.spin = 0ns});
        auto claim = producer_.claim();
        ASSERT_TRUE(claim);
        **claim = message(3);
        claim->commit();
    }
    expect_next(2);
    expect_next(3);
    consumer_.close();
    EXPECT_EQ(producer_.try_claim().error(), Status::closed);
    EXPECT_EQ(producer_.claim().error(), Status::closed);
}

TEST_F(InPlace, ACommitWakesASleepingReader) {
    consumer_.set_wait_policy({.spin = 0ns});
    std::jthread reading([&] {
        const auto view = consumer_.next();
        ASSERT_TRUE(view);
        EXPECT_EQ(**view, message(6));
    });
    await_sleeper(control_of(ring_).readable);
    auto claim = producer_.try_claim();
    ASSERT_TRUE(claim);
    **claim = message(6);
    claim->commit();
}

TEST_F(InPlace, AClaimThatOutlivesItsSeatSendsNothing) {
    auto claim = producer_.try_claim();
    ASSERT_TRUE(claim);
    **claim = message(7);
    producer_.detach();
    auto successor = ring_.producer();
    ASSERT_TRUE(successor.try_push(message(8)));
    claim->commit();
    expect_next(8);
    EXPECT_EQ(consumer_.try_pop().error(), Status::empty);
    ASSERT_TRUE(successor.try_push(message(9)));
    expect_next(9);
}

// ---- views -----------------------------------------------------------------------------------------------------------

TEST_F(InPlace, AViewHoldsItsPlaceUntilTheEndOfItsScope) {
    send(1);
    send(2);
    {
        const auto view = consumer_.try_next();
        ASSERT_TRUE(view);
        EXPECT_EQ(**view, message(1));
        EXPECT_EQ((*view)->bytes, message(1).bytes);
        EXPECT_EQ(producer_.try_push(message(3)).error(), Status::full);
        EXPECT_EQ(ring_.count_approx(), 2U);
        EXPECT_EQ(**view, message(1)) << "still there";
    }
    EXPECT_EQ(ring_.count_approx(), 1U);
    send(3);
    expect_next(2);
    expect_next(3);
    EXPECT_EQ(consumer_.try_next().error(), Status::empty);
}

TEST_F(InPlace, AViewMayBeHandedBackEarlyAndOnlyOnce) {
    send(1);
    send(2);
    {
        auto view = consumer_.try_next();
        ASSERT_TRUE(view);
        view->hand_back();
        EXPECT_EQ(ring_.count_approx(), 1U);
        view->hand_back();
    }
    EXPECT_EQ(ring_.count_approx(), 1U);
    expect_next(2);
}

TEST_F(InPlace, AMovedViewHandsBackOnce) {
    send(1);
    send(2);
    {
        auto view = consumer_.try_next();
        ASSERT_TRUE(view);
        {
            const Ring::Consumer::View moved = *std::move(view);
            EXPECT_EQ(*moved, message(1));
        }
        EXPECT_EQ(ring_.count_approx(), 1U);
    }
    EXPECT_EQ(ring_.count_approx(), 1U);
    expect_next(2);
}

TEST_F(InPlace, AViewAnswersAsAPopWould) {
    EXPECT_EQ(consumer_.try_next().error(), Status::empty);
    EXPECT_EQ(consumer_.try_next_for(1ms).error(), Status::timed_out);
    EXPECT_EQ(consumer_.try_next_for(-1ms).error(), Status::timed_out);
    EXPECT_EQ(consumer_.try_next_until(std::chrono::steady_clock::now() + 1ms).error(), Status::timed_out);
    std::stop_source stop;
    stop.request_stop();
    EXPECT_EQ(consumer_.next(stop.get_token()).error(), Status::interrupted);
    send(1);
    producer_.close();
    expect_next(1);
    EXPECT_EQ(consumer_.try_next().error(), Status::closed);
    EXPECT_EQ(consumer_.next().error(), Status::closed);
}

TEST_F(InPlace, ASecondViewBesideTheFirstIsRefused) {
    send(1);
    send(2);
    auto view = consumer_.try_next();
    ASSERT_TRUE(view);
    EXPECT_EQ(consumer_.try_next().error(), Status::overflow);
    EXPECT_EQ(consumer_.next().error(), Status::overflow) << "at once, although it may wait";
    view->hand_back();
    expect_next(2);
}

TEST_F(InPlace, HandingBackWakesASleepingWriter) {
    send(1);
    send(2);
    producer_.set_wait_policy({.spin = 0ns});
    std::jthread writing([&] { EXPECT_TRUE(producer_.push(message(3))); });
    await_sleeper(control_of(ring_).writable);
    expect_next(1);
}

TEST_F(InPlace, AViewWhoseConsumerLeftTakesNothing) {
    send(1);
    auto view = std::make_unique<Result<Ring::Consumer::View>>(consumer_.try_next());
    ASSERT_TRUE(*view);
    consumer_.detach();
    auto successor = ring_.consumer();
    view.reset();
    EXPECT_EQ(ring_.count_approx(), 1U);
    const auto popped = successor.try_pop();
    ASSERT_TRUE(popped);
    EXPECT_EQ(*popped, message(1));
}

TEST_F(InPlace, AViewThatWasNotHandedBackIsDeliveredToTheSuccessor) {
    send(1);
    send(2);
    {
        auto view = consumer_.try_next();
        ASSERT_TRUE(view);
        consumer_.detach();
    }
    consumer_ = ring_.consumer();
    expect_next(1);
    expect_next(2);
}

// ---- where messages lie ----------------------------------------------------------------------------------------------

template <class T>
void expect_alignment() {
    auto ring = SpscRing<T>::anonymous({.capacity = 5});
    auto producer = ring.producer();
    auto consumer = ring.consumer();
    for (std::uint64_t at = 0; at != 200; ++at) {
        auto claim = producer.try_claim();
        ASSERT_TRUE(claim);
        const T* written = &**claim;
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(written) % alignof(T), 0U);
        **claim = T::numbered(at);
        claim->commit();
        const auto view = consumer.try_next();
        ASSERT_TRUE(view);
        EXPECT_EQ(static_cast<const void*>(&**view), static_cast<const void*>(written))
            << "the same place, not a copy";
        EXPECT_EQ(**view, T::numbered(at));
    }
}

TEST(InPlaceAlignment, IsThatOfTheMessageTypeAtEveryPlace) {
    expect_alignment<Sized<1, 1>>();
    expect_alignment<Sized<8, 8>>();
    expect_alignment<Sized<16, 16>>();
    expect_alignment<Sized<32, 32>>();
    expect_alignment<Sized<64, 64>>();
    expect_alignment<Sized<128, 128>>();
    expect_alignment<Sized<4096, 4096>>();
}

}  // namespace
}  // namespace shmring::test
