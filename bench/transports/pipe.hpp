// The user's first alternative: an anonymous pipe, one write and one read per message. Blocks in the kernel.
// SPDX-License-Identifier: MIT
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <system_error>

#include "transports/descriptor_channel.hpp"

namespace bench {

struct Pipe {
    static constexpr Traits kTraits{
        .name = "pipe",
        .about = "pipe(2), its buffer as large as the rings, at most 1 MiB; one write, one read a message",
        .blocks = true,
        .own_way = true,
        .largest_size = kLargestSize,
        .many = true,
        .any_size = true};

    template <std::size_t Size>
    struct Channel : DescriptorChannel<Size> {
        explicit Channel(Arena&) {
            constexpr std::size_t kMostForAnyone = std::size_t{1} << 20;  // the kernel's limit for users
            constexpr int kBuffer = static_cast<int>(std::min(ring_bytes(Size), kMostForAnyone));
            if (::pipe2(this->ends, O_CLOEXEC) != 0 || ::fcntl(this->ends[1], F_SETPIPE_SZ, kBuffer) < 0)
                throw std::system_error(errno, std::generic_category(), "make a pipe as large as the rings");
        }
    };
};

}  // namespace bench
