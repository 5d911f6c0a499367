// The byte ring of many producers and many consumers on the heap, with any past a test likes: no segment, no participants.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "shmring/detail/mpmc_bytes.hpp"
#include "shmring/detail/mpmc_layout.hpp"

namespace shmring::test {

/// Control words, table and units, each in an allocation of its own and exactly as long as it needs to be, so that the address
/// sanitizer sees a step outside.
template <class Env>
class MpmcByteHeap {
 public:
    using Slots = detail::UnitSlots<Env>;
    using Producer = detail::MpmcByteProducer<Env>;
    using Consumer = detail::MpmcByteConsumer<Env>;
    using Word = typename Env::template Atom<std::uint64_t>;

    /// `unit_lines`: how many lines a unit has.
    explicit MpmcByteHeap(std::uint64_t units, std::uint64_t unit_lines = 1)
        : units_(units),
          unit_size_(unit_lines * detail::kLineSize),
          table_(allocate(units * detail::kUnitSlot.stride)),
          bytes_(allocate(units * unit_size_)) {
        arrange_empty(0);
    }

    /// Empty, as if `position` units had been written and read.
    void arrange_empty(std::uint64_t position) {
        std::memset(bytes_.get(), 0xa5, units_ * unit_size_);
        ::new (control_.get()) detail::MpmcControl<Env>{};
        control_->head.store(position, std::memory_order_relaxed);
        control_->tail.store(position, std::memory_order_relaxed);
        for (std::uint64_t at = position; at != position + units_; ++at) {
            ::new (slot(at)) Word(detail::SlotWord::of(at / units_, detail::SlotState::free).value);
            ::new (slot(at) + detail::kUnitSlot.payload_offset) Word(0xa5a5'a5a5'a5a5'a5a5);
        }
    }

    [[nodiscard]] detail::MpmcByteMemory<Env> memory() { return {slots(), bytes_.get(), unit_size_}; }
    [[nodiscard]] Slots slots() { return {*control_, table_.get(), units_}; }
    [[nodiscard]] detail::UnitExtent<Env> extent() { return detail::UnitExtent<Env>(memory()); }
    [[nodiscard]] Producer producer(Word& intent, bool redelivers) { return {memory(), intent, redelivers}; }
    [[nodiscard]] Consumer consumer(Word& intent, bool redelivers) { return {memory(), intent, redelivers}; }
    [[nodiscard]] detail::MpmcControl<Env>& control() { return *control_; }
    [[nodiscard]] std::uint64_t capacity() const { return units_; }

    // Where a position stands, worked out by division and not as the ring does.
    [[nodiscard]] Word& word(std::uint64_t position) const { return as_word(slot(position)); }
    [[nodiscard]] Word& header(std::uint64_t position) const {
        return as_word(slot(position) + detail::kUnitSlot.payload_offset);
    }
    [[nodiscard]] std::byte* payload(std::uint64_t position) const {
        return bytes_.get() + position % units_ * unit_size_;
    }
    [[nodiscard]] const std::byte* bytes_end() const { return bytes_.get() + units_ * unit_size_; }

 private:
    static constexpr std::align_val_t kAlignment{detail::kLineSize};
    struct Free {
        void operator()(std::byte* memory) const noexcept { ::operator delete(memory, kAlignment); }
    };
    using Block = std::unique_ptr<std::byte, Free>;
    [[nodiscard]] static Block allocate(std::size_t size) {
        return Block(static_cast<std::byte*>(::operator new(size, kAlignment)));
    }
    [[nodiscard]] std::byte* slot(std::uint64_t position) const {
        return table_.get() + position % units_ * detail::kUnitSlot.stride;
    }
    [[nodiscard]] static Word& as_word(std::byte* at) { return *std::launder(reinterpret_cast<Word*>(at)); }

    std::uint64_t units_;
    std::uint64_t unit_size_;
    std::unique_ptr<detail::MpmcControl<Env>> control_ = std::make_unique<detail::MpmcControl<Env>>();
    Block table_;
    Block bytes_;
};

}  // namespace shmring::test
