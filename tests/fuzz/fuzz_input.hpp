// The bytes a fuzzer gives, taken one after the other; behind their end come zeros.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace shmring::test {

class FuzzInput {
 public:
    FuzzInput(const std::uint8_t* data, std::size_t size) : left_(data, size) {}

    [[nodiscard]] bool empty() const { return left_.empty(); }
    [[nodiscard]] std::span<const std::uint8_t> rest() const { return left_; }

    template <class T = std::uint8_t>
    [[nodiscard]] T take() {
        T value{};
        const std::size_t size = left_.size() < sizeof value ? left_.size() : sizeof value;
        if (size != 0) std::memcpy(&value, left_.data(), size);
        left_ = left_.subspan(size);
        return value;
    }
    /// One of so many; 0 to choices - 1.
    [[nodiscard]] std::size_t choose(std::size_t choices) {
        return choices <= 256 ? take() % choices : take<std::uint32_t>() % choices;
    }

 private:
    std::span<const std::uint8_t> left_;
};

/// What stands in a word, changed: by a bit, a little, into something small, into a number next to a limit, or into anything.
[[nodiscard]] inline std::uint64_t fuzzed(std::uint64_t word, FuzzInput& input) {
    const std::size_t how = input.choose(6);
    if (how == 0) return word ^ std::uint64_t{1} << input.choose(64);
    if (how == 1) return word + static_cast<std::uint64_t>(static_cast<std::int8_t>(input.take()));
    if (how == 2) return input.take();
    if (how == 3) return (std::uint64_t{1} << input.choose(64)) - input.choose(3);
    if (how == 4) return word << 8 | input.take();
    return input.take<std::uint64_t>();
}

}  // namespace shmring::test
