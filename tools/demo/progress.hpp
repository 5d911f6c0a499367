// Tells on standard error how far the work is: a bar where that is a terminal, a plain line per phase where
// it is not.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <string>

namespace demo {

class Progress {
 public:
    Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;
    ~Progress() { clear(); }

    void phase(const std::string& name);
    /// What all steps from now on will take, as far as one knows: from now on there is a bar.
    void expect(double all_s) { all_s_ = all_s; }
    /// A step of the phase, and the time it should take.
    void step(const std::string& name, double expected_s);
    /// To be called now and then: moves the bar along with the time.
    void tick();
    void clear();

 private:
    void draw();

    bool terminal_;
    std::string phase_{};
    std::string step_{};
    double all_s_ = 0;
    double done_s_ = 0;
    double step_s_ = 0;
    std::chrono::steady_clock::time_point step_start_{};
};

}  // namespace demo
