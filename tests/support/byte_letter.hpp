// A message of a number and a size whose bytes follow from both, kept where nothing needs a destructor: for actors that can be killed.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace shmring::test {

/// The tag carries the number.
struct ByteLetter {
    static constexpr std::size_t kMost = 1200;
    std::uint32_t tag = 0;
    std::uint32_t size = 0;
    std::array<std::byte, kMost> bytes{};

    ByteLetter() = default;
    ByteLetter(std::uint64_t number, std::uint64_t its_size)
        : tag(static_cast<std::uint32_t>(number)), size(static_cast<std::uint32_t>(its_size)) {
        for (std::size_t at = 0; at != size; ++at)
            bytes.at(at) = static_cast<std::byte>((number * 131 + at * 7 + at / 64 + its_size) & 0xff);
    }
    [[nodiscard]] std::uint64_t number() const { return tag; }
    /// One for every number: from nothing to `most`, the ends of units and the largest more often than others.
    [[nodiscard]] static std::uint64_t size_of(std::uint64_t number, std::uint64_t most) {
        const std::uint64_t drawn = (number * 0x9e37'79b9'7f4a'7c15) >> 32;
        const std::uint64_t size = drawn % 4 == 0   ? most - std::min(most, drawn / 4 % 3)
                                   : drawn % 4 == 1 ? drawn / 4 % (most / 64 + 1) * 64 + drawn / 1024 % 2
                                                    : drawn / 4 % (most + 1);
        return std::min(size, most);
    }
    friend bool operator==(const ByteLetter& one, const ByteLetter& other) {
        return one.tag == other.tag && one.size == other.size &&
               std::equal(one.bytes.begin(), one.bytes.begin() + one.size, other.bytes.begin());
    }
};

}  // namespace shmring::test
