// What readable_fd() hands out: an epoll descriptor over the ring's bell and a timer.
//
//   state     armed bit   bell      how it is left
//   told      clear       struck    the consumer looks, finds nothing more: silent
//   silent    set         silent    a producer takes the bit away and strikes: told. The timer: a look
//
// The timer covers what a store buffer may hide (1 ms after arming, see detail/event_count.hpp), strokes that a death or a
// stranger kept from coming, and the death of the peer (each liveness period). It is set when the line is newly armed, and left
// alone while it stays so: looks in between must not put it off.
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmring/detail/bell.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

class ReadableDescriptor {
 public:
    /// Readable at first: nobody has looked into the ring yet.
    [[nodiscard]] static ReadableDescriptor open(const Segment& segment, std::size_t lane,
                                                 SetupError& error) noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(poll_); }
    [[nodiscard]] int number() const noexcept { return poll_.number(); }

    void silence() noexcept;
    /// For what stays to be told: an end of the stream, a message that was not taken.
    void keep_readable() noexcept;
    /// Starts the timer: first after `first_ns`, then each `period_ns`. It is unreadable until then.
    void start_timer(std::uint64_t first_ns, std::uint64_t period_ns) noexcept;
    /// Whether it came since we last asked; makes it unreadable.
    [[nodiscard]] bool take_expiry() noexcept;

 private:
    Bell bell_{};
    GuardedDescriptor timer_{};
    GuardedDescriptor poll_{};
    bool kept_readable_ = false;
};

}  // namespace shmring::detail
