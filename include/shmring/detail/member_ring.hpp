// What the rings with many on both sides are, whatever their messages look like.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "shmring/detail/member_end.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/detail/ring_object.hpp"
#include "shmring/segment.hpp"

namespace shmring {

/// What deaths have cost so far, as far as it was repaired. For each process killed while it claimed or repaired, perhaps one claim too
/// many. Not counted is what a consumer had handed back when it was killed in the very last instructions of its pop; at_least_once the
/// places of a batch that it had handed back already.
struct Losses {
    std::uint64_t skipped = 0;  ///< messages that were being written: their push had not returned
    std::uint64_t lost = 0;     ///< messages that were being read (at_most_once): their pop had not returned
    std::uint64_t redelivered =
        0;  ///< messages that were being read (at_least_once) and were delivered again
};

namespace detail {

template <class Ring, class ProducerEnd, class ConsumerEnd, class Options>
class MemberRing : public RingObject<Ring, ProducerEnd, ConsumerEnd, Options> {
    using Base = RingObject<Ring, ProducerEnd, ConsumerEnd, Options>;

 public:
    using Object = Base;  ///< whom a ring has to befriend

    [[nodiscard]] Delivery delivery() const noexcept { return this->geometry().delivery; }
    [[nodiscard]] bool was_closed() const noexcept {
        return *this && (control(this->segment()).tail.load(relaxed) & kTailClosed) != 0;
    }
    [[nodiscard]] Losses losses() const noexcept {
        if (!*this) return {};
        const Control& words = control(this->segment());
        return {words.skipped.load(relaxed), words.lost.load(relaxed), words.redelivered.load(relaxed)};
    }

    /// How many handles that write, or read, there are in all processes; those of the dead are not counted. A look at each participant's
    /// record, and a system call or two for each handle.
    [[nodiscard]] std::uint32_t count_producers() const noexcept {
        return *this ? ParticipantTable(this->segment()).count_living(Role::producer) : 0;
    }
    [[nodiscard]] std::uint32_t count_consumers() const noexcept {
        return *this ? ParticipantTable(this->segment()).count_living(Role::consumer) : 0;
    }

 protected:
    using Base::Base;
    using Control = MpmcControl<ShippedEnv>;

    [[nodiscard]] static Control& control(const Segment& segment) noexcept {
        return *reinterpret_cast<Control*>(segment.at(segment.geometry().control_offset));
    }
};

}  // namespace detail

}  // namespace shmring
