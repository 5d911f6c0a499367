// The two processes of one run: forked, pinned, started together, watched. Whatever happens to one of them,
// neither outlives the run, and what went wrong there is thrown here.
// SPDX-License-Identifier: MIT
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <array>
#include <functional>
#include <string>

#include "demo/descriptor.hpp"
#include "demo/shared.hpp"

namespace demo {

enum class Side { sender, receiver };

/// The CPU of each side, or none.
struct Cpus {
    bool pinned = false;
    std::array<int, 2> of{};
};
/// The first two CPUs that this process may use; none where it may use only one.
[[nodiscard]] Cpus choose_cpus();

/// Where each side waits, all set up, for the other one.
class StartLine {
 public:
    void build();
    void wait() { ::pthread_barrier_wait(&barrier_); }

 private:
    pthread_barrier_t barrier_{};
};

class Pair {
 public:
    explicit Pair(const Cpus& cpus) : cpus_(cpus) { common_->start.build(); }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    ~Pair() { end_all(); }

    /// Runs `role(start_line)` in a process of its own. An exception that leaves it is that side's fault.
    template <class Role>
    void start(Side side, Role&& role) {
        if (fork_side(side)) return;
        act(side, [&] { role(common_->start); });
    }
    /// Sleeps until both have ended, calling `tick` ten times a second. Throws what went wrong in either, or
    /// that they did not end within `limit_s`.
    void finish(double limit_s, const std::function<void()>& tick);

 private:
    struct Member {
        pid_t process = 0;
        Descriptor handle{};  // a pidfd: readable when the process has ended
    };
    struct Common {
        StartLine start;
        std::array<std::array<char, 400>, 2> faults;
    };

    /// True in the process that called, false in the new one.
    bool fork_side(Side side);
    [[noreturn]] void act(Side side, const std::function<void()>& role);
    [[nodiscard]] bool any_left() const;
    /// Takes leave of an ended process. The words for how it ended, none if well.
    std::string reap(std::size_t side);
    void end_all();

    Cpus cpus_;
    Shared<Common> common_;
    std::array<Member, 2> members_;
};

}  // namespace demo
