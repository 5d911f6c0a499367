// Ctrl-C while there is something to clean up: noted while this object lives, and thrown where somebody asks.
// SPDX-License-Identifier: MIT
#pragma once

#include <signal.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <stdexcept>

namespace demo {

class Interruption {
 public:
    Interruption() {
        noted.store(0, std::memory_order_relaxed);
        struct sigaction action {};
        action.sa_handler = [](int) {
            noted.store(1, std::memory_order_relaxed);
        };  // without SA_RESTART: whoever sleeps looks up
        for (std::size_t i = 0; i != kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before_[i]);
    }
    Interruption(const Interruption&) = delete;
    Interruption& operator=(const Interruption&) = delete;
    ~Interruption() {
        for (std::size_t i = 0; i != kSignals.size(); ++i) ::sigaction(kSignals[i], &before_[i], nullptr);
    }

    void check() const {
        if (noted.load(std::memory_order_relaxed) != 0) throw std::runtime_error("interrupted");
    }

 private:
    static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};
    static inline std::atomic<int> noted{0};
    static_assert(std::atomic<int>::is_always_lock_free, "a signal handler stores it");
    std::array<struct sigaction, kSignals.size()> before_{};
};

}  // namespace demo
