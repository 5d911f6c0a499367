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
    [[nodiscard]] Status try_once(Status not_yet, Attempt&& attempt, bool asks = true) noexcept {
        if (!usable()) [[unlikely]]
            return Status::not_owner;
        const Status status = attempt();
        if (status == Status::ok) [[likely]]
            return status;
        if (status != not_yet) return status;
        return asks ? judge_miss(not_yet, attempt) : judge_lost(not_yet, attempt);
    }
    /// Attempts until it succeeds, fails for good, or `deadline_ns` passes; see Waiter::wait. `on_stall()` runs once when the first
    /// attempt did not succeed.
    template <class Attempt, class OnStall>
    [[nodiscard]] Status wait(Status not_yet, std::uint64_t deadline_ns, const std::stop_token& stop,
                              Attempt&& attempt, OnStall&& on_stall) noexcept {
        const Status first = try_once(not_yet, attempt);
        if (first != not_yet) [[likely]]
            return first;
        if (deadline_ns == 0) return Status::timed_out;
        on_stall();
        return wait_longer(not_yet, deadline_ns, stop, attempt);
    }
    /// What a call found, for the readable descriptor; see Attendee::settle.
    template <class Attempt>
    [[nodiscard]] Status settle_descriptor(Status found, Status not_yet, Attempt& attempt) noexcept {
        const auto judged = [&]() noexcept {
            const Status status = attempt();
            return status == not_yet ? judge_lost(not_yet, attempt) : status;
        };
        const bool timed_out = found == Status::timed_out;
        const Status settled = settle(
            timed_out ? not_yet : found, [not_yet](Status status) noexcept { return status == not_yet; },
            judged, [this]() noexcept { examine_peer(); });
        return timed_out && settled == not_yet ? found : settled;
    }

 private:
    /// Who waits asks who lives when it has slept for a period, and at the end: many waits shorter than that must learn of a death as one
    /// long wait does.
    template <class Attempt>
    [[nodiscard, gnu::noinline]] Status wait_longer(Status not_yet, std::uint64_t deadline_ns,
                                                    const std::stop_token& stop, Attempt& attempt) noexcept {
        const auto judged = [&]() noexcept {
            const Status status = attempt();
            return status == not_yet ? judge_lost(not_yet, attempt) : status;
        };
        const Status status =
            wait_for(not_yet, deadline_ns, stop, judged, [this]() noexcept { examine_peer(); });
        if (status != Status::timed_out) return status;
        const Status last = judge_miss(not_yet, attempt);
        return last == not_yet ? status : last;
    }
    /// Turns "nothing yet" (empty or full) into what there is after asking whether the peer lives, when it is time to; into peer_lost
    /// when the peer is known to be dead.
    template <class Attempt>
    [[nodiscard]] Status judge_miss(Status not_yet, Attempt& attempt) noexcept {
        if (!is_time_to_look()) [[likely]]
            return judge_lost(not_yet, attempt);
        examine_peer();
        const Status found = attempt();  // a pipe's end is the stream's end
        return found == not_yet ? judge_lost(not_yet, attempt) : found;
    }
    /// After a last attempt: the dead one may have published between our attempt and its death.
    template <class Attempt>
    [[nodiscard]] Status judge_lost(Status not_yet, Attempt& attempt) noexcept {
        if (seat_state(peer_seat_->load(acquire)) != SeatState::lost) [[likely]]
            return not_yet;  // [seat] acquire side
        const Status last = attempt();
        return last == not_yet ? Status::peer_lost : last;
    }

    Control* control_ = nullptr;
    ShippedEnv::Atom<std::uint64_t>* own_seat_ = nullptr;
    ShippedEnv::Atom<std::uint64_t>* peer_seat_ = nullptr;
    PipeWatch watch_{};
};

}  // namespace shmring::detail
