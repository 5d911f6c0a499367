// Messages of many sizes that tell on whoever loses, repeats or tears them: size, bytes and tag all follow from the number.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "support/numbered_message.hpp"

namespace shmring::test {

/// Sizes from `least` to `most`: mostly small, one in sixteen within 16 bytes of the largest, one in sixteen anything.
struct ByteSizes {
    std::size_t least = 0;
    std::size_t most = 0;

    [[nodiscard]] std::size_t of(Number number) const {
        const std::uint64_t drawn = scatter(number.packed() + 1);
        const std::uint64_t choice = drawn >> 8;
        const std::size_t range = most - least + 1;
        if (drawn % 16 == 0) return most - choice % std::min<std::size_t>(range, 17);
        if (drawn % 16 == 1) return least + choice % range;
        return least + choice % std::min<std::size_t>(range, 120);
    }
};

/// The tag says the sender and the end of the sequence, for messages that are too small to carry a number.
struct NumberTag {
    static constexpr unsigned kSequenceBits = 18;  // far more than a ring holds
    static constexpr std::uint64_t kSequences = std::uint64_t{1} << kSequenceBits;

    [[nodiscard]] static std::uint32_t of(Number number) {
        return static_cast<std::uint32_t>(number.sender << kSequenceBits | number.sequence % kSequences);
    }
    /// The first number after `last` that has this tag.
    [[nodiscard]] static Number after(Number last, std::uint32_t tag) {
        const std::uint64_t sender = tag >> kSequenceBits;
        const std::uint64_t first = sender == last.sender ? last.sequence + 1 : 0;
        return {sender, first + (tag - first) % kSequences};
    }
};

/// Word 0 is `number << 16 | check`, each further one follows from it; the last is cut off where the message ends.
class NumberedBytes {
 public:
    static constexpr std::size_t kNumberSize =
        8;  // a message of at least this size carries its number itself

    static void write(Number number, std::span<std::byte> to) {
        const std::uint64_t head = head_of(number.packed());
        for (std::size_t at = 0; at < to.size(); at += sizeof head) {
            const std::uint64_t word = word_of(head, at);
            std::memcpy(to.data() + at, &word, std::min(sizeof word, to.size() - at));
        }
    }

    /// What came out of a ring after `last`. In a batch several messages have the tag of its first, up to `most_behind` before
    /// their own.
    NumberedBytes(std::span<const std::byte> bytes, std::uint32_t tag, Number last, const ByteSizes& sizes,
                  std::uint64_t most_behind = 0)
        : number_(NumberTag::after(last, tag)) {
        if (bytes.size() >= kNumberSize) {
            std::uint64_t head = 0;
            std::memcpy(&head, bytes.data(), sizeof head);
            number_ = Number::unpacked(head >> kCheckBits);
        }
        const std::uint64_t behind = (number_.sequence - tag) % NumberTag::kSequences;
        whole_ = tag >> NumberTag::kSequenceBits == number_.sender && behind <= most_behind &&
                 bytes.size() == sizes.of(number_) && has_bytes(bytes);
    }

    [[nodiscard]] Number number() const { return number_; }
    /// Whether size, tag and all bytes are those of one message.
    [[nodiscard]] bool is_whole() const { return whole_; }

 private:
    static constexpr unsigned kCheckBits = 16;

    [[nodiscard]] static std::uint64_t head_of(std::uint64_t packed) {
        return packed << kCheckBits | (scatter(packed) & ((std::uint64_t{1} << kCheckBits) - 1));
    }
    [[nodiscard]] static std::uint64_t word_of(std::uint64_t head, std::size_t at) {
        return at == 0 ? head : scatter(head + at);
    }
    [[nodiscard]] bool has_bytes(std::span<const std::byte> bytes) const {
        const std::uint64_t head = head_of(number_.packed());
        bool right = true;
        for (std::size_t at = 0; at < bytes.size(); at += sizeof head) {
            const std::size_t size = std::min(sizeof head, bytes.size() - at);
            const std::uint64_t word = word_of(head, at);
            right &= std::memcmp(bytes.data() + at, &word, size) == 0;
        }
        return right;
    }

    Number number_{};
    bool whole_ = false;
};

}  // namespace shmring::test
