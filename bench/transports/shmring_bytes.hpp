// Our ring for messages of any size, copying: a copy in, a copy out into a buffer of the reader's own.
#pragma once

#include <shmring/byte_ring.hpp>

#include <span>
#include <stdexcept>
#include <string>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct ShmringBytes {
    static constexpr Traits kTraits{.name = "shmring-bytes",
                                    .about = "shmring::ByteRing, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .largest_size = kLargestSize,
                                    .any_size = true};

    /// True where the call did it, false where it is worth another try; anything else never gets better.
    template <class Answer>
    static bool done(const Answer& answer, shmring::Status not_yet) {
        if (!answer && answer.error() != not_yet)
            throw std::runtime_error("the ring answered " + std::string(shmring::to_string(answer.error())));
        return static_cast<bool>(answer);
    }

    template <std::size_t Size>
    struct Channel {
        using M = Message<Size>;
        static constexpr std::size_t kHeaderBytes = 8;

        explicit Channel(Arena&)
            : ring(shmring::ByteRing::anonymous(
                  {.capacity_bytes = ring_slots(Size) * (Size + kHeaderBytes)})) {}
        shmring::ByteRing ring;

        /// A mapping of one's own, prefaulted here: a forked child inherits the mapping, but not its page tables.
        shmring::ByteRing map_here() const {
            return shmring::ByteRing::from_descriptor(ring.segment().descriptor());
        }

        struct Sender {
            explicit Sender(Channel& channel) : out(channel.map_here().producer()) {}
            bool try_send(const M& message) {
                return done(out.try_push(std::as_bytes(std::span(message.words))), shmring::Status::full);
            }
            bool send(const M& message) {
                return static_cast<bool>(out.push(std::as_bytes(std::span(message.words))));
            }
            shmring::ByteRingProducer out;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : in(channel.map_here().consumer()) {}
            template <class Use>
            bool try_receive(Use&& use) {
                M message;
                const auto popped = in.try_pop(std::as_writable_bytes(std::span(message.words)));
                return done(popped, shmring::Status::empty) && is_whole(*popped) && (use(message), true);
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
            shmring::ByteRingConsumer in;
        };
    };
};

}  // namespace bench
