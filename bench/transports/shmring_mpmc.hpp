// Our ring for many producers and many consumers, fixed-size messages: a copy in, a copy out.
// SPDX-License-Identifier: MIT
#pragma once

#include <shmring/mpmc_ring.hpp>

#include "transports/ring_channels.hpp"

namespace bench {

struct ShmringMpmc {
    static constexpr Traits kTraits{.name = "shmring-mpmc",
                                    .about = "shmring::MpmcRing, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .many = true,
                                    .pairs = false};

    template <std::size_t Size>
    using Channel = FixedChannel<shmring::MpmcRing<Message<Size>>, Size>;
};

}  // namespace bench
