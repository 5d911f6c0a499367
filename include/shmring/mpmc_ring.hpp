// MpmcRing<T>: fixed-size messages from many producers to many consumers, between processes or threads, alive after kill -9.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cstdint>

#include "shmring/detail/member_ring.hpp"
#include "shmring/detail/mpmc_slots.hpp"
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
/// claim finds out whether its owner is dead, and repairs (docs/algorithms/mpmc.md). A message that was being written is stepped over; one
/// that was being read is lost or delivered again, as Delivery says. A participant that is only stopped is waited for.
///
/// The ring object itself only holds the segment and may be used in a forked child and by many threads; each Producer and Consumer
/// belongs to one thread at a time. Origin: see detail/mpmc.hpp.
template <class T>
class MpmcRing
    : public detail::MemberRing<MpmcRing<T>, MpmcRingProducer<T>, MpmcRingConsumer<T>, MpmcRingOptions> {
    static_assert(detail::explain_message<T>());
    using Env = detail::ShippedEnv;
    using Base = detail::MemberRing<MpmcRing<T>, MpmcRingProducer<T>, MpmcRingConsumer<T>, MpmcRingOptions>;
    using Base::control;
    static constexpr detail::SlotShape kShape = detail::SlotShape::of(sizeof(T), alignof(T));

 public:
    using value_type = T;

    /// An empty object without a ring: what the noexcept factories return when they fail. Capacities and counts are 0, and it has no
    /// ends to give.
    MpmcRing() noexcept = default;

    /// Messages the ring holds at most: exactly what was asked for when it was made.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return this->geometry().capacity; }
    /// About how many messages are in the ring, claimed ones that are not yet published included: off by what moved during the call.
    [[nodiscard]] std::uint64_t count_approx() const noexcept {
        if (!*this) return 0;
        const std::uint64_t head = control(this->segment()).head.load(detail::relaxed);  // an estimate
        const std::uint64_t tail = control(this->segment()).tail.load(detail::relaxed) & ~detail::kTailClosed;
        const std::uint64_t count = tail > head ? tail - head : 0;
        return count < capacity() ? count : capacity();
    }
    [[nodiscard]] bool was_empty() const noexcept { return count_approx() == 0; }
    [[nodiscard]] bool was_full() const noexcept { return *this && count_approx() >= capacity(); }
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
        spec.control_size = sizeof(typename Base::Control);
        spec.data_size_for = [](std::uint64_t capacity) noexcept { return capacity * kShape.stride; };
        return spec;
    }

 private:
    friend typename Base::Object;
    friend detail::RingAccess;
    friend detail::RingFactory<MpmcRing<T>, MpmcRingOptions>;
    using Base::Base;

    [[nodiscard]] static detail::MpmcSlots<Env, kShape> memory(const Segment& segment) noexcept {
        return {Base::control(segment), segment.at(segment.geometry().data_offset),
                segment.geometry().capacity};
    }
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
