// MpmcByteRing: messages of any size from many producers to many consumers, written and read in place, alive after kill -9.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>

#include "shmring/detail/member_ring.hpp"
#include "shmring/detail/mpmc_bytes.hpp"
#include "shmring/mpmc_byte_consumer.hpp"
#include "shmring/mpmc_byte_producer.hpp"
#include "shmring/options.hpp"
#include "shmring/segment.hpp"

namespace shmring {

/// `MpmcByteRing::create("events", {.capacity_bytes = 1 << 20})`.
struct MpmcByteRingOptions {
    /// Bytes that unread messages may take, each rounded up to 64 (or to shares, see below), and now and then padding at the end of the
    /// ring. A message may take up to half of it. 64 to 2^40; mandatory.
    std::uint64_t capacity_bytes = 0;
    /// Messages the ring holds at most; 0: as many as fit. Each then takes whole shares of capacity_bytes / capacity_messages bytes
    /// (rounded down to 64): a message up to its share takes one, so that exactly so many of them fit; a larger one takes as many as it
    /// needs, side by side. A large share costs small messages nothing.
    std::uint64_t capacity_messages = 0;
    Delivery delivery = Delivery::at_most_once;  ///< of what a consumer dies with
    std::string_view schema{};  ///< what the bytes mean: who opens the ring names the same in SegmentOptions
    std::uint32_t participants = detail::kDefaultParticipants;                  ///< as in RingOptions
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);  ///< as in RingOptions
    SegmentOptions segment{};
};

/// A bounded queue of byte messages in shared memory, for any number of producers and consumers. Order, deaths, forks and threads as
/// for MpmcRing; always contiguous, payloads aligned to 64. Origin: see detail/mpmc_bytes.hpp.
class MpmcByteRing : public detail::MemberRing<MpmcByteRing, MpmcByteRingProducer, MpmcByteRingConsumer,
                                               MpmcByteRingOptions> {
    using Env = detail::ShippedEnv;
    using Base =
        detail::MemberRing<MpmcByteRing, MpmcByteRingProducer, MpmcByteRingConsumer, MpmcByteRingOptions>;

 public:
    /// As an empty MpmcRing.
    MpmcByteRing() noexcept = default;

    /// Bytes that unread messages may take, exactly as asked.
    [[nodiscard]] std::uint64_t capacity_bytes() const noexcept { return geometry().capacity; }
    /// Messages the ring holds at most.
    [[nodiscard]] std::uint64_t capacity_messages() const noexcept;
    /// The largest message.
    [[nodiscard]] std::size_t max_message_bytes() const noexcept {
        return *this ? memory(segment()).max_message() : 0;
    }

    /// About how many messages are in the ring, claimed ones that are not yet published included: off by what moved during the call.
    /// Looks at each of them, at 5 to 10 ns apiece, but at no more than `most`, where the answer ends: whoever wants to know whether more
    /// than a hundred wait asks for `count_approx(101)`.
    [[nodiscard]] std::uint64_t count_approx(std::uint64_t most = ~std::uint64_t{0}) const noexcept {
        return count_up_to(most, ~std::uint64_t{0});
    }
    /// A few looks, however many messages there are. False also where so many claims were dropped, or left by the dead, and not yet stepped
    /// over by a consumer, that a few looks do not tell.
    [[nodiscard]] bool was_empty() const noexcept { return count_up_to(1, kFewLooks) == 0; }
    /// Whether there was no room for the smallest message. Two loads.
    [[nodiscard]] bool was_full() const noexcept;

    [[nodiscard]] static detail::SegmentSpec spec(const MpmcByteRingOptions& options) noexcept;

 private:
    friend Base::Object;
    friend detail::RingAccess;
    friend detail::RingFactory<MpmcByteRing, MpmcByteRingOptions>;
    using Base::Base;

    [[nodiscard]] static detail::MpmcByteMemory<Env> memory(const Segment& segment) noexcept;
    static constexpr std::uint64_t kFewLooks = 64;
    [[nodiscard]] std::uint64_t count_up_to(std::uint64_t most, std::uint64_t looks) const noexcept;
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
