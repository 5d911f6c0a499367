// Judges the rows of the ring for messages of any size.
// SPDX-License-Identifier: MIT
#include <array>

#include "harness/judge.hpp"
#include "harness/table.hpp"

namespace bench {

namespace {

constexpr std::string_view kCopying = "shmring-bytes";
constexpr std::string_view kInPlace = "shmring-bytes-in-place";

struct Known {
    std::size_t size;
    double mmsgs_per_s;  // the target: absolute, as it stands for a floor of 290 ns
    const char* rate;
    const char* round_trip;
};
constexpr std::array<Known, 5> kKnown{{{16, 200, "230 / 98 M/s", "330 / 381 ns"},
                                       {64, 115, "122 / 93 M/s", "513 / 383 ns"},
                                       {256, 60, "65 / 48 M/s", "609 / 491 ns"},
                                       {1024, 19, "18 / 17 M/s", "977 / 813 ns"},
                                       {4096, 4.2, "4.1 / 4.1 M/s", "1915 / 1710 ns"}}};
constexpr std::array<std::size_t, 3> kLarge{65'536, 262'144, 1'048'576};

/// What the ping-pong took in the same table: the bound next to it was written for 290 ns.
std::string floor_remark(const Results& results, std::size_t size) {
    const Group* group = find_group(results, Mode::stream, size);
    const Row* floor = group == nullptr ? nullptr : group->floor();
    const std::optional<Spread> lap_ns = floor == nullptr ? std::nullopt : spread(*floor, Mode::rtt);
    return lap_ns ? "floor " + in_words(lap_ns->median) + " ns" : "";
}

}  // namespace

std::vector<Target> judge_bytes(const Results& results) {
    Judgement judgement(kCopying);
    for (const Known& known : kKnown)
        judgement.add("streaming, " + std::to_string(known.size) + " B", known.rate, true, known.mmsgs_per_s,
                      "M/s at a floor of 290 ns",
                      at(results, Mode::stream, known.size, kCopying, Wait::spin,
                         [](const Group& group, const Row& row) -> std::optional<double> {
                             const std::optional<Spread> rate = spread(row, group.mode);
                             if (!rate) return {};
                             return rate->median / 1e6;
                         }),
                      floor_remark(results, known.size));
    for (const Known& known : kKnown)
        judgement.add("round trip, " + std::to_string(known.size) + " B", known.round_trip, false, 0.95,
                      kTimesBestPeer,
                      at(results, Mode::rtt, known.size, kCopying, Wait::spin, ratio_to_best_peer));
    judgement.add_worst("in place, 64 KiB to 1 MiB", "-", true, 1.3, "x the copying calls",
                        worst(true, kLarge, [&](std::size_t size) {
                            return at(results, Mode::stream, size, kInPlace, Wait::spin,
                                      times_row(kCopying, Wait::spin));
                        }));
    judgement.add_worst("blocking, saturated", "peers 0.15", true, 0.9, "x spinning",
                        worst(true, VariableSizes::kAll, [&](std::size_t size) {
                            return at(results, Mode::stream, size, kCopying, Wait::block,
                                      times_row(kCopying, Wait::spin));
                        }));
    judgement.add("wake-up from idle", "-", false, 1.1, "x a bare futex",
                  at(results, Mode::wake_up, 64, kCopying, Wait::block, ratio_to_floor));
    return judgement.targets;
}

}  // namespace bench
