// What one end of a pipe knows of the other, and what it does when the other is gone. When a process finds its peer dead, it closes
// both lanes on the peer's behalf (it "hangs up"). So the lanes need to know nothing of pipes: their readers drain and get `closed`,
// their writers get `closed`.
//
//   seats of the end                 the end is   which means
//   all never taken                  unbound      wait; with a tether that nobody holds any more: gone
//   one held by the living           bound        wait
//   one vacated                      closed       gone
//   one held by the dead, or lost    dead         gone
//
// Hanging up: close both lanes for the end that is gone, mark its seats lost, wake everybody. Each step may be repeated by
// anybody, so whoever dies on the way leaves the rest to the next who asks.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "shmring/detail/env.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/detail/pipe_layout.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/peer.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// Copyable; an empty one watches nothing. The segment must stay.
class PipeWatch {
 public:
    using Control = PipeControl<ShippedEnv>;

    PipeWatch() noexcept = default;
    /// Of the end `watched` of the pipe in `segment`.
    PipeWatch(const Segment& segment, PipeSide watched) noexcept;

    [[nodiscard]] explicit operator bool() const noexcept { return control_ != nullptr; }
    /// Asks whether the end is gone, and if it is, hangs up for it. System calls, until it has hung up.
    void examine(const ParticipantTable& table) const noexcept;
    /// What its seats say. No system call.
    [[nodiscard]] PeerState state() const noexcept;

 private:
    using Seat = ShippedEnv::Atom<std::uint64_t>;

    void add_seat(Seat& seat) noexcept { seats_[seat_count_++] = &seat; }
    [[nodiscard]] std::span<Seat* const> seats() const noexcept { return {seats_.data(), seat_count_}; }
    [[nodiscard]] bool has_hung_up() const noexcept;
    [[nodiscard]] bool is_gone(const ParticipantTable& table) const noexcept;
    [[nodiscard]] bool lost_its_tether() const noexcept;
    void hang_up() const noexcept;

    const Segment* segment_ = nullptr;
    Control* control_ = nullptr;
    PipeSide watched_ = PipeSide::first;
    std::uint32_t shape_ = 0;
    std::size_t seat_count_ = 0;
    std::array<Seat*, 2> seats_{};  // of the watched end
    std::uint64_t tether_byte_ = 0;
};

}  // namespace shmring::detail
