// Many processes after one name at once: one ring comes of it, and each gets that one or an error that says why not.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <list>

#include "support/child_process.hpp"
#include "support/shared.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

constexpr int kCreators = 8;
constexpr int kRounds = 200;

/// Where the creators wait for each other, spinning: a wake-up from sleep would let them go one by one.
struct StartLine {
    std::atomic<int> round{0};
    std::atomic<int> arrived{0};
};

/// Eight processes that go through the same rounds together. `part(creator)` runs in each of them at once; `look(round)` here,
/// while all of them have done this round and none begins the next.
template <class Part, class Look>
void race(Part part, Look look) {
    const Turnstile done;
    Shared<StartLine> line;
    std::list<ChildProcess> creators;
    for (int creator = 0; creator != kCreators; ++creator) {
        creators.emplace_back([&, creator] {
            for (int round = 1; round <= kRounds; ++round) {
                line->arrived.fetch_add(1, std::memory_order_relaxed);
                while (line->round.load(std::memory_order_acquire) < round) ::sched_yield();
                part(creator);
                done.let_through();
            }
        });
    }
    for (int round = 1; round <= kRounds && !testing::Test::HasFailure(); ++round) {
        const auto watchdog = std::chrono::steady_clock::now() + ChildProcess::kWatchdog;
        while (line->arrived.load(std::memory_order_relaxed) < round * kCreators) {
            ASSERT_LT(std::chrono::steady_clock::now(), watchdog) << "a creator was lost";
            ::sched_yield();
        }
        line->round.store(round, std::memory_order_release);
        for (int creator = 0; creator != kCreators; ++creator) ASSERT_TRUE(done.pass());
        look(round);
    }
    for (ChildProcess& creator : creators) EXPECT_TRUE(creator.join().exited_with(0));
}

struct Board {
    std::array<std::atomic<std::uint64_t>, kCreators> generation{};
    std::array<std::atomic<int>, kCreators> error{};
};

TEST(SegmentRace, EightWhoOpenOrCreateGetTheSameRing) {
    const UniqueName name;
    Shared<Board> board;
    race(
        [&](int creator) {
            const auto me = static_cast<std::size_t>(creator);
            const Outcome outcome = open_or_create(name);
            EXPECT_TRUE(outcome.segment) << outcome;
            board->generation[me].store(outcome.segment ? outcome.segment.geometry().generation : 0,
                                        std::memory_order_relaxed);
        },
        [&](int round) {
            const std::uint64_t first = board->generation[0].load(std::memory_order_relaxed);
            EXPECT_NE(first, 0U);
            for (const auto& generation : board->generation)
                EXPECT_EQ(generation.load(std::memory_order_relaxed), first) << "round " << round;
            EXPECT_FALSE(Segment::remove(name));
        });
}

TEST(SegmentRace, OfEightWhoCreateOneSucceeds) {
    const UniqueName name;
    Shared<Board> board;
    race(
        [&](int creator) {
            const Outcome outcome =
                create(name, test_spec(100'000));  // 2 MB: all allocate before the first is done
            EXPECT_EQ(!outcome.segment, outcome.error.code == std::errc::file_exists) << outcome;
            board->error[static_cast<std::size_t>(creator)].store(outcome.segment ? 0 : 1,
                                                                  std::memory_order_relaxed);
        },
        [&](int round) {
            const auto losers = std::ranges::count_if(
                board->error, [](const auto& error) { return error.load(std::memory_order_relaxed) != 0; });
            EXPECT_EQ(losers, kCreators - 1) << "round " << round;
            EXPECT_TRUE(open(name).segment);
            EXPECT_FALSE(Segment::remove(name));
        });
}

TEST(SegmentRace, WhoeverOpensWhileOthersMakeAndRemoveGetsAWholeRingOrNone) {
    const UniqueName name;
    race(
        [&](int creator) {
            for (int turn = 0; turn != 10; ++turn) {
                if (creator < 2) {
                    const Outcome made = create(name);
                    EXPECT_TRUE(made.segment || made.error.code == std::errc::file_exists) << made;
                } else if (creator < 4) {
                    const std::error_code error = Segment::remove(name);
                    EXPECT_TRUE(!error || error == std::errc::no_such_file_or_directory) << error.message();
                } else if (creator < 6) {
                    const Outcome opened = open(name);
                    EXPECT_TRUE(opened.segment || opened.error.code == std::errc::no_such_file_or_directory)
                        << opened;
                } else {
                    const Outcome either = open_or_create(name);
                    EXPECT_TRUE(either.segment) << either;
                }
            }
        },
        [](int) {});
}

}  // namespace
}  // namespace shmring::test
