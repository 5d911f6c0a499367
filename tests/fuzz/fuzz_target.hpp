// What each fuzz target is: a function of the input. Who calls it: libfuzzer_main.cpp, or corpus_main.cpp.
// SPDX-License-Identifier: MIT
#pragma once

#include "fuzz_input.hpp"

namespace shmring::test {

/// Each *_fuzz.cpp defines it.
void fuzz(FuzzInput& input);

}  // namespace shmring::test
