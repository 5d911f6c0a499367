// The user's first alternative: an anonymous pipe, one write and one read per message. Blocks in the kernel.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <system_error>

#include "harness/arena.hpp"
#include "harness/transport.hpp"
#include "harness/whole_message.hpp"

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
    struct Channel {
        explicit Channel(Arena&) {
            constexpr std::size_t kMostForAnyone = std::size_t{1} << 20;  // the kernel's limit for users
            constexpr int kBuffer = static_cast<int>(std::min(ring_bytes(Size), kMostForAnyone));
            if (::pipe2(ends, O_CLOEXEC) != 0 || ::fcntl(ends[1], F_SETPIPE_SZ, kBuffer) < 0)
                throw std::system_error(errno, std::generic_category(), "make a pipe as large as the rings");
        }
        ~Channel() {
            ::close(ends[0]);
            ::close(ends[1]);
        }
        Channel(const Channel&) = delete;
        Channel& operator=(const Channel&) = delete;
        int ends[2]{-1, -1};

        struct Sender {
            explicit Sender(Channel& channel) : end(channel.ends[1]) {}
            bool send(const Message<Size>& message) { return write_whole(end, message); }
            int end;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : end(channel.ends[0]) {}
            template <class Use>
            bool receive(Use&& use) {
                Message<Size> message;
                if (!read_whole(end, message)) return false;
                use(message);
                return true;
            }
            int end;
        };
    };
};

}  // namespace bench
