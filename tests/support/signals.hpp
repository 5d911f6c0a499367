// Signals that interrupt whoever sleeps.
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <thread>

namespace shmring::test {

/// Makes SIGUSR1 a signal that only interrupts, for the span of a test.
class HarmlessSignal {
 public:
    explicit HarmlessSignal(int flags = 0) {
        struct sigaction action {};
        action.sa_handler = [](int) {};
        action.sa_flags = flags;
        ::sigaction(SIGUSR1, &action, &before_);
    }
    HarmlessSignal(const HarmlessSignal&) = delete;
    HarmlessSignal& operator=(const HarmlessSignal&) = delete;
    ~HarmlessSignal() { ::sigaction(SIGUSR1, &before_, nullptr); }

 private:
    struct sigaction before_ {};
};

/// Runs `call` in a thread that gets a signal every millisecond, asleep or not.
template <class Call>
void under_signals(Call call) {
    std::atomic<bool> done{false};
    std::thread caller([&] {
        call();
        done.store(true, std::memory_order_release);
    });
    while (!done.load(std::memory_order_acquire)) {
        ::pthread_kill(caller.native_handle(), SIGUSR1);
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    caller.join();
}

}  // namespace shmring::test
