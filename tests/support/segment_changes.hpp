// Counts how often a ring's memory changed while a process is stepped through an operation: between two changes it makes no difference
// to anybody else at which instruction it is killed.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "shmring/segment.hpp"

namespace shmring::test {

class SegmentChanges {
 public:
    explicit SegmentChanges(const Segment& segment)
        : now_(segment.at(0)), before_(segment.geometry().segment_size) {
        std::memcpy(before_.data(), now_, before_.size());
    }
    /// How many there were; to be asked after each instruction.
    [[nodiscard]] std::uint64_t count() {
        if (std::memcmp(before_.data(), now_, before_.size()) != 0) {
            std::memcpy(before_.data(), now_, before_.size());
            ++count_;
        }
        return count_;
    }

 private:
    const std::byte* now_;
    std::vector<std::byte> before_;
    std::uint64_t count_ = 0;
};

}  // namespace shmring::test
