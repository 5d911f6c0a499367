// One handle of a ring with many producers and many consumers: its participant record, how it waits, when it looks after the dead.
// What such handles share, whatever the message looks like.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>

#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/mpmc_layout.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// Move-only. Holds the segment open, so that a handle outlives the ring object it came from. One thread at a time.
class Member {
 public:
    using Control = MpmcControl<ShippedEnv>;
    using Events = EventCount<ShippedEnv>;

    Member() noexcept = default;
    Member(Member&&) noexcept = default;
    Member& operator=(Member&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~Member() { leave(); }

    /// Takes a record. What its former holder left named in it is still there: repair it, then clear_intent().
    static Member join(std::shared_ptr<Segment> segment, Role role, const WaitPolicy& policy,
                       SetupError& error) noexcept;
    /// Gives the record back. Nothing happens in a forked child.
    void leave() noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(participant_); }
    [[nodiscard]] bool usable() const noexcept { return participant_.owned_by_this_process(); }
    [[nodiscard]] Control& control() const noexcept { return *control_; }
    [[nodiscard]] const Segment& segment() const noexcept { return *segment_; }
    [[nodiscard]] const Participant& participant() const noexcept { return participant_; }
    [[nodiscard]] Record& record() const noexcept { return participant_.record(); }
    void set_wait_policy(const WaitPolicy& policy) noexcept { waiter_.set_policy(policy); }

    /// After `count` places or messages became available on the other side. `more()`: whether our own side has something left for
    /// one who sleeps there: a wake-up may have come while an older claim was in the way.
    template <class More>
    void wake(std::uint64_t count, More&& more) noexcept {
        if (Events::somebody_waits(*peer_line_)) [[unlikely]]
            wake_sleepers(*peer_line_, count);
        if (Events::somebody_waits(*own_line_) && more()) [[unlikely]]
            wake_sleepers(*own_line_, 1);
    }
    /// Everybody looks again: after a repair, and at the end of the stream.
    void wake_all() noexcept;
    void refuse_corrupt(SetupError& error) noexcept;

    /// One attempt; now and then, after misses, `repair()` and another.
    template <class Attempt, class Repair>
    [[nodiscard]] Status try_once(Attempt&& attempt, Repair&& repair) noexcept {
        if (!usable()) [[unlikely]]
            return Status::not_owner;
        const Status status = attempt();
        if (status == Status::ok) [[likely]]
            return status;
        if (!is_not_yet(status) || ++misses_ % kMissesPerLook != 0 || !is_time_to_look()) return status;
        repair();
        return attempt();
    }
    /// Attempts until it succeeds, fails for good, or `deadline_ns` passes; see Waiter::wait. `on_stall()` runs once when the first
    /// attempt did not succeed.
    template <class Attempt, class Repair, class OnStall>
    [[nodiscard]] Status wait(std::uint64_t deadline_ns, const std::stop_token& stop, Attempt&& attempt,
                              Repair&& repair, OnStall&& on_stall) noexcept {
        const Status first = try_once(attempt, repair);
        if (!is_not_yet(first)) [[likely]]
            return first;
        if (deadline_ns == 0) return Status::timed_out;
        on_stall();
        return wait_longer(deadline_ns, stop, attempt, repair);
    }

    /// Brings the record's counters up to date: called on slow paths only, so that the fast path writes none.
    void account(std::uint64_t messages, std::uint64_t bytes) noexcept;

 private:
    static constexpr std::uint32_t kMissesPerLook = 8;  // at the coarse clock, which costs a few ns

    [[nodiscard]] static bool is_not_yet(Status status) noexcept {
        return status == Status::empty || status == Status::busy || status == Status::full;
    }
    template <class Attempt, class Repair>
    [[nodiscard, gnu::noinline]] Status wait_longer(std::uint64_t deadline_ns, const std::stop_token& stop,
                                                    Attempt&& attempt, Repair&& repair) noexcept {
        constexpr Status kNotYet = Status::empty;  // stands for all of them: who waits, waits through each
        const auto attempt_again = [&]() noexcept {
            const Status status = try_once(attempt, repair);
            return is_not_yet(status) ? kNotYet : status;
        };
        count_stall();
        const Status status =
            waiter_.wait(*own_line_, kNotYet, deadline_ns, segment_->geometry().liveness_period_ns, stop,
                         attempt_again, [&]() noexcept { repair(); });
        count_sleeps();
        if (status != Status::timed_out || !is_time_to_look()) return status;
        // Many waits shorter than a liveness period must find the dead as one long wait does.
        repair();
        const Status last = attempt();
        return is_not_yet(last) ? status : last;
    }

    [[gnu::noinline]] void wake_sleepers(EventLine<ShippedEnv>& line, std::uint64_t count) noexcept;
    /// Once per liveness period.
    [[gnu::noinline, nodiscard]] bool is_time_to_look() noexcept;
    void count_stall() noexcept;
    void count_sleeps() noexcept;

    std::shared_ptr<Segment> segment_{};
    Participant participant_{};
    Control* control_ = nullptr;
    EventLine<ShippedEnv>* own_line_ = nullptr;   // where we sleep
    EventLine<ShippedEnv>* peer_line_ = nullptr;  // where the other side sleeps
    Waiter<ShippedEnv> waiter_{};
    Role role_ = Role::none;
    std::uint32_t misses_ = 0;
    std::uint64_t last_look_ns_ = 0;
    std::uint64_t counted_sleeps_ = 0;
};

}  // namespace shmring::detail
