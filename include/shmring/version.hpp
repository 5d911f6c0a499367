// Which version of the library these headers belong to, and which layout its segments have. CMakeLists.txt reads the version here, so it is
// written nowhere else.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cstdint>
#include <string_view>

#include "shmring/detail/layout.hpp"

/// The version as one number, 10000 * major + 100 * minor + patch. A macro, because `#if` knows no constants: a program that is to compile
/// with several versions asks here.
#define SHMRING_VERSION 200

namespace shmring {

inline constexpr int kVersionMajor = SHMRING_VERSION / 10000;
inline constexpr int kVersionMinor = SHMRING_VERSION / 100 % 100;
inline constexpr int kVersionPatch = SHMRING_VERSION % 100;

/// The version in words, as CMake and pkg-config name it.
inline constexpr std::string_view kVersion = "0.2.0";

/// What a segment says in its header. Processes share a segment if theirs are the same, whatever their versions of the library are.
inline constexpr std::uint32_t kSegmentLayoutVersion = detail::kLayoutVersion;

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
