// Messages that tell on whoever loses, repeats or tears them: each carries who sent it, the how-manieth it is, and words that
// follow from the two.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace shmring::test {

/// The how-manieth message of the how-manieth sending process. Senders count from 1, their messages from 0.
struct Number {
    std::uint64_t sender = 0;
    std::uint64_t sequence = 0;

    static constexpr unsigned kSequenceBits = 32;
    [[nodiscard]] constexpr std::uint64_t packed() const { return sender << kSequenceBits | sequence; }
    [[nodiscard]] static constexpr Number unpacked(std::uint64_t word) {
        return {word >> kSequenceBits, word & ((std::uint64_t{1} << kSequenceBits) - 1)};
    }
    friend constexpr bool operator==(const Number&, const Number&) = default;
};

/// Near words in, far words out.
[[nodiscard]] constexpr std::uint64_t scatter(std::uint64_t word) {
    word = (word ^ word >> 31) * 0x9e37'79b9'7f4a'7c15;
    return word ^ word >> 29;
}

/// The first word is `number << 16 | check`; each further one follows from the first, so that no two messages have one in
/// common, and a mixture of two is noticed.
template <std::size_t kSize>
struct NumberedMessage {
    static_assert(kSize >= 8 && kSize % 8 == 0);
    std::array<std::uint64_t, kSize / 8> words;

    static constexpr unsigned kCheckBits = 16;  // leaves 16 for the sender
    static constexpr std::uint64_t kSenders = std::uint64_t{1} << (64 - kCheckBits - Number::kSequenceBits);

    void write(Number number) {
        words[0] = head_of(number.packed());
        for (std::size_t i = 1; i != words.size(); ++i) words[i] = scatter(words[0] + i);
    }
    [[nodiscard]] Number number() const { return Number::unpacked(words[0] >> kCheckBits); }
    /// Whether all bytes are those of one message.
    [[nodiscard]] bool is_whole() const {
        bool whole = words[0] == head_of(words[0] >> kCheckBits);
        for (std::size_t i = 1; i != words.size(); ++i) whole &= words[i] == scatter(words[0] + i);
        return whole;
    }

 private:
    [[nodiscard]] static constexpr std::uint64_t head_of(std::uint64_t packed) {
        return packed << kCheckBits | (scatter(packed) & ((std::uint64_t{1} << kCheckBits) - 1));
    }
};
static_assert(sizeof(NumberedMessage<48>) == 48);

}  // namespace shmring::test
