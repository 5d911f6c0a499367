// What travels: a message whose every 8-byte word is a function of its sequence number and of the word's place, so that
// one that is lost, repeated, out of order or torn cannot look right. The whole of it is written and the whole is read.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace bench {

using Sequence = std::uint64_t;

template <std::size_t Size>
struct Message {
    static_assert(Size % 8 == 0, "messages are made of 8-byte words");
    static constexpr std::size_t kWords = Size / 8;
    std::array<std::uint64_t, kWords> words;
};

/// Both factors are odd, so words of different sequence numbers differ, and the sequence number can be had back.
inline constexpr std::uint64_t kSequenceFactor = 0x9E3779B97F4A7C15;
inline constexpr std::uint64_t kPlaceFactor = 0xC2B2AE3D27D4EB4F;

constexpr std::uint64_t word_of(Sequence sequence, std::size_t place) {
    return sequence * kSequenceFactor + place * kPlaceFactor;
}

/// The last message of each phase has a number of its own, so that a repeated one cannot end the next phase. No stream
/// gets so far by counting.
inline constexpr Sequence kFirstEnd = ~std::uint64_t{0} >> 1;
constexpr Sequence end_of_phase(std::uint32_t phase) { return kFirstEnd + phase; }
constexpr bool is_end(Sequence sequence) { return sequence - kFirstEnd < 16; }

/// Tells the compiler that somebody else reads and writes these bytes: without it, a payload that nobody looks at is
/// never copied, and a 256-byte ring "measures" seven times what it can do. The only barrier of this program.
inline void keep_alive(const void* bytes) { asm("" : : "r"(bytes) : "memory"); }

template <std::size_t Size>
inline void fill(Message<Size>& message, Sequence sequence) {
    for (std::size_t place = 0; place != Message<Size>::kWords; ++place)
        message.words[place] = word_of(sequence, place);
    keep_alive(&message);
}

/// Compares all words, without leaving early: the cost must not depend on what is found.
template <std::size_t Size>
[[nodiscard]] inline bool matches(const Message<Size>& message, Sequence sequence) {
    keep_alive(&message);
    std::uint64_t difference = 0;
    for (std::size_t place = 0; place != Message<Size>::kWords; ++place)
        difference |= message.words[place] ^ word_of(sequence, place);
    return difference == 0;
}

inline constexpr std::uint64_t kSequenceInverse = [] {
    std::uint64_t inverse = kSequenceFactor;  // right in the lowest 3 bits; each step doubles them (Newton)
    for (int step = 0; step != 5; ++step) inverse *= 2 - kSequenceFactor * inverse;
    return inverse;
}();
/// The sequence number that a word was made from, if it was made by word_of at all.
constexpr Sequence sequence_of(std::uint64_t word, std::size_t place) {
    return (word - place * kPlaceFactor) * kSequenceInverse;
}
static_assert(sequence_of(word_of(123456789, 511), 511) == 123456789);

}  // namespace bench
