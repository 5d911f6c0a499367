// One end of a single-producer, single-consumer stream: its seat and its peer. What producers and consumers of all such rings share,
// whatever the message looks like.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <utility>

#include "shmring/detail/attendee.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/pipe_watch.hpp"
#include "shmring/detail/seats.hpp"
#include "shmring/peer.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// How who has this seat of a ring of `segment` stands: asks whether they live.
[[nodiscard]] PeerState ask_seat(const Segment& segment, ShippedEnv::Atom<std::uint64_t>& seat) noexcept;

/// Move-only. One thread at a time.
class Endpoint : public Attendee {
 public:
    using Control = SpscControl<ShippedEnv>;

    Endpoint() noexcept = default;
    Endpoint(Endpoint&&) noexcept = default;
    Endpoint& operator=(Endpoint&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~Endpoint() { leave(); }

    /// Attaches and takes the seat of `role` (producer or consumer). errc::seat_taken while a live participant has it. With a
    /// watch it is an end of a pipe: its seat has one holder ever (else errc::pipe_ended), and its peer is the other end.
    static Endpoint take(std::shared_ptr<Segment> segment, Control& control, Role role,
                         const WaitPolicy& policy, const PipeWatch& watch, SetupError& error) noexcept;
    /// Gives the seat back as if it had never been taken, before anything was done with it.
    void renounce() noexcept;
    /// Gives seat and record back; the stream stays open for a successor. Nothing happens in a forked child.
    void leave() noexcept;

    [[nodiscard]] Control& control() const noexcept { return *control_; }

    /// After something was published or handed back: wakes the peer if it sleeps. One load while it does not.
    void wake_peer() noexcept { wake_peers(1); }
    /// The ring's positions made no sense: gives everything back and says so.
    void refuse_corrupt(SetupError& error) noexcept;
    /// Asks whether the peer lives, and marks its seat when it does not. A system call.
    void examine_peer() noexcept;
    /// How the peer stands: asks whether it lives.
    [[nodiscard]] PeerState peer() const noexcept;
    /// Waits until somebody living has the peer's seat: ok, closed (ended, and nobody has it), peer_lost, or as wait().
    [[nodiscard]] Status await_peer(Status not_yet, std::uint64_t deadline_ns,
                                    const std::stop_token& stop) noexcept;
    /// Ends the stream from this side and wakes everybody.
    void close() noexcept;
    [[nodiscard]] bool closed() const noexcept { return control_->closed.load(relaxed) != 0; }

    /// One attempt, unless this end belongs to another process. `asks`: when it missed, whether the peer lives, if it is time to.
    template <class Attempt>
    [[nodiscard]] Status try_once(Status not_yet, const Attempt& attempt, bool asks = true) noexcept {
        if (!usable()) [[unlikely]]
            return Status::not_owner;
        const Status status = attempt();
        if (status == Status::ok) [[likely]]
            return status;
        if (status != not_yet) return status;
        return asks ? judge_miss(not_yet, attempt) : judge_lost(not_yet, attempt);
    }
    /// After a first attempt that found nothing yet: attempts until it succeeds, fails for good, or `deadline_ns` passes; see
    /// Waiter::wait. `on_stall()` runs once. Polls here, where the attempt is called directly. Who polls hears of what somebody else
    /// found out about the peer; the rest is for sleepers.
    template <class Attempt>
    [[nodiscard]] Status wait_longer(Status not_yet, std::uint64_t deadline_ns, const std::stop_token& stop,
                                     const Attempt& attempt, CallRef<void> on_stall) noexcept {
        Status found = begin_waiting(not_yet, deadline_ns, attempt, on_stall);
        if (found != not_yet) return found;
        found = poll_for(not_yet, deadline_ns, stop, [&]() noexcept {
            const Status status = attempt();
            return status == not_yet ? judge_lost(not_yet, attempt) : status;
        });
        if (found != not_yet && found != Status::timed_out) return found;
        return sleep_longer(found, not_yet, deadline_ns, stop, attempt);
    }
    /// What a call found, for the readable descriptor; see Attendee::settle.
    template <class Attempt>
    [[nodiscard]] Status settle_descriptor(Status found, Status not_yet, const Attempt& attempt) noexcept {
        return is_to_be_settled(found) ? settle_judged(found, not_yet, attempt) : found;
    }

 private:
    /// `not_yet`: go on.
    [[nodiscard]] Status begin_waiting(Status not_yet, std::uint64_t deadline_ns, CallRef<Status> attempt,
                                       CallRef<void> on_stall) noexcept;
    /// After polling that found nothing: sleeps if there is time left. Who waits asks who lives when it has slept for a period, and at
    /// the end: many waits shorter than that must learn of a death as one long wait does.
    [[nodiscard]] Status sleep_longer(Status polled, Status not_yet, std::uint64_t deadline_ns,
                                      const std::stop_token& stop, CallRef<Status> attempt) noexcept;
    [[nodiscard]] Status settle_judged(Status found, Status not_yet, CallRef<Status> attempt) noexcept;
    /// Turns "nothing yet" (empty or full) into what there is after asking whether the peer lives, when it is time to; into peer_lost
    /// when the peer is known to be dead.
    [[nodiscard]] Status judge_miss(Status not_yet, CallRef<Status> attempt) noexcept {
        if (!is_time_to_look()) [[likely]]
            return judge_lost(not_yet, attempt);
        return judge_examined(not_yet, attempt);
    }
    [[nodiscard]] Status judge_examined(Status not_yet, CallRef<Status> attempt) noexcept;
    [[nodiscard]] Status judge_lost(Status not_yet, CallRef<Status> attempt) noexcept {
        if (seat_state(peer_seat_->load(acquire)) != SeatState::lost) [[likely]]
            return not_yet;  // [seat] acquire side
        return last_of_lost(not_yet, attempt);
    }
    /// A last attempt: the dead one may have published between our attempt and its death.
    [[nodiscard]] static Status last_of_lost(Status not_yet, CallRef<Status> attempt) noexcept;

    Control* control_ = nullptr;
    ShippedEnv::Atom<std::uint64_t>* own_seat_ = nullptr;
    ShippedEnv::Atom<std::uint64_t>* peer_seat_ = nullptr;
    PipeWatch watch_{};
};

}  // namespace shmring::detail
