// Runners on stacks of their own that hand over to each other directly, and can be made to begin anew wherever they stand. The
// switch is a jump without a system call, which is what an exploration of millions of short runs does most. A runner that is begun
// anew leaves everything behind: nothing on its stack may need a destructor where it hands over.
// SPDX-License-Identifier: MIT
#pragma once

#include <csetjmp>
#include <functional>
#include <utility>

#include "support/fibers.hpp"

namespace shmring::test {

class Runner {
 public:
    Runner() : fiber_([this] { stand_ready(); }) {
        fiber_.resume();
    }  // its stack stands ready; nobody returns to it

    /// The next time it is given control, it runs `body` from the beginning. `body` must not return: it hands over at its end.
    void begin(std::function<void()> body) {
        body_ = std::move(body);
        is_fresh_ = true;
    }

    /// From the driver: control goes to `next`, and comes back by stop().
    static void start(Runner& next) {
        if (_setjmp(driver) == 0) next.enter();  // NOLINT(cert-err52-cpp): what an exception cannot do
    }
    /// From whoever runs: control goes to `next`, and comes back when somebody gives it.
    void hand_over(Runner& next) {
        if (_setjmp(here_) == 0) next.enter();  // NOLINT(cert-err52-cpp)
    }
    /// From whoever runs: control goes to the driver. It does not come back.
    [[noreturn]] static void stop() { std::longjmp(driver, 1); }  // NOLINT(cert-err52-cpp)

 private:
    void stand_ready() {
        if (_setjmp(base_) == 0) Fiber::give_way();  // NOLINT(cert-err52-cpp)
        body_();
    }
    [[noreturn]] void enter() {
        std::longjmp(std::exchange(is_fresh_, false) ? base_ : here_, 1);  // NOLINT(cert-err52-cpp)
    }

    static inline std::jmp_buf driver{};
    std::function<void()> body_{};
    bool is_fresh_ = true;
    std::jmp_buf base_{};
    std::jmp_buf here_{};
    Fiber fiber_;
};

}  // namespace shmring::test
