// SpscRing<T>: fixed-size messages from one producer to one consumer, between processes or threads.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cstdint>

#include "shmring/detail/seated_ring.hpp"
#include "shmring/detail/spsc.hpp"
#include "shmring/message.hpp"
#include "shmring/options.hpp"
#include "shmring/segment.hpp"
#include "shmring/spsc_consumer.hpp"
#include "shmring/spsc_producer.hpp"

namespace shmring {

/// A bounded queue of messages of type T in shared memory, for one producer and one consumer at a time.
///
/// The ring object itself only holds the segment and may be used in a forked child. Who wants to write takes the producer seat,
/// who wants to read the consumer seat; a seat is free when never taken, given back, or held by the dead. What a producer
/// wrote before a push is visible to the consumer after the pop that got the message (release/acquire). Lock-free: no operation of one
/// side ever waits for the other except in the blocking calls, and each is a bounded number of steps. Origin: see detail/spsc.hpp.
///
/// Thread safety: the ring object may be read by many threads; each Producer and Consumer belongs to one thread at a time.
template <class T>
class SpscRing
    : public detail::SeatedRing<SpscRing<T>, SpscRingProducer<T>, SpscRingConsumer<T>, RingOptions> {
    static_assert(detail::explain_message<T>());
    using Env = detail::ShippedEnv;
    using Base = detail::SeatedRing<SpscRing<T>, SpscRingProducer<T>, SpscRingConsumer<T>, RingOptions>;
    static constexpr detail::BlockShape kShape = detail::BlockShape::of(sizeof(T), alignof(T));

 public:
    using value_type = T;

    /// An empty object without a ring: what the noexcept factories return when they fail. Capacities and counts are 0, and it has no
    /// ends to give.
    SpscRing() noexcept = default;

    /// Messages the ring holds at most: exactly what was asked for when it was made.
    [[nodiscard]] std::uint64_t capacity() const noexcept { return this->geometry().capacity; }
    /// About how many messages are in the ring: exact while nobody moves, else off by what moved during the call. Searches the
    /// commit words: O(log capacity).
    [[nodiscard]] std::uint64_t count_approx() const noexcept {
        return *this ? detail::count_committed<T>(memory(this->segment())) : 0;
    }
    [[nodiscard]] bool was_empty() const noexcept { return count_approx() == 0; }
    [[nodiscard]] bool was_full() const noexcept { return *this && count_approx() >= capacity(); }

    /// What a ring of these options asks of its segment. For the factories and tools.
    [[nodiscard]] static detail::SegmentSpec spec(const RingOptions& options) noexcept {
        detail::SegmentSpec spec;
        spec.kind = detail::RingKind::spsc;
        spec.capacity = options.capacity;
        spec.element_size = sizeof(T);
        spec.element_alignment = alignof(T);
        spec.schema = schema<T>;
        spec.participants = options.participants;
        spec.liveness_period_ns = static_cast<std::uint64_t>(options.liveness_period.count());
        spec.block = {kShape.messages_per_block, kShape.block_stride, kShape.payload_offset};
        spec.control_size = sizeof(detail::SpscControl<Env>);
        spec.data_size_for = [](std::uint64_t capacity) noexcept {
            return kShape.block_count(capacity) * kShape.block_stride;
        };
        return spec;
    }

 private:
    friend typename Base::Object;
    friend detail::RingFactory<SpscRing<T>, RingOptions>;
    using Base::Base;

    [[nodiscard]] static detail::SpscMemory<Env> memory(const Segment& segment) noexcept {
        const SegmentGeometry& geometry = segment.geometry();
        return {&Base::control(segment), segment.at(geometry.data_offset), geometry.capacity,
                kShape.block_count(geometry.capacity)};
    }
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
