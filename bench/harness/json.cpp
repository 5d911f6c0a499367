// Writes the report. What was not measured is null.
// SPDX-License-Identifier: MIT
#include "harness/json.hpp"

#include <iomanip>
#include <iostream>
#include <limits>
#include <sstream>

namespace bench {

namespace {

std::string in_quotes(std::string_view text) {
    std::ostringstream out;
    out << '"';
    for (const char c : text) {
        if (c == '"' || c == '\\')
            out << '\\' << c;
        else if (static_cast<unsigned char>(c) < 0x20)
            out << "\\u" << std::hex << std::setw(4) << std::setfill('0') << static_cast<int>(c) << std::dec;
        else
            out << c;
    }
    out << '"';
    return out.str();
}

std::string number(const std::optional<double>& value) {
    if (!value) return "null";
    std::ostringstream out;
    out << std::setprecision(10) << *value;
    return out.str();
}

/// {"name": value, ...} with values already written as JSON.
std::string object(const std::vector<std::pair<std::string, std::string>>& members) {
    std::ostringstream out;
    const char* separator = "{";
    for (const auto& [name, value] : members) {
        out << separator << in_quotes(name) << ": " << value;
        separator = ", ";
    }
    out << (members.empty() ? "{}" : "}");
    return out.str();
}

std::string in_json(const std::optional<Latency>& latency) {
    if (!latency) return "null";
    return object({{"p50", number(latency->p50)},
                   {"p90", number(latency->p90)},
                   {"p99", number(latency->p99)},
                   {"p999", number(latency->p999)},
                   {"p9999", number(latency->p9999)},
                   {"max", number(latency->max)},
                   {"count", std::to_string(latency->count)}});
}

std::string result(const Group& group, const Row& row) {
    const bool good = row.fault().empty() && !row.samples.empty();
    const std::optional<Spread> values = spread(row, group.mode);
    const auto median_where = [&](bool wanted, auto&& get) {
        return number(wanted ? std::optional(median_of(row, get)) : std::nullopt);
    };
    std::uint64_t reordered = 0;
    for (const Sample& sample : row.samples) reordered += sample.reordered;
    const bool rate = good && row.samples.front().msgs_per_s.has_value();
    const auto msgs_per_s = [](const Sample& s) { return s.msgs_per_s.value_or(0); };
    const bool per_message = good && row.samples.front().messages != 0;
    const auto bytes_per_s = [&](const Sample& s) {
        return msgs_per_s(s) * static_cast<double>(row.job.size);
    };
    const auto wakeups_per_s = [](const Sample& s) { return static_cast<double>(s.sleeps) / s.seconds; };
    return object({
        {"transport", in_quotes(row.traits().name)},
        {"mode", in_quotes(name_of(group.mode))},
        {"size", std::to_string(group.size)},
        {"producers", std::to_string(row.job.crowd.producers)},
        {"consumers", std::to_string(row.job.crowd.consumers)},
        {"loop", in_quotes(name_of(row.job.loop))},
        {"wait", in_quotes(name_of(row.job.wait))},
        {"rate", number(group.rate > 0 ? std::optional(group.rate) : std::nullopt)},
        {"msgs_per_s", median_where(rate, msgs_per_s)},
        {"bytes_per_s", median_where(rate, bytes_per_s)},
        {"latency_ns", good ? in_json(latency_of(row)) : "null"},
        {"cpu_s", median_where(good, [](const Sample& s) { return s.cpu_s; })},
        {"syscalls_per_msg", number(row.syscalls_per_msg)},
        {"wakeups_per_s", median_where(good, wakeups_per_s)},
        {"min", number(values ? std::optional(values->min) : std::nullopt)},
        {"max", number(values ? std::optional(values->max) : std::nullopt)},
        {"rounds", std::to_string(samples_that_count(row))},
        {"samples", std::to_string(row.samples.size())},
        {"at_any_distance", row.at_any_distance ? "true" : "false"},
        {"ratio", object({{"floor", number(ratio_to_floor(group, row))},
                          {"pipe", number(ratio(group, row, group.find_named_peer("pipe", row)))},
                          {"best_peer", number(ratio_to_best_peer(group, row))},
                          {"pair", number(ratio_to_pair(group, row))}})},
        {"cpu_ns_per_msg", median_where(per_message, [](const Sample& s) { return cpu_ns_per_message(s); })},
        {"seconds", median_where(good, [](const Sample& s) { return s.seconds; })},
        {"reordered", std::to_string(reordered)},
        {"fault", row.fault().empty() ? "null" : in_quotes(row.fault())},
    });
}

std::string spread_of(const std::vector<double>& values) {
    const Spread found = spread(values).value_or(Spread{});
    return object({{"median", number(found.median)}, {"min", number(found.min)}, {"max", number(found.max)}});
}

std::string sold(const TicketSale& sale) {
    return object({{"transport", in_quotes(sale.transport)},
                   {"about", in_quotes(sale.about)},
                   {"tickets_per_s", spread_of(sale.tickets_per_s)},
                   {"cpu_us_per_ticket", spread_of(sale.cpu_us)},
                   {"oversold", spread_of(sale.oversold)},
                   {"rounds", std::to_string(sale.tickets_per_s.size())},
                   {"fault", sale.fault.empty() ? "null" : in_quotes(sale.fault)}});
}

/// A JSON array, an entry a line.
template <class Entries, class Write>
void write_lines(std::ostream& out, const Entries& entries, Write&& write) {
    const char* separator = "\n  ";
    out << "[";
    for (const auto& entry : entries) {
        out << separator << write(entry);
        separator = ",\n  ";
    }
    out << "\n ]";
}

std::string judged(const Target& target) {
    const auto truth = [](bool value) { return std::string(value ? "true" : "false"); };
    return object({{"of", in_quotes(target.of)},
                   {"row", in_quotes(target.row)},
                   {"known", in_quotes(target.known)},
                   {"at_least", truth(target.at_least)},
                   {"bound", number(target.bound)},
                   {"unit", in_quotes(target.unit)},
                   {"measured", number(target.measured)},
                   {"hit", target.measured ? truth(target.hit()) : "null"},
                   {"remark", in_quotes(target.remark)}});
}

}  // namespace

void write_json(std::ostream& out, const Environment& environment, const Registry& registry,
                const Results& results, const std::vector<TicketSale>& sales,
                const std::vector<Target>& targets) {
    std::vector<std::pair<std::string, std::string>> facts;
    for (const auto& [key, value] : environment.facts) facts.emplace_back(key, in_quotes(value));
    facts.emplace_back("cpu_numbers",
                       object({{"sender", std::to_string(Job{.cpus = environment.cpus}.cpu_of(0))},
                               {"receiver", std::to_string(Job{.cpus = environment.cpus}.cpu_of(1))}}));
    facts.emplace_back("floor_ns", object({{"median", number(environment.floor_ns.median)},
                                           {"min", number(environment.floor_ns.min)},
                                           {"max", number(environment.floor_ns.max)}}));
    facts.emplace_back("distance_ns", object({{"usual", number(environment.distance.lap_ns)},
                                              {"seen", std::to_string(environment.distance.seen)},
                                              {"of", std::to_string(environment.distance.of)}}));
    std::vector<std::pair<std::string, std::string>> absent;
    for (const Absent& transport : registry.absent)
        absent.emplace_back(transport.name, in_quotes(transport.reason));
    facts.emplace_back("absent", object(absent));

    std::vector<std::pair<const Group*, const Row*>> rows;
    for (const Group& group : results)
        for (const Row& row : group.rows) rows.emplace_back(&group, &row);
    out << "{\"schema\": 1,\n \"environment\": " << object(facts) << ",\n \"results\": ";
    write_lines(out, rows, [](const auto& row) { return result(*row.first, *row.second); });
    out << ",\n \"tickets\": ";
    write_lines(out, sales, &sold);
    out << ",\n \"targets\": ";
    write_lines(out, targets, &judged);
    out << "}\n";
}

}  // namespace bench
