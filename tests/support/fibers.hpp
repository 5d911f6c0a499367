// Actors that take turns on one thread, each on a stack of its own: the one who drives them decides before every operation who is
// next, so that a seed is a schedule. An actor that is never resumed is dead: nothing of it runs any more, no destructor either.
// SPDX-License-Identifier: MIT
#pragma once

#include <ucontext.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

namespace shmring::test {

class Fiber {
 public:
    explicit Fiber(std::function<void()> body)
        : body_(std::move(body)), stack_(std::make_unique<std::byte[]>(kStack)) {
        ::getcontext(&its_);
        its_.uc_stack.ss_sp = stack_.get();
        its_.uc_stack.ss_size = kStack;
        its_.uc_link = &driver_;
        ::makecontext(&its_, &Fiber::begin, 0);
    }
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    /// Lets it run to its next give_way(), or to its end.
    void resume() {
        running = this;
        ::swapcontext(&driver_, &its_);
        running = nullptr;
    }
    [[nodiscard]] bool is_done() const { return done_; }
    /// For whoever runs: back to the driver. Nothing where nobody drives.
    static void give_way() {
        if (Fiber* self = running) ::swapcontext(&self->its_, &self->driver_);
    }

 private:
    static constexpr std::size_t kStack = std::size_t{256} * 1024;
    static void begin() {
        Fiber* self = running;
        self->body_();
        self->done_ = true;
    }

    static inline Fiber* running = nullptr;
    std::function<void()> body_;
    std::unique_ptr<std::byte[]> stack_;
    ucontext_t its_{};
    ucontext_t driver_{};
    bool done_ = false;
};

}  // namespace shmring::test
