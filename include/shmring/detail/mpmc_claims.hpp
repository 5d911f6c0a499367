// What both sides of the algorithm of many use: the claim in hand, the intent that names it, and the tail's highest bit.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/intent.hpp"
#include "shmring/detail/mpmc_layout.hpp"

namespace shmring::detail {

/// What is in hand: [first, first + count).
struct Claimed {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
};

/// How many messages of `wanted` one claim can be.
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
    void name_orphan(std::uint64_t position, std::uint64_t delivery) const noexcept {
        word_->store(Intent::of_orphan(position, delivery).value, release);  // [intent] release side
    }
    void clear() const noexcept { word_->store(0, release); }  // [intent] release side

 private:
    Word* word_ = nullptr;
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
