// The processes of one run: forked, pinned, watched. Whatever happens to one, the others do not outlive the run.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/types.h>

#include <array>
#include <exception>
#include <string>

#include "harness/control.hpp"

namespace bench {

class Crew {
 public:
    explicit Crew(Control& control, Crowd crowd = kPair) : control_(control), crowd_(crowd) {}
    ~Crew();
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    /// Forks side `side` onto `cpu`: producers from 0 on, then consumers. An exception that leaves `role` is the side's fault, told to the parent.
    template <class Role>
    void start(std::size_t side, int cpu, Role&& role) {
        if (fork_side(side) != 0) return;
        try {
            pin(cpu);
            role();
        } catch (const std::exception& error) {
            leave(side, error.what());
        }
        leave(side, nullptr);
    }

    /// Sleeps until all sides have ended, or the first has failed, or `limit_seconds` are over. Returns what went
    /// wrong, or nothing.
    [[nodiscard]] std::string finish(double limit_seconds);

    [[nodiscard]] pid_t pid(std::size_t side) const { return members_[side].pid; }

 private:
    struct Member {
        pid_t pid = 0;
        int handle = -1;  // a pidfd: readable once the process has ended
    };

    pid_t fork_side(std::size_t side);
    static void pin(int cpu);
    [[noreturn]] void leave(std::size_t side, const char* fault);
    [[nodiscard]] std::string reap(std::size_t side);
    [[nodiscard]] std::string name_of_side(std::size_t side) const;
    void kill_all();

    Control& control_;
    Crowd crowd_;
    std::array<Member, 2 * kMostOnASide> members_{};
};

}  // namespace bench
