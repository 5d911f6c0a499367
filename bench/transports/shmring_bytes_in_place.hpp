// The same ring without any copy: a message is written into a claim and read in a borrowed view.
// SPDX-License-Identifier: MIT
#pragma once

#include <new>

#include "transports/shmring_bytes.hpp"

namespace bench {

struct ShmringBytesInPlace {
    static constexpr Traits kTraits{.name = "shmring-bytes-in-place",
                                    .about = "the same, (try_)claim and commit, (try_)next: no copy",
                                    .kind = Kind::ours,
                                    .spins = true,
                                    .blocks = true,
                                    .largest_size = kLargestSize,
                                    .any_size = true};

    template <std::size_t Size>
    struct Channel : ShmringBytes::Channel<Size> {
        using M = Message<Size>;
        using ShmringBytes::Channel<Size>::Channel;

        struct Sender {
            explicit Sender(Channel& channel) : out(channel.map_here().producer()) {}
            template <class Write>
            bool try_send_in_place(Write&& write) {
                auto claim = out.try_claim(Size);
                return done(claim) && commit(*claim, write);
            }
            template <class Write>
            bool send_in_place(Write&& write) {
                auto claim = out.claim(Size);
                return claim && commit(*claim, write);
            }
            template <class Write>
            static bool commit(shmring::ByteRingProducer::Claim& claim, Write& write) {
                write(*::new (static_cast<void*>(claim.bytes().data())) M);
                claim.commit(Size);
                return true;
            }
            shmring::ByteRingProducer out;
        };

        struct Receiver {
            explicit Receiver(Channel& channel) : in(channel.map_here().consumer()) {}
            template <class Use>
            bool try_receive(Use&& use) {
                const auto view = in.try_next();
                return done(view) && look(*view, use);
            }
            template <class Use>
            bool receive(Use&& use) {
                const auto view = in.next();
                return view && look(*view, use);
            }
            template <class Use>
            static bool look(const shmring::ByteRingConsumer::View& view, Use& use) {
                if (view.bytes().size() != Size) throw std::runtime_error("a message of another size came");
                use(*reinterpret_cast<const M*>(view.bytes().data()));
                return true;
            }
            shmring::ByteRingConsumer in;
        };
    };
};

}  // namespace bench
