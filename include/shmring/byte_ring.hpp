// ByteRing: messages of any size from one producer to one consumer, written and read in place, between processes or threads.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>

#include "shmring/byte_consumer.hpp"
#include "shmring/byte_producer.hpp"
#include "shmring/detail/seated_ring.hpp"
#include "shmring/detail/spsc_bytes.hpp"
#include "shmring/options.hpp"
#include "shmring/segment.hpp"

namespace shmring {

/// `ByteRing::create("frames", {.capacity_bytes = 1 << 20})`.
struct ByteRingOptions {
    /// Bytes that unread records may take: each is its message, an 8-byte header, rounding to the alignment, and now and then
    /// padding at the end of the ring. A message may take up to half of it. 16 (or twice the alignment) to 2^40; mandatory.
    std::uint64_t capacity_bytes = 0;
    std::uint32_t alignment = 8;  ///< of every message's first byte: 8 or 64
    std::string_view schema{};  ///< what the bytes mean: who opens the ring names the same in SegmentOptions
    std::uint32_t participants = detail::kDefaultParticipants;                  ///< as in RingOptions
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);  ///< as in RingOptions
    SegmentOptions segment{};
};

/// A bounded queue of byte messages in shared memory for one producer and one consumer at a time. Always contiguous: the wrap
/// is the ring's affair. Whether it was empty its ends tell: was_empty() of its producer and consumer. Seats, fork, ordering and thread safety as for SpscRing. Origin: see detail/spsc_bytes.hpp.
class ByteRing : public detail::SeatedRing<ByteRing, ByteRingProducer, ByteRingConsumer, ByteRingOptions> {
    using Env = detail::ShippedEnv;
    using Base = detail::SeatedRing<ByteRing, ByteRingProducer, ByteRingConsumer, ByteRingOptions>;

 public:
    /// As an empty SpscRing.
    ByteRing() noexcept = default;

    /// Bytes that unread records may take, exactly as asked.
    [[nodiscard]] std::uint64_t capacity_bytes() const noexcept { return geometry().capacity; }
    /// The largest message.
    [[nodiscard]] std::size_t max_message_bytes() const noexcept {
        return *this ? memory(segment()).max_message() : 0;
    }

    [[nodiscard]] static detail::SegmentSpec spec(const ByteRingOptions& options) noexcept;

 private:
    friend Base::Object;
    friend detail::RingFactory<ByteRing, ByteRingOptions>;
    using Base::Base;

    [[nodiscard]] static detail::ByteMemory<Env> memory(const Segment& segment) noexcept;
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
