// Our single-producer, single-consumer ring by the eight: try_push_n and try_pop_n, one publication per cache line. For
// throughput only: a message waits here until seven more have come.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <span>

#include "transports/shmring_spsc.hpp"

namespace bench {

struct ShmringSpscBatch {
    static constexpr Traits kTraits{
        .name = "shmring-spsc-batch8",
        .about = "shmring::SpscRing, eight messages per try_push_n and per try_pop_n",
        .kind = Kind::ours,
        .spins = true,
        .ping_pongs = false};
    static constexpr std::size_t kBatch = 8;

    template <std::size_t Size>
    struct Channel : ShmringSpsc::Channel<Size> {
        using Base = ShmringSpsc::Channel<Size>;
        using Base::Base;
        using typename Base::Ring;

        struct Sender {
            explicit Sender(Channel& channel) : out(channel.map_here().producer()) {}
            bool try_send(const Message<Size>& message) {
                if (end == kBatch && !try_flush()) return false;
                batch[end++] = message;
                if (end == kBatch) try_flush();
                return true;
            }
            /// What has not gone out stays for the next attempt.
            bool try_flush() {
                const auto pushed = out.try_push_n(std::span(batch).subspan(begin, end - begin));
                if (!done(pushed)) return false;
                begin += *pushed;
                if (begin == end) begin = end = 0;
                return end == 0;
            }
            /// Called by the harness where the stream pauses.
            void flush() {
                while (end != 0) try_flush();
            }
            typename Ring::Producer out;
            std::array<Message<Size>, kBatch> batch{};
            std::size_t begin = 0;
            std::size_t end = 0;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : in(channel.map_here().consumer()) {}
            template <class Use>
            bool try_receive(Use&& use) {
                if (next == end) {
                    const auto popped = in.try_pop_n(batch);
                    if (!done(popped)) return false;
                    next = 0;
                    end = *popped;
                }
                use(batch[next++]);
                return true;
            }
            typename Ring::Consumer in;
            std::array<Message<Size>, kBatch> batch{};
            std::size_t next = 0;
            std::size_t end = 0;
        };
    };
};

}  // namespace bench
