// A bell must be within reach of everybody who publishes, whatever became of its name and of those who waited beside us.
// An hour's period: after the first millisecond only a stroke, or a knock, can be in time.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"
#include "support/ring_internals.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = SpscRing<std::uint64_t>;
using Crowd = MpmcRing<std::uint64_t>;

template <class Consumer>
[[nodiscard]] bool settled(Consumer& in) {
    return settle(in.readable_fd(), [&] { EXPECT_EQ(in.try_pop().error(), Status::empty); });
}

// ---- who leaves ------------------------------------------------------------------------------------------------------

TEST(BellWithoutOneListener, StillReachesTheOthers) {
    const UniqueName name;
    const Crowd named = Crowd::create(name, {.capacity = 8, .liveness_period = 1h});
    const Crowd anonymous =
        Crowd::anonymous({.capacity = 8, .liveness_period = 1h, .segment = {.bell = true}});
    for (const Crowd* ring : {&named, &anonymous}) {
        auto in = ring->consumer();
        std::optional leaver(ring->consumer());
        auto out = ring->producer();
        ASSERT_TRUE(settled(*leaver));
        ASSERT_TRUE(settled(in));
        leaver.reset();
        ASSERT_TRUE(out.push(1));
        EXPECT_TRUE(becomes_readable(in.readable_fd()));
        EXPECT_EQ(in.try_pop().value_or(0), 1U);
    }
}

TEST(BellWithoutOneListener, StillReachesASuccessorWhoSatDownBeforeTheFormerWasGone) {
    // The seat is given back before all else is: so the former's line and its successor's are one.
    const Ring ring = Ring::anonymous({.capacity = 8, .liveness_period = 1h, .segment = {.bell = true}});
    auto out = ring.producer();
    std::optional former(ring.consumer());
    ASSERT_TRUE(settled(*former));
    former.reset();
    EXPECT_EQ(control_of(ring.segment()).readable.word.load(std::memory_order_acquire) & detail::kArmed,
              detail::kArmed)
        << "nobody can tell whose it is";
    auto in = ring.consumer();
    ASSERT_TRUE(settled(in));
    ASSERT_TRUE(out.push(1));
    EXPECT_TRUE(becomes_readable(in.readable_fd()));
}

// ---- ends of pipes that nobody used ------------------------------------------------------------------------------------

using End = PipeEnd<std::uint64_t>;

TEST(BellOfAPipe, TellsTheCloseOfAnEndThatNobodyUsed) {
    auto [here, there] =
        Pipe<std::uint64_t>::pair({.capacity = 4, .liveness_period = 1h, .segment = {.bell = true}});
    ASSERT_TRUE(settle(here.readable_fd(), [&] { EXPECT_EQ(here.try_recv().error(), Status::empty); }));
    there.close();
    EXPECT_TRUE(becomes_readable(here.readable_fd()));
    EXPECT_EQ(here.try_recv().error(), Status::closed);
}

TEST(BellOfAPipe, TellsTheLastCopysCloseInAnotherProcess) {
    auto ends = Pipe<std::uint64_t>::pair({.capacity = 4, .liveness_period = 1h, .segment = {.bell = true}});
    End& here = ends.first;
    Turnstile go;
    ChildProcess child([&] {
        if (!go.pass()) return 1;
        ends.second.close();
        return 0;
    });
    ends.second.close();
    ASSERT_TRUE(settle(here.readable_fd(), [&] { EXPECT_EQ(here.try_recv().error(), Status::empty); }));
    go.let_through();
    EXPECT_TRUE(becomes_readable(here.readable_fd()));
    EXPECT_EQ(here.try_recv().error(), Status::closed);
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST(BellOfAPipe, TellsADeathThatAnotherThreadsCallFound) {
    // One thread receives by descriptor, one sends: it is the sender who finds that the other end is dead, and hangs up for it.
    auto ends = Pipe<std::uint64_t>::pair({.capacity = 4, .liveness_period = 1h, .segment = {.bell = true}});
    End& here = ends.first;
    Turnstile go;
    ChildProcess child([&] {
        ends.second.bind();
        return go.pass() ? 0 : 1;  // by _exit, without a close
    });
    while (here.peer() != PeerState::here) ::usleep(500);
    ends.second.close();
    ASSERT_TRUE(settle(here.readable_fd(), [&] { EXPECT_EQ(here.try_recv().error(), Status::empty); }));
    go.let_through();
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(here.peer(), PeerState::dead);  // hangs up, as a sender's look does
    EXPECT_TRUE(becomes_readable(here.readable_fd()));
    EXPECT_EQ(here.try_recv().error(), Status::closed);
}

// ---- names that are gone -----------------------------------------------------------------------------------------------

[[nodiscard]] bool hears(Ring::Consumer& in, Ring::Producer& out, std::uint64_t number) {
    if (!settled(in) || !out.push(number)) return false;
    return becomes_readable(in.readable_fd()) && in.try_pop().value_or(0) == number;
}

class BellWithoutItsName : public testing::Test {
 protected:
    [[nodiscard]] std::string path() const { return name_.path() + ".bell"; }

    UniqueName name_{};
    Ring ring_ = Ring::create(name_, {.capacity = 8, .liveness_period = 1h});
};

TEST_F(BellWithoutItsName, ReachesFromAProducerThatNeverStruck) {
    auto in = ring_.consumer();
    auto out = ring_.producer();
    ASSERT_TRUE(settled(in));
    EXPECT_FALSE(Ring::remove(name_));
    EXPECT_TRUE(becomes_readable(in.readable_fd())) << "so that it listens in another way from here on";
    for (std::uint64_t round = 1; round != 10; ++round) ASSERT_TRUE(hears(in, out, round)) << round;
    ASSERT_TRUE(settled(in));
    out.close();
    EXPECT_TRUE(becomes_readable(in.readable_fd()));
}

TEST_F(BellWithoutItsName, ReachesFromAProducerThatStruckBefore) {
    auto in = ring_.consumer();
    auto out = ring_.producer();
    ASSERT_TRUE(hears(in, out, 1));
    EXPECT_FALSE(Ring::remove(name_));
    for (std::uint64_t round = 2; round != 10; ++round) ASSERT_TRUE(hears(in, out, round)) << round;
}

TEST_F(BellWithoutItsName, ReachesFromAnotherProcessThoughASuccessorHasTheName) {
    auto in = ring_.consumer();
    Turnstile go;
    ChildProcess child([&] {
        auto out = ring_.producer();
        for (std::uint64_t round = 1; round != 10; ++round)
            if (!go.pass() || !out.push(round)) return 1;
        return 0;
    });
    ASSERT_TRUE(settled(in));
    EXPECT_FALSE(Ring::remove(name_));
    const Ring successor = Ring::create(name_, {.capacity = 8, .liveness_period = 1h});
    auto stranger = successor.consumer();
    ASSERT_TRUE(settled(stranger));
    for (std::uint64_t round = 1; round != 10; ++round) {
        ASSERT_TRUE(settled(in));
        go.let_through();
        ASSERT_TRUE(becomes_readable(in.readable_fd())) << round;
        EXPECT_EQ(in.try_pop().value_or(0), round);
    }
    EXPECT_FALSE(is_readable(stranger.readable_fd()));
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_F(BellWithoutItsName, OfAPipeReachesBothEnds) {
    const UniqueName name;
    auto pipe = Pipe<std::uint64_t>::create(name, {.capacity = 4, .liveness_period = 1h});
    auto here = pipe.first();
    auto there = pipe.second();
    here.bind();
    there.bind();
    const auto empty = [](End& end) { return [&end] { EXPECT_EQ(end.try_recv().error(), Status::empty); }; };
    ASSERT_TRUE(settle(here.readable_fd(), empty(here)));
    ASSERT_TRUE(settle(there.readable_fd(), empty(there)));
    EXPECT_FALSE(Pipe<std::uint64_t>::remove(name));
    ASSERT_TRUE(settle(here.readable_fd(), empty(here)));
    ASSERT_TRUE(settle(there.readable_fd(), empty(there)));
    ASSERT_TRUE(here.send(1));
    EXPECT_TRUE(becomes_readable(there.readable_fd()));
    EXPECT_EQ(there.try_recv().value_or(0), 1U);
    ASSERT_TRUE(settle(here.readable_fd(), empty(here)));
    ASSERT_TRUE(there.send(2));
    EXPECT_TRUE(becomes_readable(here.readable_fd()));
}

// ---- who cannot open it ----------------------------------------------------------------------------------------------

/// Messages of a child that cannot have the bell are late once at most: then the ring knows it.
TEST(BellOutOfReach, IsMadeGoodByKnocks) {
    const UniqueName name;
    const Ring ring = Ring::create(name, {.capacity = 8, .liveness_period = 20ms});
    auto in = ring.consumer();
    auto out = ring.producer();
    const auto forbid = [&](mode_t mode) { return ::chmod((name.path() + ".bell").c_str(), mode) == 0; };
    ASSERT_TRUE(settled(in));
    ASSERT_TRUE(forbid(0606)) << "trusted by nobody from here on";
    ASSERT_TRUE(out.push(1));
    ASSERT_TRUE(becomes_readable(in.readable_fd())) << "by the timer";
    EXPECT_EQ(in.try_pop().value_or(0), 1U);
    auto& word = control_of(ring.segment()).readable.word;
    EXPECT_NE(word.load(std::memory_order_acquire) & detail::kUnheard, 0U);

    // Now without a timer: another ring's copy of the same situation, which knows it from the beginning.
    const UniqueName other;
    const Ring slow = Ring::create(other, {.capacity = 8, .liveness_period = 1h});
    auto reader = slow.consumer();
    auto writer = slow.producer();
    (void)reader.readable_fd();
    ASSERT_EQ(::chmod((other.path() + ".bell").c_str(), 0606), 0);
    ASSERT_TRUE(writer.push(1));
    detail::EventCount<detail::ShippedEnv>::tell_unheard(control_of(slow.segment()).readable);
    EXPECT_EQ(reader.try_pop().value_or(0), 1U);
    for (std::uint64_t round = 2; round != 10; ++round) ASSERT_TRUE(hears(reader, writer, round)) << round;
}

TEST(BellOutOfReach, IsReachedByAProducerWithoutAFreeDescriptor) {
    const UniqueName name;
    const Ring ring = Ring::create(name, {.capacity = 8, .liveness_period = 1h});
    auto in = ring.consumer();
    Turnstile go;
    ChildProcess child([&] {
        auto out = ring.producer();
        const rlimit no_more{.rlim_cur = 1, .rlim_max = 1};
        if (::setrlimit(RLIMIT_NOFILE, &no_more) != 0) return kCannotBeTriedHere;
        for (std::uint64_t round = 1; round != 10; ++round)
            if (!go.pass() || !out.push(round)) return 1;
        return 0;
    });
    detail::EventCount<detail::ShippedEnv>::tell_unheard(control_of(ring.segment()).readable);
    for (std::uint64_t round = 1; round != 10; ++round) {
        ASSERT_TRUE(settled(in));
        go.let_through();
        ASSERT_TRUE(becomes_readable(in.readable_fd())) << round;
        EXPECT_EQ(in.try_pop().value_or(0), round);
    }
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST(BellMadeAnew, IsTheOneAnOlderListenerTurnsTo) {
    const UniqueName name;
    const Crowd ring = Crowd::create(name, {.capacity = 8, .liveness_period = 20ms});
    auto older = ring.consumer();
    ASSERT_TRUE(settled(older));
    const std::string path = name.path() + ".bell";
    ASSERT_EQ(::unlink(path.c_str()), 0);  // by rm
    struct stat bell {};
    while (::stat(path.c_str(), &bell) != 0) {  // the older one's timer comes, it looks, and makes another
        ASSERT_TRUE(becomes_readable(older.readable_fd()));
        ASSERT_EQ(older.try_pop().error(), Status::empty);
    }
    auto newer = ring.consumer();
    (void)newer.readable_fd();
    struct stat now {};
    ASSERT_EQ(::stat(path.c_str(), &now), 0);
    EXPECT_EQ(now.st_ino, bell.st_ino) << "both have the same";
}

}  // namespace
}  // namespace shmring::test
