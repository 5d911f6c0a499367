// Judges the rows of the ring with slots of one size.
// SPDX-License-Identifier: MIT
#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "harness/judge.hpp"

namespace bench {

namespace {

constexpr std::string_view kOurs = "shmring-spsc";
constexpr std::string_view kOursInBatches = "shmring-spsc-batch8";
std::optional<double> ns_per_message(const Results& results, Mode mode, std::size_t size) {
    return at(results, mode, size, kOurs, Wait::spin,
              [](const Group& group, const Row& row) -> std::optional<double> {
                  const std::optional<Spread> rate = spread(row, group.mode);
                  if (!rate) return {};
                  return 1e9 / rate->median;
              });
}

/// How much of what a regime permits the ring delivers where it delivers least: it permits the ring's own best time per
/// message plus the time that the slow side waits on purpose. Medians of different tables, so no in-round ratio.
std::optional<double> lockstep(const Results& results, std::size_t size) {
    const std::optional<double> streaming_ns = ns_per_message(results, Mode::stream, size);
    const std::optional<double> burst_ns = ns_per_message(results, Mode::burst, size);
    if (!streaming_ns || !burst_ns) return {};
    const double best_ns = std::min(*streaming_ns, *burst_ns);
    double least = std::numeric_limits<double>::max();
    for (const Mode mode : {Mode::stream, Mode::near_empty, Mode::near_full, Mode::burst}) {
        const std::optional<double> taken_ns = ns_per_message(results, mode, size);
        const auto pace_ns = at(results, mode, size, kOurs, Wait::spin, [](const Group&, const Row& row) {
            return std::optional(median_of(row, [](const Sample& sample) { return sample.pace_ns; }));
        });
        if (!taken_ns || !pace_ns) return {};
        least = std::min(least, (*pace_ns + best_ns) / *taken_ns);
    }
    return least;
}

}  // namespace

std::vector<Target> judge_spsc(const Results& results) {
    Judgement judgement(kOurs);
    const auto add = [&](auto&&... parts) { judgement.add(std::forward<decltype(parts)>(parts)...); };
    const auto add_worst = [&](auto&&... parts) {
        judgement.add_worst(std::forward<decltype(parts)>(parts)...);
    };

    struct Streaming {
        std::size_t size;
        double bound;
        const char* known;
    };
    for (const Streaming& wanted : {Streaming{8, 1.8, "548 / 255 M/s"},
                                    {48, 8, "145 / 14 M/s"},
                                    {64, 5, "132 / 27 M/s"},
                                    {128, 1.1, "90 / 108 M/s"},
                                    {256, 1.1, "73 / 70 M/s"},
                                    {1024, 1.05, "22 / 22 M/s"},
                                    {4096, 1.0, "5.6 / 5.5 M/s"}})
        add("streaming, " + std::to_string(wanted.size) + " B", wanted.known, true, wanted.bound,
            kTimesBestPeer, at(results, Mode::stream, wanted.size, kOurs, Wait::spin, ratio_to_best_peer));
    add("streaming, 8 B, batches of 8", "-", true, 3, kTimesBestPeer,
        at(results, Mode::stream, 8, kOursInBatches, Wait::spin, ratio_to_best_peer));
    add_worst("lockstep: the worst regime", "index rings 0.1", true, 0.5, "x what it permits",
              worst(true, MessageSizes::kAll, [&](std::size_t size) { return lockstep(results, size); }));

    constexpr std::array<std::size_t, 3> kSmall{8, 16, 48};
    add_worst("round trip up to 48 B", "0.90 to 0.94", false, 1.0, "x the floor",
              worst(false, kSmall, [&](std::size_t size) {
                  return at(results, Mode::rtt, size, kOurs, Wait::spin, ratio_to_floor);
              }));
    add_worst("round trip up to 48 B", "-", false, 0.9, kTimesBestPeer,
              worst(false, kSmall, [&](std::size_t size) {
                  return at(results, Mode::rtt, size, kOurs, Wait::spin, ratio_to_best_peer);
              }));
    for (const auto& [size, known] : {std::pair<std::size_t, const char*>{64, "443 / 324 ns"},
                                      {128, "475 / 320 ns"},
                                      {256, "582 / 355 ns"},
                                      {1024, "959 / 800 ns"}})
        add("round trip, " + std::to_string(size) + " B", known, false, 1.0, kTimesBestPeer,
            at(results, Mode::rtt, size, kOurs, Wait::spin, ratio_to_best_peer));

    add_worst("blocking, saturated", "peers 0.15", true, 0.9, "x spinning",
              worst(true, MessageSizes::kAll, [&](std::size_t size) {
                  return at(results, Mode::stream, size, kOurs, Wait::block, times_row(kOurs, Wait::spin));
              }));
    add("wake-up from idle", "-", false, 1.1, "x a bare futex",
        at(results, Mode::wake_up, 64, kOurs, Wait::block, ratio_to_floor));
    add("idle, blocked reader and writer", "-", false, 0.05, "% CPU",
        at(results, Mode::idle, 64, kOurs, Wait::block, [](const Group& group, const Row& row) {
            return std::optional(spread(row, group.mode).value_or(Spread{}).median * 100);
        }));
    add("idle, blocked reader and writer", "-", false, 12, "wake-ups/s each",
        at(results, Mode::idle, 64, kOurs, Wait::block, [](const Group&, const Row& row) {
            return std::optional(median_of(
                row, [](const Sample& s) { return static_cast<double>(s.sleeps) / s.seconds / 2; }));
        }));
    add("against pipe, 64 B, blocking", "pipe 3.5 M/s", true, 25, "x its throughput",
        at(results, Mode::stream, 64, kOurs, Wait::block, times_row("pipe", Wait::block)));
    add("against pipe, 64 B, blocking", "pipe 52 us", false, 0.02, "x its round trip",
        at(results, Mode::rtt, 64, kOurs, Wait::block, times_row("pipe", Wait::block)));
    add("against file plus lock, 64 B", "file 7 k/s", true, 5000, "x its throughput",
        at(results, Mode::stream, 64, kOurs, Wait::spin, times_row("file-lock", Wait::spin)));
    return judgement.targets;
}

}  // namespace bench
