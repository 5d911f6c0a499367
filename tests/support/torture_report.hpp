// What a path of operations came to under the kills: one line, in the columns of the table that tools/dev torture prints.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace shmring::test {

struct TortureReport {
    std::uint64_t instructions = 0;  ///< of the operation, when it is not killed
    std::uint64_t effective = 0;
    std::uint64_t kills = 0;
    std::uint64_t places = 0;  ///< distinct instructions that matter
    std::uint64_t missed = 0;  ///< of those, how many no victim was killed behind
    std::uint64_t hung = 0;
    std::uint64_t lost = 0;
    std::uint64_t repeated = 0;
    std::uint64_t worst_ns = 0;

    void print(const std::string& path) const {
        char line[256];
        std::snprintf(line, sizeof line, "%-72s %12llu %9llu %6llu %6llu %6llu %5llu %5llu %8llu %9.2f",
                      path.c_str(), static_cast<unsigned long long>(instructions),
                      static_cast<unsigned long long>(effective), static_cast<unsigned long long>(kills),
                      static_cast<unsigned long long>(places), static_cast<unsigned long long>(missed),
                      static_cast<unsigned long long>(hung), static_cast<unsigned long long>(lost),
                      static_cast<unsigned long long>(repeated), static_cast<double>(worst_ns) / 1e6);
        std::printf("%s\n", line);
        // tools/dev torture collects the lines of all tests there.
        if (const char* file = std::getenv("SHMRING_TORTURE_REPORT"))
            std::ofstream(file, std::ios::app) << line << '\n';
    }
};

}  // namespace shmring::test
