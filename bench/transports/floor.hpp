// The floor: what one hand-over costs at the very least. Spinning: a cache line per direction with nothing but the
// message in it. Blocking: the same line and a bare futex. There is room for one message, so it can only ping-pong.
// SPDX-License-Identifier: MIT
#pragma once

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

#include "harness/arena.hpp"
#include "harness/control.hpp"
#include "harness/transport.hpp"

namespace bench {

struct Floor {
    static constexpr Traits kTraits{
        .name = "floor",
        .about = "one cache line per direction, ping-pong; blocking: a bare futex",
        .kind = Kind::floor,
        .spins = true,
        .blocks = true,
        .largest_size = 8,
        .streams = false};

    struct Line {
        alignas(kLineGap) std::atomic<std::uint64_t> word{word_of(kFirstEnd - 1, 0)};  // never a message
        std::atomic<std::uint32_t> event{0};
    };
    static_assert(std::atomic<std::uint32_t>::is_always_lock_free && sizeof(std::atomic<std::uint32_t>) == 4);

    static void futex(std::atomic<std::uint32_t>& event, int operation, std::uint32_t value) {
        ::syscall(SYS_futex, &event, operation, value, nullptr, nullptr, 0);
    }

    template <std::size_t Size>
    struct Channel {
        explicit Channel(Arena& arena) : line(arena.make<Line>()) {}
        Line& line;

        struct Sender {
            explicit Sender(Channel& channel) : line(channel.line) {}
            bool try_send(const Message<Size>& message) {
                line.word.store(message.words[0], std::memory_order_release);
                return true;
            }
            bool send(const Message<Size>& message) {
                line.word.store(message.words[0], std::memory_order_release);
                line.event.fetch_add(1, std::memory_order_release);
                futex(line.event, FUTEX_WAKE, 1);
                return true;
            }
            Line& line;
        };

        struct Receiver {
            explicit Receiver(Channel& channel)
                : line(channel.line), last(line.word.load(std::memory_order_acquire)) {}
            template <class Use>
            bool try_receive(Use&& use) {
                const std::uint64_t word = line.word.load(std::memory_order_acquire);
                if (word == last) return false;
                last = word;
                use(Message<Size>{{word}});
                return true;
            }
            template <class Use>
            bool receive(Use&& use) {
                for (;;) {
                    const std::uint32_t seen = line.event.load(std::memory_order_acquire);
                    if (try_receive(use)) return true;
                    futex(line.event, FUTEX_WAIT, seen);
                }
            }
            Line& line;
            std::uint64_t last;
        };
    };
};

}  // namespace bench
