// The proof: the receiving process takes the files from the disk again and compares them with what came, byte
// for byte.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "demo/tree.hpp"

namespace demo {

/// Lives in memory shared between processes.
struct Comparison {
    bool identical = false;
    std::uint64_t equal_bytes = 0;         // from the start of the stream; what comes next is different
    std::uint64_t files_read_again = 0;    // files, or the received part of one, compared with the disk
    std::uint64_t files_not_the_same = 0;  // changed on disk since: compared with what was loaded
    std::array<char, 400> where{};         // of the first difference, in words
};

/// Compares `received` with the first `sent_blocks` blocks of the stream that `tree` makes.
[[nodiscard]] Comparison compare(const Tree& tree, std::size_t sent_blocks, std::span<const Block> received);

/// The same for the same bytes, most likely another for others: shown for both sides.
[[nodiscard]] std::uint64_t checksum(std::span<const Block> blocks);

}  // namespace demo
