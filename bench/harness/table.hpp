// Text tables: one per group, columns as wide as their contents, the floor and the conditions in the title.
// SPDX-License-Identifier: MIT
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "harness/results.hpp"

namespace bench {

/// Lines of cells; the first line is the head, the first `left` columns are aligned to the left.
void print_columns(std::ostream& out, const std::vector<std::vector<std::string>>& lines, std::size_t left);

/// Four significant digits or so, never an exponent.
std::string in_words(double value);
std::string in_words(const std::optional<double>& value);

void print_group(std::ostream& out, const Group& group);

}  // namespace bench
