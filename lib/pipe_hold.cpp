// Binding, closing and handing over an end of a pipe.
// SPDX-License-Identifier: MIT
#include "shmring/detail/pipe_hold.hpp"

#include <utility>

#include "shmring/detail/attach_refusal.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/detail/pipe_watch.hpp"
#include "shmring/detail/setup_report.hpp"

namespace shmring::detail {

PipeHold::PipeHold(std::shared_ptr<Segment> segment, PipeSide side, SetupError& error) noexcept
    : segment_(std::move(segment)), side_(side) {
    const std::uint32_t shape = segment_->geometry().pipe_shape;
    reads_ = has_lane_to(side, shape);
    writes_ = has_lane_to(other_side(side), shape);
    if ((shape & kPipeTethered) == 0) return;
    SetupReport report(error, "hold an end of a pipe");
    std::error_code code;
    tether_ = platform::Tether::take(segment_->descriptor(), segment_->file_identity(),
                                     segment_->geometry().liveness_base + tether_byte_of(side), code);
    if (!code) return;
    (void)refuse_attach(report, code, segment_->geometry().participant_count);
    segment_.reset();
}

PipeHold::PipeHold(PipeHold&& other) noexcept { *this = std::move(other); }

PipeHold& PipeHold::operator=(PipeHold&& other) noexcept {
    if (this == &other) return *this;
    segment_ = std::move(other.segment_);
    side_ = other.side_;
    reads_ = other.reads_;
    writes_ = other.writes_;
    tether_ = std::move(other.tether_);
    state_.store(other.state_.exchange(kClosed, relaxed),
                 relaxed);  // nobody else uses an object that is moved
    return *this;
}

/// ok: it is bound, or ours to bind. busy: another thread of this process is at it.
Status PipeHold::begin_binding(SetupError& error) noexcept {
    SetupReport report(error, "bind an end of a pipe");
    const std::uint64_t token = platform::process_token();
    std::uint64_t seen = state_.load(acquire);  // [bind] acquire side
    if (segment_ == nullptr || seen == kClosed) {
        (void)report.refuse(std::make_error_code(std::errc::bad_file_descriptor), "it was closed");
        return Status::closed;
    }
    if (seen == kBound) return Status::ok;
    if (token <= kClosed) {  // 0, or once in 2^62 processes
        (void)report.refuse(std::make_error_code(std::errc::not_enough_memory), "no token for this process");
        return Status::unavailable;
    }
    if (seen == kUnbound && state_.compare_exchange_strong(seen, token, acquire, relaxed))
        return Status::ok;  // [bind] acquire side
    if (seen == token || seen == kBound || seen == kUnbound) return Status::busy;
    (void)report.refuse(errc::not_owner, "the process we were forked from was binding it");
    return Status::not_owner;
}

Status PipeHold::end_binding(bool done, const SetupError& error) noexcept {
    state_.store(done ? kBound : kUnbound, release);  // [bind] release side
    if (!done) return status_of_refusal(error.code);
    tether_.let_go();
    return Status::ok;
}

void PipeHold::close() noexcept {
    state_.store(kClosed, relaxed);  // one thread: nothing is handed on
    if (!tether_.held()) return;
    tether_.let_go();
    PipeWatch(*segment_, side_).examine(ParticipantTable(*segment_));
}

int PipeHold::export_descriptor(SetupError& error) const noexcept {
    SetupReport report(error, "hand over an end of a pipe");
    const std::uint64_t state = state_.load(relaxed);  // ours: set by this thread, or before
    if (segment_ == nullptr || state != kUnbound) {
        (void)report.refuse(errc::not_owner,
                            "it is in use, or was closed: only an unbound end can be handed over");
        return -1;
    }
    std::error_code code;
    const int descriptor =
        platform::Tether::tied_descriptor(segment_->descriptor(), segment_->file_identity(),
                                          segment_->geometry().liveness_base + tether_byte_of(side_), code);
    if (code) (void)refuse_attach(report, code, segment_->geometry().participant_count);
    return descriptor;
}

}  // namespace shmring::detail
