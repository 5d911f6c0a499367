// The machine and the build, printed before any figure: without them a figure means nothing.
#pragma once

#include <array>
#include <iosfwd>
#include <string>
#include <utility>
#include <vector>

#include "harness/options.hpp"
#include "harness/results.hpp"

namespace bench {

struct Environment {
    std::vector<std::pair<std::string, std::string>> facts;  // key as in the JSON report, value for people
    std::array<int, 2> cpus{};
    Spread floor_ns;
};

/// The CPUs to pin to: those asked for, else the first two this process may use, else one for both.
/// Throws UsageError where a CPU is not allowed.
std::array<int, 2> choose_cpus(const Options& options);

Environment read_environment(const Options& options, std::array<int, 2> cpus);

void print_environment(std::ostream& out, const Environment& environment, const Registry& registry);

}  // namespace bench
