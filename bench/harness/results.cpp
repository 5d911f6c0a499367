// Medians and in-round ratios.
#include "harness/results.hpp"

#include <algorithm>
#include <functional>
#include <utility>

namespace bench {

namespace {

using PerRound = std::function<std::optional<double>(std::size_t round)>;

std::optional<double> median_ratio(const Row& row, Mode mode, const PerRound& reference) {
    if (!row.fault().empty() || mode == Mode::idle) return {};
    std::vector<double> ratios;
    for (std::size_t round = 0; round != row.samples.size(); ++round) {
        const std::optional<double> other = reference(round);
        if (!other || *other <= 0) return {};
        ratios.push_back(figure(row.samples[round], mode) / *other);
    }
    if (ratios.empty()) return {};
    return median(std::move(ratios));
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

std::vector<double> figures(const Row& row, Mode mode) {
    std::vector<double> values;
    if (!row.fault().empty()) return values;
    for (const Sample& sample : row.samples) values.push_back(figure(sample, mode));
    return values;
}

std::optional<Spread> spread(const Row& row, Mode mode) { return spread(figures(row, mode)); }

std::optional<double> ratio(const Group& group, const Row& row, const Row* reference) {
    if (reference == nullptr || !reference->fault().empty()) return {};
    return median_ratio(row, group.mode, [&](std::size_t round) -> std::optional<double> {
        if (round >= reference->samples.size()) return {};
        return figure(reference->samples[round], group.mode);
    });
}

std::optional<double> ratio_to_floor(const Group& group, const Row& row) {
    const Row* floor = group.floor();
    if (floor == nullptr || !floor->fault().empty() || group.mode == Mode::blocking) return {};
    return median_ratio(row, group.mode, [&](std::size_t round) -> std::optional<double> {
        if (round >= floor->samples.size()) return {};
        const double lap_ns = figure(floor->samples[round], Mode::rtt);
        return is_throughput(group.mode) && row.traits().kind != Kind::floor ? 1e9 / lap_ns : lap_ns;
    });
}

std::optional<double> ratio_to_best_peer(const Group& group, const Row& row) {
    return median_ratio(row, group.mode, [&](std::size_t round) -> std::optional<double> {
        std::optional<double> best;
        for (const Row& other : group.rows) {
            if (!competes(other, row) || !other.fault().empty() || round >= other.samples.size()) continue;
            const double value = figure(other.samples[round], group.mode);
            if (!best || (less_is_better(group.mode) ? value < *best : value > *best)) best = value;
        }
        return best;
    });
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
