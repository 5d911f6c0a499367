// The machine and the build, printed before any figure: without them a figure means nothing.
// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "harness/distance.hpp"
#include "harness/options.hpp"
#include "harness/results.hpp"

namespace bench {

struct Environment {
    std::vector<std::pair<std::string, std::string>> facts;  // key as in the JSON report, value for people
    std::vector<int> cpus;
    Spread floor_ns{};
    UsualDistance distance{};
};

/// The CPUs to pin to: those asked for, else all that this process may use. A pair takes the first two, or the only one.
/// Throws UsageError where a CPU is not allowed.
std::vector<int> choose_cpus(const Options& options);

Environment read_environment(const Options& options, const std::vector<int>& cpus);

void print_environment(std::ostream& out, const Environment& environment, const Registry& registry);

}  // namespace bench
