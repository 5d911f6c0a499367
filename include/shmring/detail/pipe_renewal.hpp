// A named pipe whose two ends are both gone is nobody's: who would open it or make it gets a new one of that name.
// SPDX-License-Identifier: MIT
#pragma once

#include <string_view>

#include "shmring/segment.hpp"

namespace shmring::detail {

/// Segment::open_or_create() for pipes.
[[nodiscard]] Segment open_or_renew_pipe(std::string_view name, const SegmentSpec& spec,
                                         const SegmentOptions& options, SetupError& error) noexcept;

}  // namespace shmring::detail
