// Every participant of a byte ring of many is killed before every operation on shared memory (and half-way through each copy), in
// every standing of the ring, for both deliveries and beside living ones: the rows of the crash table in docs/algorithms/mpmc_byte_ring.md.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "support/mpmc_byte_lab.hpp"

namespace shmring::test {
namespace {

using Lab = MpmcByteLab;
using State = Lab::SlotState;
using detail::ClaimSide;

constexpr std::uint64_t kVictims = 500'000;  // what the victim sends counts from here

/// What the victim does, on algorithm objects made beforehand, so that the body has nothing to destroy.
struct Victim {
    Lab::Memory::Producer out;
    Lab::Memory::Consumer in;
    std::uint64_t most;
    ByteLetter letter{};

    explicit Victim(Lab& lab, Lab::Who who = Lab::kVictim)
        : out(lab.producer(who)), in(lab.consumer(who)), most(lab.max_message()) {}
    void send(std::uint64_t claimed, std::uint64_t size) {
        letter = sized_letter(kVictims, size);
        if (out.prepare(claimed) != Status::ok) return;
        MortalEnv::copy_in(out.place(), letter.bytes.data(), letter.size);
        out.publish(letter.size, letter.tag);
    }
    void drop(std::uint64_t claimed) {
        if (out.prepare(claimed) == Status::ok) out.abandon();
    }
    void take(std::uint64_t room) {
        if (in.claim(room) != Status::ok) return;
        MortalEnv::copy_out(letter.bytes.data(), in.payload(), in.length());
        in.hand_back();
    }
};
using Act = void (*)(Victim&);
constexpr Act kPushLeast = [](Victim& victim) { victim.send(0, 0); };
constexpr Act kPushTwoUnits = [](Victim& victim) {
    victim.send(std::min<std::uint64_t>(victim.most, 100), std::min<std::uint64_t>(victim.most, 100));
};
constexpr Act kPushMost = [](Victim& victim) { victim.send(victim.most, victim.most); };
constexpr Act kCommitFewer = [](Victim& victim) { victim.send(victim.most, 5); };
constexpr Act kCommitNothing = [](Victim& victim) { victim.send(victim.most, 0); };
constexpr Act kDrop = [](Victim& victim) { victim.drop(victim.most); };
constexpr Act kPop = [](Victim& victim) { victim.take(Lab::kAny); };
constexpr Act kPopLittle = [](Victim& victim) { victim.take(8); };
constexpr Act kPeek = [](Victim& victim) { (void)victim.in.peek(); };
const std::vector<Act> kWrites = {kPushLeast, kPushTwoUnits, kPushMost, kCommitFewer, kCommitNothing, kDrop};
const std::vector<Act> kReads = {kPop, kPopLittle, kPeek};

using Prepare = std::function<bool(Lab&)>;
using Judge = std::function<void(Lab&)>;
using IsRow = std::function<bool(Lab&)>;
const Prepare kAsItIs = [](Lab&) { return true; };

/// Kills the victim after each operation of each act in each standing that `prepare` accepts. Among those deaths, of the ones that
/// `is_row` knows there must be some, and the survivors must find what was promised.
void expect_row(
    const Prepare& prepare, const std::vector<Act>& acts, const IsRow& is_row,
    const Judge& also = [](Lab&) {}) {
    std::uint64_t deaths = 0;
    for (const Act act : acts)
        for (const ByteStanding& standing : byte_standings())
            for (std::uint64_t operations = 0;; ++operations) {
                SCOPED_TRACE(testing::PrintToString(standing) + ", killed after " +
                             std::to_string(operations));
                Lab lab(standing);
                if (!prepare(lab)) break;
                Victim victim(lab);
                if (!is_killed_after(operations, [&] { act(victim); })) break;
                lab.roll.dead[Lab::kVictim] = true;
                if (!is_row(lab)) continue;
                ++deaths;
                const MpmcLab::Promise promise = lab.promised();
                also(lab);
                lab.expect_survival(promise);
                if (testing::Test::HasFailure()) return;
            }
    EXPECT_NE(deaths, 0U) << "nobody died there";
}

bool is_named(Lab& lab) { return lab.intent(Lab::kVictim).count() != 0; }
/// What the victim named, and whether it was claimed.
std::uint64_t named(Lab& lab) { return lab.intent(Lab::kVictim).position(); }
bool is_written_claim(Lab& lab) {
    return is_named(lab) && lab.intent(Lab::kVictim).side() == ClaimSide::write && named(lab) < lab.tail();
}
bool is_read_claim(Lab& lab) {
    return is_named(lab) && lab.intent(Lab::kVictim).side() == ClaimSide::read && named(lab) < lab.head();
}
/// How many of the victim's units are as they were when it claimed them.
std::uint64_t untouched(Lab& lab) {
    std::uint64_t count = 0;
    for (std::uint64_t at = named(lab); at < lab.tail(); ++at) count += lab.is(at, State::free) ? 1U : 0U;
    return count;
}
/// The first of the victim's units that is in this state; the tail if none is.
std::uint64_t find(Lab& lab, State state) {
    std::uint64_t at = named(lab);
    while (at < lab.tail() && !lab.is(at, state)) ++at;
    return at;
}

// ---- producers -------------------------------------------------------------------------------------------------------

TEST(MpmcByteCrash, ProducerClaimedAndWroteNoWord) {
    expect_row(
        kAsItIs, kWrites,
        [](Lab& lab) { return is_written_claim(lab) && untouched(lab) == lab.tail() - named(lab); },
        [](Lab& lab) {
            const std::uint64_t first = named(lab);
            EXPECT_TRUE(lab.recover());
            for (std::uint64_t at = first; at != lab.tail(); ++at) EXPECT_TRUE(lab.is(at, State::skipped));
            EXPECT_EQ(lab.ring.control().skipped.now(), 1U) << "one record counts once";
            EXPECT_FALSE(is_named(lab));
        });
}
TEST(MpmcByteCrash, ProducerPublishedTheFillerBehindAndNotTheRecord) {
    expect_row(
        kAsItIs, {kCommitFewer, kCommitNothing},
        [](Lab& lab) {
            return is_written_claim(lab) && lab.is(named(lab), State::free) &&
                   find(lab, State::published) == lab.tail() && find(lab, State::filler) != lab.tail();
        },
        [](Lab& lab) {
            const std::uint64_t first = named(lab);
            const std::uint64_t behind = find(lab, State::filler);
            EXPECT_TRUE(lab.recover());
            for (std::uint64_t at = first; at != behind; ++at) EXPECT_TRUE(lab.is(at, State::skipped));
            EXPECT_TRUE(lab.is(behind, State::filler)) << "is stepped over as it is";
        });
}
TEST(MpmcByteCrash, ProducerPublishedTheRecordAndNotThePaddingBeforeIt) {
    expect_row(
        kAsItIs, {kPushTwoUnits, kPushMost, kCommitFewer},
        [](Lab& lab) {
            return is_written_claim(lab) && lab.is(named(lab), State::free) &&
                   find(lab, State::published) != lab.tail();
        },
        [](Lab& lab) {
            const std::uint64_t first = named(lab);
            const std::uint64_t record = find(lab, State::published);
            EXPECT_EQ(record % lab.standing.units, 0U) << "padding ends at the end of the ring";
            EXPECT_TRUE(lab.recover());
            for (std::uint64_t at = first; at != record; ++at) EXPECT_TRUE(lab.is(at, State::skipped));
            EXPECT_TRUE(lab.is(record, State::published));
        });
}
TEST(MpmcByteCrash, ProducerAnywhere) {
    expect_row(kAsItIs, kWrites, [](Lab&) { return true; });
}

// ---- consumers -------------------------------------------------------------------------------------------------------

/// A message is in the victim's hand, some of whose units it has handed back.
bool is_half_handed_back(Lab& lab) {
    if (!is_read_claim(lab) || !lab.is(named(lab), State::published)) return false;
    const std::uint64_t units = lab.ring.memory().units_of(lab.header(named(lab)).length);
    return units > 1 && lab.is_freed(named(lab) + units - 1);
}
TEST(MpmcByteCrash, ConsumerInTheMidstOfHandingBack) {
    expect_row(kAsItIs, {kPop}, is_half_handed_back, [](Lab& lab) {
        const std::uint64_t at = named(lab);
        EXPECT_TRUE(lab.recover());
        if (lab.redelivers()) {
            EXPECT_TRUE(lab.is(at, State::orphaned)) << "its bytes are whole: nobody can have claimed them";
            return;
        }
        const std::uint64_t units = lab.ring.memory().units_of(lab.header(at).length);
        for (std::uint64_t i = 0; i != units; ++i) EXPECT_TRUE(lab.is_freed(at + i));
        EXPECT_EQ(lab.ring.control().lost.now(), 1U);
    });
}
TEST(MpmcByteCrash, ConsumerAnywhere) {
    expect_row(kAsItIs, kReads, [](Lab&) { return true; });
}
TEST(MpmcByteCrash, ConsumerOfFillersAndSkippedUnitsAnywhere) {
    // A dropped claim (with padding, at the wrap), and what was repaired after a dead one, in front of a message.
    const Prepare with_filler = [](Lab& lab) {
        Victim other(lab, Lab::kBystander);
        other.drop(lab.max_message());
        Victim dead(lab, Lab::kBystander);
        if (dead.out.prepare(0) == Status::ok) {
            lab.roll.dead[Lab::kBystander] = true;
            (void)lab.recover();
            lab.roll.dead[Lab::kBystander] = false;
        }
        (void)lab.push(Lab::kProducer, 20);
        return lab.standing.inside.empty();
    };
    expect_row(with_filler, kReads, [](Lab&) { return true; });
    std::uint64_t in_the_midst = 0;
    expect_row(with_filler, {kPop, kPeek}, [&](Lab& lab) {
        const bool is_filler = is_read_claim(lab) && lab.is(named(lab), State::filler);
        if (is_filler && lab.header(named(lab)).length > 1)
            in_the_midst += lab.is_freed(named(lab) + lab.header(named(lab)).length - 1) ? 1U : 0U;
        return is_filler;
    });
    EXPECT_NE(in_the_midst, 0U) << "nobody died in the midst of freeing a filler";
}
TEST(MpmcByteCrash, ConsumerOfAnOrphanAnywhere) {
    const Prepare with_orphan = [](Lab& lab) {
        if (!lab.redelivers() || lab.standing.inside.empty()) return false;
        Victim former(lab, Lab::kBystander);
        EXPECT_EQ(former.in.claim(Lab::kAny), Status::ok);
        lab.roll.dead[Lab::kBystander] = true;
        EXPECT_TRUE(lab.recover());
        lab.roll.dead[Lab::kBystander] = false;  // somebody took its record
        lab.roll.intents[Lab::kBystander].set(0);
        return true;
    };
    expect_row(with_orphan, kReads, [](Lab&) { return true; });
    expect_row(with_orphan, {kPop}, [](Lab& lab) {  // in the midst of handing back what was an orphan
        const std::uint64_t at = named(lab);
        return is_read_claim(lab) && lab.word(at) == lab.word_when(at, State::published, 1) &&
               lab.is_freed(at + lab.ring.memory().units_of(lab.header(at).length) - 1);
    });
}
TEST(MpmcByteCrash, AnOrphanSurvivesAnyNumberOfConsumersAndIsThenCountedAsLost) {
    Lab lab({5, 8, {150}, Delivery::at_least_once});
    lab.roll.dead[Lab::kVictim] = true;
    for (std::uint64_t deaths = 0; deaths <= Lab::SlotWord::kMaxDeliveries; ++deaths) {
        Victim victim(lab);
        ASSERT_EQ(victim.in.claim(Lab::kAny), Status::ok);
        EXPECT_EQ(victim.in.deliveries(), deaths);
        EXPECT_TRUE(lab.recover());
    }
    EXPECT_EQ(lab.ring.control().lost.now(), 1U);
    EXPECT_EQ(lab.drain(), std::vector<Taken>{});
    lab.expect_usable();
}

// ---- repairers -------------------------------------------------------------------------------------------------------

/// A dead producer and a dead consumer, each with all that it can have in hand; a repairer that dies.
void at_every_death_of_a_repairer(const Judge& judge) {
    for (const ByteStanding& standing : byte_standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", killed after " + std::to_string(operations));
            Lab lab(standing);
            Victim reader(lab);
            (void)reader.in.claim(Lab::kAny);
            Victim writer(lab, Lab::kBystander);
            (void)writer.out.prepare(lab.max_message());
            lab.roll.dead[Lab::kVictim] = lab.roll.dead[Lab::kBystander] = true;
            const MpmcLab::Promise promise = lab.promised();
            if (!is_killed_after(operations, [&] { (void)lab.recover(); })) break;
            judge(lab);
            lab.expect_survival(promise, 2);
            if (testing::Test::HasFailure()) return;
        }
}
TEST(MpmcByteCrash, RepairerInTheMidstOfFreeing) {
    std::uint64_t in_the_midst = 0;
    at_every_death_of_a_repairer([&](Lab& lab) { in_the_midst += is_half_handed_back(lab) ? 1U : 0U; });
    EXPECT_NE(in_the_midst, 0U);
}
TEST(MpmcByteCrash, RepairerInTheMidstOfSkipping) {
    std::uint64_t in_the_midst = 0;
    at_every_death_of_a_repairer([&](Lab& lab) {
        const auto written = lab.intent(Lab::kBystander);
        if (written.count() == 0 || written.side() != ClaimSide::write || written.position() >= lab.tail())
            return;
        in_the_midst +=
            lab.is(written.position(), State::skipped) && lab.is(lab.tail() - 1, State::free) ? 1U : 0U;
    });
    EXPECT_NE(in_the_midst, 0U);
}
TEST(MpmcByteCrash, EveryDeathIsRepairedAlsoAfterARepairerThatDiedAnywhere) {
    for (const Act act : {kPushMost, kCommitFewer, kDrop, kPop})
        for (const std::uint64_t units : {1U, 3U, 5U})
            for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
                for (std::uint64_t first = 0, last = 0; last == 0; ++first)
                    for (std::uint64_t second = 0;; ++second) {
                        Lab lab({units, 2 * units - 1, {}, delivery});
                        if (act == kPop) {
                            ASSERT_EQ(lab.push(Lab::kProducer, lab.max_message()), Status::ok);
                        }
                        SCOPED_TRACE(testing::PrintToString(lab.standing) + ": " + std::to_string(first) +
                                     " and " + std::to_string(second));
                        Victim victim(lab);
                        if (!is_killed_after(first, [&] { act(victim); })) {
                            last = 1;
                            break;
                        }
                        lab.roll.dead[Lab::kVictim] = true;
                        const MpmcLab::Promise promise = lab.promised();
                        const bool killed = is_killed_after(second, [&] { (void)lab.recover(); });
                        lab.expect_survival(promise, 2);
                        ASSERT_FALSE(testing::Test::HasFailure());
                        if (!killed) break;
                    }
}

}  // namespace
}  // namespace shmring::test
