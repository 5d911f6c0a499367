// The byte algorithm's ring in memory of our own: no segment, no names, no seats.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shmring/detail/layout.hpp"
#include "shmring/detail/spsc_bytes.hpp"

namespace shmring::test {

/// Exactly the bytes that the ring may touch, so that the address sanitizer sees a step beside it. Empty, standing at `start`.
template <class Env>
class MemoryByteRing {
 public:
    using Memory = detail::ByteMemory<Env>;

    explicit MemoryByteRing(std::uint64_t capacity, std::uint64_t alignment = 8, std::uint64_t start = 0)
        : bytes_((alignment - 8 + Memory::storage_for(capacity)) / detail::kLineSize + 1) {
        auto* first = reinterpret_cast<std::byte*>(bytes_.data()) + (alignment - 8);
        memory_ = {&control_, first, capacity, Memory::storage_for(capacity), alignment};
        control_.read_pos.store(start, std::memory_order_relaxed);
        control_.read_pos_published.store(start, std::memory_order_relaxed);
    }
    MemoryByteRing(const MemoryByteRing&) = delete;
    MemoryByteRing& operator=(const MemoryByteRing&) = delete;

    /// Empty again, as if nothing had ever been written.
    void clear() {
        std::fill(bytes_.begin(), bytes_.end(), Line{});
        control_.read_pos.store(0, std::memory_order_relaxed);
        control_.read_pos_published.store(0, std::memory_order_relaxed);
        control_.closed.store(0, std::memory_order_relaxed);
    }

    [[nodiscard]] const Memory& memory() const { return memory_; }
    [[nodiscard]] detail::SpscControl<Env>& control() { return control_; }

 private:
    struct alignas(detail::kLineSize) Line {
        std::array<std::byte, detail::kLineSize> bytes{};
    };
    detail::SpscControl<Env> control_{};
    std::vector<Line> bytes_;
    Memory memory_{};
};

}  // namespace shmring::test
