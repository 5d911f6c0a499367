// Plans the tables and runs them.
// SPDX-License-Identifier: MIT
#include "harness/schedule.hpp"

#include <algorithm>

#include "harness/distance.hpp"
#include "harness/system_calls.hpp"

namespace bench {

namespace {

constexpr std::size_t kUsualSize = 64;
constexpr std::array<std::size_t, 2> kSizesOfMany{8, kUsualSize};
constexpr unsigned kRoundsOfAFullRun =
    7;                                // fewer: system calls are counted where blocking is the question only
constexpr unsigned kExtraRounds = 3;  // for those that were seldom at the usual distance
constexpr unsigned kIdleRounds = 3;   // each lasts a second, and nothing in them is a matter of luck

bool is_variable_size(std::size_t size) {
    return std::ranges::find(VariableSizes::kAll, size) != VariableSizes::kAll.end();
}

/// Large messages stream and go round; what else there is to know about a transport, smaller ones tell.
std::vector<std::size_t> sizes_for(Mode mode, const Options& options) {
    if (!options.sizes.empty()) return options.sizes;
    if (mode != Mode::stream && mode != Mode::rtt) {
        if (is_throughput(mode) && !options.quick) return {8, kUsualSize};
        return {kUsualSize};
    }
    std::vector<std::size_t> sizes{MessageSizes::kAll.begin(), MessageSizes::kAll.end()};
    std::erase_if(sizes, [&](std::size_t size) {
        if (size == 262'144) return true;  // between two that are measured
        if (size == 0) return options.quick || mode == Mode::rtt;
        return mode == Mode::rtt && size > kLargestSlot &&
               (options.quick || size != 65'536);  // a copy is a copy
    });
    return sizes;
}

/// One table per rate; of other modes, one that knows none.
std::vector<double> rates_for(Mode mode, const Options& options) {
    if (!is_paced(mode)) return {0};
    if (!options.rates.empty()) return options.rates;
    if (options.quick) return mode == Mode::blocking ? std::vector{1e3, 1e5, 1e7} : std::vector{1e5};
    if (mode == Mode::blocking) return {kBlockingRates.begin(), kBlockingRates.end()};
    return {kOpenLoopRates.begin(), kOpenLoopRates.end()};
}

constexpr bool is_regime(Mode mode) { return is_throughput(mode) && mode != Mode::stream; }

/// Why a table that nobody asked for in particular does without a transport, or nothing: no run has time for everything.
std::string reason_to_skip(const Traits& traits, Mode mode, std::size_t size, const Options& options) {
    if (!options.transports.empty()) return "";
    if (!traits.pairs) return "measured among many, 1x1 included";
    if (traits.slow && mode != Mode::stream && mode != Mode::rtt)
        return "slow: it streams and goes round only";
    if (traits.slow && options.sizes.empty() && size != kUsualSize && (options.quick || size != 1024))
        return "slow: not at every size";
    if (!traits.any_size || !options.sizes.empty()) return "";
    // The kernel is what they cost, at any size.
    const bool by_kernel = traits.kind == Kind::peer && traits.name != "pipe";
    const bool is_telling = size == 0 || size == 16 || size == kUsualSize || size == 1024 || size == 65'536;
    if (options.quick ? !is_variable_size(size) : by_kernel && !is_telling) return "not at every size";
    return "";
}

/// 1x1 first: the others are compared with it.
std::vector<Crowd> crowds_for(const Options& options) {
    if (!options.crowds.empty()) return options.crowds;
    if (options.quick) return {{1, 1}, {16, 16}};
    return {{1, 1}, {2, 2}, {4, 4}, {16, 16}};
}

std::vector<const Transport*> chosen_transports(const Registry& registry, const Options& options) {
    std::vector<const Transport*> chosen;
    if (options.transports.empty()) {
        for (const Transport& transport : registry.transports)
            if (transport.traits.kind != Kind::broken) chosen.push_back(&transport);
        return chosen;
    }
    for (const std::string& name : options.transports) {
        const auto found =
            std::find_if(registry.transports.begin(), registry.transports.end(),
                         [&](const Transport& transport) { return transport.traits.name == name; });
        if (found != registry.transports.end()) {
            chosen.push_back(&*found);
            continue;
        }
        for (const Absent& absent : registry.absent)
            if (absent.name == name)
                throw UsageError("transport " + name + " is not in this build: " + absent.reason);
        throw UsageError("no transport \"" + name + "\"; --list names them");
    }
    return chosen;
}

/// The waits a transport is run with: those asked for that it has, or its one way.
std::vector<Wait> waits_for(const Traits& traits, const Options& options) {
    std::vector<Wait> waits;
    if (traits.spins && (options.spin || traits.own_way)) waits.push_back(Wait::spin);
    if (traits.blocks && (options.block || traits.own_way)) waits.push_back(Wait::block);
    return waits;
}

/// In every table but the one on idleness: a hand-over between spinning processes, or between sleepers where the
/// table is about waking them.
void add_floor(Group& group, const Registry& registry, const Options& options, const std::vector<int>& cpus) {
    const Transport* floor = find_floor(registry);
    if (floor == nullptr || group.mode == Mode::idle) return;
    Job job = floor_job(options.seconds, cpus);
    if (group.mode == Mode::wake_up) {
        job.mode = Mode::wake_up;
        job.wait = Wait::block;
    }
    group.rows.push_back({floor, job, {}});
}

void leave_out(Group& group, const Transport& transport, const std::string& reason) {
    std::string& names = group.left_out[reason];
    names.append(names.empty() ? "" : ", ").append(transport.traits.name);
}

void add_rows(Group& group, const Transport& transport, const Options& options,
              const std::vector<int>& cpus) {
    if (transport.traits.kind == Kind::floor) return;
    const std::string skipped = reason_to_skip(transport.traits, group.mode, group.size, options);
    if (!skipped.empty()) return leave_out(group, transport, skipped);
    bool any = false;
    for (const Wait wait : waits_for(transport.traits, options)) {
        if (!can_run(transport.traits, group.mode, wait, group.size)) continue;
        if (is_regime(group.mode) && wait == Wait::block && transport.traits.spins &&
            options.transports.empty())
            continue;  // a regime is about how a ring's lines travel; full and empty, both sides poll
        Job job{group.mode, group.size, wait, options.seconds, cpus};
        job.rate = group.rate;
        group.rows.push_back({&transport, job, {}});
        any = true;
    }
    if (any) return;
    const bool sleepless = needs_sleepers(group.mode) && !transport.traits.blocks;
    leave_out(group, transport, sleepless ? "it does not sleep" : "it has no such wait, size or mode");
}

/// One table for all crowds, so that each is compared with 1x1 of the same round.
Group table_of_many(const Registry& registry, const Options& options, const std::vector<int>& cpus,
                    const std::vector<const Transport*>& transports, std::size_t size) {
    Group group{Mode::stream, size, options.rounds, Loop::many};
    add_floor(group, registry, options, cpus);
    for (const Crowd crowd : crowds_for(options)) {
        for (const Transport* transport : transports)
            for (const Wait wait : waits_for(transport->traits, options))
                if (can_run_many(transport->traits, wait, size, crowd))
                    group.rows.push_back(
                        {transport,
                         {Mode::stream, size, wait, options.seconds, cpus, Loop::many, crowd},
                         {}});
    }
    for (const Transport* transport : transports) {
        const Traits& traits = transport->traits;
        const bool crowded = std::ranges::any_of(
            crowds_for(options), [&](Crowd crowd) { return come_to_a_standstill(traits, crowd); });
        if (traits.many && crowded)
            leave_out(
                group, *transport,
                "more than " + std::to_string(traits.most_on_a_side) + " on a side come to a standstill");
        if (traits.kind != Kind::floor &&
            !std::ranges::any_of(group.rows, [&](const Row& row) { return row.transport == transport; }))
            leave_out(
                group, *transport,
                traits.many ? "it has no such wait, size or crowd" : "it does not take many on each side");
    }
    return group;
}

/// Where crowds are asked for: those; where neither modes nor transports are: the usual ones.
void add_tables_of_many(Results& groups, const Registry& registry, const Options& options,
                        const std::vector<int>& cpus, const std::vector<const Transport*>& transports) {
    const bool asked = !options.crowds.empty();
    if (!asked && !(options.modes.empty() && options.transports.empty())) return;
    std::vector<std::size_t> sizes = options.sizes;
    if (sizes.empty() && options.quick) sizes = {kUsualSize};
    if (sizes.empty()) sizes.assign(kSizesOfMany.begin(), kSizesOfMany.end());
    for (const std::size_t size : sizes) {
        Group group = table_of_many(registry, options, cpus, transports, size);
        const bool any =
            std::ranges::any_of(group.rows, [](const Row& row) { return row.traits().kind != Kind::floor; });
        if (any || asked) groups.push_back(std::move(group));
    }
}

bool counts_calls(const Group& group) {
    if (group.loop == Loop::many || group.mode == Mode::idle || is_regime(group.mode)) return false;
    if (group.size != kUsualSize && group.rounds == kRoundsOfAFullRun) return false;  // as many at any size
    if (group.rounds < kRoundsOfAFullRun && group.mode != Mode::blocking) return false;
    return can_count_system_calls();
}

/// A crowd's laps are not measured, nor those of a sample that went wrong.
bool is_at(double usual_lap_ns, const Sample& sample) {
    return usual_lap_ns <= 0 || std::ranges::all_of(sample.laps_ns, [&](double lap_ns) {
               return lap_ns <= 0 || same_distance(lap_ns, usual_lap_ns);
           });
}

void take_sample(const Group& group, Row& row) {
    if (!row.fault().empty()) return;  // once wrong is wrong: no need to wait for it to hang again
    row.samples.push_back(row.transport->run(row.job));
    Sample& sample = row.samples.back();
    sample.counts = is_at(group.usual_lap_ns, sample);
}

bool counts_too_seldom(const Group& group, const Row& row) {
    constexpr std::size_t kEnough = 3;
    return row.fault().empty() && samples_that_count(row) < std::min<std::size_t>(kEnough, group.rounds);
}

/// What a run shows whose times are spoilt by counting. A transport with threads of its own would look better than it is.
void count_system_calls(Row& row) {
    constexpr double kLongEnoughSeconds = 0.1;
    if (!row.fault().empty() || row.traits().helpers || row.traits().kind == Kind::floor) return;
    Job job = row.job;
    job.counts_calls = true;
    job.seconds = std::min(job.seconds, kLongEnoughSeconds);
    const Sample sample = row.transport->run(job);
    if (sample.fault.empty() && sample.messages != 0)
        row.syscalls_per_msg =
            static_cast<double>(sample.system_calls) / static_cast<double>(sample.messages);
    else if (!sample.fault.empty())
        row.samples.push_back(sample);  // wrong is wrong
}

}  // namespace

const Transport* find_floor(const Registry& registry) {
    for (const Transport& transport : registry.transports)
        if (transport.traits.kind == Kind::floor) return &transport;
    return nullptr;
}

Job floor_job(double seconds, const std::vector<int>& cpus) {
    return {Mode::rtt, 8, Wait::spin, seconds, cpus};
}

Results plan(const Registry& registry, const Options& options, const std::vector<int>& cpus) {
    const std::vector<const Transport*> transports = chosen_transports(registry, options);
    Results groups;
    if (options.tickets && options.modes.empty() && options.crowds.empty()) return groups;
    if (!options.crowds.empty() &&
        !std::ranges::all_of(options.modes, [](Mode mode) { return mode == Mode::stream; }))
        throw UsageError("--producers and --consumers are for mode stream");
    for (const ModeName& mode : kModes) {
        if (!options.crowds.empty()) break;
        const bool wanted = options.modes.empty() || std::find(options.modes.begin(), options.modes.end(),
                                                               mode.mode) != options.modes.end();
        if (!wanted) continue;
        for (const std::size_t size : sizes_for(mode.mode, options)) {
            const unsigned rounds = mode.mode != Mode::idle
                                        ? options.rounds
                                        : std::min(options.rounds, options.quick ? 1U : kIdleRounds);
            for (const double rate : rates_for(mode.mode, options)) {
                Group group{mode.mode, size, rounds};
                group.rate = rate;
                add_floor(group, registry, options, cpus);
                for (const Transport* transport : transports) add_rows(group, *transport, options, cpus);
                groups.push_back(std::move(group));
            }
        }
    }
    add_tables_of_many(groups, registry, options, cpus, transports);
    const bool any = std::ranges::any_of(groups, [](const Group& group) {
        return std::ranges::any_of(group.rows,
                                   [](const Row& row) { return row.traits().kind != Kind::floor; });
    });
    if (!any) throw UsageError("nothing to run: no such transport has such a wait, size or mode");
    return groups;
}

void run_group(Group& group, const std::function<void(const Row&, unsigned round)>& about_to_run) {
    for (unsigned round = 0; round != group.rounds; ++round) {
        for (std::size_t turn = 0; turn != group.rows.size(); ++turn) {
            Row& row = group.rows[(turn + round) % group.rows.size()];
            about_to_run(row, round);
            take_sample(group, row);
        }
    }
    // Where the CPUs are is the host's choice: who was seldom at the usual distance gets more turns.
    for (unsigned round = 0; round != std::min(group.rounds, kExtraRounds); ++round)
        for (Row& row : group.rows)
            if (counts_too_seldom(group, row)) take_sample(group, row);
    for (Row& row : group.rows) {
        if (!counts_too_seldom(group, row)) continue;
        row.at_any_distance = true;
        for (Sample& sample : row.samples) sample.counts = true;
    }
    if (!counts_calls(group)) return;
    for (Row& row : group.rows) {
        about_to_run(row, group.rounds - 1);
        count_system_calls(row);
    }
}

bool sells_tickets(const Options& options) {
    return options.tickets || (options.modes.empty() && options.transports.empty() && options.crowds.empty());
}

std::size_t count_runs(const Results& plan) {
    std::size_t runs = 0;
    for (const Group& group : plan)
        runs += (group.rounds + (counts_calls(group) ? 1 : 0)) * group.rows.size();
    return runs;
}

}  // namespace bench
