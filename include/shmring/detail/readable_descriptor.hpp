// What readable_fd() hands out: an epoll descriptor over the ring's bell and a timer.
//
//   state     armed bit   bell      how it is left
//   told      clear       struck    the consumer looks, finds nothing more: silent
//   silent    set         silent    a producer takes the bit away and strikes: told. The timer: a look
//
// The timer covers what a store buffer may hide (1 ms after arming, see detail/event_count.hpp), strokes that a death or a
// stranger kept from coming, and deaths (a liveness period later; and while nothing happens at all ever more rarely, for a look
// costs its loop some 20 us, and loops have many rings). It is set when the line is newly armed, and left alone while it stays so:
// looks in between must not put it off.
// SPDX-License-Identifier: MIT
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
    /// Starts the timer: first after `first_ns`, then after `period_ns`. It is unreadable until then.
    void start_timer(std::uint64_t first_ns, std::uint64_t period_ns) noexcept;
    /// After it came. `idle`: nothing happened, so the time after the next one is twice as long, at most kLongest periods.
    void go_on(bool idle, std::uint64_t period_ns) noexcept;
    /// Whether the bell's name is gone, so that newcomers cannot find it. A system call or two.
    [[nodiscard]] bool is_orphaned() const noexcept { return !bell_.current(); }
    [[nodiscard]] bool hears_knocks() const noexcept { return static_cast<bool>(knocks_); }
    /// Somebody may not be able to strike the bell: takes the one that is found now, if it is another, and listens for knocks.
    void mend(const Segment& segment, std::size_t lane) noexcept;
    /// Whether it came since we last asked; makes it unreadable.
    [[nodiscard]] bool take_expiry() noexcept;

 private:
    static constexpr std::uint64_t kLongest = 32;  // liveness periods

    void set_timer(std::uint64_t ns) noexcept;
    void take_knocks() const noexcept;

    Bell bell_{};
    GuardedDescriptor timer_{};
    GuardedDescriptor knocks_{};  // once somebody could not strike
    GuardedDescriptor poll_{};
    std::uint64_t next_ns_ = 0;  // how long the timer runs when it is started again
    bool kept_readable_ = false;
};

}  // namespace shmring::detail
