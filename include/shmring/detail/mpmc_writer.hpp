// The writing side of the algorithm of many, whatever the messages look like: claiming places at the tail.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/mpmc_claims.hpp"
#include "shmring/detail/mpmc_slots.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

template <class Env, SlotShape kShape>
class MpmcWriter {
 public:
    MpmcWriter() noexcept = default;
    MpmcWriter(const MpmcSlots<Env, kShape>& slots, typename IntentHolder<Env>::Word& intent) noexcept
        : slots_(slots), intent_(intent) {}

    [[nodiscard]] const Claimed& claimed() const noexcept { return claimed_; }
    /// Whether the place after the last claimed one is free: a producer that sleeps may be woken for it.
    [[nodiscard]] bool more() const noexcept { return slots_.has_room(); }
    [[nodiscard]] const MpmcSlots<Env, kShape>& slots() const noexcept { return slots_; }

 protected:
    /// Claims `plan(first, slot)` places from the tail on, of which the first is free; 0: they are not all free. `names_all`: each is a
    /// message of its own; otherwise the first one stands for them.
    /// ok, full (a place is not handed back), closed, corrupt, or overflow (a claim is in hand: one intent word names one claim).
    template <class Plan>
    [[nodiscard]] Status claim_places(bool names_all, Plan&& plan) noexcept {
        if (claimed_.count != 0) [[unlikely]]
            return Status::overflow;
        auto& tail = slots_.control().tail;
        // The word we read then is not older than the claim that was made a lap before.
        std::uint64_t seen = tail.load(acquire);  // [claim] acquire side
        for (;;) {
            if (seen >= kMaxPosition) [[unlikely]]
                return give_up((seen & kTailClosed) != 0 ? Status::closed : Status::corrupt);
            const Slot<Env> slot = slots_.at(seen);
            const SlotWord word = slot.read();
            const bool is_free = word == slot.when(SlotState::free);
            if (is_free) [[likely]] {
                if (const std::uint64_t count = plan(seen, slot); count != 0) [[likely]] {
                    intent_.name(ClaimSide::write, seen, names_all ? count : 1);
                    // Acquire would add nothing on success: tail only grows, so we read the store that our acquire load read before.
                    if (!tail.compare_exchange_weak(seen, seen + count, release, acquire)) continue;
                    claimed_ = {seen, count};  // [claim] release side
                    return Status::ok;
                }
            }
            // A word of this lap was stored after its claim, and we saw the word: a second look at the tail tells of the claim.
            const std::uint64_t again = tail.load(acquire);  // [claim] acquire side
            if (again == seen) return give_up(is_free ? not_yet() : judge_occupied(slot, word));
            seen = again;
        }
    }
    /// After the last place of a claim.
    void clear_claim() noexcept {
        intent_.clear();
        claimed_ = {};
    }
    static void finish(const Slot<Env>& slot, SlotState state) noexcept {
        slot.word().store(slot.when(state).value, release);  // [publish] release side
    }

    MpmcSlots<Env, kShape> slots_{};
    IntentHolder<Env> intent_{};
    Claimed claimed_{};

 private:
    /// The tail stood still while its slot was not free: the position a lap before is not done with, or it is nonsense.
    [[nodiscard]] static Status judge_occupied(const Slot<Env>& slot, SlotWord word) noexcept {
        return word.lap() + 1 == slot.lap() && word.is_known() ? not_yet() : Status::corrupt;
    }
    [[nodiscard]] static Status not_yet() noexcept {
        Env::pause();  // leaves the word's line to the consumer for a moment
        return Status::full;
    }
    /// Nothing claimed: the intent may name what another won.
    [[nodiscard]] Status give_up(Status status) noexcept {
        intent_.clear();
        return status;
    }
};

}  // namespace shmring::detail
