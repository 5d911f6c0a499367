// What the demo says on standard output.
// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <string>

#include "demo/contest.hpp"
#include "demo/options.hpp"
#include "demo/rebuilt_tree.hpp"

namespace demo {

/// The machine, the input, and how it is measured: before the first figure is there.
void print_circumstances(std::ostream& out, const Options& options, const Stage& stage);

/// The table, the proofs, and one sentence.
void print_results(std::ostream& out, const Entrants& entrants, const TreeProof& proof, const Stage& stage);

[[nodiscard]] bool all_identical(const Entrants& entrants);

}  // namespace demo
