// Plans the tables and runs them.
#include "harness/schedule.hpp"

#include <algorithm>

namespace bench {

namespace {

constexpr std::size_t kUsualSize = 64;
constexpr std::array<std::size_t, 2> kSizesOfMany{8, kUsualSize};
constexpr unsigned kIdleRounds = 3;  // each lasts a second, and nothing in them is a matter of luck

bool is_variable_size(std::size_t size) {
    return std::ranges::find(VariableSizes::kAll, size) != VariableSizes::kAll.end();
}

/// Large messages stream and go round; what else there is to know about a transport, smaller ones tell.
std::vector<std::size_t> sizes_for(Mode mode, const Options& options) {
    if (!options.sizes.empty()) return options.sizes;
    const bool size_matters =
        mode == Mode::stream || mode == Mode::rtt || (is_throughput(mode) && !options.quick);
    if (!size_matters) return {kUsualSize};
    std::vector<std::size_t> sizes{MessageSizes::kAll.begin(), MessageSizes::kAll.end()};
    const bool long_way = mode == Mode::stream || mode == Mode::rtt;
    std::erase_if(sizes, [&](std::size_t size) {
        return size > kLargestSlot && (!long_way || (options.quick && !is_variable_size(size)));
    });
    return sizes;
}

/// A quick run has no time for sizes that no target is about.
bool is_skipped(const Traits& traits, std::size_t size, const Options& options) {
    if (!traits.pairs_in_quick && options.quick && options.transports.empty()) return true;
    return traits.any_size && options.quick && options.sizes.empty() && !is_variable_size(size);
}

/// 1x1 first: the others are compared with it.
std::vector<Crowd> crowds_for(const Options& options) {
    if (!options.crowds.empty()) return options.crowds;
    if (options.quick) return {{1, 1}, {16, 16}};
    return {{1, 1}, {2, 2}, {4, 4}, {8, 8}, {16, 16}};
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
    if (is_skipped(transport.traits, group.size, options))
        return leave_out(group, transport,
                         transport.traits.pairs_in_quick ? "not at this size in a quick run"
                                                         : "a quick run measures it among many");
    bool any = false;
    for (const Wait wait : waits_for(transport.traits, options)) {
        if (!can_run(transport.traits, group.mode, wait, group.size)) continue;
        group.rows.push_back({&transport, Job{group.mode, group.size, wait, options.seconds, cpus}, {}});
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
                if (can_run_many(transport->traits, wait, size))
                    group.rows.push_back(
                        {transport,
                         {Mode::stream, size, wait, options.seconds, cpus, Loop::many, crowd},
                         {}});
    }
    for (const Transport* transport : transports)
        if (transport->traits.kind != Kind::floor &&
            !std::ranges::any_of(group.rows, [&](const Row& row) { return row.transport == transport; }))
            leave_out(group, *transport,
                      transport->traits.many ? "it has no such wait or size"
                                             : "it does not take many on each side");
    return group;
}

/// Where crowds are asked for: those; where neither modes nor transports are: the usual ones.
void add_tables_of_many(Results& groups, const Registry& registry, const Options& options,
                        const std::vector<int>& cpus, const std::vector<const Transport*>& transports) {
    const bool asked = !options.crowds.empty();
    if (!asked && !(options.modes.empty() && options.transports.empty())) return;
    std::vector<std::size_t> sizes = options.sizes;
    if (sizes.empty()) sizes.assign(kSizesOfMany.begin(), kSizesOfMany.end());
    for (const std::size_t size : sizes) {
        Group group = table_of_many(registry, options, cpus, transports, size);
        const bool any =
            std::ranges::any_of(group.rows, [](const Row& row) { return row.traits().kind != Kind::floor; });
        if (any || asked) groups.push_back(std::move(group));
    }
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
    if (!options.crowds.empty() &&
        !std::ranges::all_of(options.modes, [](Mode mode) { return mode == Mode::stream; }))
        throw UsageError("--producers and --consumers are for mode stream");
    for (const ModeName& mode : kModes) {
        if (!options.crowds.empty()) break;
        const bool wanted = options.modes.empty() || std::find(options.modes.begin(), options.modes.end(),
                                                               mode.mode) != options.modes.end();
        if (!wanted) continue;
        for (const std::size_t size : sizes_for(mode.mode, options)) {
            const unsigned rounds =
                mode.mode == Mode::idle ? std::min(options.rounds, kIdleRounds) : options.rounds;
            Group group{mode.mode, size, rounds};
            add_floor(group, registry, options, cpus);
            for (const Transport* transport : transports) add_rows(group, *transport, options, cpus);
            groups.push_back(std::move(group));
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
            if (!row.fault().empty()) continue;  // once wrong is wrong: no need to wait for it to hang again
            row.samples.push_back(row.transport->run(row.job));
        }
    }
}

std::size_t count_runs(const Results& plan) {
    std::size_t runs = 0;
    for (const Group& group : plan) runs += group.rounds * group.rows.size();
    return runs;
}

}  // namespace bench
