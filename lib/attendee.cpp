// The slow paths of a handle's presence: taking and leaving a record, waking, counting, the readable descriptor.
// SPDX-License-Identifier: MIT
#include "shmring/detail/attendee.hpp"

#include <utility>

#include "shmring/detail/attach_refusal.hpp"
#include "shmring/detail/setup_report.hpp"

namespace shmring::detail {

bool Attendee::attend(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                      SetupError& error, Past past) noexcept {
    std::error_code code;
    Participant participant = Participant::attach(*segment, role, code, past);
    if (code) {
        SetupReport report(error, "join", *segment);
        return refuse_attach(report, code, segment->geometry().participant_count);
    }
    segment_ = std::move(segment);
    period_ns_ = segment_->geometry().liveness_period_ns;
    participant_ = std::move(participant);
    role_ = role;
    waiter_.set_policy(policy);
    return true;
}

void Attendee::depart() noexcept {
    // The armed bit stays: others of our side may wait for the bell, or a successor does already. At worst one stroke is for nobody.
    if (usable()) participant_.detach();
    readable_ = ReadableDescriptor{};
    armed_by_us_ = false;
    bell_ = Bell{};
    participant_ = Participant{};
    segment_.reset();
}

void Attendee::refuse_positions(SetupError& error, const char* what) noexcept {
    (void)SetupReport(error, "join", *segment_).refuse(errc::corrupt_positions, "%s", what);
}

Status Attendee::sleep_for(Status not_yet, std::uint64_t deadline_ns, const std::stop_token& stop,
                           CallRef<Status> attempt, CallRef<void> examine, CallRef<bool> left) noexcept {
    const Status status =
        waiter_.sleep(*own_line_, not_yet, deadline_ns, period_ns_, stop, attempt, examine, left);
    count_sleeps();
    return status;
}

Status Attendee::settle(Status found, CallRef<Status> attempt, CallRef<void> look_around) noexcept {
    const bool timed_out = found == Status::timed_out;
    Status settled = found;
    if (timed_out || is_not_yet(found)) settled = look_again_armed(attempt, look_around);
    if (!is_not_yet(settled))
        readable_.keep_readable();
    else if (timed_out)
        settled = found;
    return settled;
}

/// Silence first: a doorbell write that comes after it stays, and whoever sent an earlier one has published what we poll for now.
Status Attendee::look_again_armed(CallRef<Status> attempt, CallRef<void> look_around) noexcept {
    bool timer_came = false;
    const bool newly_armed = arm_descriptor(timer_came);
    if (timer_came) look_around();
    Status found = attempt();
    for (int look = 1; newly_armed && is_not_yet(found) && look != kRecheckPolls; ++look) found = attempt();
    if (timer_came && !newly_armed) go_on(found == Status::empty);
    return found;
}

void Attendee::wake_sleepers(Line& line, std::uint64_t count) noexcept {
    if (Events::notify(line, count)) strike_bell();
    add_alone(record().wakes, 1);
}

void Attendee::wake_everybody() noexcept {
    if (wake_both_sides<ShippedEnv>(*own_line_, *peer_line_)) strike_bell();
}

/// A bell that cannot be had is nobody's error here.
void Attendee::strike_bell() noexcept {
    if (readable_)
        readable_.keep_readable();  // our own, without a system call on the bell; others hear it below
    strike_or_knock(bell_, *segment_, lane_, role_ == Role::producer ? *peer_line_ : *own_line_);
}

int Attendee::readable_descriptor(SetupError& error) noexcept {
    SetupReport report(error, "wait by descriptor");
    if (!*this) {
        (void)report.refuse(std::make_error_code(std::errc::bad_file_descriptor),
                            "this object holds no seat");
    } else if (!usable()) {
        (void)report.refuse(errc::not_owner, "this handle belongs to the process we were forked from");
    } else if (!readable_) {
        ReadableDescriptor made = ReadableDescriptor::open(*segment_, lane_, error);
        if (!error.code) readable_ = std::move(made);
    }
    return error.code ? -1 : readable_.number();
}

/// Silent and armed from here on. True: newly armed.
bool Attendee::arm_descriptor(bool& timer_came) noexcept {
    readable_.silence();
    timer_came = readable_.take_expiry();
    if ((timer_came || !readable_.hears_knocks()) && !is_bell_whole(timer_came))
        readable_.mend(*segment_, lane_);
    const bool newly_armed = Events::arm(*own_line_) || !armed_by_us_;
    armed_by_us_ = true;
    if (newly_armed) {
        readable_.start_timer(kFirstSleep_ns < period_ns_ ? kFirstSleep_ns : period_ns_, period_ns_);
    }
    return newly_armed;
}

void Attendee::go_on(bool idle) noexcept {
    const bool heard = !Events::was_unheard(*own_line_) || readable_.hears_knocks();
    readable_.go_on(idle && heard, period_ns_);
}

/// Whether all who publish can make us hear, as far as we know. Who removed the name has struck; whether rm did is looked at with the
/// timer, for it costs a system call.
bool Attendee::is_bell_whole(bool timer_came) const noexcept {
    const bool removed = segment_->header().retired.load(relaxed) != 0;  // a mark: nothing is published by it
    return !removed && !Events::was_unheard(*own_line_) && !(timer_came && readable_.is_orphaned());
}

void Attendee::count_stall() noexcept {
    add_alone(role_ == Role::producer ? record().full_stalls : record().empty_stalls, 1);
}

void Attendee::count_sleeps() noexcept {
    const std::uint64_t sleeps = waiter_.sleeps();
    add_alone(record().sleeps, sleeps - counted_sleeps_);
    counted_sleeps_ = sleeps;
}

void Attendee::account(std::uint64_t messages, std::uint64_t bytes, std::uint64_t high_water) noexcept {
    Record& mine = record();
    add_alone(mine.messages, messages);
    add_alone(mine.bytes, bytes);
    if (messages != 0 && high_water == 0)
        high_water = 1;  // each of them was in the ring, if only for a moment
    if (high_water > mine.high_water.load(relaxed)) mine.high_water.store(high_water, relaxed);  // one writer
    if (messages != 0) mine.last_progress_ns.store(ShippedEnv::now(), relaxed);
}

}  // namespace shmring::detail
