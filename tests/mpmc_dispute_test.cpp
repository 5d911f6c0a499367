// Repair beside the living: whoever names a position and lives, or may yet win it, is left alone, however long it stands still; a
// record of a dead one that was taken again; and repairers that meet.
// Deaths alone: mpmc_recovery_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/mpmc_lab.hpp"

namespace shmring::test {
namespace {

using Lab = MpmcLab;
using Message = Lab::Message;
using State = Lab::SlotState;
using detail::ClaimSide;
using detail::Intent;

constexpr std::array<Delivery, 2> kDeliveries = {Delivery::at_most_once, Delivery::at_least_once};

// ---- a living loser of the race names the dead one's position --------------------------------------------------------

TEST(MpmcDispute, ALivingLoserOnlyDelaysTheRepairOfAWrite) {
    for (const Standing& standing : standings()) {
        Lab lab(standing);
        if (standing.inside == standing.capacity) continue;
        const std::uint64_t at = lab.tail();
        auto victim = lab.producer(Lab::kVictim);
        ASSERT_EQ(victim.claim(1), Status::ok);
        lab.roll.dead[Lab::kVictim] = true;
        const Lab::Promise promise = lab.promised();
        lab.name(Lab::kBystander, ClaimSide::write, at, 1);
        const auto before = lab.all_words();
        for (int again = 0; again != 3; ++again) EXPECT_FALSE(lab.recover());
        EXPECT_EQ(lab.all_words(), before);
        lab.name(Lab::kBystander, ClaimSide::write, at + 1, 3);  // beside it
        EXPECT_TRUE(lab.recover());
        lab.roll.intents[Lab::kBystander].set(0);
        lab.expect_survival(promise);
    }
}
TEST(MpmcDispute, ALivingLoserOnlyDelaysTheRepairOfARead) {
    for (const Standing& standing : standings()) {
        Lab lab(standing);
        if (standing.inside == 0) continue;
        auto victim = lab.consumer(Lab::kVictim);
        ASSERT_EQ(victim.claim(1), Status::ok);
        lab.roll.dead[Lab::kVictim] = true;
        const Lab::Promise promise = lab.promised();
        lab.name(Lab::kBystander, ClaimSide::read, standing.first, 255);
        const auto before = lab.all_words();
        for (int again = 0; again != 3; ++again) EXPECT_FALSE(lab.recover());
        EXPECT_EQ(lab.all_words(), before);
        lab.name(Lab::kBystander, ClaimSide::write, standing.first, 255);  // the other side is no dispute
        EXPECT_TRUE(lab.recover());
        lab.roll.intents[Lab::kBystander].set(0);
        lab.expect_survival(promise);
    }
}
TEST(MpmcDispute, OfABatchTheUndisputedPartIsRepairedAtOnceAndTheRestWithTheNameStillThere) {
    Lab lab({5, 8, 0, Delivery::at_most_once});
    auto victim = lab.producer(Lab::kVictim);
    ASSERT_EQ(victim.claim(3), Status::ok);
    lab.roll.dead[Lab::kVictim] = true;
    lab.name(Lab::kBystander, ClaimSide::write, 9, 1);
    EXPECT_TRUE(lab.recover());
    EXPECT_EQ(lab.word(8), lab.word_when(8, State::skipped));
    EXPECT_EQ(lab.word(9), lab.word_when(9, State::free));
    EXPECT_EQ(lab.word(10), lab.word_when(10, State::skipped));
    EXPECT_EQ(lab.intent(Lab::kVictim), Intent::of(ClaimSide::write, 8, 3));
    lab.roll.intents[Lab::kBystander].set(0);
    EXPECT_TRUE(lab.recover());
    EXPECT_EQ(lab.ring.control().skipped.now(), 3U);
    lab.expect_survival(lab.promised());
}
TEST(MpmcDispute, TwoDeadThatNameOnePositionAreOneLossAndPerhapsOneClaimTooMany) {
    for (const Delivery delivery : kDeliveries) {
        Lab lab({3, 5, 2, delivery});
        auto victim = lab.consumer(Lab::kVictim);
        ASSERT_EQ(victim.claim(1), Status::ok);
        lab.name(Lab::kBystander, ClaimSide::read, 5, 1);  // and lost the race
        lab.roll.dead[Lab::kVictim] = lab.roll.dead[Lab::kBystander] = true;
        EXPECT_TRUE(lab.recover());
        const bool again = delivery == Delivery::at_least_once;
        EXPECT_EQ(lab.ring.control().lost.now(), again ? 0U : 2U);
        EXPECT_EQ(lab.drain(), again ? (std::vector<Taken>{{5, 1}, {6, 0}}) : (std::vector<Taken>{{6, 0}}));
        lab.expect_usable();
    }
}

// ---- living participants that stand still anywhere -------------------------------------------------------------------

/// The consumer hands its message back while a repairer looks at it: its desk has the message from then on.
TEST(MpmcStopped, ARepairerThatIsLateTakesNothingFromTheDeskOfALivingConsumer) {
    for (const Standing& standing : standings())
        for (const bool again : {false, true})  // an orphan's message
            for (std::uint64_t operations = 0; standing.inside != 0; ++operations) {
                Lab lab(standing);
                if (!lab.redelivers()) break;
                auto in = lab.consumer(Lab::kConsumer);
                ASSERT_EQ(in.claim(1), Status::ok);
                if (again) lab.set_word(standing.first, State::published, 31);
                lab.name(Lab::kBystander, ClaimSide::read, standing.first, 1);  // and lost the race
                lab.roll.dead[Lab::kBystander] = true;
                const auto hand_back = [&] {
                    in.hand_back(0);
                    in.settle();
                };
                const bool stopped = is_stopped_after(operations, hand_back, [&] { (void)lab.recover(); });
                EXPECT_TRUE(lab.roll.disowned.empty())
                    << testing::PrintToString(standing) << ", handed back after " << operations;
                if (testing::Test::HasFailure() || !stopped) break;
            }
}

/// The victim lives, stops after each operation, and others repair, push and pop what they can before it goes on.
void at_every_stop(const std::function<void(Lab&, std::uint64_t& moved)>& act, bool writes) {
    for (const Standing& standing : standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", stopped after " + std::to_string(operations));
            Lab lab(standing);
            auto out = lab.producer(Lab::kProducer);
            auto in = lab.consumer(Lab::kConsumer);
            std::vector<std::uint64_t> came;
            std::uint64_t sent = 0;
            std::uint64_t moved = 0;
            const auto others = [&] {
                for (std::uint64_t i = 0; i != standing.capacity + 1; ++i) {
                    (void)lab.recover();
                    const Message message = Message::numbered(7'000'000 + sent);
                    if (out.try_push(&message, sizeof message) == Status::ok) ++sent;
                    Message taken;
                    if (in.try_pop(&taken, sizeof taken) == Status::ok) came.push_back(Lab::number_of(taken));
                    EXPECT_EQ(in.deliveries(), 0U);
                }
            };
            const bool stopped = is_stopped_after(operations, others, [&] { act(lab, moved); });
            others();
            for (const Taken& taken : lab.drain()) came.push_back(taken.number);
            EXPECT_EQ(came.size() + (writes ? 0 : moved), standing.inside + sent + (writes ? moved : 0));
            auto& control = lab.ring.control();
            EXPECT_EQ(control.skipped.now() + control.lost.now() + control.redelivered.now(), 0U)
                << "a living one was repaired";
            lab.expect_usable();
            if (testing::Test::HasFailure() || !stopped) break;
        }
}
TEST(MpmcStopped, AProducerIsWaitedForWhereverItStands) {
    at_every_stop(
        [](Lab& lab, std::uint64_t& moved) {
            auto out = lab.producer(Lab::kVictim);
            const Message message = Message::numbered(Lab::kVictims);
            if (out.try_push(&message, sizeof message) == Status::ok) moved = 1;
        },
        true);
    at_every_stop(
        [](Lab& lab, std::uint64_t& moved) {
            auto out = lab.producer(Lab::kVictim);
            if (out.claim(Lab::kBatch) != Status::ok) return;
            moved = out.claimed().count;
            for (std::uint64_t i = 0; i != moved; ++i) {
                const Message message = Message::numbered(Lab::kVictims + i);
                MortalEnv::copy_in(out.payload(i), &message, sizeof message);
                out.publish(i);
            }
            out.settle();
        },
        true);
}
TEST(MpmcStopped, AConsumerIsWaitedForWhereverItStandsAndReadsWhatIsWhole) {
    at_every_stop(
        [](Lab& lab, std::uint64_t& moved) {
            auto in = lab.consumer(Lab::kVictim);
            Message message;
            if (in.try_pop(&message, sizeof message) != Status::ok) return;
            moved = 1;
            (void)Lab::number_of(message);
        },
        false);
    at_every_stop(
        [](Lab& lab, std::uint64_t& moved) {
            auto in = lab.consumer(Lab::kVictim);
            if (in.claim(Lab::kBatch) != Status::ok) return;
            moved = in.claimed().count;
            for (std::uint64_t i = 0; i != moved; ++i) {
                Message message;
                MortalEnv::copy_out(&message, in.payload(i), sizeof message);
                (void)Lab::number_of(message);
                in.hand_back(i);
            }
            in.settle();
        },
        false);
}
TEST(MpmcStopped, ARepairerThatStandsStillDoesNoHarmWhenItGoesOn) {
    for (const Standing& standing : standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", stopped after " + std::to_string(operations));
            Lab lab(standing);
            auto reader = lab.consumer(Lab::kVictim);
            auto writer = lab.producer(Lab::kBystander);
            (void)reader.claim(Lab::kBatch);
            (void)writer.claim(Lab::kBatch);
            lab.roll.dead[Lab::kVictim] = lab.roll.dead[Lab::kBystander] = true;
            const Lab::Promise promise = lab.promised();
            // Others repair everything and use the ring for a lap and more; then the first goes on with what it had read.
            const bool stopped = is_stopped_after(
                operations, [&] { lab.expect_survival(promise, 1); }, [&] { (void)lab.recover(); });
            if (stopped) {
                EXPECT_LE(lab.ring.control().skipped.now(), promise.skipped);
                EXPECT_LE(lab.ring.control().lost.now(), promise.lost);
                lab.expect_usable();
            }
            if (testing::Test::HasFailure() || !stopped) break;
        }
}

TEST(MpmcStopped, ARepairerGoesOnAfterAnotherThatDiedAnywhereInBetween) {
    for (const Delivery delivery : kDeliveries)
        for (std::uint64_t first = 0, last = 0; last == 0; ++first)
            for (std::uint64_t second = 0, done = 0; done == 0; ++second) {
                SCOPED_TRACE(std::to_string(first) + " and " + std::to_string(second));
                Lab lab({7, 4, 2, delivery});
                auto reader = lab.consumer(Lab::kVictim);
                auto writer = lab.producer(Lab::kBystander);
                ASSERT_TRUE(reader.claim(1) == Status::ok && writer.claim(1) == Status::ok);
                lab.roll.dead[Lab::kVictim] = lab.roll.dead[Lab::kBystander] = true;
                const Lab::Promise promise = lab.promised();
                const auto other = [&] {
                    done = is_killed_after(second, [&] { (void)lab.recover(); }) ? 0 : 1;
                };
                if (!is_stopped_after(first, other, [&] { (void)lab.recover(); })) last = done = 1;
                lab.expect_survival(promise, 1);
                ASSERT_FALSE(testing::Test::HasFailure());
            }
}

// ---- a dead one's record, taken again --------------------------------------------------------------------------------

/// What a new holder of the victim's record does before its first call, in the order of MemberEnd::enter.
void take_over(Lab& lab) {
    lab.roll.dead[Lab::kVictim] = true;  // as its holder sees it: what it names is its predecessor's
    (void)lab.recover();
    lab.recovery().forget(Lab::kVictim);
    lab.roll.intents[Lab::kVictim].store(0, detail::release);
}

TEST(MpmcCrash, TakerOfARecordMayDieAnywhereBeforeItIsDone) {
    for (const Standing& standing : standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", killed after " + std::to_string(operations));
            Lab lab(standing);
            auto reader = lab.consumer(Lab::kVictim);
            if (standing.inside == 0) break;
            ASSERT_EQ(reader.claim(Lab::kBatch), Status::ok);
            lab.roll.dead[Lab::kVictim] = true;
            const Lab::Promise promise = lab.promised();
            const bool killed = is_killed_after(operations, [&] { take_over(lab); });
            lab.expect_survival(promise, 1);
            if (testing::Test::HasFailure() || !killed) break;
        }
}
TEST(MpmcDispute, WhatATakerCannotRepairIsCountedAndRepairedOnceNobodyNamesIt) {
    Lab lab({3, 4, 2, Delivery::at_most_once});
    auto reader = lab.consumer(Lab::kVictim);
    ASSERT_EQ(reader.claim(1), Status::ok);
    lab.name(Lab::kBystander, ClaimSide::read, 4, 1);
    take_over(lab);
    lab.roll.dead[Lab::kVictim] = false;
    EXPECT_EQ(lab.intent(Lab::kVictim).value, 0U);
    EXPECT_EQ(lab.ring.control().lost.now(), 1U);
    EXPECT_FALSE(lab.recover()) << "disputed still";
    lab.roll.intents[Lab::kBystander].set(0);
    EXPECT_TRUE(lab.recover()) << "the ring does not stand still for it";
    EXPECT_FALSE(lab.recover());
    EXPECT_EQ(lab.drain(), (std::vector<Taken>{{5, 0}}));
    EXPECT_EQ(lab.ring.control().lost.now(), 1U);
    lab.expect_usable();
}
TEST(MpmcDispute, TwoTakersInEachOthersWayForgetNoMessage) {
    for (std::uint64_t operations = 0;; ++operations) {
        Lab lab({5, 9, 2, Delivery::at_least_once});
        auto reader = lab.consumer(Lab::kVictim);
        ASSERT_EQ(reader.claim(1), Status::ok);
        lab.name(Lab::kBystander, ClaimSide::read, 9,
                 1);  // a loser, dead as well, whose record has a new holder already
        take_over(lab);
        lab.roll.dead = {};
        // The other new holder goes on: nobody names the message now, the ring is far from full, and it may die doing it.
        lab.roll.dead[Lab::kBystander] = true;
        const bool killed = is_killed_after(operations, [&] {
            (void)lab.recover();
            lab.recovery().forget(Lab::kBystander);
            lab.roll.intents[Lab::kBystander].store(0, detail::release);
        });
        (void)lab.recover();
        EXPECT_EQ(lab.drain(), (std::vector<Taken>{{9, 1}, {10, 0}})) << operations;
        if (!killed) break;
    }
}
TEST(MpmcDispute, AnOlderMessageIsRememberedAfterANewerOne) {
    Lab lab({5, 9, 3, Delivery::at_least_once});
    const auto forget = [&](std::uint64_t position) {
        auto reader = lab.consumer(Lab::kVictim);
        ASSERT_EQ(reader.claim(1), Status::ok);
        ASSERT_EQ(reader.claimed().first, position);
        lab.name(Lab::kBystander, ClaimSide::read, position, 1);
        take_over(lab);
        lab.roll.dead = {};
        lab.roll.intents[Lab::kBystander].set(0);
    };
    lab.ring.control().head.set(10);
    lab.set_word(9, State::orphaned);  // not announced: nobody looks for it yet
    forget(10);
    EXPECT_TRUE(lab.recover());
    lab.make_orphan(10);
    forget(9);
    EXPECT_TRUE(lab.recover());
    EXPECT_FALSE(lab.recover());
    EXPECT_EQ(lab.drain(), (std::vector<Taken>{{9, 2}, {10, 1}, {11, 0}}));
}
TEST(MpmcDispute, AnUnclaimedNameOfTheDeadIsLeftForItsNextHolderMayNameAndWinTheSame) {
    for (const Delivery delivery : kDeliveries) {
        Lab lab({2, 3, 0, delivery});
        lab.name(Lab::kVictim, ClaimSide::write, 3, 2);
        lab.roll.dead[Lab::kVictim] = true;
        EXPECT_FALSE(lab.recover());
        EXPECT_EQ(lab.intent(Lab::kVictim), Intent::of(ClaimSide::write, 3, 2));
        // The record's next holder names the same, stands still before its claim, and a slow repairer that knows the former dead
        // goes on: it must not take the name away, for the claim comes after.
        lab.roll.dead[Lab::kVictim] = false;
        auto heir = lab.producer(Lab::kVictim);
        ASSERT_EQ(heir.claim(2), Status::ok);
        EXPECT_FALSE(lab.recover());
        EXPECT_EQ(lab.word(3), lab.word_when(3, State::free));
        EXPECT_EQ(lab.intent(Lab::kVictim), Intent::of(ClaimSide::write, 3, 2));
    }
}
TEST(MpmcDispute, ALateRepairerCannotTakeTheNameFromWhoeverClaimsTheOrphanWithTheDeadOnesRecord) {
    Lab lab({2, 3, 1, Delivery::at_least_once});
    auto victim = lab.consumer(Lab::kVictim);
    ASSERT_EQ(victim.claim(1), Status::ok);
    const Intent read_by_the_late = lab.intent(Lab::kVictim);
    lab.roll.dead[Lab::kVictim] = true;
    EXPECT_TRUE(lab.recover());
    EXPECT_EQ(lab.word(3), lab.word_when(3, State::orphaned));

    lab.roll.dead[Lab::kVictim] = false;
    auto heir = lab.consumer(Lab::kVictim);
    ASSERT_EQ(heir.claim(1), Status::ok);
    EXPECT_EQ(heir.deliveries(), 1U);
    EXPECT_FALSE(lab.roll.clear(Lab::kVictim, read_by_the_late)) << "the last step of a repair begun before";
    lab.name(Lab::kBystander, ClaimSide::read, 3, 1);  // leads every repair to the place
    lab.roll.dead[Lab::kBystander] = true;
    EXPECT_FALSE(lab.recover());
    EXPECT_EQ(lab.word(3), lab.word_when(3, State::published, 1)) << "the heir reads it";
}
TEST(MpmcDispute, AnUnclaimedNameOfAnOrphanIsLeftUntilAnotherClaimedIt) {
    Lab lab({2, 3, 0, Delivery::at_least_once});
    lab.make_orphan(2);
    const Intent named = Intent::of_orphan(2, 1);
    lab.roll.intents[Lab::kVictim].set(named.value);
    lab.roll.dead[Lab::kVictim] = true;
    (void)lab.recover();
    EXPECT_EQ(lab.intent(Lab::kVictim), named) << "the record's next holder may name and claim the same";

    auto other = lab.consumer(Lab::kConsumer);
    ASSERT_EQ(other.claim(1), Status::ok);
    EXPECT_EQ(lab.intent(Lab::kConsumer), named);
    EXPECT_FALSE(lab.recover());
    EXPECT_EQ(lab.word(2), lab.word_when(2, State::published, 1));
    other.hand_back(0);
    other.settle();
    (void)lab.recover();
    EXPECT_EQ(lab.intent(Lab::kVictim), Intent{});
}
TEST(MpmcDispute, NobodysClaimIsRepairedWhenTheRingStandsStillForIt) {
    for (const Delivery delivery : kDeliveries) {
        Lab lab({3, 4, 3, delivery});
        auto reader = lab.consumer(Lab::kVictim);
        ASSERT_EQ(reader.claim(1), Status::ok);
        lab.roll.intents[Lab::kVictim].set(0);
        EXPECT_TRUE(lab.recover());
        EXPECT_EQ(lab.drain().size(), delivery == Delivery::at_least_once ? 3U : 2U);
        auto writer = lab.producer(Lab::kVictim);
        ASSERT_EQ(writer.claim(2), Status::ok);
        lab.roll.intents[Lab::kVictim].set(0);
        EXPECT_TRUE(lab.recover());
        EXPECT_TRUE(lab.drain().empty());
        EXPECT_EQ(lab.ring.control().skipped.now(), 2U) << "one look for the whole batch";
        lab.expect_usable();
    }
}

// ---- who blocks ------------------------------------------------------------------------------------------------------

TEST(MpmcBlocker, IsTheLivingOwnerOfWhatTheRingStandsStillFor) {
    Lab lab({3, 4, 0, Delivery::at_most_once});
    ClaimSide side{};
    std::uint64_t position = 0;
    EXPECT_EQ(lab.recovery().find_blocker(side, position), Lab::kParticipants);
    auto writer = lab.producer(Lab::kVictim);
    ASSERT_EQ(writer.claim(1), Status::ok);
    EXPECT_EQ(lab.recovery().find_blocker(side, position), Lab::kVictim);
    EXPECT_EQ(side, ClaimSide::write);
    EXPECT_EQ(position, 4U);
    lab.roll.dead[Lab::kVictim] = true;
    EXPECT_EQ(lab.recovery().find_blocker(side, position), Lab::kParticipants) << "the dead block nobody";
    lab.roll.dead[Lab::kVictim] = false;
    writer.publish(0);
    writer.settle();
    auto others = lab.producer(Lab::kProducer);
    ASSERT_EQ(others.claim(2), Status::ok);
    others.publish(0);
    others.publish(1);
    others.settle();
    auto reader = lab.consumer(Lab::kConsumer);
    ASSERT_EQ(reader.claim(1), Status::ok);
    EXPECT_EQ(lab.recovery().find_blocker(side, position), Lab::kConsumer);
    EXPECT_EQ(side, ClaimSide::read);
    EXPECT_EQ(position, 4U);
}

}  // namespace
}  // namespace shmring::test
