// What the rings with a producer seat and a consumer seat are, whatever their messages look like.
#pragma once

#include "shmring/detail/ring_object.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

template <class Ring, class ProducerEnd, class ConsumerEnd, class Options>
class SeatedRing : public RingObject<Ring, ProducerEnd, ConsumerEnd, Options> {
    using Base = RingObject<Ring, ProducerEnd, ConsumerEnd, Options>;

 public:
    using Object = Base;  ///< whom a ring has to befriend

    /// Whether either side has ended the stream. Unread messages may remain.
    [[nodiscard]] bool was_closed() const noexcept {
        return *this && control(this->segment()).closed.load(relaxed) != 0;
    }

 protected:
    using Base::Base;

    [[nodiscard]] static Endpoint::Control& control(const Segment& segment) noexcept {
        return *reinterpret_cast<Endpoint::Control*>(segment.at(segment.geometry().control_offset));
    }
};

}  // namespace shmring::detail
