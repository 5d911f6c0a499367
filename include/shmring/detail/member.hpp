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
    template <class Attempt, class Repair>
    [[nodiscard]] Status try_once(Attempt&& attempt, Repair&& repair, bool asks = true) noexcept {
        if (!usable()) [[unlikely]]
            return Status::not_owner;
        const Status status = attempt();
        if (status == Status::ok) [[likely]]
            return status;
        if (!is_not_yet(status) || !asks || !is_time_to_look()) [[likely]]
            return status;
        repair();
        return attempt();
    }
    /// Attempts until it succeeds, fails for good, or `deadline_ns` passes; see Waiter::wait. `on_stall()` runs once when the first
    /// attempt did not succeed. `more()` as for wake(): of a wake-up that we cannot use.
    template <class Attempt, class Repair, class OnStall, class More>
    [[nodiscard]] Status wait(std::uint64_t deadline_ns, const std::stop_token& stop, Attempt&& attempt,
                              Repair&& repair, OnStall&& on_stall, More&& more) noexcept {
        const Status first = try_once(attempt, repair);
        if (!is_not_yet(first)) [[likely]]
            return first;
        if (deadline_ns == 0) return Status::timed_out;
        on_stall();
        return wait_longer(deadline_ns, stop, attempt, repair, more);
    }
    /// What a call found, for the readable descriptor; see Attendee::settle.
    template <class Attempt, class Repair>
    [[nodiscard]] Status settle_descriptor(Status found, Attempt& attempt, Repair&& repair) noexcept {
        const bool timed_out = found == Status::timed_out;
        const Status settled = settle(timed_out ? Status::empty : found, is_not_yet, attempt, repair);
        return timed_out && is_not_yet(settled) ? found : settled;
    }

 private:
    bool end_deserted_stream() noexcept;
    [[nodiscard]] static bool is_not_yet(Status status) noexcept {
        return status == Status::empty || status == Status::busy || status == Status::full;
    }
    template <class Attempt, class Repair, class More>
    [[nodiscard, gnu::noinline]] Status wait_longer(std::uint64_t deadline_ns, const std::stop_token& stop,
                                                    Attempt&& attempt, Repair&& repair, More& more) noexcept {
        constexpr Status kNotYet = Status::empty;  // stands for all of them: who waits, waits through each
        const auto attempt_again = [&]() noexcept {
            const Status status = attempt();
            return is_not_yet(status) ? kNotYet : status;
        };
        const Status status = wait_for(
            kNotYet, deadline_ns, stop, attempt_again, [&]() noexcept { repair(); }, more);
        if (status != Status::timed_out || !is_time_to_look()) return status;
        // Many waits shorter than a liveness period must find the dead as one long wait does.
        repair();
        const Status last = attempt();
        return is_not_yet(last) ? status : last;
    }

    Control* control_ = nullptr;
    bool is_explicit_producer_ = false;
};

}  // namespace shmring::detail
