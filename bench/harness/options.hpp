// The command line of ipc_bench.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "harness/job.hpp"

namespace bench {

/// A mistake on the command line: exit status 2, where 1 is kept for a transport that is wrong.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Options {
    bool help = false;
    bool list = false;
    bool list_hidden = false;
    bool quick = false;
    bool spin = true;
    bool block = true;
    std::vector<std::string> transports;  // empty: all
    std::vector<Mode> modes;              // empty: all
    bool tickets = false;                 // mode tickets was asked for
    std::vector<std::size_t> sizes;       // empty: as the mode suggests
    std::vector<double> rates;            // messages per second; empty: as the mode suggests
    unsigned rounds = 7;
    double seconds = 0.2;
    std::optional<std::vector<int>> cpus;
    std::vector<Crowd> crowds;  // not empty: only these, in the loop of many
    std::string json;
    std::string command;  // as typed, for the report
};

/// Throws UsageError.
Options parse_options(int argc, char** argv);

std::string usage();

}  // namespace bench
