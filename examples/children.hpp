// Child processes for the examples: started with a function, waited for together.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <system_error>
#include <vector>

class Children {
 public:
    /// Forks; the child runs `work()`, whose answer is its exit status.
    template <class Work>
    void start(Work&& work) {
        std::fflush(stdout);  // or the child would print it once more
        const pid_t child = ::fork();
        if (child < 0) throw std::system_error(errno, std::system_category(), "fork");
        if (child != 0) return children_.push_back(child);
        int status = 1;
        try {
            status = work();
        } catch (const std::exception& error) {
            std::fprintf(stderr, "child: %s\n", error.what());
        }
        std::fflush(stdout);
        ::_exit(status);
    }
    /// Waits for all of them. True: each ended with 0.
    [[nodiscard]] bool join() {
        bool all_well = true;
        for (const pid_t child : children_) {
            int status = 0;
            all_well = ::waitpid(child, &status, 0) == child && status == 0 && all_well;
        }
        children_.clear();
        return all_well;
    }
    /// Ends them wherever they are, as daemons end with their parent.
    void kill() {
        for (const pid_t child : children_) ::kill(child, SIGKILL);
        (void)join();
    }

 private:
    std::vector<pid_t> children_{};
};
