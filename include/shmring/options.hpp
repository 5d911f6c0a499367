// Options that every kind of ring takes when it is made.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cstdint>
#include <string_view>

#include "shmring/detail/layout.hpp"
#include "shmring/segment.hpp"

namespace shmring {

/// `SpscRing<Tick>::create("ticks", {.capacity = 1024})`. What is out of range fails with errc::bad_option.
struct RingOptions {
    std::uint64_t capacity = 0;  ///< messages the ring holds at most, exactly: 1 to 2^40; mandatory
    std::uint32_t participants = detail::kDefaultParticipants;  ///< handles attached at once; 1 to 4095
    /// How often a blocked call asks whether its peer is alive: 100 us to 1 h. A death is noticed within one period and a bit of
    /// the moment the kernel let the dead process's lock go: about a second after the kill, if it had gigabytes resident.
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);
    SegmentOptions segment{};
};

/// `MpmcRing<Job>::create("jobs", {.capacity = 1024})`.
struct MpmcRingOptions {
    std::uint64_t capacity = 0;                                 ///< as in RingOptions
    Delivery delivery = Delivery::at_most_once;                 ///< of what a consumer dies with
    std::uint32_t participants = detail::kDefaultParticipants;  ///< as in RingOptions
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);  ///< as in RingOptions
    SegmentOptions segment{};
};

/// `Queue<std::string>::create("names", {.capacity = 100, .capacity_bytes = 64 * 1024})`.
struct QueueOptions {
    std::uint64_t capacity = 0;  ///< values the queue holds at most, exactly: 1 to 2^40; mandatory
    /// For types whose size varies, and mandatory there: bytes for all of them. Each value takes whole shares of capacity_bytes / capacity
    /// bytes (rounded down to 64): one up to its share takes one, so `capacity` of those fit, exactly; a larger one, up to half of all,
    /// takes as many as it needs. A generous share costs small values nothing but memory. What is larger than half (max_value_bytes()) is too_large.
    std::uint64_t capacity_bytes = 0;
    Delivery delivery = Delivery::at_most_once;  ///< of what a consumer dies with
    /// The queue ends when all explicit producers (those that called bind_producer()) have left, however they did, and there has
    /// been one: consumers get what is left, then closed, and late pushes get closed.
    bool ends_with_last_producer = false;
    std::uint32_t participants = detail::kDefaultParticipants;                  ///< as in RingOptions
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);  ///< as in RingOptions
    SegmentOptions segment{};
};

/// `JoinableQueue<Job>::create("work", {.capacity = 256})`.
struct JoinableQueueOptions {
    std::uint64_t capacity = 0;        ///< as in QueueOptions
    std::uint64_t capacity_bytes = 0;  ///< as in QueueOptions
    /// Of the task in a worker's hand when it dies. at_most_once: lost, and counted, and join() says so; at_least_once: given to another
    /// worker. What no pop has returned is never lost.
    Delivery delivery = Delivery::at_most_once;
    /// at_least_once, for types whose size varies: bytes of the largest task; 0: capacity_bytes / capacity. So much is kept for each
    /// participant.
    std::uint64_t max_task_bytes = 0;
    /// As in QueueOptions. Workers get what is left, and what dead workers leave, then closed.
    bool ends_with_last_producer = false;
    std::uint32_t participants =
        detail::kDefaultParticipants;  ///< as in RingOptions, and one for each task in hand
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);  ///< as in RingOptions
    SegmentOptions segment{};
};

/// `Pipe<Msg>::pair({.capacity = 64})`, `BytePipe::create("bytes", {.capacity_bytes = 1 << 20, .duplex = false})`.
struct PipeOptions {
    std::uint64_t capacity =
        0;  ///< messages each way, exactly: 1 to 2^40; mandatory where they have one size
    /// For BytePipe and types whose size varies, and mandatory there: bytes each way, as in ByteRingOptions. A message may take up
    /// to half of it.
    std::uint64_t capacity_bytes = 0;
    /// Of BytePipe: what the bytes mean, compared when the pipe is opened (SegmentOptions::schema). Pipe<T> has that of T.
    std::string_view schema{};
    bool duplex = true;  ///< false: one way, from the second end to the first, which reads (as in Python)
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);  ///< as in RingOptions
    SegmentOptions segment{};
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
