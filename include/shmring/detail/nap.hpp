// Sleeping without telling anybody: no notifier wakes us, only the time, a stop token, an interrupt or a signal.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <stop_token>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/platform.hpp"

namespace shmring::detail {

/// Of one wait. Not movable: a stop token may call it.
template <class Env>
class Napper {
 public:
    /// `also`: another word that ends naps while it is not 0, or null.
    Napper(const std::stop_token& stop, const std::uint32_t* also) noexcept
        : also_(also), wake_on_stop_(stop, Waking{*this}) {}

    platform::FutexResult nap(std::uint64_t until_ns) const noexcept {
        if (also_ == nullptr) return Env::futex_wait(word(), 0, until_ns);
        const std::array<platform::FutexTarget, 2> targets{{{word(), 0}, {also_, 0}}};
        return Env::futex_wait_any(targets.data(), targets.size(), until_ns);
    }

 private:
    struct Waking {
        Napper& napper;
        void operator()() const noexcept {
            napper.stopped_.store(1, relaxed);  // for the kernel's comparison: who wakes looks at the token
            (void)Env::futex_wake(napper.word(), 1);
        }
    };
    [[nodiscard]] const std::uint32_t* word() const noexcept {
        return reinterpret_cast<const std::uint32_t*>(&stopped_);
    }

    std::atomic<std::uint32_t> stopped_{0};
    const std::uint32_t* also_;
    std::stop_callback<Waking> wake_on_stop_;
};

}  // namespace shmring::detail

#include "shmring/detail/header_end.hpp"
