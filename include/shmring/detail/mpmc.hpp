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
//   orphan    recovery (or a reader) counts one     a consumer that searches for one  the slot's word that says so
//   finish    close() sets the tail's highest bit   a consumer that finds nothing     everything claimed before the close
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/mpmc_reader.hpp"
#include "shmring/detail/mpmc_slots.hpp"
#include "shmring/detail/mpmc_writer.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// A message is a slot.
template <class Env, SlotShape kShape>
struct SlotExtent {
    static constexpr bool kEachPlaceIsAMessage = true;

    [[nodiscard]] static Status published(const MpmcSlots<Env, kShape>& slots, std::uint64_t first,
                                          const Slot<Env>&, std::uint64_t most,
                                          std::uint64_t& places) noexcept {
        places = most == 1 ? 1 : 1 + slots.run(first + 1, most - 1, SlotState::published);
        return Status::ok;
    }
    [[nodiscard]] static std::uint64_t skipped(const MpmcSlots<Env, kShape>&, const Slot<Env>& slot,
                                               SlotWord word) noexcept {
        return word == slot.when(SlotState::skipped) ? 1 : 0;
    }
    [[nodiscard]] static std::uint64_t in_hand(const MpmcSlots<Env, kShape>&, const Slot<Env>&) noexcept {
        return 1;
    }
};

/// One producer's side. One thread at a time.
template <class Env, SlotShape kShape>
class MpmcProducer : public MpmcWriter<Env, kShape> {
    using Base = MpmcWriter<Env, kShape>;
    using Base::claimed_;
    using Base::slots_;

 public:
    MpmcProducer() noexcept = default;
    MpmcProducer(const MpmcSlots<Env, kShape>& slots, typename IntentHolder<Env>::Word& intent,
                 bool /*redelivers*/) noexcept
        : Base(slots, intent) {}

    /// Claims up to `most` (at least 1) places in a row: write payload(i), then publish(i) for each, then settle().
    /// ok, full (the oldest place is not handed back), closed, corrupt, or overflow while a claim is in hand.
    [[nodiscard]] Status claim(std::uint64_t most) noexcept {
        return this->claim_places(true, [&](std::uint64_t first, const Slot<Env>&) noexcept {
            return most == 1 ? 1 : 1 + slots_.run(first + 1, most - 1, SlotState::free);
        });
    }
    [[nodiscard]] std::byte* payload(std::uint64_t index) const noexcept {
        return slots_.payload(slots_.at(claimed_.first + index));
    }
    void publish(std::uint64_t index) noexcept {
        this->finish(slots_.at(claimed_.first + index), SlotState::published);
    }
    /// Sends nothing in a claimed place: consumers step over it.
    void skip(std::uint64_t index) noexcept {
        this->finish(slots_.at(claimed_.first + index), SlotState::skipped);
    }
    /// After the last place of a claim.
    void settle() noexcept {
        written_ += claimed_.count;
        this->clear_claim();
    }

    /// Whoever leaves with a claim in hand takes it back.
    void abandon() noexcept {
        for (std::uint64_t i = 0; i != claimed_.count; ++i) skip(i);
        settle();
    }

    /// One message, copied.
    [[nodiscard]] Status try_push(const void* message, std::size_t size) noexcept {
        const Status room = claim(1);
        if (room != Status::ok) [[unlikely]]
            return room;
        const Slot<Env> slot = slots_.at(claimed_.first);
        Env::copy_in(slots_.payload(slot), message, size);
        this->finish(slot, SlotState::published);
        settle();
        return Status::ok;
    }
    [[nodiscard]] std::uint64_t moved() const noexcept { return written_; }
    [[nodiscard]] static SlotExtent<Env, kShape> extent() noexcept { return {}; }

 private:
    std::uint64_t written_ = 0;
};

/// One consumer's side. One thread at a time.
template <class Env, SlotShape kShape>
class MpmcConsumer : public MpmcReader<Env, kShape, SlotExtent<Env, kShape>> {
    using Base = MpmcReader<Env, kShape, SlotExtent<Env, kShape>>;
    using Base::claimed_;
    using Base::slots_;

 public:
    using Base::Base;

    // After claim(): read payload(i), then hand_back(i) for each, then settle().
    [[nodiscard]] const std::byte* payload(std::uint64_t index) const noexcept {
        return slots_.payload(slots_.at(claimed_.first + index));
    }
    void hand_back(std::uint64_t index) noexcept { free_slot(slots_.at(claimed_.first + index)); }
    void settle() noexcept {
        read_ += claimed_.count;
        this->clear_claim();
    }

    void hand_back_all() noexcept {
        for (std::uint64_t i = 0; i != claimed_.count; ++i) hand_back(i);
    }

    /// Whoever leaves with messages in hand is done with them.
    void abandon() noexcept {
        hand_back_all();
        settle();
    }

    /// One message, copied and still in hand: free_slot(slot), then settle().
    [[nodiscard]] Status try_take(void* message, std::size_t size, Slot<Env>& slot) noexcept {
        const Status ready = this->claim(1);
        if (ready != Status::ok) [[unlikely]]
            return ready;
        slot = slots_.at(claimed_.first);
        Env::copy_out(message, slots_.payload(slot), size);
        return Status::ok;
    }
    /// One message, copied.
    [[nodiscard]] Status try_pop(void* message, std::size_t size) noexcept {
        Slot<Env> slot;
        const Status ready = try_take(message, size, slot);
        if (ready != Status::ok) [[unlikely]]
            return ready;
        free_slot(slot);
        settle();
        return Status::ok;
    }
    [[nodiscard]] std::uint64_t moved() const noexcept { return read_; }

 private:
    std::uint64_t read_ = 0;
};

}  // namespace shmring::detail
