// The reading side of the algorithm of many, whatever the messages look like: finding and claiming the oldest message.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <utility>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/mpmc_claims.hpp"
#include "shmring/detail/mpmc_slots.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// `Extent` knows how many places belong together:
///   Status published(slots, first, slot, most, places)   of the message in a slot, or of up to `most` side by side; too_large: it is
///                                                        not wanted; corrupt: nonsense, or it changed meanwhile
///   std::uint64_t skipped(slots, slot, word)             to step over; 0: there is something else
///   std::uint64_t in_hand(slots, slot)                   of what a dead consumer has in hand, for recovery; 0: nonsense
///   bool kEachPlaceIsAMessage
template <class Env, SlotShape kShape, class Extent>
class MpmcReader {
 public:
    MpmcReader() noexcept = default;
    MpmcReader(const MpmcSlots<Env, kShape>& slots, typename IntentHolder<Env>::Word& intent,
               bool redelivers) noexcept
        : slots_(slots), intent_(intent), redelivers_(redelivers) {}

    /// Claims the oldest message, or up to `most` of them if they stand side by side.
    /// ok, empty, busy (the oldest is claimed and not yet published), closed (ended and all was claimed), corrupt, or overflow (a
    /// claim is in hand: one intent word names one claim).
    [[nodiscard]] Status claim(std::uint64_t most) noexcept {
        if (claimed_.count != 0) [[unlikely]]
            return Status::overflow;
        if (redelivers_ && may_have_orphans()) [[unlikely]] {
            const Status orphan = claim_orphan(most);
            if (orphan != Status::empty) return orphan;
        }
        auto& head = slots_.control().head;
        std::uint64_t seen = head.load(acquire);  // [advance] acquire side
        for (;;) {
            std::uint64_t count = most;
            const Status found = find_oldest(seen, count);
            if (found != Status::ok) return give_up(found);
            intent_.name(ClaimSide::read, seen, Extent::kEachPlaceIsAMessage ? count : 1);
            // Acquire would add nothing on success: head only grows, so we read the store that our acquire load read before.
            if (!head.compare_exchange_weak(seen, seen + count, release, acquire)) continue;
            claimed_ = {seen, count};  // [claim] release side, [advance] release side
            deliveries_ = 0;
            patience_ = kPatience;
            return Status::ok;
        }
    }
    /// What claim() would say, without claiming.
    [[nodiscard]] Status peek() noexcept {
        if (claimed_.count != 0) return Status::overflow;
        std::uint64_t seen = 0;
        if (redelivers_ && may_have_orphans() && find_orphan(seen)) return Status::ok;
        seen = slots_.control().head.load(acquire);  // [advance] acquire side
        std::uint64_t count = 1;
        return give_up(find_oldest(seen, count));
    }
    [[nodiscard]] const Claimed& claimed() const noexcept { return claimed_; }
    /// How often the message in hand was given to a consumer that died with it.
    [[nodiscard]] std::uint64_t deliveries() const noexcept { return deliveries_; }
    /// How many places were handed back since the last time without a message of theirs: producers may sleep for them.
    [[nodiscard]] std::uint64_t take_stepped_over() noexcept { return std::exchange(stepped_over_, 0); }
    /// Whether the oldest message can be taken: a consumer that sleeps may be woken for it.
    [[nodiscard]] bool more() const noexcept {
        const std::uint64_t head = slots_.control().head.load(relaxed);  // a hint
        if (head >= kMaxPosition) return true;
        const Slot<Env> slot = slots_.at(head);
        return slot.read() != slot.when(SlotState::free);
    }
    /// Leaves the one message in hand to another, as dying with it would. False: the ring does not deliver it again, we still have it.
    /// Killed behind either store here: our name still leads whoever repairs after us to the orphan, which is then announced again.
    [[nodiscard]] bool leave_to_others() noexcept {
        if (!redelivers_ || deliveries_ == SlotWord::kMaxDeliveries) return false;
        const Slot<Env> slot = slots_.at(claimed_.first);
        const SlotWord word = SlotWord::of(slot.lap(), SlotState::orphaned, deliveries_);
        slot.word().store(word.value, release);          // [publish] release side
        slots_.control().orphans.fetch_add(1, release);  // [orphan] release side
        clear_claim();
        return true;
    }
    [[nodiscard]] const MpmcSlots<Env, kShape>& slots() const noexcept { return slots_; }
    [[nodiscard]] const Extent& extent() const noexcept { return extent_; }

 protected:
    /// After the last message of a claim.
    void clear_claim() noexcept {
        intent_.clear();
        claimed_ = {};
    }

    MpmcSlots<Env, kShape> slots_{};
    Claimed claimed_{};
    Extent extent_{};

 private:
    static constexpr int kLooksPerCall = 6;
    static constexpr int kPatience = 24;

    /// Moves `seen` on from a head that was read to the oldest message that nobody claimed, over what is to be skipped. `count`: in,
    /// how many messages may be taken at once; out, how many places they take.
    [[nodiscard]] Status find_oldest(std::uint64_t& seen, std::uint64_t& count) noexcept {
        auto& head = slots_.control().head;
        const std::uint64_t most = count;
        for (;;) {
            if (seen >= kMaxPosition) [[unlikely]]
                return Status::corrupt;
            const Slot<Env> slot = slots_.at(seen);
            const SlotWord word = slot.read();
            if (word == slot.when(SlotState::published)) [[likely]] {
                const Status found = extent_.published(slots_, seen, slot, most, count);
                if (found == Status::ok) [[likely]]
                    return found;
                // What it says is this message's only if the word is still the same: another may have been quicker.
                if (found == Status::too_large && slot.read() == word) return found;
            } else if (const std::uint64_t places = extent_.skipped(slots_, slot, word); places != 0) {
                intent_.name(ClaimSide::read, seen, 1);
                if (!head.compare_exchange_weak(seen, seen + places, release, acquire)) continue;  // as above
                free_places(slots_, seen, places);  // [claim] release side, [advance] release side
                stepped_over_ += places;
                seen += places;
                continue;
            } else if (await_change(slot, word)) {
                continue;
            }
            const std::uint64_t tail = slots_.control().tail.load(acquire);  // [finish] acquire side
            const std::uint64_t again = head.load(acquire);                  // [advance] acquire side
            if (again == seen && slot.read() == word) return judge_unpublished(seen, tail, slot, word);
            seen = again;
        }
    }
    /// Looking at the tail takes its line from the producers just when they want to claim, so shortly after a success we rather look at
    /// the slot for a little longer. An idle consumer has used up its patience and answers at once.
    [[nodiscard]] bool await_change(const Slot<Env>& slot, SlotWord word) noexcept {
        for (int look = 0; look != kLooksPerCall && patience_ != 0; ++look, --patience_) {
            for (int pauses = 0; pauses <= look; ++pauses) Env::pause();
            if (slot.read() != word) return true;
        }
        return false;
    }
    /// Head and slot stood still while the tail was read, and there is no message in the slot.
    [[nodiscard]] Status judge_unpublished(std::uint64_t head, std::uint64_t tail, const Slot<Env>& slot,
                                           SlotWord word) noexcept {
        const std::uint64_t written = tail & ~kTailClosed;
        const bool is_free = word == slot.when(SlotState::free);
        const bool is_old = word.lap() + 1 == slot.lap() && word.is_known();  // a slow reader's
        // Whoever moved the head to where it is had seen that position claimed: the tail cannot be behind.
        if (written < head || !(is_free || (is_old && written == head))) return Status::corrupt;
        if (written != head) return Status::busy;
        if ((tail & kTailClosed) != 0) return Status::closed;
        Env::pause();  // leaves the word's line to the producer for a moment
        return Status::empty;
    }

    /// A hint that only a search without a find takes away, and only if nothing was announced since it began: whoever dies between
    /// announcing, searching and claiming leaves the hint as it is.
    [[nodiscard]] bool may_have_orphans() const noexcept {
        const auto& control = slots_.control();
        return control.orphans.load(relaxed) != control.searched.load(relaxed);  // hints: the slots decide
    }
    /// Looks for a message whose consumer died with it, in the slots that the readers have passed. Cold: only when one was seen.
    [[nodiscard, gnu::noinline]] bool find_orphan(std::uint64_t& position) noexcept {
        auto& control = slots_.control();
        const std::uint64_t announced = control.orphans.load(acquire);  // [orphan] acquire side
        const std::uint64_t head = control.head.load(relaxed);  // beyond each orphan that was announced
        if (head >= kMaxPosition) return false;
        for (position = head > slots_.capacity() ? head - slots_.capacity() : 0; position != head;
             ++position) {
            const Slot<Env> slot = slots_.at(position);
            const SlotWord word = slot.read();
            if (word.lap() == slot.lap() && word.state() == SlotState::orphaned) return true;
        }
        control.searched.store(announced, relaxed);  // an older value than another's costs one search more
        return false;
    }
    /// ok, empty (there is none), too_large, or corrupt.
    [[nodiscard]] Status claim_orphan(std::uint64_t most) noexcept {
        std::uint64_t position = 0;
        while (find_orphan(position)) {
            const Slot<Env> slot = slots_.at(position);
            const SlotWord word = slot.read();
            if (word.lap() != slot.lap() || word.state() != SlotState::orphaned)
                continue;  // another was quicker
            std::uint64_t places = 0;
            const Status found = extent_.published(slots_, position, slot, most, places);
            if (found != Status::ok) {
                if (slot.read() == word) return give_up(found);
                continue;
            }
            const SlotWord mine = SlotWord::of(slot.lap(), SlotState::published, word.deliveries() + 1);
            intent_.name_orphan(position, mine.deliveries());
            std::uint64_t expected = word.value;
            // Acquire would add nothing on success: a word takes no value twice, so we read the store that we loaded before.
            if (!slot.word().compare_exchange_strong(expected, mine.value, release, relaxed)) continue;
            auto& control = slots_.control();           // [claim] release side
            control.redelivered.fetch_add(1, relaxed);  // a statistic: before the message is handed back
            claimed_ = {position, Extent::kEachPlaceIsAMessage ? 1 : places};
            deliveries_ = mine.deliveries();
            return Status::ok;
        }
        return Status::empty;
    }
    /// Nothing claimed: the intent may name what another won.
    [[nodiscard]] Status give_up(Status status) noexcept {
        intent_.clear();
        return status;
    }

    IntentHolder<Env> intent_{};
    std::uint64_t deliveries_ = 0;
    std::uint64_t stepped_over_ = 0;
    int patience_ = 0;
    bool redelivers_ = false;
};

}  // namespace shmring::detail
