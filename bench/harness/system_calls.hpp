// Counts the system calls of the calling thread, without help of root or of a tracing process: the kernel hands each one back
// (syscall user dispatch, Linux 5.11), it is counted and then made. That takes a microsecond or so each, so it is done in
// runs of their own, whose times are not reported.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace bench {

/// What this process and those it forks from now on are to do when they begin to measure.
void want_system_calls_counted(bool wanted);

/// Begins to count where that is wanted and possible; once per thread. Threads that exist already, or that a transport starts,
/// are not counted.
void begin_counting_system_calls();

/// 0 where nothing is counted.
[[nodiscard]] std::uint64_t system_calls_so_far();

/// Whether this kernel and CPU can do it.
[[nodiscard]] bool can_count_system_calls();

}  // namespace bench
