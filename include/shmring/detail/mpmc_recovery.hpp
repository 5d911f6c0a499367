// Repairs after the dead in a ring with many producers and many consumers. Anybody may do it, many at once, and any of them may die
// in it: every step is one compare-and-swap from a word that nobody living will change.
//
//   the dead one's intent names     and the slot's word is         then
//   a write, not claimed            anything                       nothing to do: somebody else will claim it
//   a write, claimed                free(lap)                      -> skipped(lap): consumers step over it
//   a read, not claimed             anything                       nothing to do
//   a read, claimed                 published(lap), at_most_once   -> free(lap + 1): the message is lost, and counted
//   a read, claimed                 published(lap), at_least_once  -> orphaned(lap): it is delivered again
//   a read, claimed                 skipped(lap), filler(lap)      -> free(lap + 1)
//   a read, claimed                 orphaned(lap)                  announced again: who made it one may have died before it said so
//   either                          a later word                   nothing to do: it was done
//
// An intent is not ownership: several may name a position, one won it. So a slot is touched only when no living participant names it.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/intent.hpp"
#include "shmring/detail/mpmc_slots.hpp"

namespace shmring::detail {

/// `Roll` is the list of participants:
///   std::uint32_t count();                                   how many records there are
///   Intent intent(index);                                    acquire
///   bool is_dead(index);                                     proven; may make a system call
///   bool clear(index, intent);                               takes a dead one's intent away, once; never one that
///                                                            may yet be claimed: a new holder could have named it, too
///   void disown(position, deliveries);                       the message that a dead one had in hand is the ring's again
template <class Env, SlotShape kShape, class Extent, class Roll>
class MpmcRecovery {
 public:
    MpmcRecovery(const MpmcSlots<Env, kShape>& slots, const Extent& extent, bool redelivers,
                 const Roll& roll) noexcept
        : slots_(slots), extent_(extent), redelivers_(redelivers), roll_(roll) {}

    /// Goes through the records and repairs what the dead left, and where the ring stands still. Answers whether it changed
    /// anything that others may wait for.
    bool run() noexcept {
        bool changed = false;
        for (std::uint32_t index = 0; index != roll_.count(); ++index) {
            const Intent intent = roll_.intent(index);  // [intent] acquire side
            if (intent.count() == 0 || !was_won(intent) || !roll_.is_dead(index)) continue;
            bool done = true;
            changed = repair_from(intent.side(), intent.position(), intent.count(), done) || changed;
            if (done) clear(index, intent);
        }
        // Those whose dead owner's record was taken again before it could be repaired: nobody names them now.
        changed = remember() || changed;
        const Stand stand = look();
        bool done = true;
        changed = repair_from(ClaimSide::write, stand.oldest_write, 1, done) || changed;
        return repair_from(ClaimSide::read, stand.oldest_read, 1, done) || changed;
    }
    /// For the new holder of a dead one's record, after run(): what could not be repaired, because a living participant names it, too,
    /// is nobody's when the intent is cleared: counted now, and looked for later.
    void forget(std::uint32_t index) noexcept {
        const Intent intent = roll_.intent(index);  // [intent] acquire side
        if (intent.count() == 0 || intent.side() != ClaimSide::read ||
            !is_claimed(ClaimSide::read, intent.position()))
            return;
        auto& control = slots_.control();
        if (!redelivers_) control.lost.fetch_add(intent.count(), relaxed);  // a statistic
        std::uint64_t seen = control.forgotten.load(relaxed);               // the exchange decides
        std::uint64_t beyond = 0;
        do {
            beyond = intent.position() + intent.count();
            if (beyond <= seen) beyond = seen + 1;
        } while (!control.forgotten.compare_exchange_weak(seen, beyond, release, relaxed));
    }  // [forget] release side
    /// The record of a living participant that the ring stands still for; roll.count() when there is none.
    [[nodiscard]] std::uint32_t find_blocker(ClaimSide& side, std::uint64_t& position) const noexcept {
        const Stand stand = look();
        for (const ClaimSide which : {ClaimSide::write, ClaimSide::read}) {
            side = which;
            position = which == ClaimSide::write ? stand.oldest_write : stand.oldest_read;
            if (!is_claimed(side, position) || is_done(side, position)) continue;
            const std::uint32_t index = find_living(side, position);
            if (index != roll_.count()) return index;
        }
        return roll_.count();
    }

 private:
    enum class Outcome { not_claimed, already_done, repaired, disputed };

    /// Where readers and writers stand still, if they do.
    struct Stand {
        std::uint64_t oldest_write = 0;  // what the readers would read next
        std::uint64_t oldest_read = 0;   // what the writers would write over next
    };
    [[nodiscard]] Stand look() const noexcept {
        const std::uint64_t head = slots_.control().head.load(relaxed);  // hints: resolve() looks again
        const std::uint64_t tail = slots_.control().tail.load(relaxed) & ~kTailClosed;
        return {head, tail > slots_.capacity() ? tail - slots_.capacity() : 0};
    }
    [[nodiscard]] bool is_claimed(ClaimSide side, std::uint64_t position) const noexcept {
        const auto& word = side == ClaimSide::write ? slots_.control().tail : slots_.control().head;
        return position < kMaxPosition && (word.load(acquire) & ~kTailClosed) > position;
    }  // [claim] acquire side
    /// Whether somebody claimed what the intent names: then no later holder of its record can name and claim the same. An orphan is
    /// claimed by its word, long after the head passed it.
    [[nodiscard]] bool was_won(Intent intent) const noexcept {
        if (!is_claimed(intent.side(), intent.position())) return false;
        if (intent.delivery() == 0) return true;
        const Slot<Env> slot = slots_.at(intent.position());
        return slot.read() != SlotWord::of(slot.lap(), SlotState::orphaned, intent.delivery() - 1);
    }
    [[nodiscard]] bool is_done(ClaimSide side, std::uint64_t position) const noexcept {
        const Slot<Env> slot = slots_.at(position);
        const SlotWord word = slot.read();
        return word ==
               (side == ClaimSide::write ? after_dead_writer(slot, word) : after_dead_reader(slot, word));
    }

    /// Repairs the reads that nobody names any more, wherever they are: the ring need not stand still for them, and at its end never
    /// would. Claims for writing need no such look: readers stand still for each.
    bool remember() noexcept {
        auto& control = slots_.control();
        const std::uint64_t forgotten = control.forgotten.load(acquire);  // [forget] acquire side
        if (forgotten == control.remembered.load(relaxed)) return false;  // a hint
        const Stand stand = look();
        const std::uint64_t last =
            stand.oldest_write < forgotten ? stand.oldest_write : forgotten;  // the head
        const std::uint64_t lap = slots_.capacity();
        const std::uint64_t a_lap_before = last > lap ? last - lap : 0;
        const std::uint64_t first = stand.oldest_read < a_lap_before ? a_lap_before : stand.oldest_read;
        bool changed = false;
        bool settled = true;
        for (std::uint64_t position = first; position < last; ++position) {
            const Outcome outcome = resolve(ClaimSide::read, position, true);
            changed = changed || outcome == Outcome::repaired;
            settled = settled && outcome != Outcome::disputed;
        }
        if (settled) control.remembered.store(forgotten, relaxed);  // an older value costs one look more
        return changed;
    }
    [[nodiscard]] bool is_skipped(std::uint64_t position) const noexcept {
        if (position >= kMaxPosition) return false;
        const Slot<Env> slot = slots_.at(position);
        return slot.read() == slot.when(SlotState::skipped);
    }
    /// The `count` places that a claim names, and from there on as long as there is something to repair: a record's further places have no
    /// name, and a batch must not cost a look for each of its places.
    bool repair_from(ClaimSide side, std::uint64_t first, std::uint64_t count, bool& done) noexcept {
        bool changed = false;
        for (std::uint64_t i = 0;; ++i) {
            const bool is_named = i < count;
            const Outcome outcome = resolve(side, first + i, is_named);
            changed = changed || outcome == Outcome::repaired;
            if (is_named) done = done && (outcome == Outcome::repaired || outcome == Outcome::already_done);
            const bool goes_on =
                outcome == Outcome::repaired || (side == ClaimSide::write && is_skipped(first + i));
            if (i + 1 >= count && !goes_on)
                return changed;  // skipped: by a repairer that died in the middle, perhaps
        }
    }
    [[nodiscard]] Outcome resolve(ClaimSide side, std::uint64_t position, bool is_named) noexcept {
        if (!is_claimed(side, position)) return Outcome::not_claimed;
        const bool write = side == ClaimSide::write;
        auto& control = slots_.control();
        const Slot<Env> slot = slots_.at(position);
        const SlotWord word = slot.read();
        const SlotWord repaired = write ? after_dead_writer(slot, word) : after_dead_reader(slot, word);
        if (repaired == word) {
            announce_if_orphan(side, slot, word);
            return Outcome::already_done;
        }
        if (find_living(side, position) != roll_.count()) return Outcome::disputed;
        if (repaired == slot.when_free_again() && !free_further_places(position, slot, word))
            return Outcome::already_done;
        if (redelivers_ && !write && word.state() == SlotState::published) {
            // A living one that handed it back before we looked for its name has it at its desk.
            if (const SlotWord now = slot.read(); now != word) {
                announce_if_orphan(side, slot, now);
                return Outcome::already_done;
            }
            roll_.disown(position, word.deliveries());  // before another can have it
        }
        const bool given_up = redelivers_ && word.state() == SlotState::published &&
                              repaired.state() == SlotState::free;  // delivered too often
        auto* const counter = write && (is_named || is_named_at_all(side, position)) ? &control.skipped
                              : given_up                                             ? &control.lost
                                                                                     : nullptr;
        if (counter != nullptr) counter->fetch_add(1, relaxed);  // before the repair: never too few
        std::uint64_t expected = word.value;
        // Acquire would add nothing on success: a word takes no value twice, so we read the store that we loaded before.
        if (slot.word().compare_exchange_strong(expected, repaired.value, release, relaxed)) {
            announce_if_orphan(side, slot, repaired);
            return Outcome::repaired;  // [publish] release side, [handback] release side
        }
        if (counter != nullptr) counter->fetch_sub(1, relaxed);
        announce_if_orphan(side, slot, {expected});
        return Outcome::already_done;  // by another, or its owner had published before it died
    }
    /// Also where another made it one: it may have died before it said so, and the name that leads here may be gone next.
    void announce_if_orphan(ClaimSide side, const Slot<Env>& slot, SlotWord word) noexcept {
        if (side == ClaimSide::read && word.lap() == slot.lap() && word.state() == SlotState::orphaned)
            slots_.control().orphans.fetch_add(1, release);  // [orphan] release side
    }
    /// Of a record of several places, before the first one, as its reader would have. False: it changed meanwhile, or is nonsense.
    [[nodiscard]] bool free_further_places(std::uint64_t position, const Slot<Env>& slot,
                                           SlotWord word) noexcept {
        const std::uint64_t places =
            word == slot.when(SlotState::skipped) ? 1 : extent_.in_hand(slots_, slot);
        if (places == 0 || slot.read() != word) return false;  // read between two looks at the same word
        for (std::uint64_t i = places - 1; i != 0; --i) {
            const Slot<Env> further = slots_.at(position + i);
            std::uint64_t expected = further.when(SlotState::free).value;
            // Who writes here came past the first place, or after one who did: its word hands back all of them.
            (void)further.word().compare_exchange_strong(expected, further.when_free_again().value, relaxed,
                                                         relaxed);
        }
        return true;
    }
    /// The word that repairs this one; the same where nothing is to be done.
    [[nodiscard]] static SlotWord after_dead_writer(const Slot<Env>& slot, SlotWord word) noexcept {
        return word == slot.when(SlotState::free) ? slot.when(SlotState::skipped) : word;
    }
    [[nodiscard]] SlotWord after_dead_reader(const Slot<Env>& slot, SlotWord word) const noexcept {
        if (word.lap() != slot.lap()) return word;
        if (word.state() == SlotState::skipped || word.state() == SlotState::filler)
            return slot.when_free_again();
        if (word.state() != SlotState::published) return word;
        const bool again = redelivers_ && word.deliveries() != SlotWord::kMaxDeliveries;
        return again ? SlotWord::of(word.lap(), SlotState::orphaned, word.deliveries())
                     : slot.when_free_again();
    }
    /// Read the claim before this and the word after it: the owner's intent is here until its word is there.
    [[nodiscard]] std::uint32_t find_living(ClaimSide side, std::uint64_t position) const noexcept {
        std::uint32_t index = 0;
        while (index != roll_.count()) {
            const Intent intent = roll_.intent(index);  // [intent] acquire side
            if (intent.names(side, position) && !roll_.is_dead(index)) break;
            ++index;
        }
        return index;
    }
    /// By the living or the dead: where a walk over a record's further places comes to the next record, that counts by itself.
    [[nodiscard]] bool is_named_at_all(ClaimSide side, std::uint64_t position) const noexcept {
        if (Extent::kEachPlaceIsAMessage) return true;
        std::uint32_t index = 0;
        while (index != roll_.count() && !roll_.intent(index).names(side, position))
            ++index;  // [intent] acquire side
        return index != roll_.count();
    }
    /// All that a dead consumer had in hand died with it, unless it is delivered again: its call had not returned. One that died
    /// between naming a position and losing it to another is counted, too.
    void clear(std::uint32_t index, Intent intent) noexcept {
        const bool lost = intent.side() == ClaimSide::read && !redelivers_;
        auto& counter = slots_.control().lost;
        if (lost) counter.fetch_add(intent.count(), relaxed);  // before: never too few
        if (!roll_.clear(index, intent) && lost) counter.fetch_sub(intent.count(), relaxed);
    }

    MpmcSlots<Env, kShape> slots_;
    Extent extent_;
    bool redelivers_;
    const Roll& roll_;
};

}  // namespace shmring::detail
