// The header word of a variable-size record, in rings of bytes of every kind. Part of the ABI.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace shmring::detail {

/// What a header word says: tag:32 | state:2 | length:30. Never 0 for a record, not even an empty one with tag 0.
struct RecordHeader {
    enum class State : std::uint32_t { none = 0, message = 1, padding = 2, invalid = 3 };

    std::uint32_t tag = 0;
    State state = State::none;
    std::uint32_t length = 0;  // of the payload, in bytes

    static constexpr std::uint32_t kLengthBits = 30;
    static constexpr std::uint32_t kMaxLength = (1u << kLengthBits) - 1;

    [[nodiscard]] static constexpr RecordHeader of(std::uint64_t word) noexcept {
        const auto low = static_cast<std::uint32_t>(word);
        return {static_cast<std::uint32_t>(word >> 32), static_cast<State>(low >> kLengthBits),
                low & kMaxLength};
    }
    [[nodiscard]] constexpr std::uint64_t word() const noexcept {
        return std::uint64_t{tag} << 32 | std::uint64_t{static_cast<std::uint32_t>(state)} << kLengthBits |
               length;
    }
};

}  // namespace shmring::detail
