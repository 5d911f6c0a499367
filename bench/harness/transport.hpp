// What a transport is to the harness: one small header in transports/ with a type like this.
//
//     struct Example {
//         static constexpr Traits kTraits{.name = "example", .about = "how it is set up, in one line", .spins = true};
//         template <std::size_t Size>
//         struct Channel {                                       // one direction, for messages of Size bytes
//             explicit Channel(Arena& arena);                    // before fork: shared memory, descriptors
//             struct Sender   { explicit Sender(Channel&);       // after fork, in the sending process: prefault, bind
//                               bool try_send(const Message<Size>&);      // false: full
//                               bool send(const Message<Size>&); };       // false: broken for good
//             struct Receiver { explicit Receiver(Channel&);
//                               bool try_receive(auto&& use);             // false: empty; else use(message) was called
//                               bool receive(auto&& use); };              // false: broken for good
//         };
//     };
//
// A sender may have the message written where it travels, without a copy in between: instead of try_send and send it has
//     bool try_send_in_place(auto&& write);   // false: full; else write(message) was called with the place
//     bool send_in_place(auto&& write);       // false: broken for good
//
// A receiver hands the message to `use` where its user would find it: in a local copy, or in place if that is what the
// transport offers. The try_ pair is needed where Traits say `spins`, the waiting pair where they say `blocks`.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "harness/job.hpp"
#include "harness/message.hpp"

namespace bench {

enum class Kind {
    ours,
    peer,
    baseline,  // written here to be compared by name: what a ring of ours would be without one of its promises
    floor,     // what the hardware or the kernel takes for one bare hand-over
    broken,    // fails on purpose: proof that the checks work
};

struct Traits {
    std::string_view name;
    std::string_view about;
    Kind kind = Kind::peer;
    bool spins = false;
    bool blocks = false;
    bool own_way = false;  // waits in its one way, and takes part whatever wait is asked for
    std::size_t largest_size = kLargestSlot;  // in bytes
    bool streams = true;                      // false: carries one message at a time, so latency only
    bool ping_pongs = true;  // false: holds messages back to send some at once, so throughput only
    bool many = false;       // takes many senders and many receivers, each message going to one
    std::size_t most_on_a_side = kMostOnASide;  // where more of them come to a standstill
    bool keeps_order =
        true;           // false: of many, one sender's messages may come in another order, which is counted
    bool pairs = true;  // false: unless it is asked for by name, it is measured among many only, 1x1 included
    bool any_size = false;  // the sizes of messages may differ: a quick run measures it at VariableSizes only
    bool carries_empty = false;  // messages of 0 bytes
    bool paces = true;           // false: not in the modes at a fixed rate
    bool regimes = true;         // false: streams and goes round, and nothing else
    bool needs_receiver =
        false;             // without one a sender waits before the first message: no full channel to idle at
    bool helpers = false;  // has threads of its own, whose system calls nobody counts
    bool slow = false;  // some thousand messages a second at most: without --size, 64 B and 1 KiB say it all
};

constexpr bool can_run(const Traits& traits, Mode mode, Wait wait, std::size_t size) {
    if (size > traits.largest_size || !has_size(mode, size)) return false;
    if (size == 0 && !traits.carries_empty) return false;
    if (is_paced(mode) && !(traits.paces && traits.ping_pongs && traits.streams)) return false;
    if (!(wait == Wait::spin ? traits.spins : traits.blocks)) return false;
    if (mode == Mode::idle && traits.needs_receiver) return false;
    if (!traits.regimes && mode != Mode::stream && mode != Mode::rtt) return false;
    if (needs_sleepers(mode) && wait == Wait::spin) return false;
    return is_latency(mode) ? traits.ping_pongs : traits.streams;
}

constexpr bool come_to_a_standstill(const Traits& traits, Crowd crowd) {
    return std::max(crowd.producers, crowd.consumers) > traits.most_on_a_side;
}

/// Whether the loop of many can measure it. Slots of one size end where nobody makes larger ones, and so does this.
constexpr bool can_run_many(const Traits& traits, Wait wait, std::size_t size, Crowd crowd = kPair) {
    if (come_to_a_standstill(traits, crowd)) return false;
    return traits.many && size != 0 && size <= kLargestSlot && can_run(traits, Mode::stream, wait, size);
}

/// A transport as the schedule sees it: its traits, and one function that forks, measures and reports.
struct Transport {
    Traits traits;
    std::function<Sample(const Job&)> run;
};

/// A transport that this build lacks, and why. Said in every report.
struct Absent {
    std::string name;
    std::string reason;
};

struct Registry {
    std::vector<Transport> transports;
    std::vector<Absent> absent;
};

/// All transports of this build. Written by CMake from the list in bench/CMakeLists.txt.
Registry make_registry();

struct IgnoreMessage {
    template <class M>
    void operator()(const M&) const {}
};

template <class Sender, class M>
concept SpinSender = requires(Sender sender, const M& message) {
    { sender.try_send(message) } -> std::convertible_to<bool>;
};
template <class Sender, class M>
concept BlockingSender = requires(Sender sender, const M& message) {
    { sender.send(message) } -> std::convertible_to<bool>;
};
template <class Sender, class M>
concept InPlaceSender = requires(Sender sender, void (*write)(M&)) {
    { sender.try_send_in_place(write) } -> std::convertible_to<bool>;
    { sender.send_in_place(write) } -> std::convertible_to<bool>;
};
template <class Receiver>
concept SpinReceiver = requires(Receiver receiver) {
    { receiver.try_receive(IgnoreMessage{}) } -> std::convertible_to<bool>;
};
template <class Receiver>
concept BlockingReceiver = requires(Receiver receiver) {
    { receiver.receive(IgnoreMessage{}) } -> std::convertible_to<bool>;
};

struct TryAgainAtOnce {
    void operator()() const {}
};

/// Writes message `sequence` and sends it: in `message`, or where it travels if the transport offers that. The two ways to
/// wait are the same for every transport: try again, at once or after `refused()`, or let the transport sleep.
template <Wait kWait, class Sender, class M, class Refused = TryAgainAtOnce>
inline void put(Sender& sender, M& message, Sequence sequence, Refused&& refused = {}) {
    constexpr const char* kRefused = "the transport refused a message for good";
    if constexpr (InPlaceSender<Sender, M>) {
        const auto write = [sequence](M& place) { fill(place, sequence); };
        if constexpr (kWait == Wait::spin) {
            while (!sender.try_send_in_place(write)) refused();
        } else {
            if (!sender.send_in_place(write)) throw std::runtime_error(kRefused);
        }
    } else {
        fill(message, sequence);
        if constexpr (kWait == Wait::spin) {
            static_assert(SpinSender<Sender, M>, "a transport whose traits say `spins` needs try_send");
            while (!sender.try_send(message)) refused();
        } else {
            static_assert(BlockingSender<Sender, M>, "a transport whose traits say `blocks` needs send");
            if (!sender.send(message)) throw std::runtime_error(kRefused);
        }
    }
}

/// A sender that holds messages back has flush(), called wherever the stream pauses.
template <class Sender>
inline void flush(Sender& sender) {
    if constexpr (requires { sender.flush(); }) sender.flush();
}

template <Wait kWait, class Receiver, class Use, class Refused = TryAgainAtOnce>
inline void take(Receiver& receiver, Use&& use, Refused&& refused = {}) {
    if constexpr (kWait == Wait::spin) {
        static_assert(SpinReceiver<Receiver>, "a transport whose traits say `spins` needs try_receive");
        while (!receiver.try_receive(use)) refused();
    } else {
        static_assert(BlockingReceiver<Receiver>, "a transport whose traits say `blocks` needs receive");
        if (!receiver.receive(use)) throw std::runtime_error("the transport ended before the last message");
    }
}

}  // namespace bench
