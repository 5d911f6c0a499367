// Text in columns, and numbers for people.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <vector>

namespace demo {

/// Rows of cells: the first and the last column of a row are set to the left, those between to the right.
void print_columns(std::ostream& out, const std::vector<std::vector<std::string>>& rows);

/// 1234567.8 as "1,234,568"; with `decimals` digits after the point.
[[nodiscard]] std::string number(double value, int decimals = 0);

/// "1 file", "2 files".
[[nodiscard]] std::string counted(std::uint64_t count, const std::string& noun);

/// Three digits that matter: 0.0312, 3.12, 312, 31,234.
[[nodiscard]] std::string short_number(double value);

}  // namespace demo
