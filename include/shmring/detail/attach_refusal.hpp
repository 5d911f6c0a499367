// Why a handle could not take what it lives on (a participant record and the lock of it, or the tether of a pipe's end), in words and
// as the status of a call that was a handle's first use.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <system_error>

#include "shmring/detail/setup_report.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// Says which limit, option or permission was in the way, and what helps. `records`: how many the segment has. Always false.
bool refuse_attach(SetupReport& report, const std::error_code& code, std::uint32_t records) noexcept;

/// What a call answers that was the first use of its handle. overflow: every record is held; unavailable: whatever else the system
/// refused, which the handle's bind calls tell in words.
[[nodiscard]] Status status_of_refusal(const std::error_code& code) noexcept;

}  // namespace shmring::detail
