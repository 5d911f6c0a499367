// One handle of a ring with many producers and many consumers: what it waits for, and when it looks after the dead. What such handles
// share, whatever the message looks like.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <utility>

#include "shmring/detail/attendee.hpp"
#include "shmring/detail/mpmc_layout.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// Move-only. One thread at a time.
class Member : public Attendee {
 public:
    using Control = MpmcControl<ShippedEnv>;

    Member() noexcept = default;
    Member(Member&&) noexcept = default;
    Member& operator=(Member&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~Member() { leave(); }

    /// Takes a record. What its former holder left named in it is still there: the ring repairs it first.
    static Member join(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                       SetupError& error) noexcept;
    /// Gives the record back. The last explicit producer ends the stream where it was made so.
    void leave() noexcept;
    /// One whose leaving may end the stream from here on (detail/last_producer.hpp).
    void become_explicit_producer() noexcept;
    /// Ends the stream if it was made to end with its last explicit producer, there has been one and none is left. Costs a look at
    /// each participant, and a system call for each such producer up to one that lives. True: it ended now.
    bool end_if_deserted() noexcept {
        return segment().geometry().ends_with_last_producer && end_deserted_stream();
    }
    void refuse_corrupt(SetupError& error) noexcept;

    [[nodiscard]] Control& control() const noexcept { return *control_; }

    /// After `count` places or messages became available on the other side. `more()`: whether our own side has something left for
    /// one who sleeps there: a wake-up may have come while an older claim was in the way.
    template <class More>
    void wake(std::uint64_t count, More&& more) noexcept {
        wake_peers(count);
        wake_own_side(more);
    }
    /// Our wake-up went ahead of what it was for: one of the other side may have looked in between, and sleep beside it.
    template <class More>
    void wake_overlooked(More&& more) noexcept {
        wake_overlooked_peer(more);
    }
    /// We consumed a wake-up but left the message or the room: wake another of our own side.
    template <class More>
    void pass_on(More&& more) noexcept {
        wake_own_side(more);
    }
    /// Everybody looks again: after a repair, and at the end of the stream.
    void wake_all() noexcept { wake_everybody(); }

    /// One attempt; after a miss, if it `asks` and it is time to look after the dead, `repair()` and another.
    template <class Attempt>
    [[nodiscard]] Status try_once(const Attempt& attempt, CallRef<void> repair, bool asks = true) noexcept {
        if (!usable()) [[unlikely]]
            return Status::not_owner;
        const Status status = attempt();
        if (status == Status::ok) [[likely]]
            return status;
        if (!is_not_yet(status) || !asks || !is_time_to_look()) [[likely]]
            return status;
        return repair_and_try(attempt, repair);
    }
    /// After a first attempt that answered `first`: attempts until it succeeds, fails for good, or `deadline_ns` passes; see
    /// Waiter::wait. `on_stall()` runs once. `more()` as for wake(): of a wake-up that we cannot use. Polls here, where the attempt is
    /// called directly.
    template <class Attempt>
    [[nodiscard]] Status wait_longer(Status first, std::uint64_t deadline_ns, const std::stop_token& stop,
                                     const Attempt& attempt, CallRef<void> repair, CallRef<void> on_stall,
                                     CallRef<bool> more) noexcept {
        Status found = begin_waiting(first, deadline_ns, attempt, repair, on_stall);
        if (found != kNotYet) return found;
        found = poll_for(kNotYet, deadline_ns, stop, [&]() noexcept {
            const Status status = attempt();
            return is_not_yet(status) ? kNotYet : status;
        });
        if (found != kNotYet && found != Status::timed_out) return found;
        return sleep_longer(found, deadline_ns, stop, attempt, repair, more);
    }
    /// What a call found, for the readable descriptor; see Attendee::settle.
    template <class Attempt>
    [[nodiscard]] Status settle_descriptor(Status found, const Attempt& attempt,
                                           CallRef<void> repair) noexcept {
        return is_to_be_settled(found) ? settle(found, attempt, repair) : found;
    }

 private:
    static constexpr Status kNotYet = Status::empty;  // stands for all of them: who waits, waits through each

    bool end_deserted_stream() noexcept;
    [[nodiscard]] static Status repair_and_try(CallRef<Status> attempt, CallRef<void> repair) noexcept;
    /// `kNotYet`: go on.
    [[nodiscard]] Status begin_waiting(Status first, std::uint64_t deadline_ns, CallRef<Status> attempt,
                                       CallRef<void> repair, CallRef<void> on_stall) noexcept;
    /// After polling that found nothing: sleeps if there is time left.
    [[nodiscard]] Status sleep_longer(Status polled, std::uint64_t deadline_ns, const std::stop_token& stop,
                                      CallRef<Status> attempt, CallRef<void> repair,
                                      CallRef<bool> more) noexcept;

    Control* control_ = nullptr;
    bool is_explicit_producer_ = false;
};

}  // namespace shmring::detail
