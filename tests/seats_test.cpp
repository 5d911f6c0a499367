// Seats: who may sit down, what the other side sees, and what happens when two want the same at once.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <atomic>
#include <barrier>
#include <cstdint>
#include <map>
#include <thread>

#include "shmring/detail/participants.hpp"
#include "shmring/detail/seats.hpp"

namespace shmring::test {
namespace {

using detail::Life;
using detail::ParticipantId;
using detail::SeatState;
using Word = std::atomic<std::uint64_t>;

const ParticipantId kAda = ParticipantId::of(0, 1);
const ParticipantId kBob = ParticipantId::of(detail::kMaxParticipants - 1, ParticipantId::kIncarnationMask);

/// Says of everybody what the test wants, and counts how often it was asked.
struct Lives {
    Life operator()(ParticipantId id) {
        ++asked;
        last = id;
        return life;
    }
    Life life = Life::alive;
    int asked = 0;
    ParticipantId last{};
};

std::uint64_t value_of(const Word& seat) { return seat.load(std::memory_order_relaxed); }

TEST(SeatWord, ReadsAsItsTableSays) {
    for (const ParticipantId id : {kAda, kBob}) {
        EXPECT_EQ(detail::seat_state(id.value), SeatState::held);
        EXPECT_EQ(detail::seat_state(id.value | detail::kSeatVacated), SeatState::vacated);
        EXPECT_EQ(detail::seat_state(id.value | detail::kSeatLost), SeatState::lost);
        for (const std::uint64_t flags : {std::uint64_t{0}, detail::kSeatVacated, detail::kSeatLost})
            EXPECT_EQ(detail::seat_holder(id.value | flags), id);
        EXPECT_EQ(id.value & detail::kSeatFlags, 0U);
    }
    EXPECT_EQ(detail::seat_state(0), SeatState::never_taken);
}

TEST(TakeSeat, SucceedsWithoutAQuestionWhereNobodySits) {
    for (const std::uint64_t before :
         {std::uint64_t{0}, kBob.value | detail::kSeatVacated, kBob.value | detail::kSeatLost}) {
        Word seat{before};
        Lives lives;
        EXPECT_TRUE(detail::take_seat(seat, kAda, lives));
        EXPECT_EQ(value_of(seat), kAda.value);
        EXPECT_EQ(lives.asked, 0);
    }
}

TEST(TakeSeat, IsRefusedWhileTheHolderIsNotKnownToBeDead) {
    for (const Life life : {Life::alive, Life::unknown}) {
        Word seat{kBob.value};
        Lives lives{.life = life};
        EXPECT_FALSE(detail::take_seat(seat, kAda, lives));
        EXPECT_EQ(value_of(seat), kBob.value);
        EXPECT_EQ(lives.last, kBob);
    }
}

TEST(TakeSeat, TakesOverFromTheDead) {
    Word seat{kBob.value};
    Lives lives{.life = Life::dead};
    EXPECT_TRUE(detail::take_seat(seat, kAda, lives));
    EXPECT_EQ(value_of(seat), kAda.value);
}

TEST(TakeSeat, AsksAgainWhenAnotherTookOverFirst) {
    const ParticipantId cleo = ParticipantId::of(7, 3);
    Word seat{kBob.value};
    const auto life_of = [&](ParticipantId id) {
        if (id == cleo) return Life::alive;
        seat.store(cleo.value, std::memory_order_relaxed);  // quicker than we
        return Life::dead;
    };
    EXPECT_FALSE(detail::take_seat(seat, kAda, life_of));
    EXPECT_EQ(value_of(seat), cleo.value);
}

/// Fails now and then for no reason, as the hardware may.
struct Moody {
    std::uint64_t load(std::memory_order order) const { return word.load(order); }
    bool compare_exchange_weak(std::uint64_t& expected, std::uint64_t desired, std::memory_order success,
                               std::memory_order failure) {
        if (moods-- > 0) {
            expected = word.load(failure);
            return false;
        }
        return word.compare_exchange_strong(expected, desired, success, failure);
    }
    Word word{0};
    int moods = 3;
};

TEST(TakeSeat, IsNotConfusedByAnExchangeThatFailsForNoReason) {
    Moody seat;
    Lives lives;
    EXPECT_TRUE(detail::take_seat(seat, kAda, lives));
    EXPECT_EQ(value_of(seat.word), kAda.value);
}

TEST(TakeSeat, OneOfManyTakesOver) {
    constexpr int kRounds = 2000;
    Word seat{0};
    std::atomic<int> taken{0};
    std::barrier line(2);
    const auto run = [&](std::uint32_t index) {
        for (std::uint64_t round = 1; round <= kRounds; ++round) {
            line.arrive_and_wait();
            const auto life_of = [&](ParticipantId id) {
                return id.incarnation() < round ? Life::dead
                                                : Life::alive;  // everybody of earlier rounds is dead
            };
            if (detail::take_seat(seat, ParticipantId::of(index, round), life_of))
                taken.fetch_add(1, std::memory_order_relaxed);
        }
    };
    std::thread other([&] { run(1); });
    run(2);
    other.join();
    EXPECT_EQ(taken.load(std::memory_order_relaxed), kRounds);
}

TEST(VacateSeat, LeavesTheNameOfWhoLeft) {
    Word seat{kAda.value};
    detail::vacate_seat(seat, kAda);
    EXPECT_EQ(value_of(seat), kAda.value | detail::kSeatVacated);
    detail::vacate_seat(seat, kAda);
    EXPECT_EQ(value_of(seat), kAda.value | detail::kSeatVacated);
}

TEST(VacateSeat, DoesNothingToTheSeatOfAnother) {
    for (const std::uint64_t before : {kBob.value, kBob.value | detail::kSeatLost, std::uint64_t{0},
                                       kAda.value | detail::kSeatLost, ParticipantId::of(0, 3).value}) {
        Word seat{before};
        detail::vacate_seat(seat, kAda);
        EXPECT_EQ(value_of(seat), before);
    }
}

TEST(ExamineSeat, MarksADeadHolderOnceForAllWhoAsk) {
    Word seat{kBob.value};
    Lives lives{.life = Life::dead};
    EXPECT_EQ(detail::examine_seat(seat, lives), SeatState::lost);
    EXPECT_EQ(value_of(seat), kBob.value | detail::kSeatLost);
    EXPECT_EQ(detail::examine_seat(seat, lives), SeatState::lost);
    EXPECT_EQ(lives.asked, 1) << "who is lost need not be asked after again";
}

TEST(ExamineSeat, DoesNotTakeSilenceForDeath) {
    for (const Life life : {Life::alive, Life::unknown}) {
        Word seat{kBob.value};
        Lives lives{.life = life};
        EXPECT_EQ(detail::examine_seat(seat, lives), SeatState::held);
        EXPECT_EQ(value_of(seat), kBob.value);
    }
}

TEST(ExamineSeat, AsksNobodyWhereNobodySits) {
    Lives lives{.life = Life::dead};
    Word seat{0};
    EXPECT_EQ(detail::examine_seat(seat, lives), SeatState::never_taken);
    seat.store(kBob.value | detail::kSeatVacated, std::memory_order_relaxed);
    EXPECT_EQ(detail::examine_seat(seat, lives), SeatState::vacated);
    EXPECT_EQ(lives.asked, 0);
}

TEST(ExamineSeat, DoesNotDeclareASuccessorLost) {
    const std::map<std::uint64_t, SeatState> successors = {
        {kAda.value, SeatState::held},
        {kAda.value | detail::kSeatVacated, SeatState::vacated},
        {kBob.value | detail::kSeatLost, SeatState::lost},
    };
    for (const auto& [successor, state] : successors) {
        Word seat{kBob.value};
        const auto life_of = [&seat, word = successor](ParticipantId) {
            seat.store(word, std::memory_order_relaxed);
            return Life::dead;
        };
        EXPECT_EQ(detail::examine_seat(seat, life_of), state);
        EXPECT_EQ(value_of(seat), successor);
    }
}

}  // namespace
}  // namespace shmring::test
