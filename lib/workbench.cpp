// The slow paths of a worker's desks: getting one, leaving, and looking after the dead.
//
// What a death leaves behind, by the moment it comes:
//   after a lease was named               the task is the ring's until its place is handed back: its recovery clears the lease
//   after the place was handed back       a desk with a task and a free lock: adopted
//   while it is adopted                   the same, by another name: the next one adopts it
//   after it was counted as lost          the same; the count knows the task by name, so it is not counted again
//   after the lease was cleared           a desk without a task: a record to be taken again
// SPDX-License-Identifier: MIT
#include "shmring/detail/workbench.hpp"

#include <utility>

#include "shmring/detail/attach_refusal.hpp"

namespace shmring::detail {

void Desk::give_up() noexcept {
    auto& lost = leases_.block(index()).lost;
    lost.store(count_lost(lost.load(relaxed), lease()), relaxed);  // written under the record's lock only
    clear();
}

void Desk::deliver_again() noexcept {
    add_alone(leases_.block(index()).redelivered, 1);  // under the record's lock, too
    name(LeaseWord::of(lease().position(), lease().deliveries() + 1));
}

Workbench::Workbench(std::shared_ptr<Segment> segment) noexcept
    : segment_(std::move(segment)),
      leases_(*segment_),
      control_(reinterpret_cast<const MpmcControl<ShippedEnv>*>(
          segment_->at(segment_->geometry().control_offset))) {}

void Workbench::leave() noexcept {
    for (std::size_t i = 0; i != count_; ++i) {
        if (!desks_[i] || !desks_[i].usable()) continue;
        if (!desks_[i].is_free()) abandon(desks_[i], desks_[i].lease());
        desks_[i].leave();
    }
    unguarded_ = {};
    count_ = 0;
}

void Workbench::abandon(Desk& desk, LeaseWord task) noexcept {
    if (!desk.has(task)) return;
    // Without crash recovery nobody could prove that we are gone, and so nobody could take it over.
    if (leases_.records().crash_recovery() && leases_.redelivers() &&
        task.deliveries() != LeaseWord::kMaxDeliveries) {
        desk.abandon();
        if (++left_behind_ >= most_left_behind()) begin_round();
        return;
    }
    desk.give_up();
    wake_joiners();
}

void Workbench::take_off_guard(const Desk& desk) noexcept {
    unguarded_[static_cast<std::size_t>(&desk - desks_.data())] = ++next_unguarded_;
}

Result<void> Workbench::finish_oldest() noexcept {
    std::size_t oldest = kMaxDesks;
    for (std::size_t i = 0; i != count_; ++i) {
        if (unguarded_[i] != 0 && (oldest == kMaxDesks || unguarded_[i] < unguarded_[oldest])) oldest = i;
    }
    if (oldest == kMaxDesks) return Status::overflow;
    if (!desks_[oldest].usable()) return Status::not_owner;
    unguarded_[oldest] = 0;
    finish(desks_[oldest], desks_[oldest].lease());
    return {};
}

Desk* Workbench::our_free_desk() noexcept {
    for (std::size_t i = 0; i != count_; ++i) {
        if (desks_[i] && desks_[i].is_free()) return &desks_[i];
    }
    return nullptr;
}

Desk* Workbench::another_desk() noexcept {
    if (Desk* const desk = our_free_desk(); desk != nullptr) return desk;
    why_no_desk_ = Status::overflow;
    Desk* const place = empty_place();
    if (place == nullptr) return nullptr;
    std::error_code code;
    Participant participant = Participant::attach(leases_.records(), Role::desk, code, Past::to_be_settled);
    if (code) {
        why_no_desk_ = status_of_refusal(code);
        return nullptr;
    }
    *place = Desk(std::move(participant), leases_);
    return place;
}

/// Room for one desk more; null: there is none.
Desk* Workbench::empty_place() noexcept {
    for (std::size_t i = 0; i != count_; ++i) {
        if (!desks_[i]) return &desks_[i];
    }
    return count_ != kMaxDesks ? &desks_[count_++] : nullptr;
}

bool Workbench::is_ours(std::uint32_t index) const noexcept {
    for (std::size_t i = 0; i != count_; ++i) {
        if (desks_[i] && desks_[i].index() == index) return true;
    }
    return false;
}

/// A desk with a task whose worker is dead. A system call for each task that a living one has in hand.
bool Workbench::is_left_behind(std::uint32_t index) const noexcept {
    return leases_.lease(index) && !is_ours(index) && leases_.is_dead(index);
}

bool Workbench::take_over(std::uint32_t index) noexcept {
    std::error_code code;
    Participant participant = Participant::adopt(leases_.records(), index, Role::desk, code);
    if (!participant) return false;
    taken_over_ = Desk(std::move(participant), leases_);
    return true;
}

bool Workbench::is_deserted(bool in_ring, std::uint32_t own_consumers) const noexcept {
    bool waits = in_ring;
    std::uint32_t workers = 0;
    for (std::uint32_t index = 0; index != leases_.records().count(); ++index) {
        waits = waits || is_left_behind(index);
        const auto role = static_cast<Role>(
            leases_.records().record(index).role.load(relaxed));  // a hint, until it is alive
        const bool works = (role == Role::consumer || role == Role::desk) && !is_ours(index);
        if (works && !leases_.is_dead(index)) ++workers;
    }
    return waits && workers <= own_consumers;
}

}  // namespace shmring::detail
