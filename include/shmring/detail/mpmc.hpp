// The algorithm of a ring with many producers and many consumers: their non-blocking operations on slots in memory they do not
// own. No names, no waiting: those belong to the ring (mpmc_ring.hpp); repairs after the dead: mpmc_recovery.hpp.
//
// Origin: Vyukov's bounded queue (2010), a word per slot and a compare-and-swap per claim. New here: the word carries lap and state
// (so any capacity works, one included), and every claim is named before it is made (intent.hpp), so that survivors can tell the
// claims of the dead from those of the slow.
//
//   position   claim                         then                       last
//   write      tail: p -> p + 1              payload                    word: free(lap) -> published(lap)
//   read       head: p -> p + 1              payload                    word: published(lap) -> free(lap + 1)
//
// Edges (who makes what visible to whom):
//
//   name      release side                          acquire side                      carries
//   claim     the exchange of tail or head          recovery's load of it             the claimer's intent (intent.hpp)
//   advance   a consumer's exchange of the head     the next consumer's load          that the tail is not behind it
//   publish   the producer stores the slot's word   a consumer loads it               the payload
//   handback  a consumer stores the slot's word     a producer loads it               the place may be written again
//   finish    close() sets the tail's highest bit   a consumer that finds nothing     everything claimed before the close
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/intent.hpp"
#include "shmring/detail/mpmc_slots.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// What is in hand: [first, first + count).
struct Claimed {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

/// How many of `wanted` one claim can be.
[[nodiscard]] constexpr std::uint64_t most_at_once(std::uint64_t wanted) noexcept {
    return wanted < Intent::kMaxCount ? wanted : Intent::kMaxCount;
}

/// What both sides do with their intent word. Release order: who reads a later intent also sees what was done under the one before.
template <class Env>
class IntentHolder {
 public:
    using Word = typename Env::template Atom<std::uint64_t>;

    constexpr IntentHolder() noexcept = default;
    explicit IntentHolder(Word& word) noexcept : word_(&word) {}
    void name(ClaimSide side, std::uint64_t position, std::uint64_t count) const noexcept {
        word_->store(Intent::of(side, position, count).value, release);  // [intent] release side
    }
    void clear() const noexcept { word_->store(0, release); }  // [intent] release side

 private:
    Word* word_ = nullptr;
};

/// One producer's side. One thread at a time.
template <class Env, SlotShape kShape>
class MpmcProducer {
 public:
    MpmcProducer() noexcept = default;
    MpmcProducer(const MpmcSlots<Env, kShape>& slots, typename IntentHolder<Env>::Word& intent,
                 bool /*redelivers*/) noexcept
        : slots_(slots), intent_(intent) {}

    /// Claims up to `most` (at least 1) places in a row: write payload(i), then publish(i) for each, then settle().
    /// ok, full (the oldest place is not handed back), closed, or corrupt.
    /// overflow while a claim is in hand: one intent word names one claim.
    [[nodiscard]] Status claim(std::uint64_t most) noexcept {
        if (claimed_.count != 0) [[unlikely]]
            return Status::overflow;
        auto& tail = slots_.control().tail;
        std::uint64_t seen = tail.load(relaxed);  // a guess: the slot's word and the exchange decide
        for (;;) {
            if (seen >= kMaxPosition) [[unlikely]]
                return give_up((seen & kTailClosed) != 0 ? Status::closed : Status::corrupt);
            const Slot<Env> slot = slots_.at(seen);
            const SlotWord word = slot.read();
            if (word == slot.when(SlotState::free)) [[likely]] {
                const std::uint64_t count =
                    most == 1 ? 1 : 1 + slots_.run(seen + 1, most - 1, SlotState::free);
                intent_.name(ClaimSide::write, seen, count);
                if (!tail.compare_exchange_weak(seen, seen + count, release, relaxed)) continue;
                claimed_ = {seen, count};  // [claim] release side
                return Status::ok;
            }
            // A word of this lap was stored after its claim, and we saw the word: a second look at the tail tells of the claim.
            const std::uint64_t again = tail.load(relaxed);
            if (again == seen) return give_up(judge_occupied(slot, word));
            seen = again;
        }
    }
    [[nodiscard]] std::byte* payload(std::uint64_t index) const noexcept {
        return slots_.payload(slots_.at(claimed_.first + index));
    }
    void publish(std::uint64_t index) noexcept { finish(index, SlotState::published); }
    /// Sends nothing in a claimed place: consumers step over it.
    void skip(std::uint64_t index) noexcept { finish(index, SlotState::skipped); }
    /// After the last place of a claim.
    void settle() noexcept {
        intent_.clear();
        written_ += claimed_.count;
        claimed_ = {};
    }

    /// One message, copied.
    [[nodiscard]] Status try_push(const void* message, std::size_t size) noexcept {
        const Status room = claim(1);
        if (room != Status::ok) [[unlikely]]
            return room;
        const Slot<Env> slot = slots_.at(claimed_.first);
        Env::copy_in(slots_.payload(slot), message, size);
        slot.word().store(slot.when(SlotState::published).value, release);  // [publish] release side
        settle();
        return Status::ok;
    }

    [[nodiscard]] const Claimed& claimed() const noexcept { return claimed_; }
    [[nodiscard]] std::uint64_t moved() const noexcept { return written_; }
    /// Whether the place after our last one is free: a producer that sleeps may be woken for it.
    [[nodiscard]] bool more() const noexcept {
        const std::uint64_t tail = slots_.control().tail.load(relaxed);  // a hint
        if (tail >= kMaxPosition) return true;
        const Slot<Env> slot = slots_.at(tail);
        return slot.read() == slot.when(SlotState::free);
    }
    [[nodiscard]] const MpmcSlots<Env, kShape>& slots() const noexcept { return slots_; }

 private:
    void finish(std::uint64_t index, SlotState state) noexcept {
        const Slot<Env> slot = slots_.at(claimed_.first + index);
        slot.word().store(slot.when(state).value, release);  // [publish] release side
    }
    /// The tail stood still while its slot was not free: the position a lap before is not done with, or it is nonsense.
    [[nodiscard]] static Status judge_occupied(const Slot<Env>& slot, SlotWord word) noexcept {
        if (word.lap() + 1 != slot.lap() || word.state() > SlotState::orphaned) return Status::corrupt;
        Env::pause();  // leaves the word's line to the consumer for a moment
        return Status::full;
    }
    /// Nothing claimed: the intent may name what another won.
    [[nodiscard]] Status give_up(Status status) noexcept {
        intent_.clear();
        return status;
    }

    MpmcSlots<Env, kShape> slots_{};
    IntentHolder<Env> intent_{};
    Claimed claimed_{};
    std::uint64_t written_ = 0;
};

/// One consumer's side. One thread at a time.
template <class Env, SlotShape kShape>
class MpmcConsumer {
 public:
    MpmcConsumer() noexcept = default;
    MpmcConsumer(const MpmcSlots<Env, kShape>& slots, typename IntentHolder<Env>::Word& intent,
                 bool redelivers) noexcept
        : slots_(slots), intent_(intent), redelivers_(redelivers) {}

    /// Claims up to `most` (at least 1) of the oldest messages: read payload(i), then hand_back(i) for each, then settle().
    /// ok, empty, busy (the oldest is claimed and not yet published), closed (ended and all was claimed), or corrupt.
    /// overflow while a claim is in hand: one intent word names one claim.
    [[nodiscard]] Status claim(std::uint64_t most) noexcept {
        if (claimed_.count != 0) [[unlikely]]
            return Status::overflow;
        if (redelivers_ && slots_.control().orphans.load(relaxed) != 0 && claim_orphan()) return Status::ok;
        auto& head = slots_.control().head;
        std::uint64_t seen = head.load(acquire);  // [advance] acquire side
        for (;;) {
            const Status found = find_oldest(seen);
            if (found != Status::ok) return give_up(found);
            const std::uint64_t count =
                most == 1 ? 1 : 1 + slots_.run(seen + 1, most - 1, SlotState::published);
            intent_.name(ClaimSide::read, seen, count);
            if (!head.compare_exchange_weak(seen, seen + count, acq_rel, acquire)) continue;
            claimed_ = {seen, count};  // [claim] release side, [advance] release side
            deliveries_ = 0;
            patience_ = kPatience;
            return Status::ok;
        }
    }
    /// What claim() would say, without claiming.
    [[nodiscard]] Status peek() noexcept {
        if (claimed_.count != 0) return Status::overflow;
        if (redelivers_ && slots_.control().orphans.load(relaxed) != 0) return Status::ok;
        std::uint64_t seen = slots_.control().head.load(acquire);  // [advance] acquire side
        return give_up(find_oldest(seen));
    }
    [[nodiscard]] const std::byte* payload(std::uint64_t index) const noexcept {
        return slots_.payload(slots_.at(claimed_.first + index));
    }
    void hand_back(std::uint64_t index) noexcept { free_slot(slots_.at(claimed_.first + index)); }
    /// After the last message of a claim.
    void settle() noexcept {
        intent_.clear();
        read_ += claimed_.count;
        claimed_ = {};
    }

    /// One message, copied.
    [[nodiscard]] Status try_pop(void* message, std::size_t size) noexcept {
        const Status ready = claim(1);
        if (ready != Status::ok) [[unlikely]]
            return ready;
        const Slot<Env> slot = slots_.at(claimed_.first);
        Env::copy_out(message, slots_.payload(slot), size);
        free_slot(slot);
        settle();
        return Status::ok;
    }

    [[nodiscard]] const Claimed& claimed() const noexcept { return claimed_; }
    /// How often the message in hand was given to a consumer that died with it.
    [[nodiscard]] std::uint64_t deliveries() const noexcept { return deliveries_; }
    [[nodiscard]] std::uint64_t moved() const noexcept { return read_; }
    /// Whether the oldest message can be taken: a consumer that sleeps may be woken for it.
    [[nodiscard]] bool more() const noexcept {
        const std::uint64_t head = slots_.control().head.load(relaxed);  // a hint
        if (head >= kMaxPosition) return true;
        const Slot<Env> slot = slots_.at(head);
        return slot.read() != slot.when(SlotState::free);
    }
    [[nodiscard]] const MpmcSlots<Env, kShape>& slots() const noexcept { return slots_; }

 private:
    static void free_slot(const Slot<Env>& slot) noexcept {
        slot.word().store(slot.when_free_again().value, release);  // [handback] release side
    }
    /// Moves `seen` on from a head that was read to the oldest message that nobody claimed, over what is to be skipped.
    [[nodiscard]] Status find_oldest(std::uint64_t& seen) noexcept {
        auto& head = slots_.control().head;
        for (;;) {
            if (seen >= kMaxPosition) [[unlikely]]
                return Status::corrupt;
            const Slot<Env> slot = slots_.at(seen);
            const SlotWord word = slot.read();
            if (word == slot.when(SlotState::published)) [[likely]]
                return Status::ok;
            if (word == slot.when(SlotState::skipped)) {
                intent_.name(ClaimSide::read, seen, 1);
                if (!head.compare_exchange_weak(seen, seen + 1, acq_rel, acquire)) continue;
                free_slot(slot);  // [claim] release side, [advance] release side
                ++seen;
                continue;
            }
            if (await_change(slot, word)) continue;
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
    /// Head and slot stood still while the tail was read, and the slot was not published.
    [[nodiscard]] Status judge_unpublished(std::uint64_t head, std::uint64_t tail, const Slot<Env>& slot,
                                           SlotWord word) noexcept {
        const std::uint64_t written = tail & ~kTailClosed;
        const bool is_free = word == slot.when(SlotState::free);
        const bool is_old =
            word.lap() + 1 == slot.lap() && word.state() <= SlotState::orphaned;  // a slow reader's
        // Whoever moved the head to where it is had seen that position claimed: the tail cannot be behind.
        if (written < head || !(is_free || (is_old && written == head))) return Status::corrupt;
        if (written != head) return Status::busy;
        if ((tail & kTailClosed) != 0) return Status::closed;
        Env::pause();  // leaves the word's line to the producer for a moment
        return Status::empty;
    }
    /// Looks for a message whose consumer died with it, in the slots that the readers have passed. Cold: only when one was seen.
    [[nodiscard, gnu::noinline]] bool claim_orphan() noexcept {
        auto& control = slots_.control();
        control.orphans.store(
            0, relaxed);  // a hint: if we die now, the next who looks after the dead sets it again
        const std::uint64_t head = control.head.load(acquire);
        if (head >= kMaxPosition) return false;
        const std::uint64_t first = head > slots_.capacity() ? head - slots_.capacity() : 0;
        for (std::uint64_t position = first; position != head; ++position) {
            const Slot<Env> slot = slots_.at(position);
            const SlotWord word = slot.read();
            if (word.lap() != slot.lap() || word.state() != SlotState::orphaned) continue;
            control.orphans.store(1, relaxed);  // there may be more
            const std::uint64_t again = word.deliveries() + 1;
            std::uint64_t expected = word.value;
            intent_.name(ClaimSide::read, position, 1);
            if (!slot.word().compare_exchange_strong(
                    expected, SlotWord::of(slot.lap(), SlotState::published, again).value, acq_rel, relaxed))
                continue;                               // [claim] release side
            control.redelivered.fetch_add(1, relaxed);  // a statistic
            claimed_ = {position, 1};
            deliveries_ = again;
            return true;
        }
        return false;
    }
    /// Nothing claimed: the intent may name what another won.
    [[nodiscard]] Status give_up(Status status) noexcept {
        intent_.clear();
        return status;
    }

    MpmcSlots<Env, kShape> slots_{};
    IntentHolder<Env> intent_{};
    Claimed claimed_{};
    static constexpr int kLooksPerCall = 6;
    static constexpr int kPatience = 24;

    std::uint64_t deliveries_ = 0;
    std::uint64_t read_ = 0;
    int patience_ = 0;
    bool redelivers_ = false;
};

/// Ends the stream: no claim for writing succeeds any more. The caller wakes the sleepers.
template <class Env>
void close_tail(MpmcControl<Env>& control) noexcept {
    control.tail.fetch_or(kTailClosed, release);  // [finish] release side
}

/// Whether positions taken from the segment can be some: below the limit, in order, and no further apart than the ring is long.
template <class Env>
[[nodiscard]] bool plausible_positions(const MpmcControl<Env>& control, std::uint64_t capacity) noexcept {
    const std::uint64_t earlier_tail = control.tail.load(acquire) & ~kTailClosed;  // [claim] acquire side
    const std::uint64_t head = control.head.load(acquire);                         // [claim] acquire side
    const std::uint64_t later_tail = control.tail.load(acquire) & ~kTailClosed;    // [claim] acquire side
    return later_tail < kMaxPosition && head <= later_tail &&
           (earlier_tail <= head || earlier_tail - head <= capacity);
}

}  // namespace shmring::detail
