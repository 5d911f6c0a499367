// The vocabulary of a measurement: what is asked of a transport (Job) and what came out of one run (Sample).
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

enum class Mode { stream, near_empty, near_full, burst, rtt, open_loop, blocking, wake_up, idle };

struct ModeName {
    Mode mode;
    std::string_view name;
    std::string_view about;
};

inline constexpr std::array kModes{
    ModeName{Mode::stream, "stream", "both sides flat out"},
    ModeName{Mode::near_empty, "near-empty", "the producer makes one message per 100 ns or so"},
    ModeName{Mode::near_full, "near-full", "the consumer needs 100 ns or so per message"},
    ModeName{Mode::burst, "burst", "some hundred messages at once, then a pause; the pauses are not counted"},
    ModeName{Mode::rtt, "rtt", "there and back, one message under way"},
    ModeName{Mode::open_loop, "open-loop",
             "one way at a fixed rate; latency from when each message was due, sent or not"},
    ModeName{Mode::blocking, "blocking", "a fixed rate between two that sleep: what a message costs"},
    ModeName{Mode::wake_up, "wake-up", "one way, to a receiver asleep for 1 to 5 ms"},
    ModeName{Mode::idle, "idle", "a reader blocked on empty and a writer blocked on full"},
};

constexpr std::string_view name_of(Mode mode) { return kModes[static_cast<std::size_t>(mode)].name; }

constexpr bool is_throughput(Mode mode) { return mode <= Mode::burst; }
constexpr bool is_latency(Mode mode) {
    return mode == Mode::rtt || mode == Mode::open_loop || mode == Mode::wake_up;
}
/// Modes in which messages are due at a fixed rate.
constexpr bool is_paced(Mode mode) { return mode == Mode::open_loop || mode == Mode::blocking; }
constexpr bool less_is_better(Mode mode) {
    return is_latency(mode) || mode == Mode::blocking || mode == Mode::idle;
}
/// Modes that say nothing about a side that never sleeps.
constexpr bool needs_sleepers(Mode mode) {
    return mode == Mode::blocking || mode == Mode::wake_up || mode == Mode::idle;
}

inline constexpr std::array kOpenLoopRates{1e4, 1e5, 1e6};            // messages per second
inline constexpr std::array kBlockingRates{1e3, 1e4, 1e5, 1e6, 1e7};  // likewise

enum class Wait { spin, block };

constexpr std::string_view name_of(Wait wait) { return wait == Wait::spin ? "spin" : "block"; }

/// Message sizes with code of their own, so that each transport's copy is inlined for them.
template <std::size_t... Sizes>
struct SizeList {
    static constexpr std::array<std::size_t, sizeof...(Sizes)> kAll{Sizes...};
};
#ifdef BENCH_FEW_SIZES  // builds that only test, in half the time
using MessageSizes = SizeList<0, 8, 64, 1048576>;
#else
using MessageSizes = SizeList<0, 8, 16, 48, 64, 128, 256, 1024, 4096, 65536, 262144, 1048576>;
#endif

inline constexpr std::size_t kLargestSize = MessageSizes::kAll.back();
inline constexpr std::size_t kLargestSlot =
    4096;  // of transports with slots of one size: nobody makes larger ones

/// Each size is code of its own. Streams and round trips have all; what is not about the payload knows three.
constexpr bool has_size(Mode mode, std::size_t size) {
    return mode == Mode::stream || mode == Mode::rtt || size == 8 || size == 64 || size == 1024;
}

/// What transports for messages of any size are judged by; a quick run gives them no others.
using VariableSizes = SizeList<0, 16, 64, 256, 1024, 4096, 65536, 1048576>;

/// Payload bytes of every ring and of every kernel buffer that can be told its size: so many, or four messages.
inline constexpr std::size_t kRingBytes = std::size_t{256} * 1024;
inline constexpr std::size_t kFewestSlots = 4;

constexpr std::size_t ring_slots(std::size_t message_size) {
    if (message_size < 8) message_size = 8;  // empty ones: as many as of the smallest
    return kRingBytes / message_size < kFewestSlots ? kFewestSlots : kRingBytes / message_size;
}
constexpr std::size_t ring_bytes(std::size_t message_size) { return ring_slots(message_size) * message_size; }

/// Even a run that is over at once, on a machine that is busy elsewhere, has seen this many messages.
inline constexpr std::uint64_t kFewestMessages = 10;

/// How many processes send and how many receive. One of each is a pair.
struct Crowd {
    std::size_t producers = 1;
    std::size_t consumers = 1;

    [[nodiscard]] constexpr std::size_t sides() const { return producers + consumers; }
    friend constexpr bool operator==(const Crowd&, const Crowd&) = default;
};
inline constexpr std::size_t kMostOnASide = 16;
inline constexpr Crowd kPair{};

inline std::string in_words(const Crowd& crowd) {
    return std::to_string(crowd.producers) + "x" + std::to_string(crowd.consumers);
}

/// Which loop measures: a pair's, which knows the message that is due, or that of many, which takes note of all that come.
enum class Loop { pair, many };

constexpr std::string_view name_of(Loop loop) { return loop == Loop::pair ? "pair" : "many"; }

/// Of a pair, side 0 produces (or asks, in a round trip), side 1 consumes (or answers). Of a crowd, the producers come first.
struct Job {
    Mode mode = Mode::stream;
    std::size_t size = 64;
    Wait wait = Wait::spin;
    double seconds = 0.25;
    std::vector<int> cpus{0, 1};
    Loop loop = Loop::pair;
    Crowd crowd{};
    double rate = 0;            // messages per second, in the paced modes
    bool counts_calls = false;  // this run is for counting system calls, which takes time

    /// The pinning map: round robin, so that producers and consumers are spread alike.
    [[nodiscard]] int cpu_of(std::size_t side) const { return cpus[side % cpus.size()]; }
    [[nodiscard]] bool on_one_cpu() const { return cpu_of(0) == cpu_of(1); }
    /// Whether somebody has to leave a CPU before another can go on.
    [[nodiscard]] bool oversubscribed() const {
        return crowd.sides() > cpus.size() || (cpus.size() > 1 && on_one_cpu());
    }
};

struct Latency {
    double p50 = 0, p90 = 0, p99 = 0, p999 = 0, p9999 = 0, max = 0;  // nanoseconds
    std::uint64_t count = 0;
};

/// What one run of one transport found. An empty `fault` means that every message arrived once, whole and in order.
struct Sample {
    std::string fault;
    double seconds = 0;
    std::uint64_t messages = 0;
    std::optional<double> msgs_per_s;
    std::optional<Latency> latency;
    double cpu_s = 0;
    std::uint64_t sleeps = 0;         // voluntary context switches of both sides
    std::uint64_t preemptions = 0;    // involuntary ones
    std::uint64_t reordered = 0;      // messages that came after a later one of their sender
    double pace_ns = 0;               // what the deliberately slow side waited per message
    std::uint64_t system_calls = 0;   // of both sides, in a run that counts them
    std::array<double, 2> laps_ns{};  // how far apart a pair was just before and just after; 0: not known
    bool counts = true;               // false: not at the distance that the others of its table are at
};

}  // namespace bench
