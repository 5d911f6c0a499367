// The slots of a ring with many producers and many consumers, as both sides and recovery see them: where a position stands, and
// what its word says.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/divider.hpp"
#include "shmring/detail/mpmc_layout.hpp"

namespace shmring::detail {

/// Where one slot is, and the lap of the position that was asked for.
template <class Env>
class Slot {
 public:
    using Word = typename Env::template Atom<std::uint64_t>;

    constexpr Slot() noexcept = default;
    Slot(std::byte* base, std::uint64_t lap) noexcept : base_(base), lap_(lap) {}

    [[nodiscard]] Word& word() const noexcept { return *std::launder(reinterpret_cast<Word*>(base_)); }
    /// The word, once: it is input.
    [[nodiscard]] SlotWord read() const noexcept {
        return {word().load(acquire)};  // [publish] acquire side, [handback] acquire side
    }
    [[nodiscard]] std::uint64_t lap() const noexcept { return lap_; }
    [[nodiscard]] std::byte* base() const noexcept { return base_; }
    /// The words of this position's life, in their order.
    [[nodiscard]] SlotWord when(SlotState state) const noexcept { return SlotWord::of(lap_, state); }
    [[nodiscard]] SlotWord when_free_again() const noexcept {
        return SlotWord::of(lap_ + 1, SlotState::free);
    }

 private:
    std::byte* base_ = nullptr;
    std::uint64_t lap_ = 0;
};

/// Where the parts of one ring lie in this process, and its checked geometry. Private: a peer cannot change it.
template <class Env, SlotShape kShape>
class MpmcSlots {
 public:
    using Control = MpmcControl<Env>;

    constexpr MpmcSlots() noexcept = default;
    MpmcSlots(Control& control, std::byte* slots, std::uint64_t capacity) noexcept
        : control_(&control), slots_(slots), capacity_(capacity) {}

    [[nodiscard]] Control& control() const noexcept { return *control_; }
    [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_.divisor(); }
    /// `position` below kMaxPosition.
    [[nodiscard]] Slot<Env> at(std::uint64_t position) const noexcept {
        const std::uint64_t lap = capacity_.quotient(position);
        return {slots_ + (position - lap * capacity_.divisor()) * kShape.stride, lap};
    }
    /// Which of the ring's places a slot is, counted from the first.
    [[nodiscard]] std::uint64_t index(const Slot<Env>& slot) const noexcept {
        return static_cast<std::uint64_t>(slot.base() - slots_) / kShape.stride;
    }
    [[nodiscard]] static std::byte* payload(const Slot<Env>& slot) noexcept {
        return slot.base() + kShape.payload_offset;
    }
    /// Whether the place that producers claim next is free. A hint.
    [[nodiscard]] bool has_room() const noexcept {
        const std::uint64_t tail = control_->tail.load(relaxed);
        if (tail >= kMaxPosition) return true;
        const Slot<Env> slot = at(tail);
        return slot.read() == slot.when(SlotState::free);
    }
    /// How many positions from `first` on, at most `most`, have the word of their lap's `state`.
    [[nodiscard]] std::uint64_t run(std::uint64_t first, std::uint64_t most, SlotState state) const noexcept {
        std::uint64_t count = 0;
        while (count != most) {
            const Slot<Env> slot = at(first + count);
            if (slot.read() != slot.when(state)) break;
            ++count;
        }
        return count;
    }

 private:
    Control* control_ = nullptr;
    std::byte* slots_ = nullptr;
    Divider capacity_{};
};

/// Hands a place back to the producers.
template <class Env>
void free_slot(const Slot<Env>& slot) noexcept {
    slot.word().store(slot.when_free_again().value, release);  // [handback] release side
}
/// Hands `count` places back, the first one last: until then it says how many there are, for those who may have to go on with it.
template <class Env, SlotShape kShape>
void free_places(const MpmcSlots<Env, kShape>& slots, std::uint64_t first, std::uint64_t count) noexcept {
    while (count != 0) free_slot(slots.at(first + --count));
}

}  // namespace shmring::detail
