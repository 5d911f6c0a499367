// A byte ring of many whose words a hostile peer has written: whatever they say, calls answer with a status and no byte outside the ring
// is touched (the address sanitizer sees the ring's exact ends; without it the places themselves are looked at).
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <vector>

#include "support/mpmc_byte_lab.hpp"

namespace shmring::test {
namespace {

using Lab = MpmcByteLab;
using detail::kMaxPosition;
using detail::kTailClosed;

/// Everybody does everything; touches every byte that a call hands out. Far more operations than that takes are an endless loop.
void expect_harmless(Lab& lab) {
    auto in = lab.consumer(Lab::kConsumer);
    auto out = lab.producer(Lab::kProducer);
    bool is_inside = true;
    std::uint64_t sum = 0;
    const std::byte* const first = lab.ring.payload(0);
    const auto touch = [&](const std::byte* bytes, std::uint64_t size) {
        is_inside = is_inside && bytes >= first && bytes + size <= lab.ring.bytes_end();
        if (!is_inside) return;
        for (std::uint64_t i = 0; i != size; ++i) sum += static_cast<std::uint64_t>(bytes[i]);
    };
    EXPECT_FALSE(is_killed_after(100'000, [&] {
        for (int round = 0; round != 3; ++round) {
            (void)lab.recover();
            (void)in.peek();
            if (in.claim(round == 0 ? 70 : Lab::kAny) == Status::ok) {
                touch(in.payload(), in.length());
                in.hand_back();
            }
            if (out.prepare(round == 1 ? lab.max_message() : 10) == Status::ok) {
                touch(out.place(), 10);
                round == 2 ? out.abandon() : out.publish(5, 1);
            }
        }
        lab.recovery().forget(Lab::kVictim);
        (void)lab.recover();
        detail::ClaimSide side{};
        std::uint64_t position = 0;
        (void)lab.recovery().find_blocker(side, position);
    })) << "an endless loop";
    EXPECT_TRUE(is_inside) << "a message outside the ring, after " << sum;
}

std::vector<std::uint32_t> lengths_for(std::uint64_t units) {
    std::vector<std::uint32_t> all;
    for (std::uint64_t edge = 0; edge <= units + 1; ++edge)
        for (const std::uint64_t length : {edge, edge * 64, edge * 64 + 1, edge * 64 + 63})
            all.push_back(static_cast<std::uint32_t>(length));
    for (std::uint32_t power = 1024; power <= Lab::Header::kMaxLength / 2; power *= 2)
        for (const std::uint32_t length : {power - 1, power, power + 1}) all.push_back(length);
    all.push_back(Lab::Header::kMaxLength);
    return all;
}

TEST(MpmcByteHostile, AnyHeaderBesideAnyWord) {
    for (const std::uint64_t units : {1U, 3U, 8U})
        for (std::uint64_t start = 0; start != units; ++start)
            for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
                for (const bool in_hand : {false, true})
                    for (std::uint64_t low = 0; low != 16; ++low)  // of the word: each state, and a delivery
                        for (std::uint32_t state = 0; state != 4; ++state)
                            for (const std::uint32_t length : lengths_for(units)) {
                                Lab lab({units, 4 * units + start, {9}, delivery});
                                const std::uint64_t at = lab.head();
                                if (in_hand) {
                                    ASSERT_EQ(lab.consumer(Lab::kVictim).claim(Lab::kAny), Status::ok);
                                    lab.roll.dead[Lab::kVictim] = true;
                                }
                                lab.ring.control().orphans.set(1);
                                lab.ring.word(at).set(at / units << 8 | low);
                                lab.ring.header(at).set(
                                    Lab::Header{7, static_cast<Lab::Header::State>(state), length}.word());
                                expect_harmless(lab);
                                ASSERT_FALSE(HasFailure()) << units << " units from " << start << ", word "
                                                           << low << ", header " << state << " " << length;
                            }
}
TEST(MpmcByteHostile, AnOrphanWithAHeaderThatCannotBeIsCorrupt) {
    Lab lab({8, 7, {250, 9}, Delivery::at_least_once});
    auto in = lab.consumer(Lab::kConsumer);
    ASSERT_EQ(in.claim(Lab::kAny), Status::ok);  // so that a long message was seen before
    in.hand_back();
    ASSERT_EQ(lab.consumer(Lab::kVictim).claim(Lab::kAny), Status::ok);
    const std::uint64_t at = lab.head() - 1;
    lab.roll.dead[Lab::kVictim] = true;
    ASSERT_TRUE(lab.recover());
    for (const std::uint32_t length : {1u << 20, Lab::Header::kMaxLength}) {
        lab.ring.header(at).set(Lab::Header{7, Lab::Header::State::message, length}.word());
        EXPECT_EQ(in.claim(Lab::kAny), Status::corrupt);
        EXPECT_EQ(in.claimed().count, 0U);
    }
}
TEST(MpmcByteHostile, AnyPositions) {
    for (const std::uint64_t units : {1U, 3U, 8U}) {
        const std::uint64_t first = 4 * units + 1;
        std::vector<std::uint64_t> values = {0,
                                             first - 1,
                                             first,
                                             first + 1,
                                             first + units,
                                             first + units + 1,
                                             std::uint64_t{1} << 32,
                                             kMaxPosition - 1,
                                             kMaxPosition,
                                             kMaxPosition + 1,
                                             ~std::uint64_t{0} >> 1};
        for (std::size_t i = values.size(); i-- != 0;) values.push_back(values[i] | kTailClosed);
        for (const std::uint64_t head : values)
            for (const std::uint64_t tail : values)
                for (const std::uint64_t named : values) {
                    Lab lab({units, first, {9}, Delivery::at_least_once});
                    lab.ring.control().head.set(head);
                    lab.ring.control().tail.set(tail);
                    lab.ring.control().orphans.set(7);
                    lab.ring.control().forgotten.set(named);
                    lab.roll.intents[Lab::kVictim].set(named << 8 | 255 | (head & kTailClosed));
                    lab.roll.dead[Lab::kVictim] = true;
                    expect_harmless(lab);
                    ASSERT_FALSE(HasFailure()) << head << " " << tail << " " << named;
                }
    }
}
TEST(MpmcByteHostile, AHeaderThatChangesAtAnyOperation) {
    for (const std::uint32_t length :
         {0u, 64u, 65u, 200u, 256u, 257u, 512u, 1u << 20, Lab::Header::kMaxLength})
        for (std::uint32_t state = 0; state != 4; ++state)
            for (std::uint64_t operations = 0;; ++operations) {
                Lab lab({8, 12, {200}, Delivery::at_most_once});
                auto in = lab.consumer(Lab::kConsumer);
                const auto write = [&] {
                    lab.ring.header(12).set(
                        Lab::Header{7, static_cast<Lab::Header::State>(state), length}.word());
                };
                Status status{};
                const bool stopped =
                    is_stopped_after(operations, write, [&] { status = in.claim(Lab::kAny); });
                EXPECT_TRUE(status == Status::ok || status == Status::corrupt);
                if (status == Status::ok) {
                    EXPECT_LE(in.payload() + in.length(), lab.ring.bytes_end());
                    in.hand_back();
                }
                ASSERT_FALSE(HasFailure()) << state << " " << length << " at " << operations;
                if (!stopped) break;
            }
}

}  // namespace
}  // namespace shmring::test
