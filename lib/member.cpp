// The slow paths of a handle of a ring with many on both sides: taking and leaving its record, waking, counting.
#include "shmring/detail/member.hpp"

#include <cstdio>
#include <utility>

namespace shmring::detail {

namespace {

/// A counter that only its holder writes: no read-modify-write needed.
void add(ShippedEnv::Atom<std::uint64_t>& counter, std::uint64_t amount) noexcept {
    counter.store(counter.load(relaxed) + amount, relaxed);  // a statistic with one writer
}

}  // namespace

Member Member::join(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                    SetupError& error) noexcept {
    Member member;
    std::error_code code;
    Participant participant = Participant::attach(*segment, role, code);
    if (code) {
        error.code = code;
        std::snprintf(error.text, sizeof error.text,
                      "shmring: join \"%.*s\": no participant record (%u in all)",
                      static_cast<int>(segment->name().size()), segment->name().data(),
                      segment->geometry().participant_count);
        return member;
    }
    auto* control = reinterpret_cast<Control*>(segment->at(segment->geometry().control_offset));
    member.segment_ = std::move(segment);
    member.participant_ = std::move(participant);
    member.control_ = control;
    member.own_line_ = role == Role::producer ? &control->writable : &control->readable;
    member.peer_line_ = role == Role::producer ? &control->readable : &control->writable;
    member.role_ = role;
    member.waiter_.set_policy(policy);
    return member;
}

void Member::leave() noexcept {
    participant_.detach();
    participant_ = Participant{};
    segment_.reset();
}

void Member::refuse_corrupt(SetupError& error) noexcept {
    error.code = make_error_code(errc::corrupt_positions);
    std::snprintf(error.text, sizeof error.text,
                  "shmring: join \"%.*s\": the ring's positions contradict each other",
                  static_cast<int>(segment_->name().size()), segment_->name().data());
    leave();
}

void Member::wake_all() noexcept {
    Events::notify_all(control_->readable);
    Events::notify_all(control_->writable);
}

void Member::wake_sleepers(EventLine<ShippedEnv>& line, std::uint64_t count) noexcept {
    Events::notify(line, count);
    add(record().wakes, 1);
}

bool Member::is_time_to_look() noexcept {
    const std::uint64_t now = ShippedEnv::coarse_now();
    if (now - last_look_ns_ < segment_->geometry().liveness_period_ns) return false;
    last_look_ns_ = now;
    return true;
}

void Member::count_stall() noexcept {
    add(role_ == Role::producer ? record().full_stalls : record().empty_stalls, 1);
}

void Member::count_sleeps() noexcept {
    const std::uint64_t sleeps = waiter_.sleeps();
    add(record().sleeps, sleeps - counted_sleeps_);
    counted_sleeps_ = sleeps;
}

void Member::account(std::uint64_t messages, std::uint64_t bytes) noexcept {
    add(record().messages, messages);
    add(record().bytes, bytes);
    if (messages != 0) record().last_progress_ns.store(ShippedEnv::now(), relaxed);
}

}  // namespace shmring::detail
