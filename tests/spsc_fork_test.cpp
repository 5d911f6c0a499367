// Fork with an open ring: the parent's ends are the parent's, and a child that uses or drops them changes nothing; through the
// ring itself a child takes a seat of its own.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Ring = SpscRing<std::uint64_t>;
constexpr std::uint64_t kCapacity = 5;

class Fork : public testing::Test {
 protected:
    void SetUp() override { ::alarm(60); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    /// Runs `body` in a child, where expectations count as well.
    template <class Body>
    static void in_child(Body&& body) {
        ChildProcess child([&] { body(); });
        EXPECT_TRUE(child.join().exited_with(0));
    }
    /// Both ends are still this process's: each asks after the other, and a message goes through.
    void expect_both_ends_alive() {
        std::error_code code;
        (void)ring.producer({}, code);
        EXPECT_EQ(code, errc::seat_taken);
        (void)ring.consumer({}, code);
        EXPECT_EQ(code, errc::seat_taken);
        EXPECT_EQ(in.try_pop_for(10ms).error(), Status::timed_out) << "asked after the producer some times";
        EXPECT_TRUE(out.push(4711));
        EXPECT_EQ(in.pop().value_or(0), 4711U);
    }

    Ring ring = Ring::anonymous({.capacity = kCapacity, .liveness_period = 2ms});
    Ring::Producer out = ring.producer();
    Ring::Consumer in = ring.consumer();
};

// ---- the parent's ends in a child ----------------------------------------------------------------------------------

TEST_F(Fork, EveryCallOfTheParentsProducerIsRefusedInTheChild) {
    in_child([&] {
        const std::array<std::uint64_t, 2> batch{1, 2};
        EXPECT_EQ(out.try_push(1).error(), Status::not_owner);
        EXPECT_EQ(out.push(1).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_for(1, 1h).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_until(1, std::chrono::steady_clock::now() + 1h).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_n(batch).error(), Status::not_owner);
        EXPECT_EQ(out.try_claim().error(), Status::not_owner);
        EXPECT_EQ(out.claim().error(), Status::not_owner);
        EXPECT_EQ(out.try_emplace(1U).error(), Status::not_owner);
        out.close();  // does nothing
    });
    EXPECT_TRUE(ring.was_empty());
    EXPECT_FALSE(ring.was_closed());
    expect_both_ends_alive();
}

TEST_F(Fork, EveryCallOfTheParentsConsumerIsRefusedInTheChild) {
    ASSERT_TRUE(out.push(1));
    in_child([&] {
        std::array<std::uint64_t, 2> batch{};
        EXPECT_EQ(in.try_pop().error(), Status::not_owner);
        EXPECT_EQ(in.pop().error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_for(1h).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_until(std::chrono::steady_clock::now() + 1h).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_n(batch).error(), Status::not_owner);
        EXPECT_EQ(in.try_next().error(), Status::not_owner);
        EXPECT_EQ(in.next().error(), Status::not_owner);
        in.close();  // does nothing
    });
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_FALSE(ring.was_closed());
    expect_both_ends_alive();
}

TEST_F(Fork, TheyAreRefusedInAChildThatHasEndsOfItsOwn) {
    in_child([&] {
        Ring other = Ring::anonymous({.capacity = 1});
        Ring::Producer own = other.producer();
        EXPECT_TRUE(own.push(1));
        EXPECT_EQ(out.try_push(1).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop().error(), Status::not_owner);
    });
    expect_both_ends_alive();
}

TEST_F(Fork, DroppingTheParentsEndsInTheChildGivesNothingBack) {
    in_child([&] {
        out.detach();
        in = Ring::Consumer{};
        EXPECT_FALSE(out);
        EXPECT_FALSE(in);
    });
    in_child([&] {
        { const Ring::Producer moved = std::move(out); }
        { const Ring::Consumer moved = std::move(in); }
        ring = Ring{};  // unmaps it here
    });
    expect_both_ends_alive();
}

/// The child leaves by exit(), with everything it inherited destroyed on the way.
TEST_F(Fork, AChildThatUnwindsEverythingGivesNothingBack) {
    static std::optional<Ring::Producer> kept;
    Ring of_static = Ring::anonymous({.capacity = kCapacity, .liveness_period = 2ms});
    kept.emplace(of_static.producer());
    ChildProcess child([] {
        std::atexit([] { kept.reset(); });
        std::exit(0);
        return 1;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    std::error_code code;
    (void)of_static.producer({}, code);
    EXPECT_EQ(code, errc::seat_taken);
    EXPECT_TRUE(kept->push(1));
    kept.reset();
    expect_both_ends_alive();
}

TEST_F(Fork, AClaimOfTheParentSendsNothingFromTheChild) {
    auto claim = out.try_claim();
    ASSERT_TRUE(claim);
    **claim = 1;
    in_child([&] { claim->commit(); });
    EXPECT_EQ(ring.count_approx(), 0U) << "the child has sent it";
    claim->commit();
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.try_pop().error(), Status::empty);
}

TEST_F(Fork, AViewOfTheParentIsNotHandedBackByTheChild) {
    for (std::uint64_t i = 0; i != 3; ++i) ASSERT_TRUE(out.push(i));
    {
        auto view = in.try_next();
        ASSERT_TRUE(view);
        in_child([&] { view->hand_back(); });
        EXPECT_EQ(ring.count_approx(), 3U) << "the child has handed it back under the parent's eyes";
        EXPECT_EQ(**view, 0U);
    }
    EXPECT_EQ(ring.count_approx(), 2U);
}

/// A child that lives longer than the view it inherited: a read position that goes back would deliver everything twice.
TEST_F(Fork, AViewOfTheParentDroppedLaterByTheChildTakesNothingBack) {
    ASSERT_TRUE(out.push(0));
    Shared<Steps> parent;
    auto view = in.try_next();
    ASSERT_TRUE(view);
    ChildProcess child([&] {
        if (!parent->await(1)) return 4;
        view->hand_back();
        return 0;
    });
    view->hand_back();
    for (std::uint64_t i = 1; i != 4; ++i) {
        ASSERT_TRUE(out.push(i));
        ASSERT_EQ(in.pop().value_or(0), i);
    }
    ASSERT_TRUE(out.push(4));
    parent->reach(1);
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(ring.count_approx(), 1U) << "the read position went back";
    in.detach();
    EXPECT_EQ(ring.consumer().pop().value_or(0), 4U);
}

// ---- life and death of parents -------------------------------------------------------------------------------------

TEST_F(Fork, AChildThatLivesOnDoesNotKeepItsParentAlive) {
    out.detach();
    struct Board {
        Steps parent;
        std::atomic<pid_t> child{0};
    };
    Shared<Board> board;
    ChildProcess parent([&]() -> int {
        Ring::Producer mine = ring.producer();
        if (!mine.push(1)) return 3;
        const pid_t child = ::fork();
        if (child == 0) {
            ::alarm(60);
            for (;;) ::pause();
        }
        board->child.store(child, std::memory_order_release);
        board->parent.reach(1);
        for (;;) ::pause();
    });
    ASSERT_TRUE(board->parent.await(1));
    parent.kill(SIGKILL);
    EXPECT_TRUE(parent.join().killed_by(SIGKILL));
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.pop().error(), Status::peer_lost);
    EXPECT_EQ(::kill(board->child.load(std::memory_order_acquire), SIGKILL), 0) << "the child lived";
    out = ring.producer();
    expect_both_ends_alive();
}

TEST_F(Fork, AForkInTheMiddleOfAnothersSleepDisturbsNobody) {
    std::jthread forking([&](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
            const pid_t child = ::fork();
            if (child == 0) ::_exit(in.try_pop().error() == Status::not_owner ? 0 : 1);
            int status = 0;
            ::waitpid(child, &status, 0);
            EXPECT_EQ(status, 0);
        }
    });
    std::jthread writing([&] {
        for (std::uint64_t i = 0; i != 200; ++i) {
            EXPECT_TRUE(out.push(i));
            std::this_thread::sleep_for(200us);
        }
    });
    for (std::uint64_t i = 0; i != 200; ++i) ASSERT_EQ(in.pop().value_or(~0U), i);
}

// ---- a child's own ends --------------------------------------------------------------------------------------------

TEST_F(Fork, AChildTakesItsOwnSeatInEitherDirection) {
    const Ring down = Ring::anonymous({.capacity = 3, .liveness_period = 2ms});
    const Ring up = Ring::anonymous({.capacity = 3, .liveness_period = 2ms});
    ChildProcess child([&] {
        Ring::Consumer questions = down.consumer();
        Ring::Producer answers = up.producer();
        while (const auto question = questions.pop())
            if (!answers.push(*question * 3)) return 3;
        answers.close();
        return 0;
    });
    Ring::Producer questions = down.producer();
    Ring::Consumer answers = up.consumer();
    for (std::uint64_t i = 0; i != 1000; ++i) {
        ASSERT_TRUE(questions.push(i));
        ASSERT_EQ(answers.pop().value_or(~0U), i * 3);
    }
    questions.close();
    EXPECT_EQ(answers.pop().error(), Status::closed);
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_F(Fork, ASeatGivenBackByTheParentIsTheChilds) {
    ASSERT_TRUE(out.push(1));
    out.detach();
    in_child([&] {
        Ring::Producer mine = ring.producer();
        EXPECT_TRUE(mine.push(2));
        EXPECT_EQ(in.try_pop().error(), Status::not_owner);
    });
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.pop().value_or(0), 2U);
    EXPECT_EQ(in.try_pop_for(10ms).error(), Status::timed_out) << "the child gave it back in its turn";
    out = ring.producer();
    expect_both_ends_alive();
}

TEST_F(Fork, AGrandchildGetsTheRingAsWell) {
    out.detach();
    in_child([&] {
        ChildProcess grandchild([&] {
            Ring::Producer mine = ring.producer();
            EXPECT_TRUE(mine.push(11));
        });
        EXPECT_TRUE(grandchild.join().exited_with(0));
        Ring::Producer mine = ring.producer();
        EXPECT_TRUE(mine.push(12));
    });
    EXPECT_EQ(in.pop().value_or(0), 11U);
    EXPECT_EQ(in.pop().value_or(0), 12U);
}

// ---- storm ---------------------------------------------------------------------------------------------------------

/// The parent streams to one child while it forks 200 others, which misuse what they inherited and go in any way.
TEST_F(Fork, TwoHundredChildrenDisturbNoStream) {
    constexpr std::uint64_t kChildren = 200;
    in.detach();
    ChildProcess reader([&] {
        Ring::Consumer mine = ring.consumer();
        std::uint64_t expected = 0;
        for (;;) {
            const auto message = mine.pop();
            if (!message) return message.error() == Status::closed && expected >= kChildren ? 0 : 10;
            if (*message != expected++) return 11;
        }
    });
    std::vector<pid_t> children;
    std::uint64_t sent = 0;
    for (std::uint64_t i = 0; i != kChildren; ++i) {
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            if (out.push(666).error() != Status::not_owner) ::_exit(12);
            std::error_code code;
            (void)ring.producer({}, code);
            if (code != errc::seat_taken) ::_exit(13);
            switch (i % 5) {
                case 0:
                    ::_exit(0);
                case 1:
                    out.detach();
                    ::_exit(0);
                case 2:
                    ::kill(::getpid(), SIGKILL);
                    break;
                case 3:
                    ::execl("/bin/true", "true", static_cast<char*>(nullptr));
                    break;
                default: {
                    const Ring::Producer moved = std::move(out);
                }
                    ::_exit(0);
            }
            ::_exit(14);
        }
        children.push_back(child);
        for (int message = 0; message != 20; ++message) ASSERT_TRUE(out.push(sent++));
    }
    for (std::size_t i = 0; i != children.size(); ++i) {
        int status = 0;
        ASSERT_EQ(::waitpid(children[i], &status, 0), children[i]);
        EXPECT_EQ(status, i % 5 == 2 ? SIGKILL : 0) << "child " << i;
    }
    out.close();
    EXPECT_TRUE(reader.join().exited_with(0));
}

}  // namespace
}  // namespace shmring::test
