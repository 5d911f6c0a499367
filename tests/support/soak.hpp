// Whether the long form of the tests was asked for: SHMRING_SOAK=1, as tools/dev soak sets it.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdlib>
#include <string_view>

namespace shmring::test {

[[nodiscard]] inline bool is_soak() {
    const char* soak = std::getenv("SHMRING_SOAK");
    return soak != nullptr && std::string_view(soak) == "1";
}

/// Who has not gone on after so long hangs. The long form goes on where the machine is so busy that a stepped process gets milliseconds
/// for each instruction, and those that wait for it wait as long.
[[nodiscard]] inline std::chrono::seconds hang_time() { return std::chrono::seconds(is_soak() ? 300 : 15); }

}  // namespace shmring::test
