// Repair in a byte ring of many beside the living: claims before, behind and around what the dead left, stopped at any operation; names
// that two share; and headers that change while somebody reads them.
// Deaths alone: mpmc_byte_recovery_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "support/mpmc_byte_lab.hpp"

namespace shmring::test {
namespace {

using Lab = MpmcByteLab;
using State = Lab::SlotState;
using detail::ClaimSide;
using detail::Intent;

void publish(Lab::Memory::Producer& out, std::uint64_t serial, std::uint64_t size) {
    const ByteLetter letter = sized_letter(serial, size);
    MortalEnv::copy_in(out.place(), letter.bytes.data(), size);
    out.publish(letter.size, letter.tag);
}

// ---- living claims beside dead ones ----------------------------------------------------------------------------------

TEST(MpmcByteDispute, ALivingLoserOnlyDelaysTheRepair) {
    for (const ByteStanding& standing : byte_standings())
        for (const ClaimSide side : {ClaimSide::write, ClaimSide::read}) {
            SCOPED_TRACE(testing::PrintToString(standing));
            Lab lab(standing);
            auto out = lab.producer(Lab::kVictim);
            auto in = lab.consumer(Lab::kVictim);
            const std::uint64_t at = lab.tail();
            if ((side == ClaimSide::write ? out.prepare(lab.max_message()) : in.claim(Lab::kAny)) !=
                Status::ok)
                continue;
            lab.roll.dead[Lab::kVictim] = true;
            const MpmcLab::Promise promise = lab.promised();
            lab.name(Lab::kBystander, side, side == ClaimSide::write ? at : in.claimed().first);
            const auto before = lab.all_words();
            for (int again = 0; again != 3; ++again) EXPECT_FALSE(lab.recover());
            EXPECT_EQ(lab.all_words(), before);
            lab.roll.intents[Lab::kBystander].set(0);
            lab.expect_survival(promise);
            if (testing::Test::HasFailure()) return;
        }
}
TEST(MpmcByteDispute, NoRepairWalksIntoTheLivingClaimsAroundADeadOne) {
    constexpr std::uint64_t kBefore = 70'001;
    constexpr std::uint64_t kVictims = 70'002;
    constexpr std::uint64_t kBehind = 70'003;
    std::uint64_t around = 0;
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
        for (const std::uint64_t units : {5U, 8U})
            for (std::uint64_t start = 0; start != units; ++start)
                for (const std::uint64_t size : {0U, 70U, 150U})
                    for (std::uint64_t operations = 0;; ++operations) {
                        SCOPED_TRACE(std::to_string(units) + " units from " + std::to_string(start) + ", " +
                                     std::to_string(size) + " bytes, killed after " +
                                     std::to_string(operations));
                        Lab lab({units, 3 * units + start, {5}, delivery});
                        auto reader = lab.consumer(Lab::kConsumer);
                        ASSERT_EQ(reader.claim(Lab::kAny), Status::ok);  // lives, and has the unit before
                        auto before = lab.producer(Lab::kProducer);
                        ASSERT_EQ(before.prepare(10), Status::ok);
                        auto victim = lab.producer(Lab::kVictim);
                        const std::uint64_t first = lab.tail();
                        const bool killed = is_killed_after(operations, [&] {
                            if (victim.prepare(size) == Status::ok) publish(victim, kVictims, size / 2);
                        });
                        lab.roll.dead[Lab::kVictim] = killed;
                        const std::uint64_t end = lab.tail();
                        auto behind = lab.producer(Lab::kBystander);
                        const bool has_behind = behind.prepare(70) == Status::ok;
                        around += has_behind && end != first ? 1U : 0U;
                        const bool sent = [&] {
                            for (std::uint64_t at = first; at != end; ++at)
                                if (lab.is(at, State::published)) return true;
                            return false;
                        }();

                        for (int again = 0; again != 3; ++again) (void)lab.recover();
                        EXPECT_TRUE(lab.is(first - 1, State::free)) << "of the one before";
                        EXPECT_TRUE(lab.is(reader.claimed().first, State::published)) << "in a living hand";
                        for (std::uint64_t at = end; at != lab.tail(); ++at)
                            EXPECT_TRUE(lab.is(at, State::free)) << "of the one behind";
                        for (std::uint64_t at = first; at != end; ++at)
                            EXPECT_FALSE(killed && lab.is(at, State::free) && lab.is(first, State::free));

                        publish(before, kBefore, 10);
                        if (has_behind) publish(behind, kBehind, 66);
                        EXPECT_EQ(Lab::look_at(reader), (Taken{0, 0}));
                        reader.hand_back();
                        std::vector<Taken> expected = {{kBefore, 0}};
                        if (sent) expected.push_back({kVictims, 0});
                        if (has_behind) expected.push_back({kBehind, 0});
                        EXPECT_EQ(lab.drain(), expected);
                        lab.expect_usable();
                        ASSERT_FALSE(testing::Test::HasFailure());
                        if (!killed) break;
                    }
    EXPECT_GT(around, 100U);
}
TEST(MpmcByteDispute, RecordsOfTwoDeadSideBySideAreTwo) {
    Lab lab({8, 3, {}, Delivery::at_most_once});
    auto one = lab.producer(Lab::kVictim);
    auto other = lab.producer(Lab::kBystander);
    ASSERT_TRUE(one.prepare(100) == Status::ok && other.prepare(100) == Status::ok);
    lab.roll.dead[Lab::kVictim] = lab.roll.dead[Lab::kBystander] = true;
    EXPECT_TRUE(lab.recover());
    EXPECT_EQ(lab.ring.control().skipped.now(), 2U);
    EXPECT_TRUE(lab.drain().empty());
    lab.expect_usable();
}
TEST(MpmcByteDispute, ASlowRepairerLeavesTheNameOfAnHeirThatHasTheOrphan) {
    for (std::uint64_t operations = 0;; ++operations) {
        SCOPED_TRACE("stopped after " + std::to_string(operations));
        Lab lab({5, 9, {100, 7}, Delivery::at_least_once});
        auto victim = lab.consumer(Lab::kVictim);
        ASSERT_EQ(victim.claim(Lab::kAny), Status::ok);
        lab.roll.dead[Lab::kVictim] = true;
        auto heir = lab.consumer(Lab::kVictim);
        const auto others = [&] {
            for (int again = 0; again != 2; ++again) (void)lab.recover();
            lab.roll.intents[Lab::kVictim].set(0);
            lab.roll.dead[Lab::kVictim] = false;
            ASSERT_EQ(heir.claim(Lab::kAny), Status::ok);
            ASSERT_EQ(Lab::look_at(heir), (Taken{0, 1}));  // and what the repairer knows of the dead is old
        };
        const bool stopped = is_stopped_after(operations, others, [&] { (void)lab.recover(); });
        if (!stopped) break;
        EXPECT_EQ(lab.intent(Lab::kVictim), Intent::of_orphan(heir.claimed().first, 1));
        (void)lab.recover();
        EXPECT_EQ(lab.drain(), (std::vector<Taken>{{1, 0}})) << "the orphan is in a living hand";
        heir.hand_back();
        lab.expect_usable();
        ASSERT_FALSE(testing::Test::HasFailure());
    }
}

// ---- living participants that stand still anywhere -------------------------------------------------------------------

/// The victim lives, stops after each operation, and others repair, push and pop what they can before it goes on.
void at_every_stop(const std::function<void(Lab&, std::vector<std::uint64_t>& took, bool& sent)>& act) {
    for (const ByteStanding& standing : byte_standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", stopped after " + std::to_string(operations));
            Lab lab(standing);
            auto in = lab.consumer(Lab::kConsumer);
            std::vector<std::uint64_t> came;
            std::uint64_t pushed = 0;
            const auto others = [&] {
                for (std::uint64_t i = 0; i != 2 * standing.units + 2; ++i) {
                    (void)lab.recover();
                    const std::uint64_t size = i * 37 % (lab.max_message() + 1);
                    pushed += lab.push(Lab::kProducer, size) == Status::ok ? 1U : 0U;
                    if (in.claim(Lab::kAny) != Status::ok) continue;
                    came.push_back(Lab::look_at(in).number);
                    in.hand_back();
                }
            };
            bool sent = false;
            const std::uint64_t inside = lab.count_inside();
            const bool stopped = is_stopped_after(operations, others, [&] { act(lab, came, sent); });
            others();
            for (const Taken& taken : lab.drain()) came.push_back(taken.number);
            std::sort(came.begin(), came.end());
            EXPECT_EQ(std::adjacent_find(came.begin(), came.end()), came.end()) << "one came twice";
            EXPECT_EQ(came.size(), inside + pushed + (sent ? 1 : 0));
            auto& control = lab.ring.control();
            EXPECT_EQ(control.skipped.now() + control.lost.now() + control.redelivered.now(), 0U)
                << "a living one was repaired";
            lab.expect_usable();
            if (testing::Test::HasFailure() || !stopped) break;
        }
}
TEST(MpmcByteStopped, AProducerIsWaitedForWhereverItStands) {
    for (const std::uint64_t tenths : {0U, 4U, 10U})
        at_every_stop([&](Lab& lab, std::vector<std::uint64_t>&, bool& sent) {
            auto out = lab.producer(Lab::kVictim);
            if (out.prepare(lab.max_message()) != Status::ok) return;
            publish(out, 500'000, lab.max_message() * tenths / 10);
            sent = true;
        });
    at_every_stop([](Lab& lab, std::vector<std::uint64_t>&, bool&) {
        auto out = lab.producer(Lab::kVictim);
        if (out.prepare(lab.max_message()) == Status::ok) out.abandon();
    });
}
TEST(MpmcByteStopped, AConsumerIsWaitedForWhereverItStandsAndReadsWhatIsWhole) {
    at_every_stop([](Lab& lab, std::vector<std::uint64_t>& took, bool&) {
        auto in = lab.consumer(Lab::kVictim);
        if (in.claim(Lab::kAny) != Status::ok) return;
        took.push_back(Lab::look_at(in).number);
        in.hand_back();
    });
    at_every_stop([](Lab& lab, std::vector<std::uint64_t>& took, bool&) {
        auto in = lab.consumer(Lab::kVictim);
        (void)in.peek();
        if (in.claim(64) != Status::ok) return;
        took.push_back(Lab::look_at(in).number);
        in.hand_back();
    });
}
TEST(MpmcByteStopped, ARepairerThatStandsStillDoesNoHarmWhenItGoesOn) {
    for (const ByteStanding& standing : byte_standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", stopped after " + std::to_string(operations));
            Lab lab(standing);
            auto reader = lab.consumer(Lab::kVictim);
            auto writer = lab.producer(Lab::kBystander);
            (void)reader.claim(Lab::kAny);
            (void)writer.prepare(lab.max_message());
            lab.roll.dead[Lab::kVictim] = lab.roll.dead[Lab::kBystander] = true;
            const MpmcLab::Promise promise = lab.promised();
            // Others repair everything and use the ring for a lap and more; then the first goes on with what it had read.
            const bool stopped = is_stopped_after(
                operations, [&] { lab.expect_survival(promise, 2); }, [&] { (void)lab.recover(); });
            if (stopped) lab.expect_usable();
            if (testing::Test::HasFailure() || !stopped) break;
        }
}

// ---- headers that change between two reads ---------------------------------------------------------------------------

TEST(MpmcByteStopped, WhatALaterRecordsHeaderSaysIsNotSaidOfTheOneBefore) {
    for (std::uint64_t operations = 0;; ++operations) {
        Lab lab({4, 0, {10}, Delivery::at_most_once});
        auto small = lab.consumer(Lab::kVictim);
        Status status{};
        const auto others =
            [&] {  // a lap later a large record stands where the small one was, and is not the oldest
                ASSERT_EQ(lab.drain().size(), 1U);
                for (int i = 0; i != 3; ++i) ASSERT_EQ(lab.push(Lab::kProducer, 10), Status::ok);
                auto in = lab.consumer(Lab::kConsumer);
                ASSERT_EQ(in.claim(Lab::kAny), Status::ok);
                in.hand_back();
                ASSERT_EQ(lab.push(Lab::kProducer, 100), Status::ok);
            };
        const bool stopped = is_stopped_after(operations, others, [&] { status = small.claim(64); });
        if (!stopped) break;
        if (small.claimed().count != 0 && Lab::look_at(small).number == 0) {
            small.hand_back();
            continue;  // it had the first one before the others came
        }
        EXPECT_EQ(status, Status::ok)
            << "every message that was ever the oldest has room, stopped after " << operations;
    }
}
TEST(MpmcByteStopped, WhatALaterRecordsHeaderSaysIsNotSaidOfAnOrphan) {
    for (std::uint64_t operations = 0;; ++operations) {
        Lab lab({4, 0, {10}, Delivery::at_least_once});
        auto victim = lab.consumer(Lab::kBystander);
        ASSERT_EQ(victim.claim(Lab::kAny), Status::ok);
        lab.roll.dead[Lab::kBystander] = true;
        ASSERT_TRUE(lab.recover());
        auto small = lab.consumer(Lab::kVictim);
        Status status{};
        bool others_had_it = false;
        const auto others = [&] {
            auto in = lab.consumer(Lab::kConsumer);
            if (in.claim(Lab::kAny) != Status::ok) return;
            others_had_it = true;
            in.hand_back();
            for (int i = 0; i != 3; ++i) ASSERT_EQ(lab.push(Lab::kProducer, 10), Status::ok);
            ASSERT_EQ(in.claim(Lab::kAny), Status::ok);
            in.hand_back();
            ASSERT_EQ(lab.push(Lab::kProducer, 100), Status::ok);
        };
        const bool stopped = is_stopped_after(operations, others, [&] { status = small.claim(64); });
        if (!stopped) break;
        EXPECT_EQ(status, Status::ok) << others_had_it << ", stopped after " << operations;
    }
}

}  // namespace
}  // namespace shmring::test
