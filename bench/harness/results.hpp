// What a whole run holds: a group per table (one mode, one size), a row per transport and wait, a sample per round; and
// the arithmetic on them. Figures are medians of the samples that count (harness/distance.hpp), ratios those of medians.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/transport.hpp"

namespace bench {

struct Row {
    const Transport* transport;
    Job job;  // of the floor: its own ping-pong, whatever the table is about
    std::vector<Sample> samples;
    bool at_any_distance = false;              // too few were at the usual one, so all count
    std::optional<double> syscalls_per_msg{};  // from a run of its own, after the others

    [[nodiscard]] const Traits& traits() const { return transport->traits; }
    /// The first fault, or nothing. A row with a fault has no figures.
    [[nodiscard]] const std::string& fault() const;
};

struct Group {
    Mode mode;
    std::size_t size;
    unsigned rounds;
    Loop loop = Loop::pair;
    double rate = 0;          // messages per second, in the paced modes
    double usual_lap_ns = 0;  // how far apart the pairs should be whose samples count; 0: they all do
    std::vector<Row> rows{};
    std::map<std::string, std::string> left_out{};  // why, and the names of the transports

    [[nodiscard]] const Row* find(std::string_view transport, Wait wait, Crowd crowd = kPair) const;
    [[nodiscard]] const Row* floor() const;
    /// A row under its name, as many on each side as in `row`; of two waits the one asked for, else the transport's own way.
    [[nodiscard]] const Row* find_named_peer(std::string_view transport, const Row& row) const;
};

using Results = std::vector<Group>;

const Group* find_group(const Results& results, Mode mode, std::size_t size, Loop loop = Loop::pair);
/// What a table is about: "stream 64 B", or "open-loop 64 B at 10000/s".
std::string in_words(const Group& group);

struct Spread {
    double median = 0, min = 0, max = 0;
};

double median(std::vector<double> values);
std::optional<Spread> spread(const std::vector<double>& values);

/// The figure a row is judged by: messages per second, the median latency in nanoseconds, the CPU nanoseconds of both sides per
/// message (blocking), or the part of a CPU (idle).
double figure(const Sample& sample, Mode mode);
double cpu_ns_per_message(const Sample& sample);
std::vector<double> figures(const Row& row, Mode mode);
std::optional<Spread> spread(const Row& row, Mode mode);

std::size_t samples_that_count(const Row& row);

/// The median over a row's samples of something in them.
template <class Get>
double median_of(const Row& row, Get&& get) {
    std::vector<double> values;
    for (const Sample& sample : row.samples)
        if (sample.counts) values.push_back(get(sample));
    return median(std::move(values));
}

/// Medians of the percentiles; the longest of all, of how many. Nothing where none were measured.
std::optional<Latency> latency_of(const Row& row);

/// Median of the row over that of the reference; nothing where a figure is missing. For latencies, lower is better.
std::optional<double> ratio(const Group& group, const Row& row, const Row* reference);
/// The same against the floor: of a rate, messages per floor lap; of a latency, floor laps.
std::optional<double> ratio_to_floor(const Group& group, const Row& row);
/// The same against the best peer: as many on each side, waiting as the row does, or in its own way.
std::optional<double> ratio_to_best_peer(const Group& group, const Row& row);
/// The same against the same transport and wait from one to one. Nothing in tables of pairs.
std::optional<double> ratio_to_pair(const Group& group, const Row& row);

/// How the sides of a run are and wait: "spin", or "4x4, block".
std::string name_of_way(const Job& job);

}  // namespace bench
