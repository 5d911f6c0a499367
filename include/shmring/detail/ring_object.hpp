// What a ring object is, whatever its kind: a shared segment, ways to come by it, and ways to become a producer or a consumer.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "shmring/detail/ring_factory.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// For ring objects that hold no ring: says so.
void refuse_empty_ring(SetupError& error) noexcept;
/// For handles in a forked child that are their parent's: throws std::system_error, errc::not_owner.
[[noreturn]] void throw_foreign_handle();

/// Ends the stream of a ring (not of a pipe) for every process, and wakes all sleepers: no more is written, what is left can be read.
/// For whoever has the segment: it takes no participant record.
void end_stream(const Segment& segment) noexcept;

/// How a facade makes a ring of a segment that it came by itself.
struct RingAccess {
    template <class Ring>
    [[nodiscard]] static Ring make(std::shared_ptr<Segment> segment) noexcept {
        return Ring{std::move(segment)};
    }
    /// What its algorithm works on.
    template <class Ring>
    [[nodiscard]] static auto memory(const Segment& segment) noexcept {
        return Ring::memory(segment);
    }
    /// One of those whose last one's leaving ends the stream, where it was made so. False: not ours.
    template <class Producer>
    [[nodiscard]] static bool make_explicit(Producer& producer) noexcept {
        if (!producer.usable()) return false;
        producer.member_.become_explicit_producer();
        return true;
    }
};

/// `Ring` provides `static auto memory(const Segment&)`: what the ends' algorithms need. An end has `enter(segment, memory, policy,
/// error)`.
template <class Ring, class ProducerEnd, class ConsumerEnd, class Options>
class RingObject : public RingFactory<Ring, Options> {
 public:
    using Producer = ProducerEnd;
    using Consumer = ConsumerEnd;

    [[nodiscard]] explicit operator bool() const noexcept { return segment_ != nullptr; }

    /// A new writing handle. Throws std::system_error: errc::participants_exhausted when all records are held, errc::seat_taken where
    /// there is one producer at a time and it lives, errc::corrupt_positions.
    [[nodiscard]] Producer producer(const WaitPolicy& policy = {}) const {
        return end_or_throw<Producer>(policy);
    }
    [[nodiscard]] Producer producer(const WaitPolicy& policy, std::error_code& code) const noexcept {
        return end_or_code<Producer>(policy, code);
    }
    /// A new reading handle; errors as for producer().
    [[nodiscard]] Consumer consumer(const WaitPolicy& policy = {}) const {
        return end_or_throw<Consumer>(policy);
    }
    [[nodiscard]] Consumer consumer(const WaitPolicy& policy, std::error_code& code) const noexcept {
        return end_or_code<Consumer>(policy, code);
    }

    /// Ends the stream for every process, by somebody who need not be a participant: it works although every participant record is
    /// held. Writers get closed, readers what is left, then closed; every sleeper wakes. Of an empty object: nothing.
    void close() const noexcept {
        if (segment_ != nullptr) end_stream(*segment_);
    }

    /// Not of an empty object.
    [[nodiscard]] Segment& segment() const noexcept { return *segment_; }

 protected:
    RingObject() noexcept = default;
    explicit RingObject(std::shared_ptr<Segment> segment) noexcept : segment_(std::move(segment)) {}

    /// Of an empty object: nothing of anything.
    [[nodiscard]] const SegmentGeometry& geometry() const noexcept {
        static constexpr SegmentGeometry kNothing{};
        return segment_ != nullptr ? segment_->geometry() : kNothing;
    }

 private:
    template <class Side>
    [[nodiscard]] Side end_or_throw(const WaitPolicy& policy) const {
        SetupError error;
        Side side = enter<Side>(policy, error);
        if (error.code) throw_setup_error(error);
        return side;
    }
    template <class Side>
    [[nodiscard]] Side end_or_code(const WaitPolicy& policy, std::error_code& code) const noexcept {
        SetupError error;
        Side side = enter<Side>(policy, error);
        code = error.code;
        return side;
    }
    template <class Side>
    [[nodiscard]] Side enter(const WaitPolicy& policy, SetupError& error) const noexcept {
        Side side;
        if (segment_ == nullptr)
            refuse_empty_ring(error);
        else
            side.enter(segment_, Ring::memory(*segment_), policy, error);
        return side;
    }

    std::shared_ptr<Segment> segment_{};
};

}  // namespace shmring::detail
