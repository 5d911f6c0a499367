// MpmcRing<T>: fixed-size messages from many producers to many consumers, between processes or threads, alive after kill -9.
#pragma once

#include <cstdint>

#include "shmring/detail/mpmc_slots.hpp"
#include "shmring/detail/ring_object.hpp"
#include "shmring/message.hpp"
#include "shmring/mpmc_consumer.hpp"
#include "shmring/mpmc_producer.hpp"
#include "shmring/options.hpp"
#include "shmring/segment.hpp"

namespace shmring {

/// A bounded queue of messages of type T in shared memory, for any number of producers and consumers. Each message goes to exactly
/// one consumer; messages come out in the order in which their places were claimed, so each producer's in its own order.
///
/// A participant killed at any instruction never blocks the others for longer than about a liveness period: who is stuck behind a
/// claim finds out whether its owner is dead, and repairs (docs/design.md). A message that was being written is stepped over; one
/// that was being read is lost or delivered again, as Delivery says. A participant that is only stopped is waited for.
///
/// The ring object itself only holds the segment and may be used in a forked child and by many threads; each Producer and Consumer
/// belongs to one thread at a time. Origin: see detail/mpmc.hpp.
template <class T>
class MpmcRing
    : public detail::RingObject<MpmcRing<T>, MpmcRingProducer<T>, MpmcRingConsumer<T>, MpmcRingOptions> {
    static_assert(detail::explain_message<T>());
    using Env = detail::ShippedEnv;
    using Base = detail::RingObject<MpmcRing<T>, MpmcRingProducer<T>, MpmcRingConsumer<T>, MpmcRingOptions>;
    using Control = detail::MpmcControl<Env>;
    static constexpr detail::SlotShape kShape = detail::SlotShape::of(sizeof(T), alignof(T));

 public:
    using value_type = T;

    /// An empty object without a ring: what the noexcept factories return when they fail.
    MpmcRing() noexcept = default;

    /// Messages the ring holds at most: exactly what was asked for when it was made.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return this->segment().geometry().capacity; }
    [[nodiscard]] Delivery delivery() const noexcept { return this->segment().geometry().delivery; }
    /// About how many messages are in the ring, claimed ones that are not yet published included: off by what moved during the call.
    [[nodiscard]] std::uint64_t count_approx() const noexcept {
        const std::uint64_t head = control().head.load(detail::relaxed);  // an estimate
        const std::uint64_t tail = control().tail.load(detail::relaxed) & ~detail::kTailClosed;
        const std::uint64_t count = tail > head ? tail - head : 0;
        return count < capacity() ? count : capacity();
    }
    [[nodiscard]] bool was_empty() const noexcept { return count_approx() == 0; }
    [[nodiscard]] bool was_full() const noexcept { return count_approx() >= capacity(); }
    [[nodiscard]] bool was_closed() const noexcept {
        return (control().tail.load(detail::relaxed) & detail::kTailClosed) != 0;
    }

    /// What deaths have cost so far. Never too few; for each process killed while it claimed or repaired, perhaps one claim too many.
    struct Losses {
        std::uint64_t skipped = 0;  ///< messages that were being written: their push had not returned
        std::uint64_t lost = 0;  ///< messages that were being read (at_most_once): their pop had not returned
        std::uint64_t redelivered =
            0;  ///< messages that were being read (at_least_once) and were delivered again
    };
    [[nodiscard]] Losses losses() const noexcept {
        const Control& words = control();
        return {words.skipped.load(detail::relaxed), words.lost.load(detail::relaxed),
                words.redelivered.load(detail::relaxed)};
    }

    /// What a ring of these options asks of its segment. For the factories and tools.
    [[nodiscard]] static detail::SegmentSpec spec(const MpmcRingOptions& options) noexcept {
        detail::SegmentSpec spec;
        spec.kind = detail::RingKind::mpmc;
        spec.capacity = options.capacity;
        spec.delivery = options.delivery;
        spec.element_size = sizeof(T);
        spec.element_alignment = alignof(T);
        spec.schema = schema<T>;
        spec.participants = options.participants;
        spec.liveness_period_ns = static_cast<std::uint64_t>(options.liveness_period.count());
        spec.block = {1, kShape.stride, kShape.payload_offset};
        spec.control_size = sizeof(Control);
        spec.data_size_for = [](std::uint64_t capacity) noexcept { return capacity * kShape.stride; };
        return spec;
    }

 private:
    friend Base;
    friend detail::RingFactory<MpmcRing<T>, MpmcRingOptions>;
    using Base::Base;

    [[nodiscard]] Control& control() const noexcept { return control(this->segment()); }
    [[nodiscard]] static Control& control(const Segment& segment) noexcept {
        return *reinterpret_cast<Control*>(segment.at(segment.geometry().control_offset));
    }
    [[nodiscard]] static detail::MpmcSlots<Env, kShape> memory(const Segment& segment) noexcept {
        return {control(segment), segment.at(segment.geometry().data_offset), segment.geometry().capacity};
    }
};

}  // namespace shmring
