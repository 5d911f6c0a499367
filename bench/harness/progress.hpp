// A bar on the terminal while a run goes on; silent where standard error is not a terminal.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

namespace bench {

class Progress {
 public:
    explicit Progress(std::size_t steps);
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// One more step begins, and this is it.
    void step(const std::string& what);
    /// Removes the bar, so that a table can be printed.
    void clear();

 private:
    bool shown_;
    std::size_t steps_;
    std::size_t done_ = 0;
};

}  // namespace bench
