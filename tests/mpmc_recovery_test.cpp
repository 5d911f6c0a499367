// Every participant of a ring of many is killed before every operation on shared memory (and half-way through each copy), in every
// standing of the ring and for both deliveries: the rows of the crash table in docs/algorithms/mpmc.md, one test each.
// Living ones in the way of a repair: mpmc_dispute_test.cpp.
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

/// What the victim does, on algorithm objects made beforehand, so that the body has nothing to destroy.
struct Victim {
    Lab::Memory::Producer out;
    Lab::Memory::Consumer in;
    std::array<Message, Lab::kBatch> messages{};

    explicit Victim(Lab& lab) : out(lab.producer(Lab::kVictim)), in(lab.consumer(Lab::kVictim)) {
        for (std::uint64_t i = 0; i != messages.size(); ++i)
            messages[i] = Message::numbered(Lab::kVictims + i);
    }
    void push() { (void)out.try_push(messages.data(), sizeof(Message)); }
    void push_n(std::uint64_t most) {
        if (out.claim(most) != Status::ok) return;
        for (std::uint64_t i = 0; i != out.claimed().count; ++i) {
            MortalEnv::copy_in(out.payload(i), &messages[i], sizeof(Message));
            out.publish(i);
        }
        out.settle();
    }
    void drop() {
        if (out.claim(1) != Status::ok) return;
        MortalEnv::copy_in(out.payload(0), messages.data(), sizeof(Message));
        out.skip(0);
        out.settle();
    }
    void pop() { (void)in.try_pop(messages.data(), sizeof(Message)); }
    void pop_n(std::uint64_t most) {
        if (in.claim(most) != Status::ok) return;
        for (std::uint64_t i = 0; i != in.claimed().count; ++i) {
            MortalEnv::copy_out(&messages[i], in.payload(i), sizeof(Message));
            in.hand_back(i);
        }
        in.settle();
    }
};

using Act = void (*)(Victim&);
constexpr Act kPush = [](Victim& victim) { victim.push(); };
constexpr Act kPushBatch = [](Victim& victim) { victim.push_n(Lab::kBatch); };
constexpr Act kClaimAndCommit = [](Victim& victim) { victim.push_n(1); };
constexpr Act kDrop = [](Victim& victim) { victim.drop(); };
constexpr Act kPop = [](Victim& victim) { victim.pop(); };
constexpr Act kPopBatch = [](Victim& victim) { victim.pop_n(Lab::kBatch); };
constexpr Act kNext = [](Victim& victim) { victim.pop_n(1); };
constexpr Act kPeek = [](Victim& victim) { (void)victim.in.peek(); };

/// Kills the victim after each operation of `act` in each standing that `prepare` accepts; `judge` sees what is left.
using Prepare = std::function<bool(Lab&)>;
using Judge = std::function<void(Lab&)>;
const Prepare kAsItIs = [](Lab&) { return true; };

void at_every_death(const Prepare& prepare, Act act, const Judge& judge) {
    for (const Standing& standing : standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", killed after " + std::to_string(operations));
            Lab lab(standing);
            if (!prepare(lab)) break;
            Victim victim(lab);
            if (!is_killed_after(operations, [&] { act(victim); })) break;
            lab.roll.dead[Lab::kVictim] = true;
            judge(lab);
            if (testing::Test::HasFailure()) return;
        }
}
/// Among those deaths, the ones that `is_row` knows: there must be some, and the survivors must find what was promised.
void expect_row(
    const Prepare& prepare, std::initializer_list<Act> acts, const std::function<bool(Lab&)>& is_row,
    const Judge& also = [](Lab&) {}) {
    for (const Act act : acts) {
        std::uint64_t deaths = 0;
        at_every_death(prepare, act, [&](Lab& lab) {
            if (!is_row(lab)) return;
            ++deaths;
            const Lab::Promise promise = lab.promised();
            also(lab);
            lab.expect_survival(promise);
        });
        EXPECT_NE(deaths, 0U) << "nobody died there";
    }
}

std::uint64_t tail_before(const Lab& lab) { return lab.standing.first + lab.standing.inside; }
bool is_named(Lab& lab) { return lab.intent(Lab::kVictim).count() != 0; }
std::uint64_t count_in(Lab& lab, std::uint64_t first, std::uint64_t last, State state) {
    std::uint64_t count = 0;
    for (std::uint64_t at = first; at < last; ++at)
        count += lab.word(at) == lab.word_when(at, state) ? 1U : 0U;
    return count;
}
std::uint64_t written(Lab& lab) { return lab.tail() - tail_before(lab); }
std::uint64_t unpublished(Lab& lab) { return count_in(lab, tail_before(lab), lab.tail(), State::free); }
std::uint64_t read(Lab& lab) { return lab.head() - lab.standing.first; }
std::uint64_t in_hand(Lab& lab) { return count_in(lab, lab.standing.first, lab.head(), State::published); }

// ---- the rows of the table: producers --------------------------------------------------------------------------------

TEST(MpmcCrash, ProducerNamedAndNotYetClaimed) {
    expect_row(
        kAsItIs, {kPush, kPushBatch, kClaimAndCommit, kDrop},
        [](Lab& lab) { return is_named(lab) && written(lab) == 0; },
        [](Lab& lab) {
            const auto before = lab.all_words();
            EXPECT_FALSE(lab.recover());
            EXPECT_EQ(lab.all_words(), before) << "the name stays: a new holder could name and win it, too";
        });
}
TEST(MpmcCrash, ProducerClaimedAndDidNotPublish) {
    expect_row(
        kAsItIs, {kPush, kClaimAndCommit, kDrop},
        [](Lab& lab) { return written(lab) == 1 && unpublished(lab) == 1; },
        [](Lab& lab) {
            EXPECT_TRUE(lab.recover());
            EXPECT_EQ(lab.word(tail_before(lab)), lab.word_when(tail_before(lab), State::skipped));
            EXPECT_EQ(lab.ring.control().skipped.now(), 1U);
            EXPECT_FALSE(is_named(lab));
        });
}
TEST(MpmcCrash, ProducerInABatchThatWasHalfPublished) {
    expect_row(kAsItIs, {kPushBatch},
               [](Lab& lab) { return unpublished(lab) != 0 && unpublished(lab) < written(lab); });
}
TEST(MpmcCrash, ProducerPublishedAndKeptItsName) {
    expect_row(
        kAsItIs, {kPush, kPushBatch, kClaimAndCommit, kDrop},
        [](Lab& lab) { return is_named(lab) && written(lab) != 0 && unpublished(lab) == 0; },
        [](Lab& lab) {
            EXPECT_FALSE(lab.recover()) << "nobody waits for that";
            EXPECT_FALSE(is_named(lab));
        });
}
TEST(MpmcCrash, ProducerAnywhereElse) {
    expect_row(kAsItIs, {kPush, kPushBatch, kClaimAndCommit, kDrop}, [](Lab& lab) { return !is_named(lab); });
}

// ---- consumers -------------------------------------------------------------------------------------------------------

TEST(MpmcCrash, ConsumerNamedAndNotYetClaimed) {
    expect_row(
        kAsItIs, {kPop, kPopBatch, kNext}, [](Lab& lab) { return is_named(lab) && read(lab) == 0; },
        [](Lab& lab) {
            const auto before = lab.all_words();
            EXPECT_FALSE(lab.recover());
            EXPECT_EQ(lab.all_words(), before);
        });
}
TEST(MpmcCrash, ConsumerClaimedAndDidNotHandBack) {
    expect_row(
        kAsItIs, {kPop, kNext}, [](Lab& lab) { return in_hand(lab) == 1; },
        [](Lab& lab) {
            const std::uint64_t at = lab.standing.first;
            EXPECT_TRUE(lab.recover());
            EXPECT_EQ(lab.word(at), lab.redelivers()
                                        ? lab.word_when(at, State::orphaned)
                                        : lab.word_when(at + lab.standing.capacity, State::free));
            EXPECT_EQ(lab.ring.control().lost.now(), lab.redelivers() ? 0U : 1U);
        });
}
TEST(MpmcCrash, ConsumerInABatchThatWasHalfHandedBack) {
    expect_row(kAsItIs, {kPopBatch}, [](Lab& lab) { return in_hand(lab) != 0 && in_hand(lab) < read(lab); });
}
TEST(MpmcCrash, ConsumerHandedBackAndKeptItsName) {
    expect_row(
        kAsItIs, {kPop, kPopBatch, kNext},
        [](Lab& lab) { return is_named(lab) && read(lab) != 0 && in_hand(lab) == 0; },
        [](Lab& lab) {
            const std::uint64_t gone = read(lab);
            EXPECT_FALSE(lab.recover());
            EXPECT_FALSE(is_named(lab));
            EXPECT_EQ(lab.ring.control().lost.now(), lab.redelivers() ? 0U : gone);
        });
}
TEST(MpmcCrash, ConsumerSteppedOverASkippedPlace) {
    const Prepare with_skipped = [](Lab& lab) {
        if (lab.standing.inside == 0) return false;
        lab.set_word(lab.standing.first, State::skipped);
        return true;
    };
    expect_row(with_skipped, {kPop, kPopBatch, kNext, kPeek}, [](Lab& lab) {
        return read(lab) == 1 &&
               lab.word(lab.standing.first) == lab.word_when(lab.standing.first, State::skipped);
    });
    // Nothing but skipped places: each step on its own.
    const Prepare all_skipped = [](Lab& lab) {
        for (std::uint64_t i = 0; i != lab.standing.inside; ++i)
            lab.set_word(lab.standing.first + i, State::skipped);
        return lab.standing.inside != 0;
    };
    expect_row(all_skipped, {kPop, kPopBatch, kPeek}, [](Lab&) { return true; });
}
TEST(MpmcCrash, ConsumerOfAnOrphan) {
    const Prepare with_orphan = [](Lab& lab) {
        if (lab.standing.inside == 0 || !lab.redelivers()) return false;
        lab.ring.control().head.set(lab.standing.first + 1);
        lab.make_orphan(lab.standing.first, 2);
        return true;
    };
    expect_row(
        with_orphan, {kPop, kPopBatch, kNext},
        [](Lab& lab) {
            return lab.word(lab.standing.first) == lab.word_when(lab.standing.first, State::published, 3);
        },
        [](Lab& lab) {
            EXPECT_TRUE(lab.recover());
            EXPECT_EQ(lab.word(lab.standing.first), lab.word_when(lab.standing.first, State::orphaned, 3));
        });
    expect_row(with_orphan, {kPop, kPopBatch, kNext, kPeek}, [](Lab&) { return true; });
}
TEST(MpmcCrash, ConsumerAnywhereElse) {
    expect_row(kAsItIs, {kPop, kPopBatch, kNext, kPeek}, [](Lab& lab) { return !is_named(lab); });
}

// ---- repairers -------------------------------------------------------------------------------------------------------

/// A dead producer and a dead consumer, each with a batch in hand, as far as there is room for both; a repairer that dies.
void at_every_death_of_a_repairer(const Judge& judge) {
    for (const Standing& standing : standings())
        for (std::uint64_t operations = 0;; ++operations) {
            SCOPED_TRACE(testing::PrintToString(standing) + ", killed after " + std::to_string(operations));
            Lab lab(standing);
            Victim reader(lab);
            (void)reader.in.claim(Lab::kBatch);
            auto writer = lab.producer(Lab::kBystander);
            (void)writer.claim(Lab::kBatch);
            lab.roll.dead[Lab::kVictim] = lab.roll.dead[Lab::kBystander] = true;
            const Lab::Promise promise = lab.promised();
            if (!is_killed_after(operations, [&] { (void)lab.recover(); })) break;
            judge(lab);
            lab.expect_survival(promise, 1);
            if (testing::Test::HasFailure()) return;
        }
}

TEST(MpmcCrash, RepairerCountedAndDidNotSwap) {
    std::uint64_t counted = 0;
    at_every_death_of_a_repairer([&](Lab& lab) {
        counted += lab.ring.control().skipped.now() > count_in(lab, lab.head(), lab.tail(), State::skipped)
                       ? 1U
                       : 0U;
    });
    EXPECT_NE(counted, 0U);
}
TEST(MpmcCrash, RepairerSwappedAndDidNotSetTheHint) {
    std::uint64_t unannounced = 0;
    at_every_death_of_a_repairer([&](Lab& lab) {
        std::uint64_t orphans = count_in(lab, lab.standing.first, lab.head(), State::orphaned);
        unannounced += orphans != 0 && lab.ring.control().orphans.now() == 0 ? 1U : 0U;
    });
    EXPECT_NE(unannounced, 0U);
}
TEST(MpmcCrash, EveryDeathIsRepairedAlsoAfterARepairerThatDiedAnywhere) {
    for (const Act act : {kPush, kPushBatch, kPop, kPopBatch})
        for (const std::uint64_t capacity : {1U, 3U})
            for (const std::uint64_t inside : {std::uint64_t{0}, std::uint64_t{1}, capacity})
                for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
                    for (std::uint64_t first = 0, last = 0; last == 0; ++first)
                        for (std::uint64_t second = 0;; ++second) {
                            SCOPED_TRACE(std::to_string(first) + " and " + std::to_string(second));
                            Lab lab({capacity, 2 * capacity - 1, inside, delivery});
                            Victim victim(lab);
                            if (!is_killed_after(first, [&] { act(victim); })) {
                                last = 1;
                                break;
                            }
                            lab.roll.dead[Lab::kVictim] = true;
                            const Lab::Promise promise = lab.promised();
                            const bool killed = is_killed_after(second, [&] { (void)lab.recover(); });
                            lab.expect_survival(promise, 1);
                            ASSERT_FALSE(testing::Test::HasFailure()) << testing::PrintToString(lab.standing);
                            if (!killed) break;
                        }
}
TEST(MpmcCrash, AnOrphanSurvivesAnyNumberOfConsumersAndIsThenCountedAsLost) {
    Lab lab({2, 7, 1, Delivery::at_least_once});
    lab.roll.dead[Lab::kVictim] = true;
    for (std::uint64_t deaths = 0; deaths <= Lab::SlotWord::kMaxDeliveries; ++deaths) {
        Victim victim(lab);
        ASSERT_EQ(victim.in.claim(1), Status::ok);
        EXPECT_EQ(victim.in.deliveries(), deaths);
        EXPECT_TRUE(lab.recover());
    }
    EXPECT_EQ(lab.ring.control().lost.now(), 1U);
    EXPECT_EQ(lab.ring.control().redelivered.now(), Lab::SlotWord::kMaxDeliveries);
    EXPECT_EQ(lab.drain(), std::vector<Taken>{});
    lab.expect_usable();
}

}  // namespace
}  // namespace shmring::test
