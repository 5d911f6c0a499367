// Asking whether an end of a pipe is gone, and hanging up for it.
// SPDX-License-Identifier: MIT
#include "shmring/detail/pipe_watch.hpp"

#include <algorithm>

#include "shmring/detail/bell.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/seats.hpp"
#include "shmring/detail/spsc.hpp"

namespace shmring::detail {

PipeWatch::PipeWatch(const Segment& segment, PipeSide watched) noexcept
    : segment_(&segment),
      control_(reinterpret_cast<Control*>(segment.at(segment.geometry().control_offset))),
      watched_(watched),
      shape_(segment.geometry().pipe_shape),
      tether_byte_(segment.geometry().liveness_base + tether_byte_of(watched)) {
    if (has_lane_to(other_side(watched), shape_))
        add_seat(control_->lane_to(other_side(watched)).producer_seat);
    if (has_lane_to(watched, shape_)) add_seat(control_->lane_to(watched).consumer_seat);
}

void PipeWatch::examine(const ParticipantTable& table) const noexcept {
    if (!has_hung_up() && is_gone(table)) hang_up();
}

PeerState PipeWatch::state() const noexcept {
    PeerState state = PeerState::never_came;
    for (const Seat* seat : seats()) {
        switch (seat_state(seat->load(relaxed))) {  // read for people: nothing is taken from it
            case SeatState::vacated:
                return PeerState::left;
            case SeatState::lost:
                state = PeerState::dead;
                break;
            case SeatState::held:
                if (state == PeerState::never_came) state = PeerState::here;
                break;
            case SeatState::never_taken:
                break;
        }
    }
    return state;
}

/// An end's own close() comes to the same, but for its seats: they say which of the two it was.
bool PipeWatch::has_hung_up() const noexcept {
    for (const Seat* seat : seats()) {
        const SeatState state = seat_state(seat->load(acquire));  // [seat] acquire side
        if (state != SeatState::lost && state != SeatState::vacated) return false;
    }
    const auto closed_by = [this](PipeSide lane, std::uint64_t bit) noexcept {
        return !has_lane_to(lane, shape_) || (control_->lane_to(lane).closed.load(relaxed) & bit) !=
                                                 0;  // missed at worst: the same is done again
    };
    return closed_by(watched_, kConsumerClosed) && closed_by(other_side(watched_), kProducerClosed);
}

bool PipeWatch::is_gone(const ParticipantTable& table) const noexcept {
    bool in_use = false;
    for (Seat* seat : seats()) {
        const std::uint64_t seen = seat->load(acquire);  // [seat] acquire side
        const SeatState state = seat_state(seen);
        if (state == SeatState::never_taken) continue;
        if (state != SeatState::held) return true;
        // Looked at again: who could not get all it needed gives the seat back untaken, and then its record.
        const bool over = table.life_of(seat_holder(seen)) == Life::dead;
        if (over && seat->load(acquire) == seen) return true;  // [seat] acquire side
        in_use = true;
    }
    return !in_use && lost_its_tether();
}

/// The tether is let go after the seats were taken: so if it is free and they are not taken now, they never will be.
bool PipeWatch::lost_its_tether() const noexcept {
    if ((shape_ & kPipeTethered) == 0) return false;
    if (ShippedEnv::probe(segment_->descriptor(), segment_->file_identity(), tether_byte_) !=
        platform::LockState::free)
        return false;
    const auto is_free = [](const Seat* seat) { return seat->load(acquire) == 0; };  // [seat] acquire side
    return std::ranges::all_of(seats(), is_free);
}

void PipeWatch::hang_up() const noexcept {
    if (has_lane_to(watched_, shape_)) close_stream(control_->lane_to(watched_), kConsumerClosed);
    if (has_lane_to(other_side(watched_), shape_))
        close_stream(control_->lane_to(other_side(watched_)), kProducerClosed);
    // Killed here: the seats still say that nobody asked, and the next who does comes here again.
    for (Seat* seat : seats()) {
        std::uint64_t seen = seat->load(relaxed);  // the exchange decides
        const SeatState state = seat_state(seen);
        if (state == SeatState::held || state == SeatState::never_taken)
            seat->compare_exchange_strong(seen, seen | kSeatLost, release, relaxed);  // [seat] release side
    }
    // Killed here: the sleepers find the end of the stream when their bounded sleep ends, an event loop by its timer.
    for (std::size_t lane = 0; lane != control_->lanes.size(); ++lane) {
        call_everybody(*segment_, lane, control_->lanes[lane].readable);
        EventCount<ShippedEnv>::notify_all(control_->lanes[lane].writable);
    }
}

}  // namespace shmring::detail
