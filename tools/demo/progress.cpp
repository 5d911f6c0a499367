// Drawing the bar, always on one line.
// SPDX-License-Identifier: MIT
#include "demo/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace demo {

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

void Progress::phase(const std::string& name) {
    phase_ = name;
    step_.clear();
    if (!terminal_) std::fprintf(stderr, "demo: %s\n", name.c_str());
    draw();
}

void Progress::step(const std::string& name, double expected_s) {
    done_s_ += step_s_;
    step_ = name;
    step_s_ = expected_s;
    step_start_ = std::chrono::steady_clock::now();
    draw();
}

void Progress::tick() { draw(); }

void Progress::clear() {
    if (terminal_) std::fprintf(stderr, "\r\033[K");
}

void Progress::draw() {
    if (!terminal_) return;
    std::string bar;
    if (all_s_ > 0) {
        constexpr std::size_t kWidth = 30;
        const double in_step_s =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - step_start_).count();
        const double share = std::min((done_s_ + std::min(in_step_s, step_s_)) / all_s_, 1.0);
        const auto filled = static_cast<std::size_t>(share * static_cast<double>(kWidth));
        bar.append(filled, '#').append(kWidth - filled, '.');
        bar += ' ';
        bar += std::to_string(static_cast<int>(share * 100));
        bar += " %  ";
    }
    const char* separator = step_.empty() ? "" : ": ";
    std::fprintf(stderr, "\r\033[K%s%s%s%s", bar.c_str(), phase_.c_str(), separator, step_.c_str());
    std::fflush(stderr);
}

}  // namespace demo
