// The writing end of MpmcByteRing.
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
#include "shmring/detail/member_end.hpp"
#include "shmring/detail/mpmc_bytes.hpp"
#include "shmring/result.hpp"

namespace shmring {

class MpmcByteRingClaim;

/// One of those who write. Move-only; do not move it while a claim of it is alive. One thread at a time; every thread and process
/// takes its own. In a forked child every call answers not_owner.
///
/// Statuses: full (no room in one piece), too_large (more than max_message_bytes(), at once), closed (the stream has ended), overflow (a
/// claim of this handle is alive), corrupt (the ring's words contradict each other).
class MpmcByteRingProducer
    : public detail::MemberEnd<detail::MpmcByteProducer<detail::ShippedEnv>, detail::Role::producer>,
      public detail::ByteSendVerbs<MpmcByteRingProducer, MpmcByteRingClaim> {
 public:
    using Claim = MpmcByteRingClaim;

    MpmcByteRingProducer() noexcept = default;

    /// The largest message: about half the ring, so that it fits however the ring stands.
    [[nodiscard]] std::size_t max_message_bytes() const noexcept { return side_.memory().max_message(); }

 private:
    friend class detail::ByteSendVerbs<MpmcByteRingProducer, MpmcByteRingClaim>;
    friend class MpmcByteRingClaim;

    void announce(std::size_t count) noexcept { moved_on(count); }
    [[nodiscard]] Result<Claim> claimed(Status status, std::size_t most_bytes) noexcept;
};

/// A message under construction in the ring. Its bytes are those of old messages until they are written. Readers wait for it, so that
/// messages come in the order of their claims; dropped, or dead with its process, it is stepped over.
class MpmcByteRingClaim {
 public:
    MpmcByteRingClaim(MpmcByteRingClaim&& other) noexcept
        : producer_(std::exchange(other.producer_, nullptr)), bytes_(other.bytes_) {}
    /// What was claimed here before is dropped first, as by the destructor.
    MpmcByteRingClaim& operator=(MpmcByteRingClaim&& other) noexcept {
        if (this != &other) std::construct_at((std::destroy_at(this), this), std::move(other));
        return *this;
    }
    ~MpmcByteRingClaim() {
        if (producer_ != nullptr) finish([](auto& side) noexcept { side.abandon(); });
    }

    /// Where to write: as many bytes as were claimed, aligned to 64.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept { return bytes_; }
    /// Publishes the first `size` bytes, at most as many as were claimed. Once.
    void commit(std::size_t size, std::uint32_t tag = 0) noexcept {
        assert(producer_ != nullptr && size <= bytes_.size());
        finish([=](auto& side) noexcept { side.publish(static_cast<std::uint32_t>(size), tag); });
    }

 private:
    friend class MpmcByteRingProducer;
    MpmcByteRingClaim(MpmcByteRingProducer& producer, std::span<std::byte> bytes) noexcept
        : producer_(&producer), bytes_(bytes) {}

    template <class How>
    void finish(How&& how) noexcept {
        MpmcByteRingProducer& producer = *std::exchange(producer_, nullptr);
        if (!producer.usable()) return;  // a forked child's copy: the claim is its parent's
        how(producer.side_);
        producer.announce(1);
    }
    MpmcByteRingProducer* producer_;
    std::span<std::byte> bytes_;
};

inline Result<MpmcByteRingClaim> MpmcByteRingProducer::claimed(Status status,
                                                               std::size_t most_bytes) noexcept {
    if (status != Status::ok) return status;
    left_there();
    return MpmcByteRingClaim(*this, {side_.place(), most_bytes});
}

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
