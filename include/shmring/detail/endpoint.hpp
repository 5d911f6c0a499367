// One end of a single-producer, single-consumer stream: its seat, its participant record, its peer. What producers and
// consumers of all such rings share, whatever the message looks like.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <system_error>

#include "shmring/detail/bell.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/detail/readable_descriptor.hpp"
#include "shmring/detail/seats.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// Move-only. Holds the segment open, so that an end outlives the ring object it came from. One thread at a time.
class Endpoint {
 public:
    using Control = SpscControl<ShippedEnv>;
    using Events = EventCount<ShippedEnv>;

    Endpoint() noexcept = default;
    Endpoint(Endpoint&&) noexcept = default;
    Endpoint& operator=(Endpoint&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~Endpoint() { leave(); }

    /// Attaches and takes the seat of `role` (producer or consumer). errc::seat_taken while a live participant has it.
    static Endpoint take(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                         SetupError& error) noexcept;
    /// Gives seat and record back; the stream stays open for a successor. Nothing happens in a forked child.
    void leave() noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(participant_); }
    [[nodiscard]] bool usable() const noexcept { return participant_.owned_by_this_process(); }
    [[nodiscard]] Control& control() const noexcept { return *control_; }
    [[nodiscard]] const Segment& segment() const noexcept { return *segment_; }
    [[nodiscard]] Record& record() const noexcept { return participant_.record(); }
    [[nodiscard]] const WaitPolicy& wait_policy() const noexcept { return waiter_.policy(); }
    void set_wait_policy(const WaitPolicy& policy) noexcept { waiter_.set_policy(policy); }

    /// After something was published or handed back: wakes the peer if it sleeps. One load while it does not.
    void wake_peer() noexcept {
        if (Events::somebody_waits(*peer_line_)) [[unlikely]]
            wake_sleeping_peer();
    }
    /// The ring's positions made no sense: gives everything back and says so.
    void refuse_corrupt(SetupError& error) noexcept;
    /// Asks whether the peer lives, and marks its seat when it does not. A system call.
    void examine_peer() noexcept;
    /// Ends the stream from this side and wakes everybody.
    void close() noexcept;
    [[nodiscard]] bool closed() const noexcept { return control_->closed.load(relaxed) != 0; }

    /// One attempt, unless this end belongs to another process.
    template <class Attempt>
    [[nodiscard]] Status try_once(Status not_yet, Attempt&& attempt) noexcept {
        if (!usable()) [[unlikely]]
            return Status::not_owner;
        const Status status = attempt();
        if (status == Status::ok) [[likely]]
            return status;
        return status == not_yet ? judge_miss(not_yet, attempt) : status;
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
        return wait_longer(not_yet, deadline_ns, stop, [&]() noexcept { return try_once(not_yet, attempt); });
    }

    /// The descriptor that is readable while a call would not wait; made when it is first asked for. -1: see `error`.
    [[nodiscard]] int readable_descriptor(SetupError& error) noexcept;
    /// To be told what a call that does not wait found, when there may be such a descriptor: "nothing yet" silences it, arms the
    /// line, and looks again; what is not done and stays to be told keeps it readable. Answers what there is now.
    template <class Attempt>
    [[nodiscard]] Status settle_descriptor(Status found, Status not_yet, Attempt& attempt) noexcept {
        if (found == Status::ok || !readable_ || found == Status::not_owner) [[likely]]
            return found;
        if (found == not_yet) found = look_again_armed(not_yet, attempt);
        if (found != not_yet) readable_.keep_readable();
        return found;
    }

    /// Brings the record's counters up to date: called on slow paths only, so that the fast path writes none.
    void account(std::uint64_t messages, std::uint64_t bytes, std::uint64_t high_water) noexcept;

 private:
    static constexpr std::uint32_t kMissesPerLook = 8;  // at the coarse clock, which costs a few ns

    template <class Attempt>
    [[nodiscard, gnu::noinline]] Status wait_longer(Status not_yet, std::uint64_t deadline_ns,
                                                    const std::stop_token& stop, Attempt&& attempt) noexcept {
        count_stall();
        const Status status =
            waiter_.wait(*own_line_, not_yet, deadline_ns, segment_->geometry().liveness_period_ns, stop,
                         attempt, [this]() noexcept { examine_peer(); });
        count_sleeps();
        if (status != Status::timed_out) return status;
        // Many waits shorter than a liveness period must learn of a death as one long wait does.
        look_after_peer();
        const Status last = judge_lost(not_yet, attempt);
        return last == not_yet ? status : last;
    }
    /// Turns "nothing yet" (empty or full) into peer_lost when the peer is known to be dead; now and then asks whether it is.
    template <class Attempt>
    [[nodiscard]] Status judge_miss(Status not_yet, Attempt& attempt) noexcept {
        if (++misses_ % kMissesPerLook == 0) [[unlikely]]
            look_after_peer();
        return judge_lost(not_yet, attempt);
    }
    /// After a last attempt: the dead one may have published between our attempt and its death.
    template <class Attempt>
    [[nodiscard]] Status judge_lost(Status not_yet, Attempt& attempt) noexcept {
        if (seat_state(peer_seat_->load(acquire)) != SeatState::lost) [[likely]]
            return not_yet;  // [seat] acquire side
        const Status last = attempt();
        return last == not_yet ? Status::peer_lost : last;
    }

    /// Silence first: a stroke that comes after it stays, and who gave an earlier one has published what we look for now.
    template <class Attempt>
    [[nodiscard, gnu::noinline]] Status look_again_armed(Status not_yet, Attempt& attempt) noexcept {
        const bool newly_armed = arm_descriptor();
        Status found = attempt();
        for (int look = 1; newly_armed && found == not_yet && look != kRecheckPolls; ++look)
            found = attempt();
        return found == not_yet ? judge_lost(not_yet, attempt) : found;
    }
    bool arm_descriptor() noexcept;
    void strike_bell() noexcept;
    [[gnu::noinline]] void wake_sleeping_peer() noexcept;
    [[gnu::noinline]] void look_after_peer() noexcept;
    void count_stall() noexcept;
    void count_sleeps() noexcept;

    std::shared_ptr<Segment> segment_{};
    Participant participant_{};
    Control* control_ = nullptr;
    ShippedEnv::Atom<std::uint64_t>* own_seat_ = nullptr;
    ShippedEnv::Atom<std::uint64_t>* peer_seat_ = nullptr;
    EventLine<ShippedEnv>* own_line_ = nullptr;   // where we sleep
    EventLine<ShippedEnv>* peer_line_ = nullptr;  // where the peer sleeps
    Waiter<ShippedEnv> waiter_{};
    Role role_ = Role::none;
    std::uint32_t misses_ = 0;
    std::uint64_t last_look_ns_ = 0;
    std::uint64_t counted_sleeps_ = 0;
    ReadableDescriptor readable_{};  // of a consumer that was asked for it
    bool armed_by_us_ = false;       // and not by a predecessor, whose timer died with it
    Bell peers_bell_{};              // of a producer that found its consumer's line armed
};

}  // namespace shmring::detail
