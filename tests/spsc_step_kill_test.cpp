// Killed after every single instruction of every operation on a stream: whatever was published is there, whatever was not is
// not, a sleeping peer goes on, and a successor continues.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Ring = SpscRing<std::uint64_t>;             // seven messages to a block
constexpr std::uint64_t kSuccessors = 1'000'000;  // what successors send counts from here

/// Where the stream stands when the victim begins: `before` messages have come and gone, `inside` are in the ring.
struct Place {
    std::uint64_t capacity;
    std::uint64_t before;
    std::uint64_t inside;
};
struct Case {
    const char* name;
    Place place;
    std::uint64_t most;        ///< how many messages the operation moves when it is not killed
    bool peer_sleeps;          ///< in its blocking call, when the operation begins
    bool reads_clock = false;  ///< which takes a varying number of instructions: two runs are not alike
};

using Push = std::function<void(Ring::Producer&, std::uint64_t first)>;
using Pop = std::function<void(Ring::Consumer&)>;

class StepKill : public testing::Test {
 protected:
    void SetUp() override { ::alarm(is_soak() ? 1700 : 110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    /// The liveness period is longer than the operation takes step by step: a sleeper does not wake by itself in between.
    [[nodiscard]] static Ring ring_at(const Place& place) {
        Ring ring = Ring::anonymous({.capacity = place.capacity, .participants = 4, .liveness_period = 20ms});
        Ring::Producer out = ring.producer();
        Ring::Consumer in = ring.consumer();
        std::uint64_t sent = 0;
        for (; sent != place.before; ++sent) {
            EXPECT_TRUE(out.push(sent));
            EXPECT_EQ(in.pop().value_or(~0U), sent);
        }
        for (; sent != place.before + place.inside; ++sent) EXPECT_TRUE(out.push(sent));
        return ring;
    }

    /// Kills after 0, 1, 2, ... instructions until the operation gets done (or after each `stride`-th, where there are
    /// thousands). `kill_and_check(k)` answers how it ended and how many messages the operation had moved: never fewer than with
    /// a kill one instruction earlier.
    template <class KillAndCheck>
    static void at_every_instruction(const Case& which, KillAndCheck&& kill_and_check,
                                     std::uint64_t stride = 1) {
        std::uint64_t moved_before = 0;
        std::vector<std::uint64_t> moves;
        for (std::uint64_t instructions = 0;; instructions += stride) {
            SCOPED_TRACE(std::string(which.name) + ", killed after " + std::to_string(instructions) +
                         " instructions");
            const auto [end, moved] = kill_and_check(instructions);
            if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
            ASSERT_NE(end, SteppedChild::End::failed);
            ASSERT_TRUE(moved >= moved_before || which.reads_clock) << "what was done came undone";
            ASSERT_LE(moved, which.most);
            for (; moved_before < moved; ++moved_before) moves.push_back(instructions);
            ASSERT_FALSE(testing::Test::HasFailure());
            if (end != SteppedChild::End::finished) continue;
            ASSERT_EQ(moved, which.most);
            std::printf("%s: done within %llu instructions", which.name,
                        static_cast<unsigned long long>(instructions));
            for (const std::uint64_t move : moves)
                std::printf(", moved at %llu", static_cast<unsigned long long>(move));
            std::printf("\n");
            return;
        }
    }

    static void kill_producer(const Case& which, const Push& push) {
        at_every_instruction(which, [&](std::uint64_t instructions) {
            const std::uint64_t first = which.place.before + which.place.inside;
            const Ring ring = ring_at(which.place);
            std::optional<ChildProcess> sleeper;
            Shared<std::array<std::atomic<std::uint64_t>, 2>> got;
            if (which.peer_sleeps) {
                sleeper.emplace([&] {
                    Ring::Consumer in = ring.consumer({.spin = 0ns});
                    for (std::uint64_t messages = 0;
                         messages != which.most + 2;) {  // the operation's and the successor's two
                        const auto message = in.pop();
                        if (!message && message.error() == Status::peer_lost) continue;
                        if (!message) return 10 + static_cast<int>(message.error());
                        if (*message < kSuccessors && *message != first + messages) return 3;
                        ++messages;
                        if (*message >= kSuccessors)
                            (*got)[*message - kSuccessors].store(messages, std::memory_order_relaxed);
                        if (*message == kSuccessors + 1) return 0;
                    }
                    return 4;
                });
                await_long_sleep(control_of(ring).readable);
            }
            const SteppedChild::End end = SteppedChild::kill_after(instructions, [&] {
                Ring::Producer out = ring.producer();
                mark_for_stepping();
                push(out, first);
                mark_for_stepping();
            });
            Ring::Producer successor = ring.producer();
            std::uint64_t moved = 0;
            if (sleeper) {
                EXPECT_TRUE(successor.push(kSuccessors));
                EXPECT_TRUE(successor.push(kSuccessors + 1));
                EXPECT_TRUE(sleeper->join().exited_with(0));
                moved = (*got)[0].load(std::memory_order_relaxed) - 1;
            } else {
                Ring::Consumer in = ring.consumer();
                std::uint64_t expected = which.place.before;
                for (; expected != first; ++expected) EXPECT_EQ(in.try_pop().value_or(~0U), expected);
                EXPECT_TRUE(successor.push(kSuccessors));
                auto message = in.try_pop();
                for (; message && *message < kSuccessors; message = in.try_pop())
                    EXPECT_EQ(*message, expected++);
                EXPECT_EQ(message.value_or(0), kSuccessors);
                moved = expected - first;
                expect_exact_capacity(successor, in, which.place.capacity);
            }
            return std::pair(end, moved);
        });
    }

    static void kill_consumer(const Case& which, const Pop& pop) {
        at_every_instruction(which, [&](std::uint64_t instructions) {
            const std::uint64_t first = which.place.before;
            std::uint64_t end_of_stream = first + which.place.inside;
            const Ring ring = ring_at(which.place);
            std::optional<ChildProcess> sleeper;
            if (which.peer_sleeps) {
                sleeper.emplace([&] {  // the ring is full
                    Ring::Producer out = ring.producer({.spin = 0ns});
                    for (;;) {
                        const Status status = out.push(end_of_stream).error();
                        if (status != Status::peer_lost) return status == Status::ok ? 0 : 3;
                    }
                });
                await_long_sleep(control_of(ring).writable);
            }
            const SteppedChild::End end = SteppedChild::kill_after(instructions, [&] {
                Ring::Consumer in = ring.consumer();
                mark_for_stepping();
                pop(in);
                mark_for_stepping();
            });
            Ring::Consumer successor = ring.consumer();
            const std::uint64_t next = successor.pop().value_or(0);
            const std::uint64_t moved = next - first;
            if (sleeper) {
                EXPECT_TRUE(sleeper->join().exited_with(0));
                ++end_of_stream;
            }
            for (std::uint64_t expected = next + 1; expected < end_of_stream; ++expected)
                EXPECT_EQ(successor.try_pop().value_or(~0U), expected);
            Ring::Producer out = ring.producer();
            expect_exact_capacity(out, successor, which.place.capacity);
            return std::pair(end, moved);
        });
    }
    static void await_long_sleep(const Line& line) {
        await_sleeper(line);
        std::this_thread::sleep_for(2ms);  // the first sleep lasts 1 ms
    }
    static void expect_exact_capacity(Ring::Producer& out, Ring::Consumer& in, std::uint64_t capacity) {
        EXPECT_EQ(in.try_pop().error(), Status::empty);
        for (std::uint64_t i = 0; i != capacity; ++i) EXPECT_TRUE(out.try_push(i));
        EXPECT_EQ(out.try_push(99).error(), Status::full);
        for (std::uint64_t i = 0; i != capacity; ++i) EXPECT_EQ(in.try_pop().value_or(~0U), i);
    }
};

// ---- producers -----------------------------------------------------------------------------------------------------

const Push kPush = [](Ring::Producer& out, std::uint64_t first) { (void)out.push(first); };
const Push kPushThree = [](Ring::Producer& out, std::uint64_t first) {
    const std::array<std::uint64_t, 3> messages{first, first + 1, first + 2};
    (void)out.try_push_n(messages);
};
const Push kClaimAndCommit = [](Ring::Producer& out, std::uint64_t first) {
    auto claim = out.try_claim();
    if (!claim) return;
    **claim = first;
    claim->commit();
};

TEST_F(StepKill, APushIntoAnEmptyRing) { kill_producer({"push, empty", {20, 0, 0}, 1, false}, kPush); }
TEST_F(StepKill, APushIntoAPartlyFullRingNextToTheWrap) {
    kill_producer({"push, wrap", {8, 6 * 7 - 1 - 3, 3}, 1, false}, kPush);
}
TEST_F(StepKill, APushThatFindsRoomByTheReadPosition) {
    kill_producer({"push, finds room", {8, 9, 7}, 1, false}, kPush);
}
TEST_F(StepKill, APushThatWakesAConsumer) {
    kill_producer({"push, consumer asleep", {20, 0, 0}, 1, true}, kPush);
}
TEST_F(StepKill, ABatchOverTheEndOfABlock) {
    kill_producer({"batch of three, over two blocks", {8, 5, 0}, 3, false}, kPushThree);
}
TEST_F(StepKill, ABatchThatWakesAConsumer) {
    kill_producer({"batch of three, consumer asleep", {8, 5, 0}, 3, true}, kPushThree);
}
TEST_F(StepKill, AClaimAndItsCommit) {
    kill_producer({"claim and commit", {8, 5, 2}, 1, false}, kClaimAndCommit);
}

// ---- consumers -----------------------------------------------------------------------------------------------------

const Pop kPop = [](Ring::Consumer& in) { (void)in.pop(); };
const Pop kPopThree = [](Ring::Consumer& in) {
    std::array<std::uint64_t, 3> messages{};
    (void)in.try_pop_n(messages);
};
const Pop kView = [](Ring::Consumer& in) {
    const auto view = in.try_next();
    if (!view || **view == ~0U) ::_exit(3);
};

TEST_F(StepKill, APopFromAPartlyFullRing) { kill_consumer({"pop", {20, 3, 4}, 1, false}, kPop); }
TEST_F(StepKill, APopNextToTheWrap) { kill_consumer({"pop, wrap", {8, 6 * 7 - 1, 3}, 1, false}, kPop); }
TEST_F(StepKill, APopThatWakesAProducer) {
    kill_consumer({"pop, producer asleep", {4, 9, 4}, 1, true}, kPop);
}
TEST_F(StepKill, ABatchOfPopsOverTheEndOfABlock) {
    kill_consumer({"batch of three pops", {8, 5, 5}, 3, false}, kPopThree);
}
TEST_F(StepKill, ABatchOfPopsThatWakesAProducer) {
    kill_consumer({"batch of three pops, producer asleep", {5, 5, 5}, 3, true}, kPopThree);
}
TEST_F(StepKill, AViewAndItsReturn) { kill_consumer({"view", {8, 5, 4}, 1, false}, kView); }

// ---- coming and going ----------------------------------------------------------------------------------------------

/// Either the stream is closed, and the sleeping consumer learns it, or it is not, and a successor goes on.
TEST_F(StepKill, AClosing) {
    const Case closing{"close, consumer asleep", {8, 5, 0}, 1, true, true};
    at_every_instruction(closing, [&](std::uint64_t instructions) {
        const Ring ring = ring_at(closing.place);
        ChildProcess sleeper([&] { return static_cast<int>(ring.consumer({.spin = 0ns}).pop().error()); });
        await_long_sleep(control_of(ring).readable);
        const SteppedChild::End end = SteppedChild::kill_after(instructions, [&] {
            Ring::Producer out = ring.producer();
            mark_for_stepping();
            out.close();
            mark_for_stepping();
        });
        const bool closed = ring.was_closed();
        EXPECT_TRUE(
            sleeper.join().exited_with(static_cast<int>(closed ? Status::closed : Status::peer_lost)));
        Ring::Producer out = ring.producer();
        EXPECT_EQ(out.try_push(1).error(), closed ? Status::closed : Status::ok);
        return std::pair(end, std::uint64_t{closed});
    });
}

/// Either the seat was given back, and the consumer waits, or its holder is dead.
TEST_F(StepKill, ALeaving) {
    const Case leaving{"detach", {8, 5, 0}, 1, false, true};
    at_every_instruction(
        leaving,
        [&](std::uint64_t instructions) {
            const Ring ring = ring_at(leaving.place);
            const SteppedChild::End end = SteppedChild::kill_after(instructions, [&] {
                Ring::Producer out = ring.producer();
                mark_for_stepping();
                out.detach();
                mark_for_stepping();
            });
            Ring::Consumer in = ring.consumer();
            const Status seen = in.try_pop_for(25ms).error();
            EXPECT_TRUE(seen == Status::timed_out || seen == Status::peer_lost) << to_string(seen);
            Ring::Producer out = ring.producer();
            EXPECT_EQ(in.try_pop().error(), Status::empty);
            expect_exact_capacity(out, in, leaving.place.capacity);
            return std::pair(end, std::uint64_t{seen == Status::timed_out});
        },
        7);
}

/// Attaching takes thousands of instructions; whichever it is killed after, the seat and all four records can be had again.
TEST_F(StepKill, ASittingDown) {
    const Case sitting{"take the seat", {8, 5, 3}, 0, false};
    at_every_instruction(
        sitting,
        [&](std::uint64_t instructions) {
            const Ring ring = ring_at(sitting.place);
            const SteppedChild::End end = SteppedChild::kill_after(instructions, [&] {
                mark_for_stepping();
                const Ring::Producer out = ring.producer();
                mark_for_stepping();
                ::_exit(3);
            });
            std::vector<detail::Participant> others;
            Ring::Producer out = ring.producer();
            Ring::Consumer in = ring.consumer();
            std::error_code code;
            for (int record = 2; record != 4; ++record)
                others.push_back(detail::Participant::attach(ring.segment(), detail::Role::observer, code));
            EXPECT_FALSE(code) << code.message();
            for (std::uint64_t expected = 5; expected != 8; ++expected)
                EXPECT_EQ(in.try_pop().value_or(~0U), expected);
            expect_exact_capacity(out, in, sitting.place.capacity);
            return std::pair(end, std::uint64_t{0});
        },
        197);
}

}  // namespace
}  // namespace shmring::test
