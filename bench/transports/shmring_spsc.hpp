// Our single-producer, single-consumer ring: a copy in, a copy out. Spinning uses try_push and try_pop, blocking push and
// pop with the default policy.
// SPDX-License-Identifier: MIT
#pragma once

#include <shmring/spsc_ring.hpp>

#include "transports/ring_channels.hpp"

namespace bench {

struct ShmringSpsc {
    static constexpr Traits kTraits{.name = "shmring-spsc",
                                    .about = "shmring::SpscRing, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true};

    template <std::size_t Size>
    using Channel = FixedChannel<shmring::SpscRing<Message<Size>>, Size>;
};

}  // namespace bench
