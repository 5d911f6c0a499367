// A pair of connected Unix sockets, a stream as the pipe is: one write and one read per message. Blocks in the kernel.
#pragma once

#include <sys/socket.h>

#include <system_error>

#include "harness/arena.hpp"
#include "harness/transport.hpp"
#include "harness/whole_message.hpp"

namespace bench {

struct Socketpair {
    static constexpr Traits kTraits{
        .name = "socketpair",
        .about = "Unix stream sockets, send buffer as large as the rings or as allowed; one write, one read",
        .blocks = true,
        .own_way = true,
        .largest_size = kLargestSize,
        .any_size = true};

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena&) {
            constexpr int kBuffer = static_cast<int>(ring_bytes(Size));  // the kernel may grant less
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0 ||
                ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &kBuffer, sizeof kBuffer) != 0)
                throw std::system_error(errno, std::generic_category(), "make a pair of sockets");
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
