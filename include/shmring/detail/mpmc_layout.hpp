// What lies in shared memory in a ring with many producers and many consumers: its control words, its slots, and the word that
// says what a slot is. Part of the ABI, as layout.hpp is. Zero-filled memory is a valid, empty ring.
// SPDX-License-Identifier: MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/layout.hpp"

namespace shmring::detail {

/// What a slot is to the position that stands in it. Values are part of the ABI.
enum class SlotState : std::uint64_t {
    free = 0,       ///< may be claimed for this lap, or is claimed and not yet published
    published = 1,  ///< holds a message; behind the read position: a consumer has it in hand
    skipped = 2,    ///< its producer died before it published, or took its claim back: consumers step over it
    orphaned = 3,   ///< its consumer died with it: to be delivered again (at_least_once)
    filler = 4,     ///< byte rings: a run of places without a message
};

/// A slot's control word: `lap:56 | deliveries:5 | state:3`. The lap is position / capacity; deliveries counts how often the message
/// was orphaned. A word never takes a value twice, so that a compare-and-swap cannot be fooled by one that came back.
struct SlotWord {
    std::uint64_t value = 0;

    static constexpr std::uint64_t kMaxDeliveries = 31;

    [[nodiscard]] static constexpr SlotWord of(std::uint64_t lap, SlotState state,
                                               std::uint64_t deliveries = 0) noexcept {
        return {lap << 8 | deliveries << 3 | static_cast<std::uint64_t>(state)};
    }
    [[nodiscard]] constexpr std::uint64_t lap() const noexcept { return value >> 8; }
    [[nodiscard]] constexpr SlotState state() const noexcept { return static_cast<SlotState>(value & 7); }
    [[nodiscard]] constexpr std::uint64_t deliveries() const noexcept { return value >> 3 & kMaxDeliveries; }
    [[nodiscard]] constexpr bool is_known() const noexcept { return state() <= SlotState::filler; }
    friend constexpr bool operator==(SlotWord, SlotWord) = default;
};

/// The tail's highest bit: no claim succeeds any more.
inline constexpr std::uint64_t kTailClosed = std::uint64_t{1} << 63;

/// Positions, counters and sleepers of one ring with many on both sides.
///
///   offset field        written by           read by       meaning
///   0      tail         producers            all           messages ever claimed for writing; bit 63: closed
///   128    head         consumers            all           messages ever claimed for reading
///   256    orphans      recoverers, readers  consumers     how often a message was found orphaned
///   264    skipped      recoverers           people        claims of dead producers that were stepped over
///   272    lost         recoverers, readers  people        messages that died with a consumer, or threw, and are not redelivered
///   280    redelivered  consumers            people        orphans that were delivered again (at_least_once)
///   288    searched     consumers            consumers     what `orphans` said before a search that found none
///   296    forgotten    new holders          recoverers    upper bound of read claims whose intent was dropped before repair
///   304    remembered   recoverers           recoverers    what `forgotten` was before a scan that repaired all; differs while a scan is owed
///   312    bound        explicit producers   recoverers    how many explicit producers there have been
///   384    readable     all                  producers     EventLine: consumers sleep here
///   512    writable     all                  consumers     EventLine: producers sleep here
///
/// Invariant: head <= tail <= head + capacity. Both only grow. Counters are counted before the repair and taken back if another was
/// quicker: they never say too little of what was repaired, and one too many for a recoverer killed in between.
template <class Env>
struct MpmcControl {
    template <class T>
    using Atom = typename Env::template Atom<T>;

    alignas(kLineGap) Atom<std::uint64_t> tail;
    alignas(kLineGap) Atom<std::uint64_t> head;
    alignas(kLineGap) Atom<std::uint64_t> orphans;
    Atom<std::uint64_t> skipped;
    Atom<std::uint64_t> lost;
    Atom<std::uint64_t> redelivered;
    Atom<std::uint64_t> searched;
    Atom<std::uint64_t> forgotten;
    Atom<std::uint64_t> remembered;
    Atom<std::uint64_t> bound;
    EventLine<Env> readable;
    EventLine<Env> writable;
};

/// How one message stands in its slot: behind the control word in the same line if it fits there, on lines of its own otherwise.
struct SlotShape {
    std::uint32_t payload_offset = 0;
    std::uint32_t stride = 0;  ///< bytes from slot to slot

    [[nodiscard]] static constexpr SlotShape of(std::uint32_t size, std::uint32_t alignment) noexcept {
        const BlockShape block = BlockShape::of(size, alignment);
        if (block.payload_offset >= kLineSize) return {block.payload_offset, block.block_stride};
        return {block.payload_offset, std::bit_ceil(block.payload_offset + size)};
    }
    friend constexpr bool operator==(const SlotShape&, const SlotShape&) = default;
};
static_assert(SlotShape::of(8, 8) == SlotShape{8, 16} && SlotShape::of(56, 8) == SlotShape{8, 64});
static_assert(SlotShape::of(57, 1) == SlotShape{64, 128} && SlotShape::of(1, 1) == SlotShape{8, 16});

}  // namespace shmring::detail
