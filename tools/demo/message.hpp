// What travels: messages of a fixed size without any meaning of their own.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>

namespace demo {

template <std::size_t Size>
struct Message {
    std::array<std::byte, Size> bytes;
};

using Block = Message<4096>;  // a piece of the stream of files
using Ball = Message<64>;     // goes there and back

/// How many messages every ring, and every mailbox, holds at most: 1 MiB of blocks.
inline constexpr std::size_t kCapacity = 256;

}  // namespace demo
