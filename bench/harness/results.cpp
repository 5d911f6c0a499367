// Medians and ratios.
// SPDX-License-Identifier: MIT
#include "harness/results.hpp"

#include <algorithm>
#include <utility>

namespace bench {

namespace {

std::optional<double> over(std::optional<double> value, std::optional<double> reference) {
    if (!value || !reference || *reference <= 0) return {};
    return *value / *reference;
}

/// What a row is judged by; nothing where it was wrong.
std::optional<double> typical(const Row& row, Mode mode) {
    const std::optional<Spread> values = spread(row, mode);
    if (!values || mode == Mode::idle) return {};
    return values->median;
}

bool competes(const Row& other, const Row& row) {
    return other.traits().kind == Kind::peer && other.job.crowd == row.job.crowd &&
           (other.job.wait == row.job.wait || other.traits().own_way);
}

}  // namespace

const std::string& Row::fault() const {
    static const std::string kNone;
    for (const Sample& sample : samples)
        if (!sample.fault.empty()) return sample.fault;
    return kNone;
}

const Row* Group::find(std::string_view transport, Wait wait, Crowd crowd) const {
    for (const Row& row : rows)
        if (row.traits().name == transport && row.job.wait == wait && row.job.crowd == crowd) return &row;
    return nullptr;
}

const Row* Group::floor() const {
    for (const Row& row : rows)
        if (row.traits().kind == Kind::floor) return &row;
    return nullptr;
}

const Row* Group::find_named_peer(std::string_view transport, const Row& row) const {
    const Row* peer = find(transport, Wait::block, row.job.crowd);
    return peer != nullptr ? peer : find(transport, Wait::spin, row.job.crowd);
}

const Group* find_group(const Results& results, Mode mode, std::size_t size, Loop loop) {
    for (const Group& group : results)
        if (group.mode == mode && group.size == size && group.loop == loop) return &group;
    return nullptr;
}

std::string in_words(const Group& group) {
    std::string text = std::string(name_of(group.mode)) + " " + std::to_string(group.size) + " B";
    if (group.rate > 0) text += " at " + std::to_string(static_cast<long>(group.rate)) + "/s";
    return text;
}

double cpu_ns_per_message(const Sample& sample) {
    return sample.messages == 0 ? 0 : sample.cpu_s * 1e9 / static_cast<double>(sample.messages);
}

double median(std::vector<double> values) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::optional<Spread> spread(const std::vector<double>& values) {
    if (values.empty()) return {};
    const auto [least, most] = std::minmax_element(values.begin(), values.end());
    return Spread{median(values), *least, *most};
}

double figure(const Sample& sample, Mode mode) {
    if (mode == Mode::idle) return sample.cpu_s / sample.seconds;
    if (sample.msgs_per_s && mode == Mode::blocking) return cpu_ns_per_message(sample);
    if (sample.msgs_per_s && !is_latency(mode)) return *sample.msgs_per_s;
    return sample.latency ? sample.latency->p50 : 0;  // the floor's, too, in every table
}

std::size_t samples_that_count(const Row& row) {
    return static_cast<std::size_t>(std::ranges::count_if(row.samples, &Sample::counts));
}

std::vector<double> figures(const Row& row, Mode mode) {
    std::vector<double> values;
    if (!row.fault().empty()) return values;
    for (const Sample& sample : row.samples)
        if (sample.counts) values.push_back(figure(sample, mode));
    return values;
}

std::optional<Latency> latency_of(const Row& row) {
    if (row.samples.empty() || !row.samples.front().latency) return {};
    const auto part_of = [](const Sample& sample, double Latency::*part) {
        return sample.latency.value_or(Latency{}).*part;
    };
    Latency all;
    for (double Latency::*part :
         {&Latency::p50, &Latency::p90, &Latency::p99, &Latency::p999, &Latency::p9999})
        all.*part = median_of(row, [&](const Sample& sample) { return part_of(sample, part); });
    for (const Sample& sample : row.samples) {
        if (!sample.counts) continue;
        all.max = std::max(all.max, part_of(sample, &Latency::max));
        all.count += sample.latency.value_or(Latency{}).count;
    }
    return all;
}

std::optional<Spread> spread(const Row& row, Mode mode) { return spread(figures(row, mode)); }

std::optional<double> ratio(const Group& group, const Row& row, const Row* reference) {
    if (reference == nullptr) return {};
    return over(typical(row, group.mode), typical(*reference, group.mode));
}

std::optional<double> ratio_to_floor(const Group& group, const Row& row) {
    const Row* floor = group.floor();
    if (floor == nullptr || group.mode == Mode::blocking) return {};
    const std::optional<double> lap_ns = typical(*floor, Mode::rtt);
    const bool is_rate = is_throughput(group.mode) && row.traits().kind != Kind::floor;
    return over(typical(row, group.mode), is_rate ? over(1e9, lap_ns) : lap_ns);
}

std::optional<double> ratio_to_best_peer(const Group& group, const Row& row) {
    std::optional<double> best;
    for (const Row& other : group.rows) {
        const std::optional<double> value = competes(other, row) ? typical(other, group.mode) : std::nullopt;
        if (value && (!best || (less_is_better(group.mode) ? *value < *best : *value > *best))) best = value;
    }
    return over(typical(row, group.mode), best);
}

std::optional<double> ratio_to_pair(const Group& group, const Row& row) {
    if (group.loop == Loop::pair || row.traits().kind == Kind::floor) return {};
    return ratio(group, row, group.find(row.traits().name, row.job.wait));
}

std::string name_of_way(const Job& job) {
    return (job.loop == Loop::many ? in_words(job.crowd) + ", " : std::string()) +
           std::string(name_of(job.wait));
}

}  // namespace bench
