// What of a ring with many on both sides has not been handed back: for those who wait until everything is done.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/mpmc_slots.hpp"

namespace shmring::detail {

/// `Extent` as in MpmcReader.
template <class Env, SlotShape kShape, class Extent>
class Unfinished {
 public:
    Unfinished() noexcept = default;
    Unfinished(const MpmcSlots<Env, kShape>& slots, const Extent& extent) noexcept
        : slots_(slots), extent_(extent) {}

    /// Positions claimed for writing so far.
    [[nodiscard]] std::uint64_t tail() const noexcept {
        return slots_.control().tail.load(acquire) & ~kTailClosed;  // [claim] acquire side
    }
    /// No ring gets beyond: else nobody will ever see this one empty.
    [[nodiscard]] static bool is_possible(std::uint64_t tail) noexcept { return tail < kMaxPosition; }
    /// Whether every message before `tail`, which is what tail() said, was handed back. Then whoever had one in hand has named it
    /// elsewhere before this answer, or is done with it.
    [[nodiscard]] bool none_before(std::uint64_t tail) const noexcept {
        if (!is_possible(tail)) return false;
        const std::uint64_t first = oldest(tail);
        std::uint64_t head = slots_.control().head.load(acquire);  // [advance] acquire side
        if (head < first) head = first;
        if (head > tail) head = tail;
        // Nobody has come to these yet: nothing may be there but what is to be stepped over.
        for (std::uint64_t position = head; position < tail;) {
            const Slot<Env> slot = slots_.at(position);
            const SlotWord word = slot.read();
            const std::uint64_t places = word.lap() > slot.lap() ? 1 : extent_.skipped(slots_, slot, word);
            if (places == 0) return false;
            position += places;
        }
        return !any_message(first, head, [](SlotWord) noexcept { return true; });
    }
    /// Messages that are published and not handed back: exact while nobody moves.
    [[nodiscard]] std::uint64_t count() const noexcept {
        std::uint64_t sum = 0;
        (void)any_message([&sum](SlotWord) noexcept {
            ++sum;
            return false;  // go on
        });
        return sum;
    }
    /// Whether a message whose consumer died with it waits for another: a scan.
    [[nodiscard]] bool has_orphan() const noexcept {
        return any_message([](SlotWord word) noexcept { return word.state() == SlotState::orphaned; });
    }
    /// Whether the message of this position and delivery is in the ring, in somebody's hand, and not handed back.
    [[nodiscard]] bool holds(std::uint64_t position, std::uint64_t deliveries) const noexcept {
        if (position >= kMaxPosition) return false;
        const Slot<Env> slot = slots_.at(position);
        return slot.read() == SlotWord::of(slot.lap(), SlotState::published, deliveries);
    }

 private:
    [[nodiscard]] std::uint64_t oldest(std::uint64_t tail) const noexcept {
        return tail > slots_.capacity() ? tail - slots_.capacity() : 0;
    }
    /// Whether `is(word)` for any message from `position` up to `end`. The slot of a message's first place says that it is one; the
    /// further ones say nothing.
    template <class Is>
    [[nodiscard]] bool any_message(std::uint64_t position, std::uint64_t end, Is&& is) const noexcept {
        for (; position != end; ++position) {
            const Slot<Env> slot = slots_.at(position);
            const SlotWord word = slot.read();
            const bool is_message = word.lap() == slot.lap() && (word.state() == SlotState::published ||
                                                                 word.state() == SlotState::orphaned);
            if (is_message && is(word)) return true;
        }
        return false;
    }
    template <class Is>
    [[nodiscard]] bool any_message(Is&& is) const noexcept {
        const std::uint64_t last = tail();
        return is_possible(last) && any_message(oldest(last), last, is);
    }

    MpmcSlots<Env, kShape> slots_{};
    Extent extent_{};
};

}  // namespace shmring::detail
