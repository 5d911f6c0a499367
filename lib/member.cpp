// Joining and leaving a ring with many on both sides.
// SPDX-License-Identifier: MIT
#include "shmring/detail/member.hpp"

#include <utility>

#include "shmring/detail/last_producer.hpp"
#include "shmring/detail/mpmc_claims.hpp"
#include "shmring/detail/participant_roll.hpp"

namespace shmring::detail {

Member Member::join(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                    SetupError& error) noexcept {
    Member member;
    auto& control = *reinterpret_cast<Control*>(segment->at(segment->geometry().control_offset));
    if (!member.attend(std::move(segment), role, policy, error, Past::to_be_settled)) return member;
    member.control_ = &control;
    member.wait_at(control.readable, control.writable);
    return member;
}

void Member::leave() noexcept {
    if (is_explicit_producer_ && usable()) {
        participant_
            .detach();  // before the look, or of two that leave at once each might take the other for one that stays
        (void)end_if_deserted();
    }
    is_explicit_producer_ = false;
    depart();
}

void Member::become_explicit_producer() noexcept {
    if (is_explicit_producer_ || !usable() || !segment().geometry().ends_with_last_producer) return;
    record().role.store(static_cast<std::uint32_t>(Role::explicit_producer), release);  // [role] release side
    control_->bound.fetch_add(1, release);                                              // [bind] release side
    is_explicit_producer_ = true;
}

bool Member::end_deserted_stream() noexcept {
    if ((control_->tail.load(relaxed) & kTailClosed) != 0)
        return false;  // a hint: to end it twice does no harm
    if (!is_deserted(*control_, ParticipantRoll(participant_, false))) return false;
    close_tail(*control_);
    wake_all();
    return true;
}

Status Member::repair_and_try(CallRef<Status> attempt, CallRef<void> repair) noexcept {
    repair();
    return attempt();
}

Status Member::begin_waiting(Status first, std::uint64_t deadline_ns, CallRef<Status> attempt,
                             CallRef<void> repair, CallRef<void> on_stall) noexcept {
    Status found = first;
    if (is_not_yet(found) && is_time_to_look()) found = repair_and_try(attempt, repair);
    if (!is_not_yet(found)) return found;
    if (deadline_ns == 0) return Status::timed_out;
    on_stall();
    count_stall();
    return kNotYet;
}

Status Member::sleep_longer(Status polled, std::uint64_t deadline_ns, const std::stop_token& stop,
                            CallRef<Status> attempt, CallRef<void> repair, CallRef<bool> more) noexcept {
    const auto attempt_again = [&]() noexcept {
        const Status status = attempt();
        return is_not_yet(status) ? kNotYet : status;
    };
    Status status = polled;
    if (status == kNotYet) status = sleep_for(kNotYet, deadline_ns, stop, attempt_again, repair, more);
    if (status != Status::timed_out || !is_time_to_look()) return status;
    // Many waits shorter than a liveness period must find the dead as one long wait does.
    const Status last = repair_and_try(attempt, repair);
    return is_not_yet(last) ? status : last;
}

void Member::refuse_corrupt(SetupError& error) noexcept {
    refuse_positions(error, "the ring's positions contradict each other");
    leave();
}

}  // namespace shmring::detail
