// What waiting costs: one process blocked on an empty channel, one blocked on a full one, watched from outside for a
// second by their CPU clocks and their voluntary context switches, then killed.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/crew.hpp"
#include "harness/transport.hpp"

namespace bench {

/// Watches two blocked processes. `filled` counts what the writer got in before it blocked.
Sample watch_idle_pair(Crew& crew, const std::atomic<std::uint64_t>& filled,
                       const std::atomic<std::uint64_t>& received, const Job& job);

template <class Channel, std::size_t kSize>
Sample run_idle(Arena& arena, Control& control, const Job& job) {
    Channel full(arena);
    Channel empty(arena);
    std::atomic<std::uint64_t>& filled = control.sent;
    std::atomic<std::uint64_t>& received = control.received;

    Crew crew(control);
    crew.start(0, job.cpu_of(0), [&] {
        typename Channel::Sender out(full);
        Message<kSize> message;
        for (Sequence next = 0;; ++next) {
            put<Wait::block>(out, message, next);  // some day for good: nobody receives
            filled.fetch_add(1, std::memory_order_release);
        }
    });
    crew.start(1, job.cpu_of(1), [&] {
        typename Channel::Receiver in(empty);
        take<Wait::block>(in, IgnoreMessage{});  // nobody sends
        received.fetch_add(1, std::memory_order_release);
    });
    return watch_idle_pair(crew, filled, received, job);
}

}  // namespace bench
