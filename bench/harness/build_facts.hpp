// How this program was built. The values are written at build time by cmake/build_facts.cmake.
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

namespace bench {

extern const std::string_view kCompiler;
extern const std::string_view kFlags;
extern const std::string_view kRevision;

}  // namespace bench
