// What stands in for a fuzzer where there is none: runs a target over the files of a folder, or over the files named.
// SPDX-License-Identifier: MIT

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz_target.hpp"

namespace {

int run_over(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    ::alarm(20);  // one that hangs is a finding
    shmring::test::FuzzInput input(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    shmring::test::fuzz(input);
    return 1;
}

}  // namespace

int main(int argc, char** argv) {
    int inputs = 0;
    shmring::test::FuzzInput nothing(nullptr, 0);
    shmring::test::fuzz(nothing);
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) {
            inputs += run_over(argv[i]);
            continue;
        }
        for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
            inputs += run_over(entry.path());
    }
    std::printf("%d inputs\n", inputs);
    return inputs != 0 ? 0 : 1;
}
