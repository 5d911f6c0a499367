// Our ring for many producers and many consumers, messages of any size, copying: a copy in, a copy out into a buffer of the
// reader's own.
// SPDX-License-Identifier: MIT
#pragma once

#include <shmring/mpmc_byte_ring.hpp>

#include "transports/ring_channels.hpp"

namespace bench {

struct ShmringMpmcBytes {
    static constexpr Traits kTraits{.name = "shmring-mpmc-bytes",
                                    .about = "shmring::MpmcByteRing, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .largest_size = kLargestSize,
                                    .many = true,
                                    .pairs = false,
                                    .any_size = true,
                                    .carries_empty = true};

    static constexpr std::size_t kUnit = 64;  // a message takes whole lines
    template <std::size_t Size>
    using Channel = BytesChannel<shmring::MpmcByteRing, Size, (Size + kUnit - 1) / kUnit * kUnit>;
};

}  // namespace bench
