// Whole messages over descriptors that carry bytes: a call moves as much as it likes, so both ways go on until all is moved.
// The size is not sent: both sides know it.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace bench {

/// False when the descriptor refuses for good.
template <class M>
bool write_whole(int descriptor, const M& message) {
    const auto* bytes = reinterpret_cast<const char*>(&message);
    for (std::size_t gone = 0; gone != sizeof message;) {
        const ssize_t written = ::write(descriptor, bytes + gone, sizeof message - gone);
        if (written < 0 && errno != EINTR) return false;
        if (written > 0) gone += static_cast<std::size_t>(written);
    }
    return true;
}

/// False at the end of the stream, or when the descriptor fails.
template <class M>
bool read_whole(int descriptor, M& message) {
    auto* bytes = reinterpret_cast<char*>(&message);
    for (std::size_t have = 0; have != sizeof message;) {
        const ssize_t got = ::read(descriptor, bytes + have, sizeof message - have);
        if (got == 0 || (got < 0 && errno != EINTR)) return false;
        if (got > 0) have += static_cast<std::size_t>(got);
    }
    return true;
}

}  // namespace bench
