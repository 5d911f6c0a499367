// The desks of one handle of a joinable queue: as many as it has tasks in hand. And what every handle does for those of the dead.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "shmring/detail/desk.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/liveness_clock.hpp"
#include "shmring/detail/mpmc_layout.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// One thread at a time, but for finish(), which any thread of the process may call. Stays where it is while tasks are in hand.
class Workbench {
 public:
    static constexpr std::size_t kMaxDesks = 64;

    explicit Workbench(std::shared_ptr<Segment> segment) noexcept;
    Workbench(const Workbench&) = delete;
    Workbench& operator=(const Workbench&) = delete;
    /// What is in hand is left to others.
    ~Workbench() { leave(); }
    void leave() noexcept;

    /// A desk without a task; null: all kMaxDesks hold one, or no record was free. `settle_past(participant)`: repairs what the
    /// former holder of its record had named in the ring, and announces it.
    template <class SettlePast>
    [[nodiscard]] Desk* free_desk(SettlePast&& settle_past) noexcept {
        if (desks_[0] && desks_[0].is_free()) [[likely]]
            return &desks_[0];
        Desk* const desk = another_desk();
        if (desk != nullptr) settle_past(desk->participant());
        return desk;
    }
    /// The task is done: who joins may be waiting for just this one.
    void finish(Desk& desk, LeaseWord task) noexcept {
        if (!desk.has(task))
            return;  // a forked child's copy: the task is its parent's; or it was left to others
        desk.clear();
        if (EventCount<ShippedEnv>::somebody_waits(leases_.control().finished) && ring_looks_empty())
            [[unlikely]]
            wake_joiners();
    }
    /// The task is left to others: delivered again, or counted as lost.
    void abandon(Desk& desk, LeaseWord task) noexcept;

    /// For tasks without a guard: the oldest of them is done. overflow: there is none.
    void take_off_guard(const Desk& desk) noexcept;
    [[nodiscard]] Result<void> finish_oldest() noexcept;

    /// Why free_desk() had none last: overflow (our hands are full, or every record is held), or unavailable.
    [[nodiscard]] Status why_no_desk() const noexcept { return why_no_desk_; }

    /// Whether the desks of the dead are to be looked at: in a round of all of them, which begins when a liveness period has passed since
    /// the last one, or we have left many tasks to others ourselves. By the coarse clock at each pop, whether it finds a task or not:
    /// where tasks take long, there are few.
    [[nodiscard]] bool is_time_to_look() noexcept {
        if (is_in_round()) return true;
        if (!looks_.due(segment_->geometry().liveness_period_ns)) return false;
        begin_round();
        return true;
    }
    void begin_round() noexcept {
        next_look_ = 0;
        left_behind_ = 0;
    }
    /// Goes on with a round. Where the tasks of the dead are not delivered again, counts them as lost. Where they are, takes over the
    /// next one, with its desk, instead of a free desk of ours, if we have one: null if there is none. So a round comes to each task
    /// once, also to one that is left to others again. `in_ring(word)`: whether that task's place in the ring was not handed back, so
    /// that it is the ring's to deliver.
    template <class InRing>
    [[nodiscard]] Desk* adopt(InRing&& in_ring) noexcept {
        const bool redelivers = leases_.redelivers();
        Desk* const place = free_or_empty_place();
        if (place == nullptr && redelivers) return nullptr;  // our hands are full
        while (is_in_round()) {
            const std::uint32_t index = next_look_++;
            if (!is_left_behind(index) || !take_over(index)) continue;
            const LeaseWord task =
                leases_.lease(index);  // again: the lock is ours now, and with it what was kept
            // Whoever takes the place in the ring away from the dead clears the lease first.
            const bool in_its_hand = task && !in_ring(task) && taken_over_.lease() == task;
            if (task && !in_its_hand && taken_over_.lease()) {
                taken_over_.put_back();  // the ring's recovery has yet to see it
            } else if (!in_its_hand) {
                taken_over_.leave();
            } else if (redelivers && task.deliveries() != LeaseWord::kMaxDeliveries) {
                taken_over_.deliver_again();
                *place = std::move(taken_over_);
                return place;
            } else {
                taken_over_.give_up();
                taken_over_.leave();
                wake_joiners();
            }
        }
        return nullptr;
    }
    /// The same in a round that begins now.
    template <class InRing>
    [[nodiscard]] Desk* adopt_any(InRing&& in_ring) noexcept {
        begin_round();
        return adopt(in_ring);
    }
    /// Whether adopt() would take a task over, as far as a look can tell: in the rest of the round, or in one that begins now. It goes on
    /// from there.
    template <class InRing>
    [[nodiscard]] bool finds_left_behind(InRing&& in_ring) noexcept {
        if (!leases_.redelivers()) return false;
        if (!is_in_round()) begin_round();
        for (; is_in_round(); ++next_look_)
            if (is_left_behind(next_look_) && !in_ring(leases_.lease(next_look_))) return true;
        return false;
    }
    /// Whether a dead worker's task waits for a worker, at a desk or (`in_ring`) in the ring, and there is none but ourselves.
    [[nodiscard]] bool is_deserted(bool in_ring, std::uint32_t own_consumers) const noexcept;
    [[nodiscard]] const LeaseTable& leases() const noexcept { return leases_; }
    void wake_joiners() noexcept { EventCount<ShippedEnv>::notify_all(leases_.control().finished); }

 private:
    [[nodiscard]] bool is_in_round() const noexcept { return next_look_ < leases_.records().count(); }
    /// So many tasks that we left to others keep a record each, which others may need.
    [[nodiscard]] std::uint32_t most_left_behind() const noexcept {
        const std::uint32_t share = leases_.records().count() / 32;
        if (share < 1) return 1;
        return share < 8 ? share : 8;
    }

    [[nodiscard]] bool ring_looks_empty() const noexcept {
        const std::uint64_t tail =
            control_->tail.load(relaxed) & ~kTailClosed;  // hints: who joins looks itself
        return tail == control_->head.load(relaxed);
    }
    [[nodiscard]] Desk* another_desk() noexcept;
    [[nodiscard]] Desk* empty_place() noexcept;
    [[nodiscard]] Desk* our_free_desk() noexcept;
    [[nodiscard]] Desk* free_or_empty_place() noexcept {
        Desk* const free = our_free_desk();
        return free != nullptr ? free : empty_place();
    }
    [[nodiscard]] bool is_ours(std::uint32_t index) const noexcept;
    [[nodiscard]] bool is_left_behind(std::uint32_t index) const noexcept;
    [[nodiscard]] bool take_over(std::uint32_t index) noexcept;

    std::shared_ptr<Segment> segment_;
    LeaseTable leases_;
    const MpmcControl<ShippedEnv>* control_;
    std::array<Desk, kMaxDesks> desks_{};
    std::array<std::uint64_t, kMaxDesks> unguarded_{};  // since when: 0 for those with a guard
    std::size_t count_ = 0;                             // of the places that were ever used
    Desk taken_over_{};                                 // while it is not decided what becomes of its task
    std::uint64_t next_unguarded_ = 0;
    Status why_no_desk_ = Status::overflow;
    std::uint32_t next_look_ = ~0U;  // of the round; beyond all records: there is none
    std::uint32_t left_behind_ = 0;  // by us, since a round began
    LivenessClock looks_{};
};

}  // namespace shmring::detail
