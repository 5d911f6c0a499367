// Whether the long form of the tests was asked for: SHMRING_SOAK=1, as tools/dev soak sets it.
#pragma once

#include <cstdlib>
#include <string_view>

namespace shmring::test {

[[nodiscard]] inline bool is_soak() {
    const char* soak = std::getenv("SHMRING_SOAK");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    return soak != nullptr && std::string_view(soak) == "1";
}

}  // namespace shmring::test
