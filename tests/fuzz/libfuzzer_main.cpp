// libFuzzer's way in.
// SPDX-License-Identifier: MIT

#include <cstddef>
#include <cstdint>

#include "fuzz_target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    shmring::test::FuzzInput input(data, size);
    shmring::test::fuzz(input);
    return 0;
}
