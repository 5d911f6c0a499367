// The ring of many producers and many consumers on the heap, with any past a test likes: no segment, no participants.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "shmring/detail/mpmc.hpp"
#include "shmring/detail/mpmc_layout.hpp"
#include "shmring/detail/mpmc_slots.hpp"
#include "support/memory_ring.hpp"

namespace shmring::test {

/// The control words and slots of one ring, each in an allocation of its own and exactly as long as it needs to be, so that the
/// address sanitizer sees a step outside. `T` is a Sized.
template <class T, class Env>
class MpmcMemory {
 public:
    static constexpr detail::SlotShape kShape = detail::SlotShape::of(sizeof(T), alignof(T));
    using Slots = detail::MpmcSlots<Env, kShape>;
    using Producer = detail::MpmcProducer<Env, kShape>;
    using Consumer = detail::MpmcConsumer<Env, kShape>;
    using Word = typename Env::template Atom<std::uint64_t>;

    explicit MpmcMemory(std::uint64_t capacity)
        : capacity_(capacity),
          slots_(static_cast<std::byte*>(::operator new(capacity* kShape.stride, kAlignment))) {
        arrange(0, 0);
    }

    /// As if `tail` messages had been pushed and `head` popped, each message numbered with its position.
    void arrange(std::uint64_t head, std::uint64_t tail) {
        std::memset(slots_.get(), 0xa5, capacity_ * kShape.stride);
        ::new (control_.get()) detail::MpmcControl<Env>{};
        control_->head.store(head, std::memory_order_relaxed);
        control_->tail.store(tail, std::memory_order_relaxed);
        for (std::uint64_t position = head; position != head + capacity_; ++position) {
            const bool is_full = position < tail;
            ::new (base(position))
                Word(detail::SlotWord::of(position / capacity_,
                                          is_full ? detail::SlotState::published : detail::SlotState::free)
                         .value);
            if (!is_full) continue;
            const T message = T::numbered(position);
            std::memcpy(payload(position), &message, sizeof message);
        }
    }

    void arrange_empty(std::uint64_t position) { arrange(position, position); }

    [[nodiscard]] Slots slots() { return {*control_, slots_.get(), capacity_}; }
    [[nodiscard]] static detail::SlotExtent<Env, kShape> extent() { return {}; }
    [[nodiscard]] Producer producer(Word& intent, bool redelivers) { return {slots(), intent, redelivers}; }
    [[nodiscard]] Consumer consumer(Word& intent, bool redelivers) { return {slots(), intent, redelivers}; }
    [[nodiscard]] detail::MpmcControl<Env>& control() { return *control_; }
    [[nodiscard]] std::uint64_t capacity() const { return capacity_; }
    /// Where a position stands, worked out by division and not as the ring does.
    [[nodiscard]] std::byte* base(std::uint64_t position) const {
        return slots_.get() + position % capacity_ * kShape.stride;
    }
    [[nodiscard]] std::byte* payload(std::uint64_t position) const {
        return base(position) + kShape.payload_offset;
    }
    [[nodiscard]] Word& word(std::uint64_t position) const {
        return *std::launder(reinterpret_cast<Word*>(base(position)));
    }

 private:
    static constexpr std::align_val_t kAlignment{std::max<std::size_t>(alignof(T), detail::kLineSize)};
    struct Free {
        void operator()(std::byte* memory) const noexcept { ::operator delete(memory, kAlignment); }
    };

    std::uint64_t capacity_;
    std::unique_ptr<detail::MpmcControl<Env>> control_ = std::make_unique<detail::MpmcControl<Env>>();
    std::unique_ptr<std::byte, Free> slots_;
};

}  // namespace shmring::test
