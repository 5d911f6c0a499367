// What the rings with a producer seat and a consumer seat are, whatever their messages look like: a shared segment, ways to come
// by it, ways to sit down, and what anybody can see from outside.
#pragma once

#include <cstdint>
#include <memory>
#include <system_error>
#include <utility>

#include "shmring/detail/ring_factory.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring::detail {

/// `Ring` provides `static auto memory(const Segment&)`: what the ends' algorithms need.
template <class Ring, class ProducerEnd, class ConsumerEnd, class Options>
class SeatedRing : public RingFactory<Ring, Options> {
 public:
    using Producer = ProducerEnd;
    using Consumer = ConsumerEnd;

    [[nodiscard]] explicit operator bool() const noexcept { return segment_ != nullptr; }

    /// Takes the producer seat. Throws std::system_error: errc::seat_taken while a live producer has it,
    /// errc::participants_exhausted when all records are held.
    [[nodiscard]] Producer producer(const WaitPolicy& policy = {}) const {
        return seat_or_throw<Producer>(policy);
    }
    [[nodiscard]] Producer producer(const WaitPolicy& policy, std::error_code& code) const noexcept {
        return seat_or_code<Producer>(policy, code);
    }
    /// Takes the consumer seat; errors as for producer().
    [[nodiscard]] Consumer consumer(const WaitPolicy& policy = {}) const {
        return seat_or_throw<Consumer>(policy);
    }
    [[nodiscard]] Consumer consumer(const WaitPolicy& policy, std::error_code& code) const noexcept {
        return seat_or_code<Consumer>(policy, code);
    }

    /// Whether either side has ended the stream. Unread messages may remain.
    [[nodiscard]] bool was_closed() const noexcept { return control(*segment_).closed.load(relaxed) != 0; }
    [[nodiscard]] Segment& segment() const noexcept { return *segment_; }

 protected:
    SeatedRing() noexcept = default;
    explicit SeatedRing(std::shared_ptr<Segment> segment) noexcept : segment_(std::move(segment)) {}

    [[nodiscard]] static Endpoint::Control& control(const Segment& segment) noexcept {
        return *reinterpret_cast<Endpoint::Control*>(segment.at(segment.geometry().control_offset));
    }

 private:
    template <class Side>
    [[nodiscard]] Side seat_or_throw(const WaitPolicy& policy) const {
        SetupError error;
        Side side = seat<Side>(policy, error);
        if (error.code) throw_setup_error(error);
        return side;
    }
    template <class Side>
    [[nodiscard]] Side seat_or_code(const WaitPolicy& policy, std::error_code& code) const noexcept {
        SetupError error;
        Side side = seat<Side>(policy, error);
        code = error.code;
        return side;
    }
    template <class Side>
    [[nodiscard]] Side seat(const WaitPolicy& policy, SetupError& error) const noexcept {
        Side side;
        if (segment_ == nullptr)
            refuse_empty_ring(error);
        else
            side.sit_down(segment_, Ring::memory(*segment_), policy, error);
        return side;
    }

    std::shared_ptr<Segment> segment_{};
};

}  // namespace shmring::detail
