// Where this runs: printed before any figure, which means nothing without it.
// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace demo {

/// CPU model, CPUs, kernel, compiler, kind of build, how busy it is; one line.
[[nodiscard]] std::string machine();

}  // namespace demo
