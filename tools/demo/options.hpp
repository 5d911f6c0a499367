// What the command line asks for.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "demo/corrupt.hpp"

namespace demo {

struct Options {
    std::vector<std::string> paths{};
    bool help = false;
    bool quick = false;
    Corrupt corrupt = Corrupt::nothing;
    std::optional<std::uint64_t> most_mib{};  // of the input to read
};

/// The command line makes no sense; what() says why.
struct UsageError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

[[nodiscard]] Options parse(int argc, char** argv);

extern const char* const kUsage;
extern const char* const kHelp;

}  // namespace demo
