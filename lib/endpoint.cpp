// The slow paths of a stream's end: taking and leaving the seat, asking after the peer, counting.
#include "shmring/detail/endpoint.hpp"

#include <cstdio>
#include <utility>

#include "shmring/detail/setup_report.hpp"
#include "shmring/detail/spsc.hpp"

namespace shmring::detail {

namespace {

/// A counter that only its holder writes: no read-modify-write needed.
void add(ShippedEnv::Atom<std::uint64_t>& counter, std::uint64_t amount) noexcept {
    counter.store(counter.load(relaxed) + amount, relaxed);  // a statistic with one writer
}

void describe_taken_seat(SetupError& error, const Segment& segment, Role role,
                         const Record& holder) noexcept {
    error.code = make_error_code(errc::seat_taken);
    std::snprintf(error.text, sizeof error.text, "shmring: join \"%.*s\": process %u is the %s",
                  static_cast<int>(segment.name().size()), segment.name().data(),
                  holder.process_id.load(relaxed), role == Role::producer ? "producer" : "consumer");
}

}  // namespace

Endpoint Endpoint::take(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                        SetupError& error) noexcept {
    Endpoint end;
    auto* control = reinterpret_cast<Control*>(segment->at(segment->geometry().control_offset));
    auto& own = role == Role::producer ? control->producer_seat : control->consumer_seat;

    std::error_code code;
    Participant participant = Participant::attach(*segment, role, code);
    if (code) {
        error.code = code;
        std::snprintf(error.text, sizeof error.text,
                      "shmring: join \"%.*s\": no participant record (%u in all)",
                      static_cast<int>(segment->name().size()), segment->name().data(),
                      segment->geometry().participant_count);
        return end;
    }
    const ParticipantTable table = participant.table();
    std::uint64_t found = 0;
    const bool taken = take_seat(own, participant.id(), [&](ParticipantId holder) noexcept {
        found = holder.value;
        return table.life_of(holder);
    });
    if (!taken) {
        // life_of() called the holder alive or unknown, so its index lies in the table.
        describe_taken_seat(error, *segment, role, table.record(ParticipantId{found}.index()));
        return end;
    }
    end.segment_ = std::move(segment);
    end.participant_ = std::move(participant);
    end.control_ = control;
    end.own_seat_ = &own;
    end.peer_seat_ = role == Role::producer ? &control->consumer_seat : &control->producer_seat;
    end.own_line_ = role == Role::producer ? &control->writable : &control->readable;
    end.peer_line_ = role == Role::producer ? &control->readable : &control->writable;
    end.role_ = role;
    end.waiter_.set_policy(policy);
    return end;
}

void Endpoint::leave() noexcept {
    if (usable()) {
        if (readable_) Events::disarm(*own_line_);  // or the producer strikes once for nobody
        vacate_seat(*own_seat_, participant_.id());
        participant_.detach();
    }
    readable_ = ReadableDescriptor{};
    armed_by_us_ = false;
    peers_bell_ = Bell{};
    participant_ = Participant{};
    segment_.reset();
}

void Endpoint::refuse_corrupt(SetupError& error) noexcept {
    error.code = make_error_code(errc::corrupt_positions);
    std::snprintf(error.text, sizeof error.text,
                  "shmring: join \"%.*s\": the ring's positions contradict its commit words",
                  static_cast<int>(segment_->name().size()), segment_->name().data());
    leave();
}

void Endpoint::close() noexcept {
    close_stream(*control_, role_ == Role::producer ? kProducerClosed : kConsumerClosed);
    Events::notify_all(control_->readable);
    Events::notify_all(control_->writable);
    if (Events::disarm(control_->readable)) strike_bell();
}

void Endpoint::wake_sleeping_peer() noexcept {
    if (Events::notify(*peer_line_, 1)) strike_bell();
    add(record().wakes, 1);
}

/// A bell that cannot be had is nobody's error here: the consumer's timer tells it, later.
void Endpoint::strike_bell() noexcept {
    if (role_ == Role::consumer) {
        if (readable_) readable_.keep_readable();
        return;
    }
    if (!peers_bell_.current()) {
        SetupError unused;
        Bell found = Bell::of(*segment_, false, unused);
        if (found) peers_bell_ = std::move(found);
    }
    peers_bell_.strike();
}

int Endpoint::readable_descriptor(SetupError& error) noexcept {
    SetupReport report(error, "wait by descriptor");
    if (!*this) {
        (void)report.refuse(std::make_error_code(std::errc::bad_file_descriptor),
                            "this object holds no seat");
    } else if (!usable()) {
        (void)report.refuse(errc::not_owner, "this handle belongs to the process we were forked from");
    } else if (!readable_) {
        ReadableDescriptor made = ReadableDescriptor::open(*segment_, error);
        if (!error.code) readable_ = std::move(made);
    }
    return error.code ? -1 : readable_.number();
}

/// Silent and armed from here on. When the timer came it is time to ask who lives, too. True: newly armed.
bool Endpoint::arm_descriptor() noexcept {
    readable_.silence();
    const bool timer_came = readable_.take_expiry();
    const bool newly_armed = Events::arm(*own_line_) || !armed_by_us_;
    armed_by_us_ = true;
    if (newly_armed) {
        const std::uint64_t period_ns = segment_->geometry().liveness_period_ns;
        readable_.start_timer(kFirstSleep_ns < period_ns ? kFirstSleep_ns : period_ns, period_ns);
    }
    if (timer_came) examine_peer();
    return newly_armed;
}

void Endpoint::look_after_peer() noexcept {
    const std::uint64_t now = ShippedEnv::coarse_now();
    if (now - last_look_ns_ < segment_->geometry().liveness_period_ns) return;
    last_look_ns_ = now;
    examine_peer();
}

void Endpoint::examine_peer() noexcept {
    (void)examine_seat(
        *peer_seat_, [this](ParticipantId holder) noexcept { return participant_.table().life_of(holder); });
}

void Endpoint::count_stall() noexcept {
    add(role_ == Role::producer ? record().full_stalls : record().empty_stalls, 1);
}

void Endpoint::count_sleeps() noexcept {
    const std::uint64_t sleeps = waiter_.sleeps();
    add(record().sleeps, sleeps - counted_sleeps_);
    counted_sleeps_ = sleeps;
}

void Endpoint::account(std::uint64_t messages, std::uint64_t bytes, std::uint64_t high_water) noexcept {
    Record& mine = record();
    add(mine.messages, messages);
    add(mine.bytes, bytes);
    if (messages != 0 && high_water == 0)
        high_water = 1;  // each of them was in the ring, if only for a moment
    if (high_water > mine.high_water.load(relaxed)) mine.high_water.store(high_water, relaxed);  // one writer
    if (messages != 0) mine.last_progress_ns.store(ShippedEnv::now(), relaxed);
}

}  // namespace shmring::detail
