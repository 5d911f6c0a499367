// How long survivors took to move on after a kill: one stopwatch for each survivor, from the moment the dead one had been waited for
// until the survivor's next finished call that moved a message.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

namespace shmring::test {

class RecoveryTimes {
 public:
    void add(std::uint64_t ns) { times_ns_.push_back(ns); }
    RecoveryTimes& operator+=(const RecoveryTimes& more) {
        times_ns_.insert(times_ns_.end(), more.times_ns_.begin(), more.times_ns_.end());
        return *this;
    }
    [[nodiscard]] std::size_t count() const { return times_ns_.size(); }
    /// What `share` of them, 0 to 1, did not exceed.
    [[nodiscard]] std::uint64_t quantile(double share) const {
        if (times_ns_.empty()) return 0;
        std::vector<std::uint64_t> sorted = times_ns_;
        const auto rank = static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1));
        std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(rank), sorted.end());
        return sorted[rank];
    }
    void print(const char* title) const {
        const auto ms = [](std::uint64_t ns) { return static_cast<double>(ns) / 1e6; };
        std::printf("  %s: %zu, p50 %.2f ms, p90 %.2f ms, p99 %.2f ms, max %.2f ms;", title, count(),
                    ms(quantile(0.5)), ms(quantile(0.9)), ms(quantile(0.99)), ms(quantile(1)));
        std::size_t before = 0;
        for (std::uint64_t limit_ms = 1;; limit_ms *= 2) {
            const auto below = static_cast<std::size_t>(
                std::count_if(times_ns_.begin(), times_ns_.end(),
                              [&](std::uint64_t ns) { return ns < limit_ms * 1'000'000; }));
            if (below != before)
                std::printf(" <%llu ms %zu", static_cast<unsigned long long>(limit_ms), below - before);
            before = below;
            if (below == count()) break;
        }
        std::printf("\n");
    }

 private:
    std::vector<std::uint64_t> times_ns_{};
};

}  // namespace shmring::test
