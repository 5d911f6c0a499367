// Options that every kind of ring takes when it is made.
#pragma once

#include <chrono>
#include <cstdint>

#include "shmring/detail/layout.hpp"
#include "shmring/segment.hpp"

namespace shmring {

/// `SpscRing<Tick>::create("ticks", {.capacity = 1024})`. What is out of range fails with errc::bad_option.
struct RingOptions {
    std::uint64_t capacity = 0;  ///< messages the ring holds at most, exactly: 1 to 2^40; mandatory
    std::uint32_t participants = detail::kDefaultParticipants;  ///< handles attached at once; 1 to 4095
    /// How often a blocked call asks whether its peer is alive: 100 us to 1 h. A death is noticed within one period and a bit.
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
    /// For types whose size varies, and mandatory there: bytes for all of them, each rounded up to 64. As many values as `capacity`
    /// fit in any case if none takes more than its share; one may take up to half of it.
    std::uint64_t capacity_bytes = 0;
    Delivery delivery = Delivery::at_most_once;                 ///< of what a consumer dies with
    std::uint32_t participants = detail::kDefaultParticipants;  ///< as in RingOptions
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
    bool duplex = true;  ///< false: one way, from the second end to the first, which reads (as in Python)
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(100);  ///< as in RingOptions
    SegmentOptions segment{};
};

}  // namespace shmring
