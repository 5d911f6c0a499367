// Our ring for messages of any size, copying: a copy in, a copy out into a buffer of the reader's own.
// SPDX-License-Identifier: MIT
#pragma once

#include <shmring/byte_ring.hpp>

#include "transports/ring_channels.hpp"

namespace bench {

struct ShmringBytes {
    static constexpr Traits kTraits{.name = "shmring-bytes",
                                    .about = "shmring::ByteRing, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .largest_size = kLargestSize,
                                    .any_size = true,
                                    .carries_empty = true};

    static constexpr std::size_t kHeaderBytes = 8;
    template <std::size_t Size>
    using Channel = BytesChannel<shmring::ByteRing, Size, Size + kHeaderBytes>;
};

}  // namespace bench
