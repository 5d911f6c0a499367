// A seat: the right to be the one producer or the one consumer, held by a participant, taken over only from the dead.
//
//   word                         meaning             what the other side does
//   0                            never taken         waits
//   participant id               held                waits; asks once per liveness period whether the holder lives
//   participant id | kVacated    given back          waits for a successor
//   participant id | kLost       found dead          drains, then peer_lost on each call until a successor sits down
//
// Killed while taking: before the exchange nothing happened; after it the seat is held by a dead participant, which the next
// one to look finds out. There is nothing in between.
//
// Edge `seat`: release side is the exchange that hands the seat on, acquire side the one that takes it: a successor sees all
// that its predecessor wrote. (After a death the kernel's release of the lock orders the dead one's stores first.)
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/peer.hpp"

namespace shmring::detail {

inline constexpr std::uint64_t kSeatVacated = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kSeatLost = std::uint64_t{1} << 62;
inline constexpr std::uint64_t kSeatFlags = kSeatVacated | kSeatLost;

enum class SeatState { never_taken, held, vacated, lost };

[[nodiscard]] constexpr SeatState seat_state(std::uint64_t word) noexcept {
    if (word == 0) return SeatState::never_taken;
    if ((word & kSeatVacated) != 0) return SeatState::vacated;
    return (word & kSeatLost) != 0 ? SeatState::lost : SeatState::held;
}
[[nodiscard]] constexpr ParticipantId seat_holder(std::uint64_t word) noexcept {
    return {word & ~kSeatFlags};
}

/// As it is told to people.
[[nodiscard]] constexpr PeerState peer_state(SeatState state) noexcept {
    switch (state) {
        case SeatState::held:
            return PeerState::here;
        case SeatState::vacated:
            return PeerState::left;
        case SeatState::lost:
            return PeerState::dead;
        case SeatState::never_taken:
            break;
    }
    return PeerState::never_came;
}

/// `life_of(ParticipantId) -> Life` decides; it may make a system call, so these are for set-up and slow paths.
template <class Word, class LifeOf>
[[nodiscard]] bool take_seat(Word& seat, ParticipantId me, LifeOf&& life_of) noexcept {
    std::uint64_t seen = seat.load(relaxed);  // the exchange below orders
    for (;;) {
        if (seat_state(seen) == SeatState::held && life_of(seat_holder(seen)) != Life::dead) return false;
        if (seat.compare_exchange_weak(seen, me.value, acq_rel, relaxed)) return true;  // [seat] acquire side
    }
}

/// Of a seat that has one holder ever. False: `found` is what the word was.
template <class Word>
[[nodiscard]] bool take_fresh_seat(Word& seat, ParticipantId me, std::uint64_t& found) noexcept {
    found = 0;
    return seat.compare_exchange_strong(found, me.value, acq_rel, relaxed);  // [seat] acquire side
}

/// By a holder that has done nothing with it.
template <class Word>
void renounce_seat(Word& seat, ParticipantId me) noexcept {
    std::uint64_t mine = me.value;
    seat.compare_exchange_strong(mine, 0, release, relaxed);  // [seat] release side
}

template <class Word>
void vacate_seat(Word& seat, ParticipantId me) noexcept {
    std::uint64_t mine = me.value;
    seat.compare_exchange_strong(mine, me.value | kSeatVacated, release, relaxed);  // [seat] release side
}

/// What the other side of a stuck call is: asks about a holder, and marks it lost when it is dead, so that others need not ask.
template <class Word, class LifeOf>
[[nodiscard]] SeatState examine_seat(Word& seat, LifeOf&& life_of) noexcept {
    std::uint64_t seen = seat.load(acquire);  // [seat] acquire side
    const SeatState state = seat_state(seen);
    if (state != SeatState::held || life_of(seat_holder(seen)) != Life::dead) return state;
    if (seat.compare_exchange_strong(seen, seen | kSeatLost, acq_rel, acquire))
        return SeatState::lost;  // [seat] release side
    return seat_state(seen);     // a successor was quicker, or another asker
}

}  // namespace shmring::detail
