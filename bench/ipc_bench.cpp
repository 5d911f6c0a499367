// ipc_bench: messages between two processes over every transport there is, in one measuring loop, with every message
// checked. Prints the machine, a table per mode and size, and the targets; exits with 1 if a transport was wrong.
// SPDX-License-Identifier: MIT
#include <fstream>
#include <iostream>

#include "harness/distance.hpp"
#include "harness/environment.hpp"
#include "harness/json.hpp"
#include "harness/progress.hpp"
#include "harness/schedule.hpp"
#include "harness/table.hpp"
#include "harness/targets.hpp"
#include "harness/tickets.hpp"

namespace bench {

namespace {

constexpr int kWrongTransport = 1;
constexpr int kWrongUsage = 2;

void print_list(const Registry& registry, bool hidden) {
    std::vector<std::vector<std::string>> lines;
    for (const Transport& transport : registry.transports) {
        const Traits& traits = transport.traits;
        if (traits.kind == Kind::broken && !hidden) continue;
        const std::string waits = traits.spins ? (traits.blocks ? "spin|block" : "spin") : "block";
        lines.push_back({std::string(traits.name), waits, std::string(traits.about)});
    }
    for (const Absent& absent : registry.absent) lines.push_back({absent.name, "absent", absent.reason});
    std::cout << "transports\n";
    print_columns(std::cout, lines, 3);

    lines.clear();
    for (const ModeName& mode : kModes) lines.push_back({std::string(mode.name), std::string(mode.about)});
    lines.push_back({"tickets", "100 buyers and a stock of tickets, over files and by asking an owner"});
    std::cout << "modes\n";
    print_columns(std::cout, lines, 2);
    std::cout << "sizes\n ";
    for (const std::size_t size : MessageSizes::kAll) std::cout << " " << size;
    std::cout << "\n";
}

/// The floor by itself, before anything else: what this machine is like right now, and how far apart its CPUs are mostly.
void measure_floor(Environment& environment, const Registry& registry) {
    constexpr int kRuns = 21;
    constexpr double kSeconds = 0.01;
    std::vector<double> floors_ns;
    std::vector<double> laps_ns;
    for (int run = 0; run != kRuns; ++run) {
        const Sample sample = find_floor(registry)->run(floor_job(kSeconds, environment.cpus));
        if (!sample.fault.empty()) throw std::runtime_error("floor: " + sample.fault);
        floors_ns.push_back(figure(sample, Mode::rtt));
        if (sample.laps_ns[1] > 0) laps_ns.push_back(sample.laps_ns[1]);
    }
    environment.floor_ns = spread(floors_ns).value_or(Spread{});
    environment.distance = usual_distance(laps_ns);
}

std::string say(const Group& group, const Row& row, unsigned round) {
    return in_words(group) + ", round " + std::to_string(round + 1) + " of " + std::to_string(group.rounds) +
           ": " + std::string(row.traits().name) + " (" + name_of_way(row.job) + ")";
}

/// Prints what went wrong once more, at the end, where it is seen. Returns the exit status.
int judge_transports(const Results& results, const std::vector<TicketSale>& sales) {
    int status = 0;
    for (const TicketSale& sale : sales) {
        if (sale.fault.empty()) continue;
        std::cerr << "ipc_bench: tickets over " << sale.transport << ": " << sale.fault << "\n";
        status = kWrongTransport;
    }
    for (const Group& group : results) {
        for (const Row& row : group.rows) {
            if (row.fault().empty()) continue;
            std::cerr << "ipc_bench: " << row.traits().name << " (" << name_of_way(row.job) << "), "
                      << in_words(group) << ": " << row.fault() << "\n";
            status = kWrongTransport;
        }
    }
    return status;
}

int run(const Options& options) {
    const Registry registry = make_registry();
    if (options.help) {
        std::cout << usage();
        return 0;
    }
    if (options.list) {
        print_list(registry, options.list_hidden);
        return 0;
    }
    const std::vector<int> cpus = choose_cpus(options);
    Results results = plan(registry, options, cpus);
    std::ofstream json;
    if (!options.json.empty()) {
        json.open(options.json);  // now, not after twenty minutes of measuring
        if (!json) throw UsageError("cannot write \"" + options.json + "\"");
    }

    Environment environment = read_environment(options, cpus);
    measure_floor(environment, registry);
    print_environment(std::cout, environment, registry);
    Progress progress(count_runs(results));
    for (Group& group : results) {
        group.usual_lap_ns = environment.distance.lap_ns;
        run_group(group, [&](const Row& row, unsigned round) { progress.step(say(group, row, round)); });
        progress.clear();
        print_group(std::cout, group);
    }
    std::vector<TicketSale> sales;
    if (sells_tickets(options)) {
        TicketOffice office;
        office.rounds = options.rounds;
        if (options.quick || options.seconds < 0.1) office.stock /= 10;
        sales = sell_tickets(office);
        print_tickets(std::cout, office, sales);
    }
    const bool on_one_cpu = Job{.cpus = cpus}.on_one_cpu();
    const std::vector<Target> targets = on_one_cpu ? std::vector<Target>{} : judge(results);
    if (on_one_cpu)
        std::cout << "\nTargets are for two CPUs; both sides of this run were on CPU " << cpus[0] << "\n";
    else
        print_targets(std::cout, targets);
    if (json.is_open()) {
        write_json(json, environment, registry, results, sales, targets);
        json.close();
        if (!json) throw std::runtime_error("the report could not be written to \"" + options.json + "\"");
    }
    return judge_transports(results, sales);
}

}  // namespace

}  // namespace bench

int main(int argc, char** argv) {
    try {
        return bench::run(bench::parse_options(argc, argv));
    } catch (const bench::UsageError& error) {
        std::cerr << "ipc_bench: " << error.what() << "\n";
        return bench::kWrongUsage;
    } catch (const std::exception& error) {
        std::cerr << "ipc_bench: " << error.what() << "\n";
        return bench::kWrongTransport;
    }
}
