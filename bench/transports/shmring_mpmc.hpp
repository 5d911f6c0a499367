// Our ring for many producers and many consumers, fixed-size messages: a copy in, a copy out.
#pragma once

#include <shmring/mpmc_ring.hpp>

#include <stdexcept>

#include "harness/arena.hpp"
#include "harness/transport.hpp"

namespace bench {

struct ShmringMpmc {
    static constexpr Traits kTraits{.name = "shmring-mpmc",
                                    .about = "shmring::MpmcRing, anonymous, try_push/try_pop or push/pop",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .many = true,
                                    .pairs_in_quick = false};

    /// Full, empty and busy are worth another try; anything else never gets better.
    static bool failed(shmring::Status status) {
        if (status != shmring::Status::full && status != shmring::Status::empty &&
            status != shmring::Status::busy)
            throw std::runtime_error("the ring answered " + std::string(shmring::to_string(status)));
        return false;
    }

    template <std::size_t Size>
    struct Channel {
        using Ring = shmring::MpmcRing<Message<Size>>;

        explicit Channel(Arena&) : ring(Ring::anonymous({.capacity = ring_slots(Size)})) {}
        Ring ring;

        /// A mapping of one's own, prefaulted here: a forked child inherits the mapping, but not its page tables.
        Ring map_here() const { return Ring::from_descriptor(ring.segment().descriptor()); }

        struct Sender {
            explicit Sender(Channel& channel) : out(channel.map_here().producer()) {}
            bool try_send(const Message<Size>& message) {
                const auto pushed = out.try_push(message);
                return pushed || failed(pushed.error());
            }
            bool send(const Message<Size>& message) { return static_cast<bool>(out.push(message)); }
            typename Ring::Producer out;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : in(channel.map_here().consumer()) {}
            template <class Use>
            bool try_receive(Use&& use) {
                const auto popped = in.try_pop();
                if (!popped) return failed(popped.error());
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
};

}  // namespace bench
