// What the transports of our own rings share: a ring and its two ends in a process each, for messages of a fixed size and of any.
// SPDX-License-Identifier: MIT
#pragma once

#include <shmring/byte_ring.hpp>
#include <shmring/result.hpp>

#include <span>
#include <stdexcept>
#include <string>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

/// True where the call did it, false where it is worth another try; anything else never gets better.
template <class Answer>
bool done(const Answer& answer) {
    using enum shmring::Status;
    if (answer || answer.error() == full || answer.error() == empty || answer.error() == busy)
        return static_cast<bool>(answer);
    throw std::runtime_error("the ring answered " + std::string(to_string(answer.error())));
}

template <class AnyRing>
struct RingHolder {
    using Ring = AnyRing;

    /// A mapping of one's own, prefaulted here: a forked child inherits the mapping, but not its page tables.
    Ring map_here() const { return Ring::from_descriptor(ring.segment().descriptor()); }
    Ring ring;
};

/// A copy in, a copy out.
template <class AnyRing, std::size_t Size>
struct FixedChannel : RingHolder<AnyRing> {
    using Ring = AnyRing;

    explicit FixedChannel(Arena&) : RingHolder<Ring>{Ring::anonymous({.capacity = ring_slots(Size)})} {}

    struct Sender {
        explicit Sender(FixedChannel& channel) : out(channel.map_here().producer()) {}
        bool try_send(const Message<Size>& message) { return done(out.try_push(message)); }
        bool send(const Message<Size>& message) { return static_cast<bool>(out.push(message)); }
        typename Ring::Producer out;
    };

    struct Receiver {
        explicit Receiver(FixedChannel& channel) : in(channel.map_here().consumer()) {}
        template <class Use>
        bool try_receive(Use&& use) {
            const auto popped = in.try_pop();
            if (!done(popped)) return false;
            use(*popped);
            return true;
        }
        template <class Use>
        bool receive(Use&& use) {
            const auto popped = in.pop();
            if (popped) use(*popped);
            return static_cast<bool>(popped);
        }
        typename Ring::Consumer in;
    };
};

/// A copy in, a copy out into a buffer of the reader's own. `kBytes`: what one message takes of the ring.
template <class AnyRing, std::size_t Size, std::size_t kBytes>
struct BytesChannel : RingHolder<AnyRing> {
    using Ring = AnyRing;
    using M = Message<Size>;

    explicit BytesChannel(Arena&)
        : RingHolder<Ring>{Ring::anonymous({.capacity_bytes = ring_slots(Size) * kBytes})} {}

    struct Sender {
        explicit Sender(BytesChannel& channel) : out(channel.map_here().producer()) {}
        bool try_send(const M& message) {
            return done(out.try_push(std::as_bytes(std::span(message.words))));
        }
        bool send(const M& message) {
            return static_cast<bool>(out.push(std::as_bytes(std::span(message.words))));
        }
        typename Ring::Producer out;
    };

    struct Receiver {
        explicit Receiver(BytesChannel& channel) : in(channel.map_here().consumer()) {}
        template <class Use>
        bool try_receive(Use&& use) {
            M message;
            const auto popped = in.try_pop(std::as_writable_bytes(std::span(message.words)));
            return done(popped) && is_whole(*popped) && (use(message), true);
        }
        template <class Use>
        bool receive(Use&& use) {
            M message;
            const auto popped = in.pop(std::as_writable_bytes(std::span(message.words)));
            return popped && is_whole(*popped) && (use(message), true);
        }
        static bool is_whole(const shmring::Received& received) {
            if (received.size == Size) [[likely]]
                return true;
            throw std::runtime_error("a message of " + std::to_string(received.size) + " bytes came");
        }
        typename Ring::Consumer in;
    };
};

}  // namespace bench
