// ByteRing, killed after every single instruction of its operations (of batches: every seventh, and every one in a soak): a message
// is there whole or not at all, what was not handed back is delivered again, and a successor goes on round the ring.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "shmring/byte_ring.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

constexpr std::uint64_t kCapacity = 256;  // 320 bytes of storage
constexpr std::size_t kSize = 40;         // a record of 48 bytes: six, and 32 bytes that hold none

std::string message(char letter, std::size_t size = kSize) { return std::string(size, letter); }
const std::string kFirst = message('A');  // made before the steps are counted
const std::string kThird = message('C');
Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

using Push = std::function<void(ByteRing::Producer&)>;
using Pop = std::function<void(ByteRing::Consumer&)>;

class ByteStepKill : public testing::Test {
 protected:
    void SetUp() override { ::alarm(is_soak() ? 1700 : 110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    /// `before` records have come and gone, `inside` are there, lettered from 'a' on.
    [[nodiscard]] static ByteRing ring_at(int before, int inside) {
        ByteRing ring = ByteRing::anonymous({.capacity_bytes = kCapacity, .participants = 4});
        ByteRing::Producer out = ring.producer();
        ByteRing::Consumer in = ring.consumer();
        for (int i = 0; i != before; ++i) {
            EXPECT_TRUE(out.try_push(bytes_of(message('z'))));
            EXPECT_TRUE(in.try_next());
        }
        for (int i = 0; i != inside; ++i)
            EXPECT_TRUE(out.try_push(bytes_of(message(static_cast<char>('a' + i)))));
        return ring;
    }
    /// Kills after 0, 1, 2, ... instructions until the operation gets done. `kill_and_check(k, end)` answers how many messages it
    /// had moved: never fewer than with a kill one instruction earlier, and `most` in the end.
    template <class KillAndCheck>
    static void at_every_instruction(const char* name, std::size_t most, KillAndCheck&& kill_and_check) {
        std::size_t moved_before = 0;
        std::uint64_t moved_at = 0;
        const std::uint64_t stride = most == 1 || is_soak() ? 1 : 7;
        for (std::uint64_t instructions = 0;; instructions += stride) {
            SCOPED_TRACE(std::string(name) + ", killed after " + std::to_string(instructions) +
                         " instructions");
            SteppedChild::End end = SteppedChild::End::failed;
            const std::size_t moved = kill_and_check(instructions, end);
            if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
            ASSERT_NE(end, SteppedChild::End::failed);
            ASSERT_GE(moved, moved_before) << "what was done came undone";
            if (moved != moved_before) moved_at = instructions;
            moved_before = moved;
            ASSERT_FALSE(testing::Test::HasFailure());
            if (end != SteppedChild::End::finished) continue;
            ASSERT_EQ(moved, most);
            std::printf("%s: done within %llu instructions, last moved at %llu\n", name,
                        static_cast<unsigned long long>(instructions),
                        static_cast<unsigned long long>(moved_at));
            return;
        }
    }
    /// `expected`: what the operation sends when it is not killed.
    static void kill_producer(const char* name, int before, int inside,
                              const std::vector<std::string>& expected, const Push& push) {
        at_every_instruction(name, expected.size(), [&](std::uint64_t instructions, SteppedChild::End& end) {
            const ByteRing ring = ring_at(before, inside);
            end = SteppedChild::kill_after(instructions, [&] {
                ByteRing::Producer out = ring.producer();
                mark_for_stepping();
                push(out);
                mark_for_stepping();
            });
            ByteRing::Producer successor = ring.producer();
            ByteRing::Consumer in = ring.consumer();
            std::string text;
            for (int i = 0; i != inside; ++i) {
                EXPECT_TRUE(in.try_pop(text));
                EXPECT_EQ(text, message(static_cast<char>('a' + i)));
            }
            EXPECT_TRUE(successor.try_push(bytes_of("successor")));
            std::size_t moved = 0;
            for (; in.try_pop(text) && text != "successor"; ++moved) {
                EXPECT_LT(moved, expected.size());
                EXPECT_EQ(text, moved < expected.size() ? expected[moved] : "");
            }
            EXPECT_EQ(text, "successor");
            go_round(successor, in);
            return moved;
        });
    }
    static void kill_consumer(const char* name, int before, int inside, std::size_t most, const Pop& pop) {
        at_every_instruction(name, most, [&](std::uint64_t instructions, SteppedChild::End& end) {
            const ByteRing ring = ring_at(before, inside);
            end = SteppedChild::kill_after(instructions, [&] {
                ByteRing::Consumer in = ring.consumer();
                mark_for_stepping();
                pop(in);
                mark_for_stepping();
            });
            ByteRing::Consumer successor = ring.consumer();
            std::vector<std::string> left;
            for (std::string text; successor.try_pop(text);) left.push_back(text);
            const std::size_t moved = static_cast<std::size_t>(inside) - left.size();
            for (std::size_t i = 0; i != left.size(); ++i)
                EXPECT_EQ(left[i], message(static_cast<char>('a' + moved + i)));
            ByteRing::Producer out = ring.producer();
            go_round(out, successor);
            return moved;
        });
    }
    /// Every size that fits, over several laps, and the ring takes as much as it ever did.
    static void go_round(ByteRing::Producer& out, ByteRing::Consumer& in) {
        std::string text;
        EXPECT_FALSE(in.try_next());
        for (std::size_t size = 0; size <= out.max_message_bytes(); size += 7) {
            EXPECT_TRUE(out.try_push(bytes_of(message('r', size))));
            EXPECT_TRUE(in.try_pop(text));
            EXPECT_EQ(text, message('r', size));
        }
        std::size_t taken = 0;
        while (out.try_push({})) ++taken;
        EXPECT_EQ(taken, kCapacity / detail::kRecordHeaderSize);
        std::size_t given = 0;
        while (in.try_next()) ++given;
        EXPECT_EQ(given, taken);
    }
};

// ---- producers -----------------------------------------------------------------------------------------------------

const Push kPush = [](ByteRing::Producer& out) { (void)out.try_push(bytes_of(kFirst)); };
const Push kClaimAndCommit = [](ByteRing::Producer& out) {
    auto claim = out.try_claim(kSize + 20);
    if (!claim) return;
    std::ranges::fill(claim->bytes(), std::byte{'A'});
    claim->commit(kSize);
};

TEST_F(ByteStepKill, APushIntoAnEmptyRing) { kill_producer("push", 0, 0, {message('A')}, kPush); }
TEST_F(ByteStepKill, APushThatLeavesPadding) { kill_producer("push, wrap", 5, 1, {message('A')}, kPush); }
TEST_F(ByteStepKill, AnEmptyPush) {
    kill_producer("push of nothing", 3, 1, {""}, [](ByteRing::Producer& out) { (void)out.try_push({}); });
}
TEST_F(ByteStepKill, ABatchOverTheWrap) {
    kill_producer("batch of three, wrap", 4, 1, {message('A'), "b", message('C')},
                  [](ByteRing::Producer& out) {
                      const std::array<Bytes, 3> messages{bytes_of(kFirst), bytes_of("b"), bytes_of(kThird)};
                      (void)out.try_push_n(messages);
                  });
}
TEST_F(ByteStepKill, AClaimAndItsCommit) {
    kill_producer("claim and commit", 2, 1, {message('A')}, kClaimAndCommit);
}
TEST_F(ByteStepKill, AClaimAndItsCommitThatLeavesPadding) {
    kill_producer("claim and commit, wrap", 5, 1, {message('A')}, kClaimAndCommit);
}

// ---- consumers -----------------------------------------------------------------------------------------------------

const Pop kPop = [](ByteRing::Consumer& in) {
    std::array<std::byte, 64> buffer{};
    (void)in.try_pop(std::span<std::byte>(buffer));
};

TEST_F(ByteStepKill, APop) { kill_consumer("pop", 1, 3, 1, kPop); }
TEST_F(ByteStepKill, APopOverPadding) { kill_consumer("pop, wrap", 6, 3, 1, kPop); }
TEST_F(ByteStepKill, ABatchOfPops) {
    kill_consumer("batch of three pops, wrap", 5, 4, 3, [](ByteRing::Consumer& in) {
        std::array<std::byte, 3 * kSize> buffer{};
        std::array<std::span<std::byte>, 3> messages;
        (void)in.try_pop_n(buffer, messages);
    });
}
TEST_F(ByteStepKill, ViewsHandedBackInReverse) {
    kill_consumer("three views, handed back in reverse", 5, 4, 3, [](ByteRing::Consumer& in) {
        const auto first = in.try_next();
        const auto second = in.try_next();
        const auto third = in.try_next();
        if (!third || third->bytes().size() != kSize) ::_exit(3);
    });
}

}  // namespace
}  // namespace shmring::test
