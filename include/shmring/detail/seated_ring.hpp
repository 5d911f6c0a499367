// What the rings with a producer seat and a consumer seat are, whatever their messages look like.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/ring_object.hpp"
#include "shmring/detail/stream_end.hpp"
#include "shmring/peer.hpp"
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

    /// How who has the producer's, or the consumer's, seat stands. A system call or two while somebody has it.
    [[nodiscard]] PeerState producer_state() const noexcept {
        return *this ? ask_seat(this->segment(), control(this->segment()).producer_seat)
                     : PeerState::never_came;
    }
    [[nodiscard]] PeerState consumer_state() const noexcept {
        return *this ? ask_seat(this->segment(), control(this->segment()).consumer_seat)
                     : PeerState::never_came;
    }

 protected:
    using Base::Base;

    [[nodiscard]] static Endpoint::Control& control(const Segment& segment) noexcept {
        return *reinterpret_cast<Endpoint::Control*>(segment.at(segment.geometry().control_offset));
    }
};

}  // namespace shmring::detail
