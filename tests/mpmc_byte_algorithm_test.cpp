// The byte algorithm of many on the heap, in one thread: every size at every unit, exact fit, padding and fillers, limits of messages,
// several producers and consumers against a model. Hostile words: mpmc_byte_hostile_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "support/mortal_env.hpp"
#include "support/mpmc_byte_memory.hpp"

namespace shmring::test {
namespace {

using Memory = MpmcByteHeap<MortalEnv>;
using Word = Memory::Word;
using detail::kLineSize;
using detail::kMaxPosition;
constexpr std::uint64_t kAny = detail::RecordHeader::kMaxLength;

std::vector<std::byte> text(std::uint64_t number, std::uint64_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i != size; ++i)
        bytes[i] = static_cast<std::byte>((number * 131 + i * 7 + i / 64) & 0xff);
    return bytes;
}

/// A ring with one producer and one consumer, standing empty at `start`.
struct Pair {
    Memory ring;
    std::array<Word, 2> intents{};
    Memory::Producer out;
    Memory::Consumer in;

    explicit Pair(std::uint64_t units, std::uint64_t start = 0, std::uint64_t unit_lines = 1)
        : ring(units, unit_lines) {
        ring.arrange_empty(start);
        out = ring.producer(intents[0], false);
        in = ring.consumer(intents[1], false);
    }
    [[nodiscard]] std::uint64_t most() { return ring.memory().max_message(); }
    Status push(std::uint64_t number, std::uint64_t size) {
        const Status status = out.prepare(size);
        if (status != Status::ok) return status;
        const auto bytes = text(number, size);
        if (size != 0) std::memcpy(out.place(), bytes.data(), size);
        out.publish(static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(number));
        return status;
    }
    void expect_next(std::uint64_t number, std::uint64_t size) { expect_taken(in.claim(kAny), number, size); }
    void expect_taken(Status status, std::uint64_t number, std::uint64_t size) {
        ASSERT_EQ(status, Status::ok);
        ASSERT_EQ(in.length(), size);
        ASSERT_EQ(in.tag(), static_cast<std::uint32_t>(number));
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(in.payload()) % kLineSize, 0U);
        const auto bytes = text(number, size);
        if (size != 0) {
            ASSERT_EQ(std::memcmp(in.payload(), bytes.data(), size), 0);
        }
        in.hand_back();
    }
};

/// 0 to 300, around every unit's end and every power of two, and beyond the largest.
std::vector<std::uint64_t> sizes_up_to(std::uint64_t most) {
    std::vector<std::uint64_t> all;
    for (std::uint64_t size = 0; size <= 300; ++size) all.push_back(size);
    for (std::uint64_t edge = kLineSize; edge <= most + kLineSize; edge += kLineSize)
        for (const std::uint64_t size : {edge - 1, edge, edge + 1}) all.push_back(size);
    for (std::uint64_t power = 512; power <= 2 * most; power *= 2)
        for (const std::uint64_t size : {power - 1, power, power + 1}) all.push_back(size);
    return all;
}

// ---- one message at a time -------------------------------------------------------------------------------------------

TEST(MpmcByteAlgorithm, EverySizeTravelsFromEveryUnit) {
    for (const std::uint64_t units : {1U, 2U, 3U, 4U, 5U, 8U, 16U})
        for (std::uint64_t start = 0; start != units; ++start)
            for (const std::uint64_t lap :
                 {std::uint64_t{0}, std::uint64_t{7}, (kMaxPosition - 4000) / units}) {
                Pair both(units, lap * units + start);
                for (const std::uint64_t size : sizes_up_to(both.most())) {
                    SCOPED_TRACE(std::to_string(size) + " bytes in " + std::to_string(units) +
                                 " units from " + std::to_string(lap * units + start));
                    both.ring.arrange_empty(lap * units + start);
                    const bool fits = size <= both.most();
                    ASSERT_EQ(both.push(size, size), fits ? Status::ok : Status::too_large);
                    if (fits) {
                        ASSERT_NO_FATAL_FAILURE(both.expect_next(size, size));
                    }
                    ASSERT_EQ(both.in.claim(kAny), Status::empty);
                    ASSERT_EQ(both.intents[0].now() | both.intents[1].now(), 0U);
                }
            }
}
TEST(MpmcByteAlgorithm, TheLargestMessageIsHalfTheRingAndFitsHoweverItStands) {
    for (std::uint64_t units = 1; units != 40; ++units)
        for (std::uint64_t start = 0; start != units; ++start) {
            Pair both(units, 3 * units + start);
            ASSERT_EQ(both.most(), (units + 1) / 2 * kLineSize);
            ASSERT_EQ(both.push(1, both.most()), Status::ok) << units << " units, from " << start;
            ASSERT_NO_FATAL_FAILURE(both.expect_next(1, both.most()));
            ASSERT_EQ(both.push(2, both.most() + 1), Status::too_large);
            ASSERT_EQ(both.push(3, both.most()), Status::ok) << "and again behind it";
            ASSERT_NO_FATAL_FAILURE(both.expect_next(3, both.most()));
        }
}
TEST(MpmcByteAlgorithm, ALargerBufferIsAskedForAndTheMessageStays) {
    Pair both(8, 5);
    ASSERT_EQ(both.push(1, 100), Status::ok);
    ASSERT_EQ(both.push(2, 0), Status::ok);
    for (const std::uint64_t room : {0U, 1U, 64U, 99U}) {
        EXPECT_EQ(both.in.claim(room), Status::too_large);
        EXPECT_EQ(both.in.length(), 100U) << "needed_bytes()";
        EXPECT_EQ(both.intents[1].now(), 0U);
    }
    both.expect_taken(both.in.claim(100), 1, 100);
    both.expect_taken(both.in.claim(0), 2, 0);
}

// ---- exact fit, padding, fillers -------------------------------------------------------------------------------------

TEST(MpmcByteAlgorithm, ExactlyAsManyFitAsThereAreUnits) {
    for (const std::uint64_t units : {1U, 2U, 3U, 4U, 5U, 8U, 16U})
        for (std::uint64_t start = 0; start != units; ++start) {
            Pair both(units, units + start);
            for (std::uint64_t i = 0; i != units; ++i) ASSERT_EQ(both.push(i, i % 65), Status::ok);
            EXPECT_EQ(both.push(0, 0), Status::full);
            ASSERT_NO_FATAL_FAILURE(both.expect_next(0, 0));
            EXPECT_EQ(both.push(units, 64), Status::ok) << "the unit that came back";
            EXPECT_EQ(both.push(0, 0), Status::full);
            for (std::uint64_t i = 1; i != units; ++i) ASSERT_NO_FATAL_FAILURE(both.expect_next(i, i % 65));
            ASSERT_NO_FATAL_FAILURE(both.expect_next(units, 64));
            EXPECT_EQ(both.in.claim(kAny), Status::empty);
        }
}
TEST(MpmcByteAlgorithm, ThePaddingIsClaimedWithItsRecordAndComesBackWithIt) {
    Pair both(8, 6);
    ASSERT_EQ(both.push(1, 150), Status::ok);  // 2 units of padding, 3 of record
    EXPECT_EQ(both.ring.control().tail.now(), 11U);
    EXPECT_EQ(both.ring.word(6).now(), detail::SlotWord::of(0, detail::SlotState::filler).value);
    EXPECT_EQ(both.push(2, 200), Status::full) << "3 units are left";
    EXPECT_EQ(both.push(3, 192), Status::ok);
    EXPECT_EQ(both.push(4, 0), Status::full);
    both.expect_next(1, 150);
    EXPECT_EQ(both.push(5, 192), Status::ok) << "behind the wrap, where it had been, padding and all";
    both.expect_next(3, 192);
    both.expect_next(5, 192);
}
TEST(MpmcByteAlgorithm, WhatIsNotCommittedIsSteppedOver) {
    for (std::uint64_t start = 0; start != 8; ++start)
        for (std::uint64_t claimed = 0; claimed <= 256;
             claimed += claimed % 64 < 2 || claimed % 64 == 63 ? 1 : 30)
            for (std::uint64_t used = 0; used <= claimed; used += used % 64 < 2 || used % 64 == 63 ? 1 : 30) {
                Pair both(8, 16 + start);
                ASSERT_EQ(both.out.prepare(claimed), Status::ok);
                const std::uint64_t end = both.ring.control().tail.now();
                ASSERT_EQ(both.out.prepare(0), Status::overflow);
                ASSERT_EQ(both.in.claim(kAny), Status::busy);
                std::memset(both.out.place(), 0xee, claimed);  // all of it may be written
                const auto bytes = text(7, used);
                if (used != 0) std::memcpy(both.out.place(), bytes.data(), used);
                both.out.publish(static_cast<std::uint32_t>(used), 7);
                ASSERT_EQ(both.push(8, 1), Status::ok);
                ASSERT_NO_FATAL_FAILURE(both.expect_next(7, used));
                ASSERT_NO_FATAL_FAILURE(both.expect_next(8, 1));
                ASSERT_EQ(both.ring.control().head.now(), end + 1);

                ASSERT_EQ(both.out.prepare(claimed), Status::ok);
                both.out.abandon();
                ASSERT_EQ(both.in.claim(kAny), Status::empty);
                ASSERT_EQ(both.ring.control().head.now(), both.ring.control().tail.now())
                    << "all of it came back";
            }
}
TEST(MpmcByteAlgorithm, ALimitOfMessagesIsExactIfNoneIsLargerThanItsShare) {
    for (const std::uint64_t messages : {1U, 2U, 3U, 7U})
        for (const std::uint64_t share : {1U, 2U, 3U, 10U})
            for (std::uint64_t turn = 0; turn != 3; ++turn) {
                Pair both(messages, turn, share);
                ASSERT_EQ(both.most(), (messages + 1) / 2 * share * kLineSize);
                for (std::uint64_t i = 0; i != messages; ++i)
                    ASSERT_EQ(both.push(i, i % 2 == 0 ? 0 : share * kLineSize), Status::ok);
                ASSERT_EQ(both.push(0, 0), Status::full);
                for (std::uint64_t i = 0; i != messages; ++i)
                    ASSERT_NO_FATAL_FAILURE(both.expect_next(i, i % 2 == 0 ? 0 : share * kLineSize));
                ASSERT_EQ(both.push(0, both.most()), Status::ok) << "one that takes the share of several";
                ASSERT_NO_FATAL_FAILURE(both.expect_next(0, both.most()));
            }
}

// ---- several of each, against a model --------------------------------------------------------------------------------

/// Three producers and three consumers take turns; claims and messages are held for a while. The model is a queue of claims.
class Crowd {
 public:
    Crowd(std::uint64_t units, std::uint64_t unit_lines, std::uint64_t start, std::uint64_t seed)
        : random_(seed), ring_(units, unit_lines) {
        ring_.arrange_empty(start);
        for (std::size_t i = 0; i != kEach; ++i) {
            out_[i].side = ring_.producer(intents_[i], false);
            in_[i].side = ring_.consumer(intents_[kEach + i], false);
        }
    }
    void run(int steps) {
        for (int step = 0; step != steps; ++step) {
            if (step == steps - steps / 8) detail::close_tail(ring_.control());
            closed_ = step >= steps - steps / 8;
            const std::size_t who = random_() % kEach;
            random_() % 2 == 0 ? write(out_[who]) : read(in_[who]);
            if (testing::Test::HasFatalFailure()) return;
        }
        for (Writer& each : out_) each.side.claimed().count != 0 ? finish(each) : void();
        for (Reader& each : in_) each.side.claimed().count != 0 ? hand_back(each) : void();
        while (!claims_.empty()) ASSERT_NO_FATAL_FAILURE(read(in_[0]));
    }
    [[nodiscard]] std::uint64_t received() const { return received_; }

 private:
    static constexpr std::size_t kEach = 3;
    enum class State { written, published, dropped };
    struct Claim {
        std::uint64_t number;
        State state;
        std::uint64_t size;
    };
    struct Writer {
        Memory::Producer side{};
        std::uint64_t number = 0;
        std::uint64_t most = 0;
    };
    struct Reader {
        Memory::Consumer side{};
        Claim has{};
    };

    void write(Writer& who) {
        if (who.side.claimed().count != 0) {
            ASSERT_EQ(who.side.prepare(0), Status::overflow);
            if (random_() % 3 != 0) finish(who);
            return;
        }
        const std::uint64_t most = ring_.memory().max_message();
        const std::uint64_t size = random_() % 4 == 0 ? most - random_() % 3 : random_() % (most + 2);
        const Status status = who.side.prepare(size);
        if (size > most || closed_) {
            ASSERT_EQ(status, size > most ? Status::too_large : Status::closed);
            return;
        }
        const bool nobody_has_anything =
            ring_.control().head.now() == ring_.control().tail.now() && in_hand_ == 0;
        ASSERT_TRUE(status == Status::ok || (status == Status::full && !nobody_has_anything));
        if (status != Status::ok) return;
        who.most = size;
        who.number = next_++;
        claims_.push_back({who.number, State::written, 0});
    }
    void finish(Writer& who) {
        const auto claim = std::find_if(claims_.begin(), claims_.end(),
                                        [&](const Claim& each) { return each.number == who.number; });
        if (random_() % 4 == 0) {
            claim->state = State::dropped;
            return who.side.abandon();
        }
        const std::uint64_t size = random_() % 3 == 0 ? random_() % (who.most + 1) : who.most;
        *claim = {who.number, State::published, size};
        std::memset(who.side.place(), 0xee, who.most);
        const auto bytes = text(who.number, size);
        std::copy(bytes.begin(), bytes.end(), who.side.place());
        who.side.publish(static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(who.number));
    }
    void read(Reader& who) {
        if (who.side.claimed().count != 0) {
            ASSERT_EQ(who.side.claim(kAny), Status::overflow);
            if (random_() % 3 != 0) hand_back(who);
            return;
        }
        while (!claims_.empty() && claims_.front().state == State::dropped) claims_.pop_front();
        const std::uint64_t room = random_() % 4 == 0 ? random_() % 200 : kAny;
        const Status expected = claims_.empty() ? closed_ ? Status::closed : Status::empty
                                : claims_.front().state == State::written ? Status::busy
                                : claims_.front().size > room             ? Status::too_large
                                                                          : Status::ok;
        ASSERT_EQ(who.side.claim(room), expected);
        if (expected != Status::ok) return;
        who.has = claims_.front();
        claims_.pop_front();
        ++in_hand_;
        ++received_;
    }
    void hand_back(Reader& who) {
        ASSERT_EQ(who.side.length(), who.has.size);
        ASSERT_EQ(who.side.tag(), static_cast<std::uint32_t>(who.has.number));
        const auto bytes = text(who.has.number, who.has.size);
        ASSERT_TRUE(std::equal(bytes.begin(), bytes.end(), who.side.payload()));
        who.side.hand_back();
        --in_hand_;
    }

    std::mt19937_64 random_;
    Memory ring_;
    std::array<Word, 2 * kEach> intents_{};
    std::array<Writer, kEach> out_{};
    std::array<Reader, kEach> in_{};
    std::deque<Claim> claims_{};
    std::uint64_t next_ = 0;
    std::uint64_t in_hand_ = 0;
    std::uint64_t received_ = 0;
    bool closed_ = false;
};

TEST(MpmcByteAlgorithm, DoesWhatTheModelDoesAtEveryPosition) {
    constexpr std::uint64_t kPiece = std::uint64_t{1} << 32;
    std::uint64_t seed = 0;
    for (const bool weak : {false, true})
        for (const std::uint64_t units : {1U, 2U, 3U, 4U, 5U, 8U, 16U, 100U})
            for (const std::uint64_t start :
                 {std::uint64_t{0}, units - 1, kPiece - 5, kPiece * units - 5, (kPiece << 16) - 1,
                  (kPiece >> 8) * units - 1, kMaxPosition - 8000 * units / (units + 1) - 70'000})
                for (const std::uint64_t unit_lines : {1U, 2U}) {
                    SCOPED_TRACE(std::to_string(units) + " units from " + std::to_string(start));
                    fate.weak = weak;
                    Crowd crowd(units, unit_lines, start, ++seed);
                    crowd.run(1500);
                    fate.weak = false;
                    if (HasFatalFailure()) return;
                    EXPECT_GT(crowd.received(), 20U);
                }
}

}  // namespace
}  // namespace shmring::test
