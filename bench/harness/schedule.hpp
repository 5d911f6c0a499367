// Which runs there are, and in which order: tables one after another, in each table every transport once per round, and
// each round begins with another one, so that no transport always follows the same neighbour.
// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>

#include "harness/options.hpp"
#include "harness/results.hpp"

namespace bench {

/// The tables that these options ask for, without samples. Throws UsageError for a transport that is not there.
Results plan(const Registry& registry, const Options& options, const std::vector<int>& cpus);

/// Runs one table, and, of pairs, each row once more at its end to count its system calls. `about_to_run` is told before each run what comes.
void run_group(Group& group, const std::function<void(const Row&, unsigned round)>& about_to_run);

/// Whether the ticket office opens: asked for, or part of everything.
bool sells_tickets(const Options& options);

/// The number of runs in all tables, those that count system calls included.
std::size_t count_runs(const Results& plan);

const Transport* find_floor(const Registry& registry);

/// The floor's own measurement, which every ratio to the floor stands on.
Job floor_job(double seconds, const std::vector<int>& cpus);

}  // namespace bench
