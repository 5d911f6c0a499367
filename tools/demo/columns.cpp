// Widths, padding and thousands separators.
// SPDX-License-Identifier: MIT
#include "demo/columns.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>

namespace demo {

void print_columns(std::ostream& out, const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    for (const auto& row : rows) {
        widths.resize(std::max(widths.size(), row.size()));
        for (std::size_t i = 0; i != row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
    }
    for (const auto& row : rows) {
        std::string line;
        for (std::size_t i = 0; i != row.size(); ++i) {
            const std::string padding(widths[i] - row[i].size(), ' ');
            const bool left = i == 0 || i + 1 == widths.size();
            line += (i == 0 ? "" : "  ") + (left ? row[i] + padding : padding + row[i]);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out << line << '\n';
    }
}

std::string number(double value, int decimals) {
    char text[64];
    std::snprintf(text, sizeof text, "%.*f", decimals, value);
    std::string digits = text;
    std::size_t at = std::min(digits.find('.'), digits.size());
    while (at > 3 && digits[at - 4] != '-') digits.insert(at -= 3, 1, ',');
    return digits;
}

std::string counted(std::uint64_t count, const std::string& noun) {
    return number(static_cast<double>(count)) + ' ' + noun + (count == 1 ? "" : "s");
}

std::string short_number(double value) {
    const double size = std::abs(value);
    if (size == 0) return "0";
    const int before_point = static_cast<int>(std::floor(std::log10(size))) + 1;
    return number(value, std::clamp(3 - before_point, 0, 4));
}

}  // namespace demo
