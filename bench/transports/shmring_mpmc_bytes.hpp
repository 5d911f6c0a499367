// Our ring for many producers and many consumers, messages of any size, copying: a copy in, a copy out into a buffer of the
// reader's own.
#pragma once

#include <shmring/mpmc_byte_ring.hpp>

#include <span>
#include <stdexcept>
#include <string>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct ShmringMpmcBytes {
    static constexpr Traits kTraits{.name = "shmring-mpmc-bytes",
                                    .about = "shmring::MpmcByteRing, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .largest_size = kLargestSize,
                                    .many = true,
                                    .pairs_in_quick = false,
                                    .any_size = true};

    /// True where the call did it, false where it is worth another try; anything else never gets better.
    template <class Answer>
    static bool done(const Answer& answer) {
        using enum shmring::Status;
        if (answer || answer.error() == full || answer.error() == empty || answer.error() == busy)
            return static_cast<bool>(answer);
        throw std::runtime_error("the ring answered " + std::string(shmring::to_string(answer.error())));
    }

    template <std::size_t Size>
    struct Channel {
        using M = Message<Size>;
        static constexpr std::size_t kUnit = 64;  // a message takes whole lines

        explicit Channel(Arena&)
            : ring(shmring::MpmcByteRing::anonymous(
                  {.capacity_bytes = ring_slots(Size) * ((Size + kUnit - 1) / kUnit * kUnit)})) {}
        shmring::MpmcByteRing ring;

        /// A mapping of one's own, prefaulted here: a forked child inherits the mapping, but not its page tables.
        shmring::MpmcByteRing map_here() const {
            return shmring::MpmcByteRing::from_descriptor(ring.segment().descriptor());
        }

        struct Sender {
            explicit Sender(Channel& channel) : out(channel.map_here().producer()) {}
            bool try_send(const M& message) {
                return done(out.try_push(std::as_bytes(std::span(message.words))));
            }
            bool send(const M& message) {
                return static_cast<bool>(out.push(std::as_bytes(std::span(message.words))));
            }
            shmring::MpmcByteRingProducer out;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : in(channel.map_here().consumer()) {}
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
            shmring::MpmcByteRingConsumer in;
        };
    };
};

}  // namespace bench
