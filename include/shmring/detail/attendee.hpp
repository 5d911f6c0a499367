// One handle's presence in a ring, of any kind: its participant record, how it waits and for what, its counters, its bell.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <utility>

#include "shmring/detail/bell.hpp"
#include "shmring/detail/call_ref.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/liveness_clock.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/detail/readable_descriptor.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// Move-only. Holds the segment open, so that a handle outlives the ring object it came from. One thread at a time.
class Attendee {
 public:
    Attendee& operator=(Attendee&&) = delete;  // who derives knows what it leaves behind
    using Events = EventCount<ShippedEnv>;
    using Line = EventLine<ShippedEnv>;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(participant_); }
    [[nodiscard]] bool usable() const noexcept { return participant_.owned_by_this_process(); }
    [[nodiscard]] const Segment& segment() const noexcept { return *segment_; }
    [[nodiscard]] const Participant& participant() const noexcept { return participant_; }
    [[nodiscard]] Record& record() const noexcept { return participant_.record(); }
    [[nodiscard]] const WaitPolicy& wait_policy() const noexcept { return waiter_.policy(); }
    void set_wait_policy(const WaitPolicy& policy) noexcept { waiter_.set_policy(policy); }

    /// The descriptor that is readable while a call would not wait; made when it is first asked for. -1: see `error`.
    [[nodiscard]] int readable_descriptor(SetupError& error) noexcept;
    /// Brings the record's counters up to date: called on slow paths only, so that the fast path writes none.
    void account(std::uint64_t messages, std::uint64_t bytes, std::uint64_t high_water) noexcept;

 protected:
    Attendee() noexcept = default;
    Attendee(Attendee&&) noexcept = default;
    ~Attendee() = default;

    /// Takes a record in `segment`.
    [[nodiscard]] bool attend(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                              SetupError& error, Past past = Past::none) noexcept;
    /// Where consumers and where producers sleep: after attend(), which said what we are. `lane`: whose bell is struck.
    void wait_at(Line& readable, Line& writable, std::size_t lane = 0) noexcept {
        lane_ = lane;
        const bool writes = role_ == Role::producer;
        own_line_ = writes ? &writable : &readable;
        peer_line_ = writes ? &readable : &writable;
    }
    /// Gives the record back. Nothing happens in a forked child.
    void depart() noexcept;
    /// Says what makes no sense in the ring.
    void refuse_positions(SetupError& error, const char* what) noexcept;

    /// "Nothing yet": what a call can wait through.
    [[nodiscard]] static bool is_not_yet(Status status) noexcept {
        return status == Status::empty || status == Status::busy || status == Status::full;
    }
    void count_stall() noexcept;  // at the beginning of a wait
    /// The first part of a wait while `attempt()` answers `not_yet`; see Waiter::poll.
    template <class Attempt>
    [[nodiscard]] Status poll_for(Status not_yet, std::uint64_t deadline_ns, const std::stop_token& stop,
                                  const Attempt& attempt) noexcept {
        return waiter_.poll(not_yet, deadline_ns, stop, attempt);
    }
    /// The other part, at our line; see Waiter::wait.
    [[nodiscard]] Status sleep_for(Status not_yet, std::uint64_t deadline_ns, const std::stop_token& stop,
                                   CallRef<Status> attempt, CallRef<void> examine,
                                   CallRef<bool> left = kNothingLeft) noexcept;
    /// Whether it is time to ask who lives: about once per liveness period, by the coarse clock. After each miss: who calls seldom must
    /// not hear of a death later than who calls all the time, and beside the pause of a miss that look costs little.
    [[nodiscard]] bool is_time_to_look() noexcept { return looks_.due(period_ns_); }

    [[gnu::noinline]] void wake_sleepers(Line& line, std::uint64_t count) noexcept;
    /// Everybody on both sides looks again: at the end of the stream, after a repair.
    void wake_everybody() noexcept;

    /// After something was published or handed back. One load while nobody sleeps there.
    void wake_peers(std::uint64_t count) noexcept {
        if (Events::somebody_waits(*peer_line_)) [[unlikely]]
            wake_sleepers(*peer_line_, count);
    }
    /// The same late: if there is still something for one who sleeps there.
    template <class More>
    void wake_overlooked_peer(More&& more) noexcept {
        if (Events::somebody_waits(*peer_line_) && more()) [[unlikely]]
            wake_sleepers(*peer_line_, 1);
    }
    template <class More>
    void wake_own_side(More&& more) noexcept {
        if (Events::somebody_waits(*own_line_) && more()) [[unlikely]]
            wake_sleepers(*own_line_, 1);
    }

    /// Whether settle() has anything to do.
    [[nodiscard]] bool is_to_be_settled(Status found) const noexcept {
        return found != Status::ok && readable_ && found != Status::not_owner && found != Status::interrupted;
    }
    /// Updates the epoll descriptor after a call: on "nothing yet" it is silenced, the line is armed, and the call tried again; on closed,
    /// peer_lost or corrupt it stays readable. Answers what there is now; timed_out, if the call timed out and there is still nothing.
    /// Every call that takes or polls ends here, also one that waited: a caller that is told "nothing" must not be woken for it again.
    /// `look_around()` runs when the descriptor's timer came: then it is time to probe for deaths, too.
    [[nodiscard]] Status settle(Status found, CallRef<Status> attempt, CallRef<void> look_around) noexcept;

    Participant participant_{};
    Role role_ = Role::none;

 private:
    [[nodiscard]] Status look_again_armed(CallRef<Status> attempt, CallRef<void> look_around) noexcept;
    /// The timer again. `idle`: not even a message in another's hand.
    void go_on(bool idle) noexcept;
    bool arm_descriptor(bool& timer_came) noexcept;
    [[nodiscard]] bool is_bell_whole(bool timer_came) const noexcept;
    void strike_bell() noexcept;
    void count_sleeps() noexcept;

    std::shared_ptr<Segment> segment_{};
    std::size_t lane_ = 0;
    Line* own_line_ = nullptr;
    Line* peer_line_ = nullptr;
    Waiter<ShippedEnv> waiter_{};
    std::uint64_t period_ns_ = 0;
    LivenessClock looks_{};
    std::uint64_t counted_sleeps_ = 0;
    ReadableDescriptor readable_{};  // of a consumer that was asked for it
    bool armed_by_us_ = false;       // and not by another, whose timer may have died with it
    Bell bell_{};                    // to strike, of whoever found a line armed
};

}  // namespace shmring::detail
