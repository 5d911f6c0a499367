// Both rings of many under random schedules of everybody's single operations, with deaths and heirs: see support/mpmc_schedule.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "support/byte_letter.hpp"
#include "support/mpmc_byte_memory.hpp"
#include "support/mpmc_memory.hpp"
#include "support/mpmc_schedule.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

struct Fixed {
    using Message = Sized<24, 8>;
    using Memory = MpmcMemory<Message, MortalEnv>;
    static constexpr std::uint64_t kBatch = 3;
    static constexpr Status kLeft = Status::empty;  // there is nothing that a consumer would not take

    struct Letter {
        Message text{};
        [[nodiscard]] std::uint64_t number() const {
            std::uint64_t number = 0;
            std::memcpy(&number, text.bytes.data(), sizeof number);
            return number;
        }
    };
    static Status claim_room(Memory::Producer& out, Memory&, std::uint64_t, std::uint64_t most) {
        return out.claim(most);
    }
    static std::uint64_t count(const auto& side) { return side.claimed().count; }
    static void send(Memory::Producer& out, std::uint64_t index, std::uint64_t number, Letter& letter,
                     const Memory&) {
        letter.text = Message::numbered(number);
        MortalEnv::copy_in(out.payload(index), &letter.text, sizeof(Message));
        out.publish(index);
    }
    static void settle(auto& side) { side.settle(); }
    static bool is_sent(const Memory::Producer&, const Memory&) { return false; }  // send() had said so
    static std::uint64_t unsent(const Memory::Producer& out, const Memory& ring) {
        std::uint64_t count = 0;
        for (std::uint64_t i = 0; i != out.claimed().count; ++i) {
            const std::uint64_t at = out.claimed().first + i;
            const auto free = detail::SlotWord::of(at / ring.capacity(), detail::SlotState::free);
            count += ring.word(at).now() == free.value ? 1U : 0U;
        }
        return count;
    }
    static Status claim(Memory::Consumer& in, std::uint64_t most, std::uint64_t) { return in.claim(most); }
    static void receive(const Memory::Consumer& in, std::uint64_t index, Letter& letter) {
        MortalEnv::copy_out(&letter.text, in.payload(index), sizeof(Message));
    }
    static void hand_back(Memory::Consumer& in, std::uint64_t index) { in.hand_back(index); }
    static std::uint64_t number_at(const Memory& ring, std::uint64_t position) {
        Letter letter;
        std::memcpy(&letter.text, ring.payload(position), sizeof(Message));
        return letter.number();
    }
    static bool is_whole(const Letter& letter, const Memory&) {
        return letter.text == Message::numbered(letter.number());
    }
    static void expect_all_free(Memory::Producer& out, const Memory& ring) {
        const Message message{};
        for (std::uint64_t i = 0; i != ring.capacity(); ++i)
            EXPECT_EQ(out.try_push(&message, sizeof message), Status::ok) << "a place is stuck";
        EXPECT_EQ(out.claim(1), Status::full);
    }
};

struct OfBytes {
    using Memory = MpmcByteHeap<MortalEnv>;
    using Letter = ByteLetter;
    static constexpr std::uint64_t kBatch = 1;
    static constexpr Status kLeft = Status::too_large;

    /// Now and then more than will be needed.
    static Status claim_room(Memory::Producer& out, Memory& ring, std::uint64_t number, std::uint64_t) {
        const std::uint64_t most = ring.memory().max_message();
        return out.prepare(
            std::min(most, Letter::size_of(number, most) + (number % 3 == 0 ? number % 200 : 0)));
    }
    static std::uint64_t count(const auto& side) { return side.claimed().count != 0 ? 1 : 0; }
    static void send(Memory::Producer& out, std::uint64_t, std::uint64_t number, Letter& letter,
                     Memory& ring) {
        letter = Letter(number, Letter::size_of(number, ring.memory().max_message()));
        MortalEnv::copy_in(out.place(), letter.bytes.data(), letter.size);
        out.publish(letter.size, letter.tag);
    }
    static void settle(auto&) {}
    static bool is_sent(const Memory::Producer& out, Memory& ring) {
        std::uint64_t at = out.claimed().first;
        while (ring.payload(at) != out.place()) ++at;
        const detail::SlotWord word{ring.word(at).now()};
        const std::uint64_t lap = at / ring.capacity();
        return word.lap() > lap || word == detail::SlotWord::of(lap, detail::SlotState::published);
    }
    static std::uint64_t unsent(const Memory::Producer& out, Memory& ring) {
        return is_sent(out, ring) ? 0 : 1;
    }
    static Status claim(Memory::Consumer& in, std::uint64_t, std::uint64_t dice) {
        const std::uint64_t most = dice % 8 == 7 ? dice / 8 % 256 : detail::RecordHeader::kMaxLength;
        const Status status = in.claim(most);
        EXPECT_TRUE(status != Status::too_large || in.length() > most);
        return status;
    }
    static void receive(const Memory::Consumer& in, std::uint64_t, Letter& letter) {
        letter.size = in.length();
        letter.tag = in.tag();
        MortalEnv::copy_out(letter.bytes.data(), in.payload(), letter.size);
    }
    static void hand_back(Memory::Consumer& in, std::uint64_t) { in.hand_back(); }
    static std::uint64_t number_at(const Memory& ring, std::uint64_t position) {
        return detail::RecordHeader::of(ring.header(position).now()).tag;
    }
    static bool is_whole(const Letter& letter, Memory& ring) {
        return letter ==
               Letter(letter.number(), Letter::size_of(letter.number(), ring.memory().max_message()));
    }
    static void expect_all_free(Memory::Producer& out, Memory& ring) {
        while (out.prepare(0) == Status::ok) out.publish(0, 0);
        EXPECT_EQ(ring.control().tail.now() - ring.control().head.now(), ring.capacity())
            << "a place is stuck";
    }
};

/// A good many seeds; a hundred times as many where the long form was asked for.
std::uint64_t seeds(std::uint64_t count) { return is_soak() ? 100 * count : count; }
template <class Kind, class Make>
void expect_all_schedules(std::uint64_t count, Make&& make_ring) {
    std::uint64_t deaths = 0;
    for (std::uint64_t seed = 1; seed <= count; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const Delivery delivery = seed / 4 % 2 == 0 ? Delivery::at_most_once : Delivery::at_least_once;
        Schedule<Kind> schedule(seed, make_ring(seed), delivery, seed / 8 % 2 == 0);
        schedule.run();
        deaths += schedule.deaths();
        if (testing::Test::HasFailure()) break;
    }
    EXPECT_GT(deaths, 3 * count);
}

TEST(MpmcSchedule, WhateverTheOrderAndWhoeverDiesNothingIsStuckTornRepeatedOrLostBeyondWhatWasInHand) {
    expect_all_schedules<Fixed>(seeds(800), [](std::uint64_t seed) { return Fixed::Memory(1 + seed % 4); });
}
TEST(MpmcSchedule, OfBytesNeither) {
    expect_all_schedules<OfBytes>(seeds(1600), [](std::uint64_t seed) {
        const std::uint64_t unit_lines = seed % 5 == 4 ? 2 + seed % 2 : 1;  // a limit of messages
        return OfBytes::Memory(1 + seed / 3 % 9, unit_lines);
    });
}

}  // namespace
}  // namespace shmring::test
