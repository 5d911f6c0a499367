// Judges the rows of the ring with many on both sides. All of them come from the tables of many, 1x1 included: the same loop
// for each, so that the ratios are of the rings.
// SPDX-License-Identifier: MIT
#include <array>

#include "harness/judge.hpp"

namespace bench {

namespace {

constexpr std::string_view kOurs = "shmring-mpmc";
constexpr std::array<std::size_t, 2> kSizes{8, 64};

std::optional<double> at_many(const Results& results, std::size_t size, Wait wait, Crowd crowd,
                              const Figure& of) {
    return at(results, Mode::stream, size, kOurs, wait, of, Loop::many, crowd);
}

/// The worst against its own 1x1, whatever the crowd and the size.
Extreme collapse(const Results& results, Wait wait) {
    Extreme worst;
    for (const std::size_t size : kSizes) {
        for (const std::size_t each : std::array<std::size_t, 4>{2, 4, 8, 16}) {
            const Crowd crowd{each, each};
            const std::optional<double> kept = at_many(results, size, wait, crowd, ratio_to_pair);
            if (!kept || (worst.value && *kept >= *worst.value)) continue;
            worst = {kept, "worst at " + in_words(crowd) + ", " + std::to_string(size) + " B"};
        }
    }
    return worst;
}

}  // namespace

std::vector<Target> judge_mpmc(const Results& results) {
    Judgement judgement(kOurs);
    struct Streaming {
        std::size_t size;
        double bound;
        const char* known;
    };
    for (const Streaming& wanted : {Streaming{8, 1.5, "67 / 43 M/s"}, {64, 2, "61 / 29 M/s"}})
        judgement.add("streaming 1x1, " + std::to_string(wanted.size) + " B", wanted.known, true,
                      wanted.bound, kTimesBestPeer,
                      at_many(results, wanted.size, Wait::spin, kPair, ratio_to_best_peer));
    for (const Wait wait : {Wait::spin, Wait::block})
        judgement.add_worst("2x2 to 16x16, " + std::string(wait == Wait::spin ? "spinning" : "blocking"),
                            "ticket queues 0.1 to 0.001", true, 0.5, "x its own 1x1",
                            collapse(results, wait));
    for (const std::size_t size : kSizes)
        judgement.add("crash tolerance 1x1, " + std::to_string(size) + " B", "-", true, 0.97,
                      "x the same ring without it",
                      at_many(results, size, Wait::spin, kPair, times_row("vyukov", Wait::spin)));
    judgement.add_worst("blocking, saturated, 1x1", "peers 0.15", true, 0.9, "x spinning",
                        worst(true, kSizes, [&](std::size_t size) {
                            return at_many(results, size, Wait::block, kPair, times_row(kOurs, Wait::spin));
                        }));
    return judgement.targets;
}

}  // namespace bench
