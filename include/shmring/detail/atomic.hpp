// Words for memory orders, the distances that keep cache lines apart, the pause of a polling loop, and counting alone.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace shmring::detail {

inline constexpr auto relaxed = std::memory_order_relaxed;
inline constexpr auto acquire = std::memory_order_acquire;
inline constexpr auto release = std::memory_order_release;
inline constexpr auto acq_rel = std::memory_order_acq_rel;
inline constexpr auto seq_cst = std::memory_order_seq_cst;

/// What the hardware moves between cores. Fixed, not asked of the compiler: two builds must agree on it.
inline constexpr std::size_t kLineSize = 64;
/// How far apart words of different writers stand: two lines, because prefetchers fetch them in pairs.
inline constexpr std::size_t kLineGap = 128;
inline constexpr std::size_t kPageSize = 4096;

/// Tells the core that this is a polling loop: frees the pipeline and, measured, takes the polled line from its writer less often.
inline void cpu_pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm("yield");
#else
    std::atomic_signal_fence(std::memory_order_seq_cst);
#endif
}

/// Adds to a statistic that one thread at a time writes: no read-modify-write needed.
inline void add_alone(std::atomic<std::uint64_t>& counter, std::uint64_t amount) noexcept {
    counter.store(counter.load(relaxed) + amount, relaxed);  // one writer, and nothing is published by it
}

[[nodiscard]] constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t step) noexcept {
    return (value + step - 1) / step * step;
}

static_assert(std::atomic<std::uint64_t>::is_always_lock_free &&
                  std::atomic<std::uint32_t>::is_always_lock_free,
              "atomics in shared memory must not hide a lock");
static_assert(sizeof(std::atomic<std::uint64_t>) == 8 && sizeof(std::atomic<std::uint32_t>) == 4);

}  // namespace shmring::detail
