// Latencies by the million in constant space: exact below 256 ns, within 0.4 % above (128 buckets per power of two).
// Lives in shared memory; one side writes, the parent reads when that side has ended.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "harness/job.hpp"

namespace bench {

/// Which bucket a number of nanoseconds falls into, and what the bucket stands for.
struct Buckets {
    static constexpr std::uint64_t kExact = 256;
    static constexpr std::uint64_t kPerPower = kExact / 2;
    static constexpr std::uint64_t kLargest = (std::uint64_t{1} << 40) - 1;  // 18 minutes

    static constexpr std::size_t index_of(std::uint64_t value) {
        if (value < kExact) return value;
        const auto shift = static_cast<std::uint64_t>(std::bit_width(value)) - 8;
        return kExact + (shift - 1) * kPerPower + ((value >> shift) - kPerPower);
    }

    /// The middle of the bucket.
    static constexpr double value_of(std::size_t index) {
        if (index < kExact) return static_cast<double>(index);
        const std::uint64_t shift = (index - kExact) / kPerPower + 1;
        const std::uint64_t first = (kPerPower + (index - kExact) % kPerPower) << shift;
        return static_cast<double>(first) + static_cast<double>((std::uint64_t{1} << shift) - 1) / 2;
    }
};
static_assert(Buckets::index_of(255) == 255 && Buckets::index_of(256) == 256);
static_assert(Buckets::value_of(Buckets::index_of(255)) == 255);
static_assert(Buckets::value_of(Buckets::index_of(1000)) == 1001.5);

class Histogram {
 public:
    void add(std::int64_t latency_ns) {
        const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(latency_ns, 0));
        ++counts_[Buckets::index_of(std::min(value, Buckets::kLargest))];
        max_ = std::max(max_, value);
        ++count_;
    }

    [[nodiscard]] Latency summary() const {
        return {quantile(0.5),   quantile(0.9),    quantile(0.99),
                quantile(0.999), quantile(0.9999), static_cast<double>(max_),
                count_};
    }

 private:
    /// Interpolated: the clock of some CPUs ticks in steps of 10 ns, a tenth of the latencies that are compared. What was
    /// counted at one value is taken to lie between the middles to the values counted next to it.
    [[nodiscard]] double quantile(double part) const {
        const double wanted = part * static_cast<double>(count_);
        double before = 0;
        std::size_t previous = counts_.size();
        for (std::size_t index = 0; index != counts_.size(); ++index) {
            if (counts_[index] == 0) continue;
            const auto here = static_cast<double>(counts_[index]);
            if (before + here >= wanted) {
                const std::size_t next = next_counted(index);
                const double value = Buckets::value_of(index);
                const double low =
                    previous == counts_.size() ? value : (Buckets::value_of(previous) + value) / 2;
                const double high = next == counts_.size() ? value : (value + Buckets::value_of(next)) / 2;
                return std::min(low + (high - low) * (wanted - before) / here, static_cast<double>(max_));
            }
            before += here;
            previous = index;
        }
        return static_cast<double>(max_);
    }

    [[nodiscard]] std::size_t next_counted(std::size_t index) const {
        while (++index != counts_.size() && counts_[index] == 0) {
        }
        return index;
    }

    std::array<std::uint64_t, Buckets::index_of(Buckets::kLargest) + 1> counts_{};
    std::uint64_t max_ = 0;
    std::uint64_t count_ = 0;
};

}  // namespace bench
