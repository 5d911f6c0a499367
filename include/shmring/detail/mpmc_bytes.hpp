// The byte algorithm of a ring with many producers and many consumers: records of any size, written and read in place.
//
// The data section is cut into units: of one cache line, or, where the number of messages is limited too, of the share of each in all
// the bytes, so that a message up to its share is one unit, however large that is. Beside it stands a table with a slot per unit: control
// word and record header. A record takes as many units as its bytes need, side by side; the slot of its first unit speaks for it, the others stay `free`, which
// is what they are to everybody but its owner, because the tail has passed them. Claims, their names and recovery are those of
// detail/mpmc.hpp; a position counts units.
//
//   claim     tail: p -> p + units (the padding before the end of the storage included, where the record does not fit)
//   publish   header, then the word of the first unit; claimed and not used: a filler behind it; padding: a filler, published last
//   release   the words of the further units, then that of the first: free(lap + 1)
//
// Headers are in the table and not among the bytes, so that no payload can be taken for one, and every payload starts on a line.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/mpmc_reader.hpp"
#include "shmring/detail/mpmc_slots.hpp"
#include "shmring/detail/mpmc_writer.hpp"
#include "shmring/detail/record_header.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// A slot of the table: control word, record header.
inline constexpr SlotShape kUnitSlot{8, 16};

template <class Env>
using UnitSlots = MpmcSlots<Env, kUnitSlot>;

/// The geometry of one ring of units in this process.
template <class Env>
struct MpmcByteMemory {
    UnitSlots<Env> slots{};
    std::byte* bytes = nullptr;
    std::uint64_t unit_size = kLineSize;  // a multiple of it

    [[nodiscard]] std::uint64_t units_of(std::uint64_t length) const noexcept {
        if (length <= unit_size) [[likely]]
            return 1;  // without a division
        return (length + unit_size - 1) / unit_size;
    }
    /// The largest message: it fits behind any padding that it may need, however the ring stands.
    [[nodiscard]] std::uint64_t max_message() const noexcept {
        const std::uint64_t bytes_at_most = (slots.capacity() + 1) / 2 * unit_size;
        return bytes_at_most < RecordHeader::kMaxLength ? bytes_at_most : RecordHeader::kMaxLength;
    }
    [[nodiscard]] std::uint64_t index_of(std::uint64_t position) const noexcept {
        return position % slots.capacity();
    }
    [[nodiscard]] std::byte* payload(std::uint64_t position) const noexcept {
        return bytes + index_of(position) * unit_size;
    }
};

template <class Env>
[[nodiscard]] typename Env::template Atom<std::uint64_t>& header_of(const Slot<Env>& slot) noexcept {
    return *std::launder(
        reinterpret_cast<typename Env::template Atom<std::uint64_t>*>(UnitSlots<Env>::payload(slot)));
}

/// A record is as long as its header says. The header is input: read once, checked here, then used.
template <class Env>
class UnitExtent {
 public:
    static constexpr bool kEachPlaceIsAMessage = false;

    constexpr UnitExtent() noexcept = default;
    explicit UnitExtent(const MpmcByteMemory<Env>& memory) noexcept : memory_(memory) {}

    /// `most`: bytes. What was found stays in length() and tag().
    [[nodiscard]] Status published(const UnitSlots<Env>&, std::uint64_t, const Slot<Env>& slot,
                                   std::uint64_t most, std::uint64_t& places) noexcept {
        const RecordHeader header = read(slot);
        places = units_in(slot, header, RecordHeader::State::message);
        if (places == 0) return Status::corrupt;
        length_ = header.length;
        tag_ = header.tag;
        return length_ > most ? Status::too_large : Status::ok;
    }
    [[nodiscard]] std::uint64_t skipped(const UnitSlots<Env>&, const Slot<Env>& slot,
                                        SlotWord word) const noexcept {
        if (word == slot.when(SlotState::skipped)) return 1;
        return word == slot.when(SlotState::filler) ? units_in(slot, read(slot), RecordHeader::State::padding)
                                                    : 0;
    }
    [[nodiscard]] std::uint64_t in_hand(const UnitSlots<Env>&, const Slot<Env>& slot) const noexcept {
        const RecordHeader header = read(slot);
        return units_in(slot, header, header.state);
    }
    [[nodiscard]] std::uint32_t length() const noexcept { return length_; }
    [[nodiscard]] std::uint32_t tag() const noexcept { return tag_; }

 private:
    [[nodiscard]] static RecordHeader read(const Slot<Env>& slot) noexcept {
        return RecordHeader::of(
            header_of(slot).load(acquire));  // [publish] acquire side, [handback] acquire side
    }
    /// 0: not such a record, or one that would reach beyond the storage.
    [[nodiscard]] std::uint64_t units_in(const Slot<Env>& slot, const RecordHeader& header,
                                         RecordHeader::State expected) const noexcept {
        if (header.state != expected) return 0;
        const bool is_message = expected == RecordHeader::State::message;
        if (!is_message && expected != RecordHeader::State::padding) return 0;
        if (is_message && header.length > memory_.max_message()) return 0;
        const std::uint64_t units = is_message ? memory_.units_of(header.length) : header.length;
        return units <= memory_.slots.capacity() - memory_.slots.index(slot) ? units : 0;
    }

    MpmcByteMemory<Env> memory_{};
    std::uint32_t length_ = 0;
    std::uint32_t tag_ = 0;
};

/// One producer's side. One thread at a time.
template <class Env>
class MpmcByteProducer : public MpmcWriter<Env, kUnitSlot> {
    using Base = MpmcWriter<Env, kUnitSlot>;
    using Base::claimed_;
    using Base::slots_;

 public:
    MpmcByteProducer() noexcept = default;
    MpmcByteProducer(const MpmcByteMemory<Env>& memory, typename IntentHolder<Env>::Word& intent,
                     bool /*redelivers*/) noexcept
        : Base(memory.slots, intent), memory_(memory) {}

    /// Claims room for up to `size` bytes: write at place(), then publish() or abandon(). Statuses as MpmcWriter's, and too_large.
    [[nodiscard]] Status prepare(std::uint64_t size) noexcept {
        if (size > memory_.max_message()) return Status::too_large;
        const std::uint64_t units = memory_.units_of(size);
        return this->claim_places(false, [&](std::uint64_t first, const Slot<Env>& slot) noexcept {
            const std::uint64_t left = slots_.capacity() - slots_.index(slot);
            padding_ = units <= left ? 0 : left;
            const std::uint64_t all = padding_ + units;
            return slots_.run(first + 1, all - 1, SlotState::free) == all - 1 ? all : 0;
        });
    }
    [[nodiscard]] std::byte* place() const noexcept { return memory_.payload(claimed_.first + padding_); }
    /// Publishes the first `size` bytes, at most as many as were claimed, and hands on the rest.
    void publish(std::uint32_t size, std::uint32_t tag) noexcept {
        const std::uint64_t used = memory_.units_of(size);
        const std::uint64_t first = claimed_.first + padding_;
        fill(first + used, claimed_.count - padding_ - used);
        finish_record(first, {tag, RecordHeader::State::message, size}, SlotState::published);
        ++written_;
        settle();
    }
    /// Sends nothing: consumers step over the claim.
    void abandon() noexcept {
        fill(claimed_.first + padding_, claimed_.count - padding_);
        settle();
    }

    [[nodiscard]] std::uint64_t moved() const noexcept { return written_; }
    [[nodiscard]] UnitExtent<Env> extent() const noexcept { return UnitExtent<Env>(memory_); }
    [[nodiscard]] const MpmcByteMemory<Env>& memory() const noexcept { return memory_; }

 private:
    /// The padding's word comes last: until then readers wait in front of the whole claim.
    void settle() noexcept {
        fill(claimed_.first, padding_);
        this->clear_claim();
        padding_ = 0;
    }
    void fill(std::uint64_t first, std::uint64_t units) noexcept {
        if (units == 0) return;
        finish_record(first, {0, RecordHeader::State::padding, static_cast<std::uint32_t>(units)},
                      SlotState::filler);
    }
    void finish_record(std::uint64_t first, const RecordHeader& header, SlotState state) noexcept {
        const Slot<Env> slot = slots_.at(first);
        // Release: who reads this header early, beside the word of a lap before, then sees that the word has changed, too.
        header_of(slot).store(header.word(), release);  // [handback] release side
        this->finish(slot, state);
    }

    MpmcByteMemory<Env> memory_{};
    std::uint64_t padding_ = 0;
    std::uint64_t written_ = 0;
};

/// One consumer's side. One thread at a time.
template <class Env>
class MpmcByteConsumer : public MpmcReader<Env, kUnitSlot, UnitExtent<Env>> {
    using Base = MpmcReader<Env, kUnitSlot, UnitExtent<Env>>;
    using Base::claimed_;
    using Base::extent_;
    using Base::slots_;

 public:
    MpmcByteConsumer() noexcept = default;
    MpmcByteConsumer(const MpmcByteMemory<Env>& memory, typename IntentHolder<Env>::Word& intent,
                     bool redelivers) noexcept
        : Base(memory.slots, intent, redelivers), memory_(memory) {
        extent_ = UnitExtent<Env>(memory);
    }

    // claim(most) claims a message of at most that many bytes: read it at payload(), then hand_back(). After too_large, length() is
    // that of the message which stays.
    [[nodiscard]] const std::byte* payload() const noexcept { return memory_.payload(claimed_.first); }
    [[nodiscard]] std::uint32_t length() const noexcept { return extent_.length(); }
    [[nodiscard]] std::uint32_t tag() const noexcept { return extent_.tag(); }
    void hand_back() noexcept {
        hand_back_all();
        settle();
    }
    // The same in two steps.
    void hand_back_all() noexcept { free_places(slots_, claimed_.first, claimed_.count); }
    void settle() noexcept {
        this->clear_claim();
        ++read_;
    }

    /// Whoever leaves with a message in hand is done with it.
    void abandon() noexcept { hand_back(); }

    [[nodiscard]] std::uint64_t moved() const noexcept { return read_; }
    [[nodiscard]] const MpmcByteMemory<Env>& memory() const noexcept { return memory_; }

 private:
    MpmcByteMemory<Env> memory_{};
    std::uint64_t read_ = 0;
};

}  // namespace shmring::detail
