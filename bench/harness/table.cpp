// Turns groups into text.
// SPDX-License-Identifier: MIT
#include "harness/table.hpp"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <sstream>

namespace bench {

namespace {

using Line = std::vector<std::string>;

std::string range(const std::optional<Spread>& spread, double unit) {
    if (!spread) return "-";
    return in_words(spread->min / unit) + ".." + in_words(spread->max / unit);
}

std::string median_in(const std::optional<Spread>& spread, double unit) {
    return spread ? in_words(spread->median / unit) : "-";
}

std::string wait_in_words(const Row& row) {
    return name_of_way(row.job) + (row.traits().own_way ? " (its way)" : "");
}

std::string sleeps_per_s(const Row& row) {
    return in_words(
        median_of(row, [](const Sample& s) { return static_cast<double>(s.sleeps) / s.seconds; }));
}

std::string cpu_ns_per_message(const Row& row) {
    return in_words(median_of(row, [](const Sample& s) { return bench::cpu_ns_per_message(s); }));
}

Line head(const Group& group) {
    const Mode mode = group.mode;
    if (mode == Mode::idle) return {"transport", "wait", "CPU %", "min..max", "wake-ups/s"};
    const Line ratios{"x floor", "x pipe", "x best peer", "CPU ns/msg", "sleeps/s", "calls/msg"};
    if (mode == Mode::blocking)
        return {"transport", "wait",   "msgs/s",      "CPU ns/msg", "min..max",
                "CPUs",      "x pipe", "x best peer", "wake-ups/s", "calls/msg"};
    Line line{"transport", "wait", "Mmsg/s", "min..max", "GB/s"};
    if (is_latency(mode))
        line = {"transport", "wait", "p50", "min..max", "p90", "p99", "p99.9", "p99.99", "max", "count"};
    line.insert(line.end(), ratios.begin(), ratios.end());
    if (group.loop == Loop::many) line.emplace_back("x its 1x1");
    return line;
}

void add_latencies(Line& line, const Row& row) {
    const Latency latency = latency_of(row).value_or(Latency{});
    for (const double part : {latency.p90, latency.p99, latency.p999, latency.p9999, latency.max})
        line.push_back(in_words(part));
    line.push_back(std::to_string(latency.count));
}

Line line_of(const Group& group, const Row& row) {
    const std::optional<Spread> values = spread(row, group.mode);
    Line line{std::string(row.traits().name), wait_in_words(row)};
    if (group.mode == Mode::idle) {
        line.insert(line.end(), {median_in(values, 0.01), range(values, 0.01), sleeps_per_s(row)});
        return line;
    }
    if (group.mode == Mode::blocking) {
        const auto part = [&](auto&& get) { return in_words(median_of(row, get)); };
        line.insert(
            line.end(),
            {part([](const Sample& s) { return s.msgs_per_s.value_or(0); }), median_in(values, 1),
             range(values, 1), part([](const Sample& s) { return s.cpu_s / s.seconds; }),
             in_words(ratio(group, row, group.find_named_peer("pipe", row))),
             in_words(ratio_to_best_peer(group, row)), sleeps_per_s(row), in_words(row.syscalls_per_msg)});
        return line;
    }
    const double unit = is_latency(group.mode) ? 1 : 1e6;
    line.insert(line.end(), {median_in(values, unit), range(values, unit)});
    if (is_latency(group.mode))
        add_latencies(line, row);
    else
        line.push_back(median_in(values, 1e9 / static_cast<double>(group.size)));
    line.insert(line.end(), {in_words(ratio_to_floor(group, row)),
                             in_words(ratio(group, row, group.find_named_peer("pipe", row))),
                             in_words(ratio_to_best_peer(group, row)), cpu_ns_per_message(row),
                             sleeps_per_s(row), in_words(row.syscalls_per_msg)});
    if (group.loop == Loop::many) line.push_back(in_words(ratio_to_pair(group, row)));
    return line;
}

std::string samples_left_out(const Group& group) {
    std::size_t taken = 0;
    std::size_t counted = 0;
    for (const Row& row : group.rows) {
        taken += row.samples.size();
        counted += samples_that_count(row);
    }
    if (counted == taken) return "";
    return "; CPUs " + in_words(group.usual_lap_ns) + " ns apart in " + std::to_string(counted) + " of " +
           std::to_string(taken) + " samples, the others do not count";
}

std::string title(const Group& group) {
    std::ostringstream out;
    out << in_words(group) << ": " << kModes[static_cast<std::size_t>(group.mode)].about;
    if (group.loop == Loop::many) out << ", senders x receivers";
    if (is_latency(group.mode)) out << "; nanoseconds, median of the rounds";
    out << " (" << group.rounds << (group.rounds == 1 ? " round" : " rounds");
    if (const Row* floor = group.floor();
        floor != nullptr && floor->fault().empty() && !floor->samples.empty()) {
        const auto laps = spread(*floor, Mode::rtt);
        out << (group.mode == Mode::wake_up ? "; bare futex " : "; floor ") << median_in(laps, 1) << " ns, "
            << range(laps, 1);
    }
    out << samples_left_out(group) << ")";
    return out.str();
}

void print_rows_at_any_distance(std::ostream& out, const Group& group) {
    std::string names;
    for (const Row& row : group.rows)
        if (row.at_any_distance)
            names.append(names.empty() ? "" : ", ")
                .append(row.traits().name)
                .append(" (" + name_of_way(row.job) + ")");
    if (!names.empty())
        out << "  not at that distance often enough, so that all samples count: " << names << "\n";
}

}  // namespace

void print_columns(std::ostream& out, const std::vector<Line>& lines, std::size_t left) {
    std::vector<std::size_t> widths;
    for (const Line& line : lines) {
        widths.resize(std::max(widths.size(), line.size()));
        for (std::size_t column = 0; column != line.size(); ++column)
            widths[column] = std::max(widths[column], line[column].size());
    }
    for (const Line& line : lines) {
        std::ostringstream text;
        for (std::size_t column = 0; column != line.size(); ++column)
            text << "  " << (column < left ? std::left : std::right)
                 << std::setw(static_cast<int>(widths[column])) << line[column];
        std::string written = text.str();
        written.erase(written.find_last_not_of(' ') + 1);
        out << written << "\n";
    }
}

std::string in_words(double value) {
    const double size = std::abs(value);
    int decimals = 4;
    if (size >= 100 || size == 0)
        decimals = 0;
    else if (size >= 10)
        decimals = 1;
    else if (size >= 1)
        decimals = 2;
    else if (size >= 0.1)
        decimals = 3;
    std::ostringstream out;
    out << std::fixed << std::setprecision(decimals) << value;
    return out.str();
}

std::string in_words(const std::optional<double>& value) { return value ? in_words(*value) : "-"; }

void print_group(std::ostream& out, const Group& group) {
    out << "\n" << title(group) << "\n";
    std::vector<Line> lines{head(group)};
    for (const Row& row : group.rows) {
        if (!row.fault().empty() || row.samples.empty()) continue;
        if (row.traits().kind == Kind::floor && !is_latency(group.mode)) continue;  // stands in the title
        lines.push_back(line_of(group, row));
    }
    print_columns(out, lines, 2);
    for (const Row& row : group.rows)
        if (!row.fault().empty())
            out << "  FAILED " << row.traits().name << " (" << name_of_way(row.job) << "): " << row.fault()
                << "\n";
    for (const Row& row : group.rows) {
        std::uint64_t reordered = 0;
        for (const Sample& sample : row.samples) reordered += sample.reordered;
        if (reordered != 0)
            out << "  " << row.traits().name << " (" << name_of_way(row.job) << "): " << reordered
                << " messages came after a later one of their sender\n";
    }
    print_rows_at_any_distance(out, group);
    for (const auto& [reason, names] : group.left_out)
        out << "  left out (" << reason << "): " << names << "\n";
    out.flush();
}

}  // namespace bench
