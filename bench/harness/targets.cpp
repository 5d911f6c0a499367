// All targets, and their tables.
// SPDX-License-Identifier: MIT
#include "harness/targets.hpp"

#include <iostream>

#include "harness/table.hpp"

namespace bench {

std::vector<Target> judge(const Results& results) {
    std::vector<Target> targets = judge_spsc(results);
    for (Target& target : judge_bytes(results)) targets.push_back(std::move(target));
    for (Target& target : judge_mpmc(results)) targets.push_back(std::move(target));
    return targets;
}

void print_targets(std::ostream& out, const std::vector<Target>& targets) {
    std::size_t unjudged = 0;
    for (std::size_t first = 0, next = 0; first != targets.size(); first = next) {
        std::vector<std::vector<std::string>> lines{
            {"row", "target", "known (ours / best peer)", "measured", ""}};
        for (; next != targets.size() && targets[next].of == targets[first].of; ++next) {
            const Target& target = targets[next];
            if (!target.measured) {
                ++unjudged;
                continue;
            }
            const std::string remark = target.remark.empty() ? "" : " (" + target.remark + ")";
            lines.push_back(
                {target.row,
                 std::string(target.at_least ? ">= " : "<= ") + in_words(target.bound) + " " + target.unit,
                 target.known, in_words(target.measured), (target.hit() ? "hit" : "MISS") + remark});
        }
        if (lines.size() == 1) continue;
        out << "\nTargets of " << targets[first].of << "\n";
        print_columns(out, lines, lines.front().size());
    }
    if (unjudged != 0 && unjudged != targets.size())
        out << "  " << unjudged << " more cannot be judged from the rows of this run\n";
}

}  // namespace bench
