// The slow paths of a stream's end: taking and leaving the seat, asking after the peer.
// SPDX-License-Identifier: MIT
#include "shmring/detail/endpoint.hpp"

#include <utility>

#include "shmring/detail/setup_report.hpp"
#include "shmring/detail/spsc.hpp"

namespace shmring::detail {

namespace {

void describe_taken_seat(SetupError& error, const Segment& segment, Role role,
                         const Record& holder) noexcept {
    SetupReport report(error, "join", segment);
    const char* const seat = role == Role::producer ? "producer" : "consumer";
    const std::uint32_t process = holder.process_id.load(relaxed);  // for people
    if (is_of_our_pid_namespace(holder))
        (void)report.refuse(errc::seat_taken, "process %u is the %s", process, seat);
    else
        (void)report.refuse(errc::seat_taken,
                            "a process of another PID namespace (number %u there) is the %s", process, seat);
}

void describe_ended_pipe(SetupError& error, const Segment& segment) noexcept {
    (void)SetupReport(error, "join", segment)
        .refuse(errc::pipe_ended, "this end of the pipe was closed, or its process died");
}

}  // namespace

PeerState ask_seat(const Segment& segment, ShippedEnv::Atom<std::uint64_t>& seat) noexcept {
    const ParticipantTable table(segment);
    return peer_state(
        examine_seat(seat, [&table](ParticipantId holder) noexcept { return table.life_of(holder); }));
}

Endpoint Endpoint::take(std::shared_ptr<Segment> segment, Control& control, Role role,
                        const WaitPolicy& policy, const PipeWatch& watch, SetupError& error) noexcept {
    Endpoint end;
    auto& own = role == Role::producer ? control.producer_seat : control.consumer_seat;
    if (!end.attend(std::move(segment), role, policy, error)) return end;

    const ParticipantTable table = end.participant_.table();
    std::uint64_t found = 0;
    const auto life_of = [&](ParticipantId holder) noexcept {
        found = holder.value;
        return table.life_of(holder);
    };
    const bool taken = watch ? take_fresh_seat(own, end.participant_.id(), found)
                             : take_seat(own, end.participant_.id(), life_of);
    if (!taken) {
        if (watch && (seat_state(found) != SeatState::held || life_of(seat_holder(found)) == Life::dead))
            describe_ended_pipe(error, end.segment());
        else  // life_of() called the holder alive or unknown, so its index lies in the table.
            describe_taken_seat(error, end.segment(), role, table.record(ParticipantId{found}.index()));
        end.depart();
        return end;
    }
    end.watch_ = watch;
    end.control_ = &control;
    end.own_seat_ = &own;
    end.peer_seat_ = role == Role::producer ? &control.consumer_seat : &control.producer_seat;
    const std::byte* first = end.segment().at(end.segment().geometry().control_offset);
    const bool is_first_lane = reinterpret_cast<const std::byte*>(&control) == first;
    end.wait_at(control.readable, control.writable, is_first_lane ? 0 : 1);
    // Who waits for us to come sleeps where it waits for messages or room. There is nothing to read or write yet: no stroke of the bell.
    Events::pass_on(role == Role::producer ? control.readable : control.writable);
    return end;
}

void Endpoint::leave() noexcept {
    if (usable()) vacate_seat(*own_seat_, participant_.id());
    depart();
}

void Endpoint::renounce() noexcept {
    if (usable()) renounce_seat(*own_seat_, participant_.id());
    depart();
}

void Endpoint::refuse_corrupt(SetupError& error) noexcept {
    refuse_positions(error, "the ring's positions contradict its commit words");
    leave();
}

void Endpoint::close() noexcept {
    close_stream(*control_, role_ == Role::producer ? kProducerClosed : kConsumerClosed);
    wake_everybody();
}

void Endpoint::examine_peer() noexcept {
    if (watch_) return watch_.examine(participant_.table());
    (void)examine_seat(
        *peer_seat_, [this](ParticipantId holder) noexcept { return participant_.table().life_of(holder); });
}

Status Endpoint::begin_waiting(Status not_yet, std::uint64_t deadline_ns, CallRef<Status> attempt,
                               CallRef<void> on_stall) noexcept {
    const Status found = judge_miss(not_yet, attempt);
    if (found != not_yet) return found;
    if (deadline_ns == 0) return Status::timed_out;
    on_stall();
    count_stall();
    return not_yet;
}

Status Endpoint::sleep_longer(Status polled, Status not_yet, std::uint64_t deadline_ns,
                              const std::stop_token& stop, CallRef<Status> attempt) noexcept {
    const auto judged = [&]() noexcept {
        const Status status = attempt();
        return status == not_yet ? judge_lost(not_yet, attempt) : status;
    };
    Status status = polled;
    if (status == not_yet)
        status = sleep_for(not_yet, deadline_ns, stop, judged, [this]() noexcept { examine_peer(); });
    if (status != Status::timed_out) return status;
    const Status last = judge_miss(not_yet, attempt);
    return last == not_yet ? status : last;
}

Status Endpoint::settle_judged(Status found, Status not_yet, CallRef<Status> attempt) noexcept {
    const auto judged = [&]() noexcept {
        const Status status = attempt();
        return status == not_yet ? judge_lost(not_yet, attempt) : status;
    };
    return settle(found, judged, [this]() noexcept { examine_peer(); });
}

Status Endpoint::judge_examined(Status not_yet, CallRef<Status> attempt) noexcept {
    examine_peer();
    const Status found = attempt();  // a pipe's end is the stream's end
    return found == not_yet ? judge_lost(not_yet, attempt) : found;
}

Status Endpoint::last_of_lost(Status not_yet, CallRef<Status> attempt) noexcept {
    const Status last = attempt();
    return last == not_yet ? Status::peer_lost : last;
}

PeerState Endpoint::peer() const noexcept {
    return control_ != nullptr ? ask_seat(segment(), *peer_seat_) : PeerState::never_came;
}

Status Endpoint::await_peer(Status not_yet, std::uint64_t deadline_ns, const std::stop_token& stop) noexcept {
    const auto met = [this, not_yet]() noexcept {
        if (seat_state(peer_seat_->load(acquire)) == SeatState::held)  // [seat] acquire side
            return Status::ok;
        return closed() ? Status::closed : not_yet;
    };
    for (;;) {
        Status status = usable() ? met() : Status::not_owner;
        if (status == not_yet) status = wait_longer(not_yet, deadline_ns, stop, met, []() noexcept {});
        if (status != Status::ok) return status;
        examine_peer();  // who has it may be dead, and nobody has asked yet
        if (met() == Status::ok) return status;
    }
}

}  // namespace shmring::detail
