// What a test and the processes it forks have in common: memory, and steps that one reaches and another waits
// for. Works without descriptors, so that a child may close them all.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "shmring/detail/platform.hpp"

namespace shmring::test {

/// A T in memory that forked children share. Made before the fork; T is value-initialised, and not destroyed.
template <class T>
class Shared {
 public:
    Shared() {
        void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) std::abort();
        value_ = ::new (memory) T{};
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { ::munmap(value_, sizeof(T)); }

    T* operator->() const { return value_; }
    T& operator*() const { return *value_; }

 private:
    T* value_ = nullptr;
};

/// Steps are numbered from 1 and reached in order.
class Steps {
 public:
    void reach(std::uint32_t step) {
        reached_.store(step, std::memory_order_release);
        detail::platform::futex_wake(word(), 0x7fffffff);
    }
    /// False when the step was not reached within a minute: something died or hangs, and the test should
    /// fail.
    [[nodiscard]] bool await(std::uint32_t step) const {
        constexpr std::uint64_t kWatchdog_ns = 60'000'000'000;
        constexpr std::uint64_t kLook_ns = 10'000'000;
        const std::uint64_t start = detail::platform::monotonic_ns();
        for (;;) {
            const std::uint32_t reached = reached_.load(std::memory_order_acquire);
            if (reached >= step) return true;
            const std::uint64_t now = detail::platform::monotonic_ns();
            if (now - start > kWatchdog_ns) return false;
            (void)detail::platform::futex_wait(word(), reached, now + kLook_ns);
        }
    }

 private:
    [[nodiscard]] const std::uint32_t* word() const {
        return reinterpret_cast<const std::uint32_t*>(&reached_);
    }
    std::atomic<std::uint32_t> reached_{0};
};

}  // namespace shmring::test
