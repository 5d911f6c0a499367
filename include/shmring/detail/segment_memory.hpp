// Mapping a segment, and asking the kernel for what makes it fast: present pages, locked pages, huge pages.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "shmring/detail/setup_report.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// Owns one mapping.
class Mapping {
 public:
    Mapping() noexcept = default;
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping();

    /// Maps a whole file, shared. For huge pages at an address that a huge page can start at.
    [[nodiscard]] bool map(int descriptor, std::uint64_t size, bool huge_pages, SetupReport& report) noexcept;
    [[nodiscard]] std::byte* data() const noexcept { return data_; }
    [[nodiscard]] std::byte* release() noexcept;

 private:
    std::byte* data_ = nullptr;
    std::size_t size_ = 0;
};

void unmap(std::byte* data, std::uint64_t size) noexcept;

/// Asks for what the options name. No refusal is fatal; all are reported.
[[nodiscard]] SegmentGrants ask_kernel_for(std::span<std::byte> memory,
                                           const SegmentOptions& options) noexcept;

/// Makes every page present by a write that changes nothing and disturbs nobody. For kernels before 5.14.
void touch_pages(std::span<std::byte> memory) noexcept;

}  // namespace shmring::detail
