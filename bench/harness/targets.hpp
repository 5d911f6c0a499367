// Our rings' targets: what was wanted, what was known before the first line was written, what this run measured.
// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "harness/results.hpp"

namespace bench {

struct Target {
    std::string of;  // the transport
    std::string row;
    std::string known;
    bool at_least;  // else at most
    double bound;
    std::string unit;
    std::optional<double> measured;  // nothing: this run does not hold the rows it needs
    std::string remark;              // such as the size where the worst figure was found

    [[nodiscard]] bool hit() const {
        return measured && (at_least ? *measured >= bound : *measured <= bound);
    }
};

std::vector<Target> judge_spsc(const Results& results);
std::vector<Target> judge_bytes(const Results& results);
std::vector<Target> judge_mpmc(const Results& results);
/// All of them, transport by transport.
std::vector<Target> judge(const Results& results);

/// A table per transport of the targets that this run can judge, and how many it cannot. Nothing where it can judge none.
void print_targets(std::ostream& out, const std::vector<Target>& targets);

}  // namespace bench
