// Several producers and consumers taking turns by hand, each situation with its exact answers; whatever a hostile peer may have
// written into the control words and a slot; and the division that finds a slot. In all kinds of situations at random:
// mpmc_algorithm_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "shmring/detail/divider.hpp"
#include "support/mpmc_lab.hpp"

namespace shmring::test {
namespace {

using Lab = MpmcLab;
using Message = Lab::Message;
using State = Lab::SlotState;
using detail::Divider;
using detail::kMaxPosition;
using detail::kTailClosed;

Status push(Lab::Memory::Producer& out, std::uint64_t number) {
    const Message message = Message::numbered(number);
    return out.try_push(&message, sizeof message);
}
/// The message that comes out; a status becomes a number that no message has.
constexpr std::uint64_t kNone = ~std::uint64_t{0} >> 8;
std::uint64_t pop(Lab::Memory::Consumer& in) {
    Message message;
    const Status status = in.try_pop(&message, sizeof message);
    return status == Status::ok ? Lab::number_of(message) : kNone - static_cast<std::uint64_t>(status);
}
constexpr std::uint64_t none(Status status) { return kNone - static_cast<std::uint64_t>(status); }

class MpmcTurns : public ::testing::Test {
 protected:
    Lab lab{{3, 5, 0, Delivery::at_most_once}};
    Lab::Memory::Producer p1 = lab.producer(Lab::kProducer);
    Lab::Memory::Producer p2 = lab.producer(Lab::kVictim);
    Lab::Memory::Consumer c1 = lab.consumer(Lab::kConsumer);
    Lab::Memory::Consumer c2 = lab.consumer(Lab::kBystander);
};

TEST_F(MpmcTurns, ASlowProducerMakesConsumersBusyAndKeepsTheOrder) {
    ASSERT_EQ(p1.claim(1), Status::ok);
    ASSERT_EQ(push(p2, 2), Status::ok);
    EXPECT_EQ(pop(c1), none(Status::busy));
    EXPECT_EQ(c2.peek(), Status::busy);
    const Message first = Message::numbered(1);
    std::memcpy(p1.payload(0), &first, sizeof first);
    p1.publish(0);
    EXPECT_EQ(pop(c1), 1U) << "published is there, settled or not";
    p1.settle();
    EXPECT_EQ(pop(c2), 2U);
    EXPECT_EQ(pop(c2), none(Status::empty));
}
TEST_F(MpmcTurns, ASlowConsumerIsPassedByOthersAndMakesTheRingFullAtItsPlace) {
    for (const std::uint64_t number : {1U, 2U, 3U}) ASSERT_EQ(push(p1, number), Status::ok);
    ASSERT_EQ(c1.claim(1), Status::ok);
    EXPECT_EQ(pop(c2), 2U);
    EXPECT_EQ(pop(c2), 3U);
    EXPECT_EQ(pop(c2), none(Status::empty)) << "what is in hand is nobody else's";
    EXPECT_EQ(push(p2, 4), Status::full) << "strict order: the oldest place is not handed back";
    c1.hand_back(0);
    EXPECT_EQ(push(p2, 4), Status::ok) << "handed back is free, settled or not";
    c1.settle();
    EXPECT_EQ(push(p1, 5), Status::ok);
    EXPECT_EQ(push(p1, 6), Status::ok);
    EXPECT_EQ(push(p1, 7), Status::full);
    for (const std::uint64_t number : {4U, 5U, 6U}) EXPECT_EQ(pop(c2), number);
}
TEST_F(MpmcTurns, AMessageInHandIsNotTouchedByAnybody) {
    for (const std::uint64_t number : {1U, 2U, 3U}) ASSERT_EQ(push(p1, number), Status::ok);
    ASSERT_EQ(c1.claim(2), Status::ok);
    ASSERT_EQ(c2.claim(2), Status::ok);
    EXPECT_EQ(c2.claimed().count, 1U);
    EXPECT_EQ(p1.claim(255), Status::full);
    c2.hand_back(0);
    c2.settle();
    EXPECT_EQ(p1.claim(255), Status::full) << "a younger place does not help";
    c1.hand_back(1);
    EXPECT_EQ(p1.claim(255), Status::full);
    Message first;
    std::memcpy(&first, c1.payload(0), sizeof first);
    EXPECT_EQ(Lab::number_of(first), 1U);
    c1.hand_back(0);
    c1.settle();
    ASSERT_EQ(p1.claim(255), Status::ok);
    EXPECT_EQ(p1.claimed().count, 3U);
}
TEST_F(MpmcTurns, ABatchOfWhatIsThereStopsAtWhatIsNot) {
    ASSERT_EQ(push(p1, 1), Status::ok);
    ASSERT_EQ(p2.claim(1), Status::ok);
    ASSERT_EQ(push(p1, 3), Status::ok);
    ASSERT_EQ(c1.claim(255), Status::ok);
    EXPECT_EQ(c1.claimed().count, 1U);
    EXPECT_EQ(c2.claim(255), Status::busy);
    c1.abandon();
    ASSERT_EQ(p1.claim(255), Status::ok);
    EXPECT_EQ(p1.claimed().count, 1U) << "the next place is claimed";
    p1.abandon();
    p2.abandon();
    EXPECT_EQ(pop(c1), 3U) << "over the place that was dropped";
    EXPECT_EQ(pop(c1), none(Status::empty)) << "and over the last";
    EXPECT_EQ(lab.head(), lab.tail());
}
TEST_F(MpmcTurns, DroppedPlacesAreStoppedOverWhereverTheyStand) {
    for (std::uint64_t mask = 0; mask != 8; ++mask) {
        std::vector<std::uint64_t> expected;
        for (std::uint64_t i = 0; i != 3; ++i) {
            if ((mask >> i & 1) == 0) {
                ASSERT_EQ(push(p1, i), Status::ok);
                expected.push_back(i);
            } else {
                ASSERT_EQ(p1.claim(1), Status::ok);
                p1.abandon();
            }
        }
        EXPECT_EQ(push(p2, 9), Status::full) << "a dropped place is free only when it was stepped over";
        for (const std::uint64_t number : expected) EXPECT_EQ(pop(number % 2 == 0 ? c1 : c2), number);
        EXPECT_EQ(pop(c1), none(Status::empty));
        lab.expect_usable();
    }
    EXPECT_EQ(lab.ring.control().skipped.now(), 0U) << "that counter is for the dead";
}
TEST_F(MpmcTurns, TheEndComesAfterWhatWasClaimedBefore) {
    ASSERT_EQ(push(p1, 1), Status::ok);
    ASSERT_EQ(p2.claim(1), Status::ok);
    detail::close_tail(lab.ring.control());
    detail::close_tail(lab.ring.control());
    EXPECT_EQ(push(p1, 2), Status::closed);
    EXPECT_EQ(p1.claim(255), Status::closed);
    EXPECT_EQ(lab.intent(Lab::kProducer).value, 0U);
    EXPECT_EQ(pop(c1), 1U);
    EXPECT_EQ(pop(c1), none(Status::busy)) << "still under construction";
    const Message last = Message::numbered(2);
    std::memcpy(p2.payload(0), &last, sizeof last);
    p2.publish(0);
    p2.settle();
    EXPECT_EQ(push(p2, 3), Status::closed);
    EXPECT_EQ(pop(c2), 2U);
    EXPECT_EQ(pop(c2), none(Status::closed));
    EXPECT_EQ(c1.peek(), Status::closed);
}
TEST_F(MpmcTurns, TheLastPositionThereCanBeIsCorruptAndNotSomethingElse) {
    lab.ring.arrange(kMaxPosition - 2, kMaxPosition - 2);
    EXPECT_EQ(push(p1, 1), Status::ok);
    EXPECT_EQ(push(p1, 2), Status::ok);
    EXPECT_EQ(push(p1, 3), Status::corrupt);
    EXPECT_EQ(pop(c1), 1U);
    EXPECT_EQ(pop(c1), 2U);
    EXPECT_EQ(pop(c1), none(Status::corrupt));
}

// ---- what a hostile peer may have written ----------------------------------------------------------------------------

/// Everybody does everything with the words as they are: no answer but these, no endless loop, and (address sanitizer) not a byte
/// outside.
void expect_harmless(Lab& lab) {
    const auto is_sane = [](Status status) {
        return status == Status::ok || status == Status::empty || status == Status::busy ||
               status == Status::full || status == Status::closed || status == Status::corrupt;
    };
    auto out = lab.producer(Lab::kProducer);
    auto in = lab.consumer(Lab::kConsumer);
    bool is_right = true;
    constexpr std::uint64_t kFarTooMany = 100'000;
    EXPECT_FALSE(is_killed_after(kFarTooMany, [&] {
        (void)detail::plausible_positions(lab.ring.control(), lab.standing.capacity);
        is_right = is_right && is_sane(in.peek());
        (void)in.more();
        (void)out.more();
        for (const std::uint64_t most : {1U, 2U, 255U}) {
            const Status wrote = out.claim(most);
            is_right = is_right && is_sane(wrote) && out.claimed().count <= most;
            if (wrote == Status::ok) out.abandon();
            const Status read = in.claim(most);
            is_right = is_right && is_sane(read) && in.claimed().count <= most;
            if (read == Status::ok) in.abandon();
        }
        (void)lab.recover();
        lab.recovery().forget(Lab::kVictim);
        (void)lab.recover();
        detail::ClaimSide side{};
        std::uint64_t position = 0;
        (void)lab.recovery().find_blocker(side, position);
    })) << "an endless loop";
    EXPECT_TRUE(is_right);
}
constexpr std::array<std::uint64_t, 3> kCapacities = {1, 3, 8};

TEST(MpmcHostile, AnyWordInASlot) {
    for (const std::uint64_t capacity : kCapacities)
        for (const std::uint64_t inside : {std::uint64_t{0}, std::uint64_t{1}, capacity})
            for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
                const std::uint64_t first = 4 * capacity + capacity / 2;
                const std::uint64_t lap = first / capacity;
                for (const std::uint64_t its_lap :
                     {std::uint64_t{0}, lap - 2, lap - 1, lap, lap + 1, lap + 2, (std::uint64_t{1} << 55) - 1,
                      (std::uint64_t{1} << 56) - 1})
                    for (std::uint64_t low = 0; low != 256; ++low)
                        for (const std::uint64_t at : {first, first + inside}) {
                            Lab lab({capacity, first, inside, delivery});
                            lab.ring.word(at).set(its_lap << 8 | low);
                            lab.ring.control().orphans.set(low % 2);
                            lab.name(Lab::kVictim, detail::ClaimSide::read, first - 1, 3);
                            lab.roll.dead[Lab::kVictim] = true;
                            expect_harmless(lab);
                            ASSERT_FALSE(testing::Test::HasFailure()) << its_lap << " " << low;
                        }
            }
}
TEST(MpmcHostile, AnyPositions) {
    for (const std::uint64_t capacity : kCapacities) {
        const std::uint64_t first = 4 * capacity + 1;
        std::vector<std::uint64_t> values = {0,
                                             1,
                                             first - 1,
                                             first,
                                             first + 1,
                                             first + capacity,
                                             first + capacity + 1,
                                             std::uint64_t{1} << 32,
                                             kMaxPosition - 255,
                                             kMaxPosition - 1,
                                             kMaxPosition,
                                             kMaxPosition + 1,
                                             std::uint64_t{1} << 62,
                                             ~std::uint64_t{0} >> 1};
        for (std::size_t i = values.size(); i-- != 0;) values.push_back(values[i] | kTailClosed);
        for (const std::uint64_t head : values)
            for (const std::uint64_t tail : values)
                for (const std::uint64_t named : values) {
                    Lab lab({capacity, first, capacity / 2, Delivery::at_least_once});
                    lab.ring.control().head.set(head);
                    lab.ring.control().tail.set(tail);
                    lab.ring.control().orphans.set(7);
                    lab.ring.control().forgotten.set(named);
                    lab.roll.intents[Lab::kVictim].set(named << 8 | 255 | (head & kTailClosed));
                    lab.roll.dead[Lab::kVictim] = true;
                    expect_harmless(lab);
                    ASSERT_FALSE(testing::Test::HasFailure()) << head << " " << tail << " " << named;
                }
    }
}
TEST(MpmcHostile, SlotsAreNeverTakenFromAnotherLap) {
    for (const std::uint64_t lap : {std::uint64_t{3}, std::uint64_t{5}, std::uint64_t{6}})
        for (const State state : {State::free, State::published, State::skipped, State::orphaned}) {
            Lab lab({3, 12, 1, Delivery::at_most_once});
            lab.ring.word(12).set(detail::SlotWord::of(lap, state).value);
            auto in = lab.consumer(Lab::kConsumer);
            EXPECT_EQ(in.claim(1), Status::corrupt) << lap;
            auto out = lab.producer(Lab::kProducer);
            lab.ring.word(13).set(detail::SlotWord::of(lap, state).value);
            EXPECT_EQ(out.claim(1), lap == 3 ? Status::full : Status::corrupt);
        }
}

// ---- division --------------------------------------------------------------------------------------------------------

TEST(MpmcDivider, IsExactForSmallNumbers) {
    for (std::uint64_t divisor = 1; divisor != 600; ++divisor) {
        const Divider divider(divisor);
        for (std::uint64_t dividend = 0; dividend != 3000; ++dividend)
            ASSERT_EQ(divider.quotient(dividend), dividend / divisor) << dividend << " / " << divisor;
    }
}
TEST(MpmcDivider, IsExactUpToTheLastPositionAndABatchBeyond) {
    std::mt19937_64 random(20);
    std::vector<std::uint64_t> divisors = {detail::kMaxCapacity};
    for (unsigned bit = 0; bit != 41; ++bit)
        for (const std::uint64_t near : {0U, 1U, 2U}) {
            divisors.push_back((std::uint64_t{1} << bit) + near);
            divisors.push_back((std::uint64_t{1} << bit) - near);
        }
    for (int i = 0; i != 3000; ++i) divisors.push_back(random() >> (24 + random() % 40));
    for (const std::uint64_t divisor : divisors) {
        if (divisor == 0 || divisor > detail::kMaxCapacity) continue;
        const Divider divider(divisor);
        std::vector<std::uint64_t> dividends;
        for (std::uint64_t i = 0; i != 260; ++i) dividends.push_back(kMaxPosition - 5 + i);
        for (int i = 0; i != 200; ++i) {
            const std::uint64_t lap = (random() >> (9 + random() % 55)) / divisor;
            for (const std::uint64_t near : {std::uint64_t{0}, std::uint64_t{1}, divisor - 1})
                dividends.push_back(lap * divisor + near);
        }
        const std::uint64_t last = (kMaxPosition - 1) / divisor * divisor;
        dividends.insert(dividends.end(), {last, last - 1, last + (divisor - 1)});
        for (const std::uint64_t dividend : dividends) {
            if (dividend >= kMaxPosition + 255) continue;
            ASSERT_EQ(divider.quotient(dividend), dividend / divisor) << dividend << " / " << divisor;
        }
    }
}

}  // namespace
}  // namespace shmring::test
