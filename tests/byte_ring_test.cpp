// ByteRing as users hold it: copying, in place, gathered, in batches, between processes. Under kill -9: byte_kill_test.cpp.
// SPDX-License-Identifier: MIT
#include "shmring/byte_ring.hpp"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "support/child_process.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
std::string text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

class ByteRingEnds : public testing::Test {
 protected:
    ByteRing ring_ = ByteRing::anonymous({.capacity_bytes = 4096});
    ByteRing::Producer out_ = ring_.producer();
    ByteRing::Consumer in_ = ring_.consumer();
};

TEST_F(ByteRingEnds, CarryCopiesWithTheirTags) {
    std::string got;
    for (std::uint32_t i = 0; i != 5000; ++i) {
        const std::string text(i % 700, static_cast<char>('a' + i % 26));
        ASSERT_TRUE(out_.push(bytes_of(text), i));
        const auto received = in_.pop(got);
        ASSERT_TRUE(received);
        EXPECT_EQ(received->tag, i);
        ASSERT_EQ(got, text);
    }
}

TEST_F(ByteRingEnds, LeaveAMessageThatIsTooLargeForTheBufferWhereItIs) {
    ASSERT_TRUE(out_.push(bytes_of("hello")));
    std::array<std::byte, 4> small{};
    EXPECT_EQ(in_.try_pop(small).error(), Status::too_large);
    EXPECT_EQ(in_.needed_bytes(), 5U);
    EXPECT_EQ(in_.try_pop_for(small, 1ms).error(), Status::too_large);
    std::string text;
    ASSERT_TRUE(in_.try_pop(text));
    EXPECT_EQ(text, "hello");
}

TEST_F(ByteRingEnds, RefuseWhatCanNeverFitAtOnce) {
    const std::string huge(ring_.max_message_bytes() + 1, 'x');
    EXPECT_EQ(out_.push(bytes_of(huge)).error(), Status::too_large);
    EXPECT_EQ(out_.try_claim(huge.size()).error(), Status::too_large);
    const std::array<Bytes, 2> parts{bytes_of(huge).first(huge.size() / 2),
                                     bytes_of(huge).subspan(huge.size() / 2)};
    EXPECT_EQ(out_.push_gathered(parts).error(), Status::too_large);
}

TEST_F(ByteRingEnds, PublishOnlyWhatOfAClaimIsCommitted) {
    {
        auto dropped = out_.try_claim(100);
        ASSERT_TRUE(dropped);
        std::memset(dropped->bytes().data(), 1, 100);
    }
    EXPECT_EQ(in_.try_next().error(), Status::empty);
    auto claim = out_.try_claim(100);
    ASSERT_TRUE(claim);
    std::memcpy(claim->bytes().data(), "short", 5);
    claim->commit(5, 42);
    auto view = in_.try_next();
    ASSERT_TRUE(view);
    EXPECT_EQ(text_of(view->bytes()), "short");
    EXPECT_EQ(view->tag(), 42U);
}

TEST_F(ByteRingEnds, GatherPartsIntoOneMessage) {
    const std::array<Bytes, 3> parts{bytes_of("one "), bytes_of(""), bytes_of("message")};
    ASSERT_TRUE(out_.try_push_gathered(parts, 3));
    std::string text;
    ASSERT_TRUE(in_.pop(text));
    EXPECT_EQ(text, "one message");
}

TEST_F(ByteRingEnds, MoveBatches) {
    const std::array<Bytes, 3> messages{bytes_of("a"), bytes_of(""), bytes_of("ccc")};
    EXPECT_EQ(*out_.try_push_n(messages), 3U);
    std::array<std::byte, 64> buffer{};
    std::array<std::span<std::byte>, 8> got;
    ASSERT_EQ(*in_.try_pop_n(buffer, got), 3U);
    EXPECT_EQ(text_of(got[0]), "a");
    EXPECT_EQ(text_of(got[1]), "");
    EXPECT_EQ(text_of(got[2]), "ccc");
    EXPECT_EQ(in_.try_pop_n(buffer, got).error(), Status::empty);
}

TEST_F(ByteRingEnds, TakeViewsBackInAnyOrder) {
    const std::string text(900, 'v');
    for (int lap = 0; lap != 50; ++lap) {
        int pushed = 0;  // three or four: padding at the end of the ring takes room
        while (out_.try_push(bytes_of(text))) ++pushed;
        ASSERT_GE(pushed, 3);
        {
            auto first = in_.try_next();
            auto second = in_.try_next();
            auto third = in_.try_next();
            ASSERT_TRUE(first && second && third);
            third->hand_back();
            second->hand_back();
            EXPECT_EQ(out_.try_push(bytes_of(text)).error(), Status::full) << "the oldest is still borrowed";
            first->hand_back();
            EXPECT_TRUE(out_.try_push(bytes_of(text)));
        }
        while (in_.try_next()) continue;
    }
}

TEST_F(ByteRingEnds, CopyBesideAViewAndGiveBothBackAfterIt) {
    const std::string text(900, 'v');
    int pushed = 0;
    while (out_.try_push(bytes_of(text), static_cast<std::uint32_t>(pushed))) ++pushed;
    {
        const auto view = in_.try_next();
        ASSERT_TRUE(view);
        std::string got;
        EXPECT_EQ(in_.try_pop(got)->tag, 1U);
        EXPECT_EQ(got, text);
        EXPECT_EQ(text_of(view->bytes()), text);
        EXPECT_EQ(out_.try_push(bytes_of(text)).error(), Status::full) << "the oldest is still borrowed";
    }
    EXPECT_TRUE(out_.try_push(bytes_of(text)));
    EXPECT_EQ(in_.try_next()->tag(), 2U);
}

TEST_F(ByteRingEnds, LendSixtyFourViewsAndNoMore) {
    std::vector<ByteRing::Consumer::View> views;
    for (int i = 0; i != 65; ++i) ASSERT_TRUE(out_.try_push(bytes_of("x")));
    for (int i = 0; i != 64; ++i) views.push_back(std::move(*in_.try_next()));
    EXPECT_EQ(in_.try_next().error(), Status::overflow);
    std::array<std::byte, 1> buffer{};
    EXPECT_EQ(in_.try_pop(buffer).error(), Status::overflow);
    views.clear();
    EXPECT_TRUE(in_.try_next());
}

TEST_F(ByteRingEnds, DrainAndThenLearnOfTheClose) {
    ASSERT_TRUE(out_.push(bytes_of("last")));
    out_.close();
    EXPECT_EQ(out_.push(bytes_of("more")).error(), Status::closed);
    std::string text;
    ASSERT_TRUE(in_.pop(text));
    EXPECT_EQ(in_.pop(text).error(), Status::closed);
}

TEST(ByteRing, AlignsPayloadsTo64ByOption) {
    const UniqueName name;
    auto ring = ByteRing::create(name, {.capacity_bytes = 4096, .alignment = 64});
    auto out = ring.producer();
    auto in = ByteRing::open(name).consumer();
    for (int i = 0; i != 200; ++i) {
        const std::string text(static_cast<std::size_t>(i), 'q');
        ASSERT_TRUE(out.push(bytes_of(text)));
        auto view = in.next();
        ASSERT_TRUE(view);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(view->bytes().data()) % 64, 0U);
        EXPECT_EQ(text_of(view->bytes()), text);
    }
}

TEST(ByteRing, RefusesOptionsOutOfRange) {
    std::error_code code;
    (void)ByteRing::anonymous({.capacity_bytes = 4096, .alignment = 16}, code);
    EXPECT_EQ(code, errc::bad_option);
    (void)ByteRing::anonymous({.capacity_bytes = 15}, code);
    EXPECT_EQ(code, errc::bad_option);
    const auto least = ByteRing::anonymous({.capacity_bytes = 16}, code);
    ASSERT_FALSE(code);
    EXPECT_EQ(least.max_message_bytes(), 0U);
    EXPECT_TRUE(least.producer().try_push({}));
}

/// Message `number`: a size that varies with it, every byte from it.
std::string numbered(std::uint64_t number) {
    std::string text(number * 7919 % 1500, '\0');
    std::iota(text.begin(), text.end(), static_cast<char>(number));
    return text;
}

TEST(ByteRing, StreamsBetweenProcessesInPlaceAndCopied) {
    constexpr std::uint32_t kMessages = 60'000;
    auto ring = ByteRing::anonymous({.capacity_bytes = 8192});
    ChildProcess child([&] {
        auto out = ring.producer();
        for (std::uint32_t i = 0; i != kMessages; ++i) {
            const std::string text = numbered(i);
            if (i % 2 == 0) {
                if (!out.push(bytes_of(text), i)) return 1;
                continue;
            }
            auto claim = out.claim(text.size() + 50);
            if (!claim) return 2;
            std::memcpy(claim->bytes().data(), text.data(), text.size());
            claim->commit(text.size(), i);
        }
        out.close();
        return 0;
    });
    auto in = ring.consumer();
    std::uint32_t got = 0;
    while (auto view = in.next()) {
        ASSERT_EQ(view->tag(), got);
        ASSERT_EQ(text_of(view->bytes()), numbered(got));
        ++got;
    }
    EXPECT_EQ(got, kMessages);
    EXPECT_TRUE(child.join().exited_with(0));
}

}  // namespace
}  // namespace shmring::test
