// The writing end of ByteRing.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "shmring/detail/byte_verbs.hpp"
#include "shmring/detail/spsc_bytes.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/result.hpp"

namespace shmring {

class ByteRingClaim;

/// The one who writes. Move-only; do not move it while a Claim of it is alive. Destroying it gives the seat back and leaves the
/// stream open: a restarted producer continues. In a forked child every call answers not_owner. One thread at a time.
///
/// A claim that is dropped costs nothing. Statuses: full (no room, and the exact read position was looked at), too_large (more than max_message_bytes(), at once),
/// closed (the stream has ended), peer_lost (full, and the consumer is dead).
class ByteRingProducer
    : public detail::StreamEnd<detail::ByteProducer<detail::ShippedEnv>, detail::Role::producer>,
      public detail::ByteSendVerbs<ByteRingProducer, ByteRingClaim> {
 public:
    using Claim = ByteRingClaim;

    ByteRingProducer() noexcept = default;

    /// The largest message: about half the ring, so that it fits however the ring stands.
    [[nodiscard]] std::size_t max_message_bytes() const noexcept { return side_.memory().max_message(); }

 private:
    friend class detail::ByteSendVerbs<ByteRingProducer, ByteRingClaim>;
    friend class ByteRingClaim;

    void announce(std::size_t /*count*/) noexcept { end_.wake_peer(); }
    [[nodiscard]] Result<Claim> claimed(Status status, std::size_t most_bytes) noexcept;
};

/// A message under construction in the ring. Its bytes are those of old messages until they are written.
class ByteRingClaim {
 public:
    ByteRingClaim(ByteRingClaim&& other) noexcept
        : producer_(std::exchange(other.producer_, nullptr)), bytes_(other.bytes_) {}
    /// What was claimed here before is dropped first, as by the destructor.
    ByteRingClaim& operator=(ByteRingClaim&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~ByteRingClaim() = default;  // not committed: not sent

    /// Where to write: as many bytes as were claimed, aligned as the ring promises (8, or 64 by option).
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
    /// Publishes the first `size` bytes, at most as many as were claimed. Once.
    void commit(std::size_t size, std::uint32_t tag = 0) noexcept {
        assert(producer_ != nullptr && size <= bytes_.size());
        ByteRingProducer& producer = *std::exchange(producer_, nullptr);
        if (!producer.end_.usable()) return;  // a forked child's copy: the claim is its parent's
        producer.side_.publish(static_cast<std::uint32_t>(size), tag);
        producer.announce(1);
    }

 private:
    friend class ByteRingProducer;
    ByteRingClaim(ByteRingProducer& producer, std::span<std::byte> bytes) noexcept
        : producer_(&producer), bytes_(bytes) {}
    ByteRingProducer* producer_;
    std::span<std::byte> bytes_;
};

inline Result<ByteRingClaim> ByteRingProducer::claimed(Status status, std::size_t most_bytes) noexcept {
    if (status != Status::ok) return status;
    return ByteRingClaim(*this, {side_.place(), most_bytes});
}

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
