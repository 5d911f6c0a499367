// Transports that go wrong at their fourth message, each in its way, between a pair and among many. A run with one of them must fail: that is
// how the checks of the harness are checked.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>

#include "transports/cached_index.hpp"
#include "transports/vyukov.hpp"

namespace bench {

enum class Defect { drops, repeats, reorders, tears };

constexpr std::string_view name_of(Defect defect, bool many) {
    constexpr std::string_view kNames[][2] = {{"broken-drops", "broken-drops-many"},
                                              {"broken-repeats", "broken-repeats-many"},
                                              {"broken-reorders", "broken-reorders-many"},
                                              {"broken-tears", "broken-tears-many"}};
    return kNames[static_cast<int>(defect)][many ? 1 : 0];
}

template <Defect kDefect, class Working = CachedIndex>
struct Broken {
    static constexpr Traits kTraits{.name = name_of(kDefect, Working::kTraits.many),
                                    .about = "goes wrong at its fourth message, so that the run must fail",
                                    .kind = Kind::broken,
                                    .spins = true,
                                    .largest_size = 64,
                                    .many = Working::kTraits.many};

    template <std::size_t Size>
    struct Channel {
        using Good = typename Working::template Channel<Size>;

        explicit Channel(Arena& arena) : good(arena) {}
        Good good;

        struct Sender {
            explicit Sender(Channel& channel) : good(channel.good) {}
            bool try_send(const Message<Size>& message) {
                if (count != kBadMessage) return sent(good.try_send(message), message);
                if constexpr (kDefect == Defect::drops) return sent(true, message);
                if constexpr (kDefect == Defect::repeats)
                    return good.try_send(last) && sent(insist(message), message);
                if constexpr (kDefect == Defect::reorders) return swap_with_next(message);
                if constexpr (kDefect == Defect::tears)
                    return sent(good.try_send(half_of_last_in(message)), message);
            }
            bool sent(bool done, const Message<Size>& message) {
                if (done) last = message;
                if (done) ++count;
                return done;
            }
            /// Keeps the message back once, then sends the one after it first.
            bool swap_with_next(const Message<Size>& message) {
                if (!kept) {
                    kept = true;
                    last = message;
                    return true;
                }
                return insist(message) && sent(insist(last), message);
            }
            bool insist(const Message<Size>& message) {
                while (!good.try_send(message)) {
                }
                return true;
            }
            Message<Size> half_of_last_in(Message<Size> message) const {
                constexpr std::size_t kHalf = Size / 2;
                const auto* old_bytes = reinterpret_cast<const char*>(&last);
                std::copy_n(old_bytes + kHalf, kHalf, reinterpret_cast<char*>(&message) + kHalf);
                return message;
            }
            static constexpr std::uint64_t kBadMessage = 3;
            typename Good::Sender good;
            std::uint64_t count = 0;
            bool kept = false;
            Message<Size> last{};
        };

        struct Receiver : Good::Receiver {
            explicit Receiver(Channel& channel) : Good::Receiver(channel.good) {}
        };
    };
};

using BrokenDrops = Broken<Defect::drops>;
using BrokenRepeats = Broken<Defect::repeats>;
using BrokenReorders = Broken<Defect::reorders>;
using BrokenTears = Broken<Defect::tears>;
using BrokenDropsMany = Broken<Defect::drops, Vyukov>;
using BrokenRepeatsMany = Broken<Defect::repeats, Vyukov>;
using BrokenReordersMany = Broken<Defect::reorders, Vyukov>;
using BrokenTearsMany = Broken<Defect::tears, Vyukov>;

}  // namespace bench
