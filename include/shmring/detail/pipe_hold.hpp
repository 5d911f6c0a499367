// What an end of a pipe is before it has seats and beside them: which end of which pipe, whether it is bound, and the tether
// that says somebody could still use it.
//
//   state of this object     reached by
//   unbound                  being made, or inherited by fork() in this state
//   being bound by a token   the first use: the winner of an exchange takes the seats, other threads wait for it
//   bound                    seats taken; the tether is let go afterwards
//   closed                   close() of this process's copy
//
// Killed while unbound: the tether goes. While taking seats: a dead holder, found so. Before the tether is let go: likewise.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/pipe_layout.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

class PipeHold {
 public:
    PipeHold() noexcept = default;
    /// An unbound end, with a tether where the pipe has them.
    PipeHold(std::shared_ptr<Segment> segment, PipeSide side, SetupError& error) noexcept;
    PipeHold(PipeHold&& other) noexcept;
    PipeHold& operator=(PipeHold&& other) noexcept;
    ~PipeHold() = default;

    [[nodiscard]] explicit operator bool() const noexcept { return segment_ != nullptr; }
    [[nodiscard]] const std::shared_ptr<Segment>& segment() const noexcept { return segment_; }
    [[nodiscard]] PipeSide side() const noexcept { return side_; }
    [[nodiscard]] bool reads() const noexcept { return reads_; }
    [[nodiscard]] bool writes() const noexcept { return writes_; }
    /// One load. Whether bound by this process is another question: a forked child has a copy of this.
    [[nodiscard]] bool bound() const noexcept {
        return state_.load(acquire) == kBound;  // [bind] acquire side
    }

    /// Binds it, unless that is done: `take(error)` takes the seats, called by one thread at a time. Answers as status_of_refusal().
    template <class Take>
    [[nodiscard]] Status bind(Take&& take, SetupError& error) noexcept {
        for (;;) {
            const Status begun = begin_binding(error);
            if (begun == Status::ok && bound()) return begun;  // by another thread, or before
            if (begun == Status::ok) return end_binding(take(error), error);
            if (begun != Status::busy) return begun;
            std::this_thread::yield();
        }
    }
    /// Ends this process's use of an end that is not, or no longer, bound. Was it the last copy of an end that nobody used, the
    /// other end is told at once.
    void close() noexcept;
    /// A new descriptor that stands for this unbound end: see PipeEnd::to_descriptor. -1 and `error`.
    [[nodiscard]] int export_descriptor(SetupError& error) const noexcept;

 private:
    static constexpr std::uint64_t kUnbound =
        0;  // and any other number is the token of the process that binds it
    static constexpr std::uint64_t kBound = 1;
    static constexpr std::uint64_t kClosed = 2;

    [[nodiscard]] Status begin_binding(SetupError& error) noexcept;
    [[nodiscard]] Status end_binding(bool done, const SetupError& error) noexcept;

    std::shared_ptr<Segment> segment_{};
    PipeSide side_ = PipeSide::first;
    bool reads_ = false;
    bool writes_ = false;
    platform::Tether tether_{};
    std::atomic<std::uint64_t> state_{kUnbound};
};

}  // namespace shmring::detail
