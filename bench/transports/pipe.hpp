// The user's first alternative: an anonymous pipe, one write and one read per message. Blocks in the kernel.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct Pipe {
    static constexpr Traits kTraits{
        .name = "pipe",
        .about = "pipe(2) with a buffer as large as the rings; one write, one read a message",
        .blocks = true,
        .own_way = true};

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena&) {
            if (::pipe2(ends, O_CLOEXEC) != 0 ||
                ::fcntl(ends[1], F_SETPIPE_SZ, static_cast<int>(kRingBytes)) < 0)
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
            /// Writes of at most PIPE_BUF bytes are whole or not at all, so a short one is a fault.
            bool send(const Message<Size>& message) {
                ssize_t written = 0;
                do written = ::write(end, &message, Size);
                while (written < 0 && errno == EINTR);
                return written == static_cast<ssize_t>(Size);
            }
            int end;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : end(channel.ends[0]) {}
            template <class Use>
            bool receive(Use&& use) {
                Message<Size> message;
                for (std::size_t have = 0; have != Size;) {
                    const ssize_t got = ::read(end, reinterpret_cast<char*>(&message) + have, Size - have);
                    if (got == 0 || (got < 0 && errno != EINTR)) return false;
                    if (got > 0) have += static_cast<std::size_t>(got);
                }
                use(message);
                return true;
            }
            int end;
        };
    };
};

}  // namespace bench
