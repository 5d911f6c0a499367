// MpmcRing between processes: forked handles, participants that are stopped or killed with something in hand, and what the others
// then see through the public calls alone. At every single operation: mpmc_recovery_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <thread>

#include "shmring/mpmc_ring.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/mpmc_internals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = MpmcRing<std::uint64_t>;

class MpmcProcess : public ::testing::Test {
 protected:
    void SetUp() override { ::alarm(100); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    [[nodiscard]] static Ring ring_of(std::uint64_t capacity, Delivery delivery = Delivery::at_most_once) {
        return Ring::anonymous(
            {.capacity = capacity, .delivery = delivery, .participants = 8, .liveness_period = 2ms});
    }
    /// A process that does `what` and is dead and buried when this returns.
    template <class What>
    static void live_and_die(What&& what) {
        ChildProcess child([&]() -> int {
            what();
            return 1;  // it should have killed itself
        });
        ASSERT_TRUE(child.join().killed_by(SIGKILL));
    }
    static void die() { ::raise(SIGKILL); }
    static void die_reading(const Ring& ring) {
        live_and_die([&] {
            auto in = ring.consumer();
            const auto view = in.next();
            if (!view) ::_exit(3);
            die();
        });
    }
    /// With a claim of `count` of which so many are published, and before anybody was told.
    static void die_writing(const Ring& ring, std::uint64_t published, std::uint64_t count) {
        live_and_die([&] {
            const Ring::Producer out = ring.producer();  // takes a record, which we then use as it would
            detail::MpmcProducer<detail::ShippedEnv, kShape> side(slots_of(ring),
                                                                  intent_of_only_producer(ring), false);
            if (side.claim(count) != Status::ok) ::_exit(3);
            for (std::uint64_t i = 0; i != published; ++i) {
                const std::uint64_t message = 100 + i;
                detail::ShippedEnv::copy_in(side.payload(i), &message, sizeof message);
                side.publish(i);
            }
            if (published == count) side.settle();
            die();
        });
    }
    static constexpr detail::SlotShape kShape =
        detail::SlotShape::of(sizeof(std::uint64_t), alignof(std::uint64_t));
    /// Of the record that this process's last producer took.
    static std::atomic<std::uint64_t>& intent_of_only_producer(const Ring& ring) {
        const SegmentGeometry& geometry = ring.segment().geometry();
        auto* records = reinterpret_cast<detail::Record*>(ring.segment().at(geometry.participants_offset));
        for (std::uint32_t i = 0; i != geometry.participant_count; ++i) {
            if (records[i].process_id.load() == static_cast<std::uint32_t>(::getpid()) &&
                records[i].role.load() == static_cast<std::uint32_t>(detail::Role::producer))
                return records[i].intent;
        }
        std::abort();
    }
};

// ---- fork ------------------------------------------------------------------------------------------------------------

TEST_F(MpmcProcess, EveryCallOfTheParentsHandlesIsRefusedInAForkedChild) {
    auto ring = ring_of(3);
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_TRUE(out.try_push(1));
    auto claim = out.try_claim();
    auto view = in.try_next();
    ASSERT_TRUE(claim && view);
    ChildProcess child([&] {
        std::array<std::uint64_t, 2> batch{};
        EXPECT_EQ(out.try_push(1).error(), Status::not_owner);
        EXPECT_EQ(out.push(1).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_for(1, 1h).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_until(1, std::chrono::steady_clock::now() + 1h).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_n(batch).error(), Status::not_owner);
        EXPECT_EQ(out.try_claim().error(), Status::not_owner);
        EXPECT_EQ(out.claim().error(), Status::not_owner);
        out.close();  // does nothing
        EXPECT_EQ(in.try_pop().error(), Status::not_owner);
        EXPECT_EQ(in.pop().error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_for(1h).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_n(batch).error(), Status::not_owner);
        EXPECT_EQ(in.try_next().error(), Status::not_owner);
        EXPECT_EQ(in.next().error(), Status::not_owner);
        in.close();  // does nothing
        EXPECT_FALSE(in.recover() || out.recover() || in.blocker() || out.blocker());
        EXPECT_EQ(wait_any(in).value_or(9), 0U) << "its call says so";
        claim->commit();  // the parent's
        view->hand_back();
        out.detach();
        in = Ring::Consumer{};
        auto own_out = ring.producer();  // through the ring a child takes its own
        auto own_in = ring.consumer();
        EXPECT_TRUE(own_out.try_push(3));
        EXPECT_EQ(own_in.try_pop().error(), Status::busy);
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_FALSE(ring.was_closed());
    **claim = 2;
    claim->commit();
    view->hand_back();
    EXPECT_EQ(in.try_pop().value_or(0), 2U);
    EXPECT_EQ(in.try_pop().value_or(0), 3U);
}

// ---- killed ----------------------------------------------------------------------------------------------------------

TEST_F(MpmcProcess, AProducerKilledWithAClaimIsSteppedOverByWhoeverWaits) {
    for (const std::uint64_t published : {0U, 1U, 2U}) {
        auto ring = ring_of(4);
        die_writing(ring, published, 3);
        auto out = ring.producer();
        auto in = ring.consumer();
        ASSERT_TRUE(out.push(7));
        for (std::uint64_t i = 0; i != published; ++i) EXPECT_EQ(in.pop().value_or(0), 100 + i);
        EXPECT_EQ(in.pop().value_or(0), 7U);
        EXPECT_EQ(ring.losses().skipped, 3 - published);
        EXPECT_EQ(ring.count_approx(), 0U);
    }
}
TEST_F(MpmcProcess, AMessageWhoseConsumerIsKilledIsLostOrDeliveredAgain) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto ring = ring_of(2, delivery);
        auto out = ring.producer();
        ASSERT_TRUE(out.push(1) && out.push(2));
        die_reading(ring);
        ASSERT_TRUE(out.recover());
        EXPECT_FALSE(out.recover()) << "once is enough";
        auto in = ring.consumer();
        if (delivery == Delivery::at_least_once) {
            auto view = in.next();
            ASSERT_TRUE(view);
            EXPECT_EQ(**view, 1U);
            EXPECT_TRUE(view->redelivered());
            EXPECT_EQ(in.redeliveries(), 1U);
        }
        {
            auto view = in.next();
            ASSERT_TRUE(view);
            EXPECT_EQ(**view, 2U);
            EXPECT_FALSE(view->redelivered());
        }
        const auto losses = ring.losses();
        EXPECT_EQ(losses.lost, delivery == Delivery::at_most_once ? 1U : 0U);
        EXPECT_EQ(losses.redelivered, delivery == Delivery::at_most_once ? 0U : 1U);
        EXPECT_TRUE(out.push(3) && out.push(4)) << "the place is free";
    }
}
TEST_F(MpmcProcess, AtLeastOnceSurvivesConsumersThatAreKilledOneAfterTheOther) {
    auto ring = ring_of(1, Delivery::at_least_once);
    auto out = ring.producer();
    ASSERT_TRUE(out.push(1));
    for (std::uint64_t deaths = 0; deaths != 5; ++deaths)
        die_reading(ring);  // each repairs after the one before
    EXPECT_EQ(out.try_push(2).error(), Status::full);
    auto in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.redeliveries(), 5U);
    EXPECT_TRUE(out.try_push(2));
    EXPECT_EQ(in.pop().value_or(0), 2U);
    EXPECT_EQ(in.redeliveries(), 0U);
}
TEST_F(MpmcProcess, APollingCallFindsTheDeadAsABlockedOneDoes) {
    auto ring = ring_of(1);
    auto out = ring.producer();
    ASSERT_TRUE(out.push(1));
    die_reading(ring);
    while (!out.try_push(2)) {
    }
    auto in = ring.consumer();
    EXPECT_EQ(in.try_pop().value_or(0), 2U);
    die_writing(ring, 0, 1);
    while (in.try_pop().error() == Status::busy) {
    }
    EXPECT_EQ(in.try_pop().error(), Status::empty);
}
TEST_F(MpmcProcess, TheFirstLookAfterAPeriodFindsTheDeadWhateverWasDoneBefore) {
    for (const int looks_before : {1, 7, 1000}) {
        constexpr auto kLonger = 20ms;  // than the coarse clock's steps
        auto ring = Ring::anonymous({.capacity = 1, .participants = 8, .liveness_period = kLonger});
        auto in = ring.consumer();
        auto out = ring.producer();
        for (int i = 0; i != looks_before; ++i) EXPECT_EQ(in.try_pop().error(), Status::empty);
        die_writing(ring, 0, 1);
        std::this_thread::sleep_for(2 * kLonger);
        EXPECT_EQ(in.try_pop().error(), Status::empty) << "and not busy, after " << looks_before;
        ASSERT_TRUE(out.try_push(1));
        for (int i = 0; i != looks_before; ++i) EXPECT_EQ(out.try_push(2).error(), Status::full);
        die_reading(ring);
        std::this_thread::sleep_for(2 * kLonger);
        EXPECT_TRUE(out.try_push(2)) << "after " << looks_before;
    }
}
TEST_F(MpmcProcess, WaitAnyFindsTheDeadToo) {
    auto ring = ring_of(2);
    auto in = ring.consumer();
    auto out = ring.producer();
    ChildProcess child([&] {
        auto own = ring.producer();
        const auto claim = own.try_claim();
        ::raise(claim ? SIGSTOP : SIGTERM);
    });
    child.await_stop();
    ASSERT_TRUE(out.push(1));  // before the death: who comes or pushes after it may repair what it left
    child.kill(SIGKILL);
    ASSERT_TRUE(child.join().killed_by(SIGKILL));
    EXPECT_EQ(wait_any(in).value_or(9), 0U);
    EXPECT_EQ(in.try_pop().value_or(0), 1U);
    EXPECT_EQ(ring.losses().skipped, 1U);
}
TEST_F(MpmcProcess, TheNextHolderOfADeadOnesRecordRepairsFirst) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto ring =
            Ring::anonymous({.capacity = 2, .delivery = delivery, .participants = 1, .liveness_period = 1h});
        {
            auto out = ring.producer();
            ASSERT_TRUE(out.push(1) && out.push(2));
        }
        die_reading(ring);
        auto in = ring.consumer();
        if (delivery == Delivery::at_least_once) {
            EXPECT_EQ(in.try_pop().value_or(0), 1U);
        }
        EXPECT_EQ(in.try_pop().value_or(0), 2U);
        EXPECT_EQ(in.try_pop().error(), Status::empty);
        EXPECT_EQ(ring.losses().lost, delivery == Delivery::at_most_once ? 1U : 0U);
    }
}
TEST_F(MpmcProcess, ProducerDiedBeforeTheWakeUp) {
    auto ring = ring_of(2);
    ChildProcess consumer([&] {
        auto in = ring.consumer({.spin = 0ns});
        EXPECT_EQ(in.pop().value_or(0), 100U);
    });
    await_sleeper(control_of(ring).readable);
    die_writing(ring, 1, 1);  // published, and nobody was told
    EXPECT_TRUE(consumer.join().exited_with(0));
}
/// At at_least_once the wake-up goes ahead of the place: a producer that registers between the two hears of it by the handle's next call.
TEST_F(MpmcProcess, AWakeUpThatCameTooEarlyIsMadeGoodByTheNextCallOfTheHandle) {
    using Events = detail::EventCount<detail::ShippedEnv>;
    auto ring = ring_of(1, Delivery::at_least_once);
    auto& writable = control_of(ring).writable;
    const auto waiters = [&] { return writable.word.load(std::memory_order_relaxed) & detail::kWaitersMask; };
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_TRUE(out.push(1));
    ASSERT_TRUE(in.pop());
    (void)Events::register_waiter(writable);
    EXPECT_EQ(in.try_pop().error(), Status::empty);
    EXPECT_EQ(waiters(), 0U) << "the place is free, and who waits for it was not told";
    ASSERT_TRUE(out.push(2));
    ASSERT_TRUE(in.pop());
    ASSERT_TRUE(out.push(3));
    (void)Events::register_waiter(writable);
    EXPECT_EQ(in.try_next()->redelivered(), false);  // and handed back, which tells
    EXPECT_EQ(waiters(), 0U);
    ASSERT_TRUE(out.push(4));
    ASSERT_TRUE(in.pop());
    (void)Events::register_waiter(writable);
    in.detach();
    EXPECT_EQ(waiters(), 0U) << "leaving is a call, too";
}
TEST_F(MpmcProcess, CloserDiedBeforeTheWakeUp) {
    auto ring = ring_of(2);
    ChildProcess consumer([&] {
        auto in = ring.consumer({.spin = 0ns});
        EXPECT_EQ(in.pop().error(), Status::closed);
    });
    await_sleeper(control_of(ring).readable);
    live_and_die([&] {
        const auto out = ring.producer();
        detail::close_tail(control_of(ring));
        die();
    });
    EXPECT_TRUE(consumer.join().exited_with(0));
}

// ---- stopped ---------------------------------------------------------------------------------------------------------

TEST_F(MpmcProcess, AStoppedOneIsNamedAsTheBlockerAndNotRepaired) {
    for (const bool reads : {false, true}) {
        auto ring = ring_of(2);
        auto out = ring.producer();
        auto in = ring.consumer();
        if (reads) {
            ASSERT_TRUE(out.push(1) && out.push(2));
        }
        ChildProcess child([&] {
            if (reads) {
                auto hers = ring.consumer();
                const auto view = hers.try_next();
                ::raise(SIGSTOP);
                EXPECT_EQ(**view, 1U);
            } else {
                auto hers = ring.producer();
                auto claim = hers.try_claim();
                **claim = 5;
                ::raise(SIGSTOP);
                claim->commit();
            }
        });
        child.await_stop();
        for (int again = 0; again != 3; ++again) EXPECT_FALSE(in.recover() || out.recover());
        EXPECT_EQ(reads ? out.try_push_for(3, 20ms).error() : in.try_pop_for(20ms).error(),
                  Status::timed_out);
        const auto first = in.blocker();
        ASSERT_TRUE(first);
        EXPECT_EQ(first->process_id, static_cast<std::uint32_t>(child.pid()));
        EXPECT_EQ(first->thread_id, static_cast<std::uint32_t>(child.pid()));
        EXPECT_EQ(first->is_consumer, reads);
        EXPECT_EQ(first->position, 0U);
        EXPECT_EQ(first->since, 0ns) << "the first look";
        std::this_thread::sleep_for(2ms);
        EXPECT_GE(in.blocker().value().since, 2ms);
        child.kill(SIGCONT);
        EXPECT_TRUE(child.join().exited_with(0));
        EXPECT_FALSE(in.blocker());
        if (reads) {
            EXPECT_TRUE(out.push(3));
        } else {
            EXPECT_EQ(in.pop().value_or(0), 5U);
        }
        const auto losses = ring.losses();
        EXPECT_EQ(losses.skipped + losses.lost, 0U);
    }
}

}  // namespace
}  // namespace shmring::test
