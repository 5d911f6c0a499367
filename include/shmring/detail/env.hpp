// The seam: everything an algorithm, the event count and recovery do to the world goes through one Env.
// The shipped one costs nothing. Test Envs count, kill or schedule (tests/support).
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::detail {

struct ShippedEnv {
    template <class T>
    using Atom = std::atomic<T>;

    /// Payload copies: plain, because the protocol lets no two processes touch these bytes at once.
    static void copy_in(void* ring, const void* from, std::size_t size) noexcept { copy(ring, from, size); }
    static void copy_out(void* to, const void* ring, std::size_t size) noexcept { copy(to, ring, size); }

    static void pause() noexcept { cpu_pause(); }
    /// Keeps the compiler from moving a later load before an earlier store; the hardware may still delay the store.
    static void compiler_barrier() noexcept { std::atomic_signal_fence(std::memory_order_seq_cst); }

    static platform::FutexResult futex_wait(const std::uint32_t* word, std::uint32_t expected,
                                            std::uint64_t deadline_ns) noexcept {
        return platform::futex_wait(word, expected, deadline_ns);
    }
    static platform::FutexResult futex_wait_any(const platform::FutexTarget* targets, std::size_t count,
                                                std::uint64_t deadline_ns) noexcept {
        return platform::futex_wait_any(targets, count, deadline_ns);
    }
    static int futex_wake(const std::uint32_t* word, int count) noexcept {
        return platform::futex_wake(word, count);
    }
    static std::uint64_t now() noexcept { return platform::monotonic_ns(); }
    static std::uint64_t coarse_now() noexcept { return platform::coarse_monotonic_ns(); }
    static platform::LockState probe(int descriptor, const platform::FileIdentity& file,
                                     std::uint64_t byte) noexcept {
        return platform::probe_lock(descriptor, file, byte);
    }

 private:
    static void copy(void* to, const void* from, std::size_t size) noexcept {
        if (size != 0) std::memcpy(to, from, size);  // an empty message may come as a null pointer
    }
};

static_assert(sizeof(ShippedEnv::Atom<std::uint64_t>) == 8);

}  // namespace shmring::detail
