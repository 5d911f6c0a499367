// A ring with a producer and a consumer that do what the input says, between changes of the ring's words that the input says, too. Whatever
// stands in the segment, each call answers, and no byte outside it is touched.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "fuzz_input.hpp"
#include "fuzz_memory.hpp"
#include "shmring/codec.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"

namespace shmring::test {

/// Reads every byte, as a user would.
inline void look_at(std::span<const std::byte> bytes) {
    unsigned sum = 0;
    for (const std::byte byte : bytes) sum += static_cast<unsigned>(byte);
    static std::atomic<unsigned> seen;
    seen.store(sum, std::memory_order_relaxed);  // so that nobody leaves the loop out
}
/// Whether these bytes are the messages' and nothing else's.
[[nodiscard]] inline bool lies_in_data(const Segment& segment, std::span<const std::byte> bytes) {
    const SegmentGeometry& geometry = segment.geometry();
    const std::byte* first = segment.at(geometry.data_offset);
    return bytes.data() >= first && bytes.data() + bytes.size() <= first + geometry.data_size;
}

/// Calls on the ends of a ring with messages of one size.
template <class T>
struct FixedCalls {
    static constexpr std::size_t kSends = 3;
    static constexpr std::size_t kReceives = 3;

    template <class Out>
    static void send(Out& out, const Segment& segment, std::size_t call, FuzzInput& input) {
        const T message = input.take<T>();
        if (call == 0) {
            (void)out.try_push(message);
        } else if (call == 1) {
            const std::array<T, 5> messages{message};
            (void)out.try_push_n(std::span(messages).first(input.choose(6)));
        } else if (auto claim = out.try_claim()) {
            const std::span<const std::byte> place = std::as_bytes(std::span(&**claim, 1));
            insist(lies_in_data(segment, place));
            **claim = message;
            if (input.choose(2) == 0) claim->commit();
        }
    }
    template <class In>
    static void receive(In& in, const Segment& segment, std::size_t call, FuzzInput& input) {
        if (call == 0) {
            if (const auto message = in.try_pop()) look_at(std::as_bytes(std::span(&*message, 1)));
        } else if (call == 1) {
            std::array<T, 5> messages{};
            const std::size_t room = input.choose(6);
            const auto count = in.try_pop_n(std::span(messages).first(room));
            insist(!count || *count <= room);
        } else if (const auto view = in.try_next()) {
            const std::span<const std::byte> place = std::as_bytes(std::span(&**view, 1));
            insist(lies_in_data(segment, place));
            look_at(place);
        }
    }
};

/// Of one with messages of any size.
struct ByteCalls {
    static constexpr std::size_t kSends = 4;
    static constexpr std::size_t kReceives = 6;

    template <class Out>
    static void send(Out& out, const Segment& segment, std::size_t call, FuzzInput& input) {
        static constexpr std::array<std::byte, 1024> kBytes{};
        const Bytes message = std::span(kBytes).first(input.choose(kBytes.size()));
        if (call == 0) {
            (void)out.try_push(message, input.take());
        } else if (call == 1) {
            const std::array<Bytes, 3> messages{message, message.first(message.size() / 2), Bytes{}};
            (void)out.try_push_n(std::span(messages).first(input.choose(4)));
        } else if (call == 2) {
            (void)out.try_push_value(std::string(message.size(), 'x'));
        } else if (auto claim = out.try_claim(message.size())) {
            insist(lies_in_data(segment, claim->bytes()) && claim->bytes().size() == message.size());
            std::memset(claim->bytes().data(), 1, message.size());
            if (input.choose(2) == 0) claim->commit(input.choose(message.size() + 1));
        }
    }
    template <class In>
    static void receive(In& in, const Segment& segment, std::size_t call, FuzzInput& input) {
        std::array<std::byte, 600> buffer;
        const std::span<std::byte> room = std::span(buffer).first(input.choose(buffer.size()));
        if (call == 0) {
            const auto got = in.try_pop(room);
            insist(!got || got->size <= room.size());
            if (got) look_at(room.first(got->size));
        } else if (call == 1) {
            std::array<std::span<std::byte>, 4> messages;
            const auto count = in.try_pop_n(room, messages);
            insist(!count || *count <= messages.size());
            for (std::size_t i = 0; count && i != *count; ++i) look_at(messages[i]);
        } else if (call == 2) {
            std::string text;
            if (in.try_pop(text)) look_at(std::as_bytes(std::span(text)));
        } else if (call == 3) {
            std::uint32_t value = 0;
            (void)in.try_pop_value(value);
        } else if (call == 4) {
            auto first = in.try_next();
            auto second = in.try_next();  // a ring of many answers overflow
            for (const auto* view : {&first, &second}) {
                if (!*view) continue;
                insist(lies_in_data(segment, (*view)->bytes()));
                look_at((*view)->bytes());
            }
        } else {
            (void)in.needed_bytes();
        }
    }
};

template <class Ring, class Calls>
class FuzzGame {
 public:
    explicit FuzzGame(const Ring& ring) : ring_(ring) {}

    /// One move. What is changed stands behind the header: that one was checked, and copied, long ago.
    void move(FuzzInput& input) {
        const std::size_t what = input.choose(16);
        if (what < 6) return change_a_word(ring_.segment(), input);
        if (what < 9) return receive(input);
        if (what < 11) return send(input);
        if (what == 11) return reseat(input);
        if (what == 12) return end(input);
        look(input);
    }
    void receive(FuzzInput& input) {
        if (in_) Calls::receive(in_, ring_.segment(), input.choose(Calls::kReceives), input);
    }
    void send(FuzzInput& input) {
        if (out_) Calls::send(out_, ring_.segment(), input.choose(Calls::kSends), input);
    }
    /// Joins the ring as it stands.
    void reseat(FuzzInput& input) {
        std::error_code code;
        if (input.choose(2) == 0) {
            out_ = {};
            out_ = ring_.producer({}, code);
        } else {
            in_ = {};
            in_ = ring_.consumer({}, code);
        }
    }

 private:
    void end(FuzzInput& input) {
        if (input.choose(8) != 0) return;
        if (out_) out_.close();
    }
    void look(FuzzInput& input) {
        (void)ring_.was_closed();
        if constexpr (requires { ring_.count_approx(); }) (void)ring_.count_approx();
        if constexpr (requires { ring_.losses(); }) (void)ring_.losses();
        if constexpr (requires { out_.recover(); }) {
            if (input.choose(2) == 0 ? out_.usable() && out_.recover() : in_.usable() && in_.recover())
                return;
            (void)out_.blocker();
            (void)in_.blocker();
        }
    }

    const Ring& ring_;
    typename Ring::Producer out_{};
    typename Ring::Consumer in_{};
};

/// A ring of these options with both ends taken, and what `course(game, ring)` makes of it.
template <class Ring, class Calls, class Options, class Course>
void with_game(Options options, Course&& course) {
    static const FuzzMemory memory;
    options.segment = memory.options();
    const std::span<std::byte> room = memory.last(Ring::required_bytes(options));
    std::error_code code;
    const Ring ring = Ring::create_in(room, options, code);
    insist(!code);
    const ForbiddenGaps gaps(ring.segment());
    FuzzGame<Ring, Calls> game(ring);
    constexpr std::uint8_t kBoth[] = {0, 1};
    FuzzInput both(kBoth, sizeof kBoth);
    game.reseat(both);
    game.reseat(both);
    course(game, ring);
}
/// As many moves as the input has.
template <class Ring, class Calls, class Options>
void play(const Options& options, FuzzInput& input) {
    with_game<Ring, Calls>(options, [&input](FuzzGame<Ring, Calls>& game, const Ring&) {
        constexpr int kMoves = 200;
        for (int moves = 0; moves != kMoves && !input.empty(); ++moves) game.move(input);
    });
}

}  // namespace shmring::test
