// The bell of a ring: how a producer tells a process that sits in epoll_wait instead of in one of our calls. The armed bit of the
// event word says that somebody wants to hear it, so that nobody pays while nobody does.
//
//   named ring                    a FIFO beside the segment, NAME.bell, removed with it
//   anonymous or caller memory    an eventfd that travels as the ring does (SegmentOptions::bell)
//
// A stroke carries nothing but itself: one too many is an empty look, one too few is made good by the reader's timer.
//
// Who cannot have the bell (its name was removed, no descriptor is free, another user's, none was handed over) says so in the event
// word (kUnheard) and knocks: reads a byte of the segment's file, which a reader that was told so watches (inotify).
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// A descriptor of ours, and which file it was: the application may have closed it and be using its number for something else,
/// which we must neither write to nor read from.
class GuardedDescriptor {
 public:
    GuardedDescriptor() noexcept = default;
    explicit GuardedDescriptor(int number) noexcept;
    GuardedDescriptor(GuardedDescriptor&& other) noexcept;
    GuardedDescriptor& operator=(GuardedDescriptor&& other) noexcept;
    ~GuardedDescriptor();

    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }
    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] bool still_ours() const noexcept;

 private:
    int number_ = -1;
    platform::FileIdentity file_{};
};

class Bell {
 public:
    /// Of one lane: 0, unless it is a pipe's second one. `make`: for a named ring, makes the FIFO when it is not there. An empty one and an error when there is none to be had.
    [[nodiscard]] static Bell of(const Segment& segment, std::size_t lane, bool make,
                                 SetupError& error) noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return static_cast<bool>(file_); }
    [[nodiscard]] int descriptor() const noexcept { return file_.number(); }
    /// Makes the descriptor readable. Never blocks, never raises a signal. False: there is none to strike.
    bool strike() const noexcept;
    /// Makes it unreadable again.
    void silence() const noexcept;
    /// False: there is none, its descriptor was closed under us, or its FIFO was removed and is not the one others find now.
    [[nodiscard]] bool current() const noexcept;

 private:
    GuardedDescriptor file_{};
    bool is_fifo_ = false;
};

/// A stroke by who is not sure to have the bell: finds it if it can, and otherwise knocks, which costs two system calls more.
/// `bell` is kept for the next time.
void strike_or_knock(Bell& bell, const Segment& segment, std::size_t lane,
                     EventLine<ShippedEnv>& line) noexcept;
/// Everybody who waits at `line` looks again, asleep or by descriptor: at the end of the stream, told by who has no handle there.
void call_everybody(const Segment& segment, std::size_t lane, EventLine<ShippedEnv>& line) noexcept;

/// An empty one, or a descriptor that becomes readable when somebody knocks at the segment: only files in /dev/shm, and only
/// while the system has inotify instances left.
[[nodiscard]] GuardedDescriptor hear_knocks(const Segment& segment) noexcept;

}  // namespace shmring::detail
