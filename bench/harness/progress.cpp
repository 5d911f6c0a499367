// Draws the bar with a carriage return, so that it needs no terminal library.
// SPDX-License-Identifier: MIT
#include "harness/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace bench {

namespace {
constexpr std::size_t kWidth = 30;
constexpr const char* kClearLine = "\r\033[K";
}  // namespace

Progress::Progress(std::size_t steps)
    : shown_(::isatty(STDERR_FILENO) == 1), steps_(std::max<std::size_t>(steps, 1)) {}

void Progress::step(const std::string& what) {
    if (shown_) {
        const std::size_t filled = std::min(done_ * kWidth / steps_, kWidth);
        const std::string bar = std::string(filled, '#') + std::string(kWidth - filled, '.');
        std::fprintf(stderr, "%s[%s] %3zu %%  %s", kClearLine, bar.c_str(),
                     std::min(done_ * 100 / steps_, std::size_t{100}), what.c_str());
        std::fflush(stderr);
    }
    ++done_;
}

void Progress::clear() {
    if (shown_) std::fputs(kClearLine, stderr);
}

}  // namespace bench
