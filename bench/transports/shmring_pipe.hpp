// Our Pipe<T>, one way: what multiprocessing.Pipe is in Python, on the ring of one to one. A copy in, a copy out.
// SPDX-License-Identifier: MIT
#pragma once

#include <shmring/pipe.hpp>

#include <utility>

#include "transports/ring_channels.hpp"

namespace bench {

struct ShmringPipe {
    static constexpr Traits kTraits{
        .name = "shmring-pipe",
        .about = "shmring::Pipe<T>, one way, made before fork; try_send/try_recv or send/recv",
        .kind = Kind::ours,
        .spins = true,
        .blocks = true};

    template <std::size_t Size>
    struct Channel {
        using Pipe = shmring::Pipe<Message<Size>>;
        using End = shmring::PipeEnd<Message<Size>>;

        /// One way is from the second end to the first.
        explicit Channel(Arena&) : ends(Pipe::pair({.capacity = ring_slots(Size), .duplex = false})) {}
        std::pair<End, End> ends;

        struct Sender {
            explicit Sender(Channel& channel) : out(std::move(channel.ends.second)) { out.bind(); }
            bool try_send(const Message<Size>& message) { return done(out.try_send(message)); }
            bool send(const Message<Size>& message) { return static_cast<bool>(out.send(message)); }
            End out;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : in(std::move(channel.ends.first)) { in.bind(); }
            template <class Use>
            bool try_receive(Use&& use) {
                const auto received = in.try_recv();
                return done(received) && (use(*received), true);
            }
            template <class Use>
            bool receive(Use&& use) {
                const auto received = in.recv();
                return received && (use(*received), true);
            }
            End in;
        };
    };
};

}  // namespace bench
