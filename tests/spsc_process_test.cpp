// Processes that share a ring by every road a ring can travel: by name, by descriptor, by fork; and that wakes cross over.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <thread>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/descriptor_passing.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Ring = SpscRing<std::uint64_t>;
constexpr auto kPeriod = 2ms;

/// 0 when `count` numbers went in, in order, and the stream was closed after them.
int send_numbers(const Ring& ring, std::uint64_t count) {
    Ring::Producer out = ring.producer();
    for (std::uint64_t i = 0; i != count; ++i)
        if (!out.push(i)) return 3;
    out.close();
    return 0;
}
/// 0 when they came out so.
int receive_numbers(const Ring& ring, std::uint64_t count) {
    Ring::Consumer in = ring.consumer();
    for (std::uint64_t i = 0; i != count; ++i)
        if (in.pop().value_or(~0U) != i) return 5;
    return in.pop().error() == Status::closed ? 0 : 6;
}

// ---- before main() -------------------------------------------------------------------------------------------------

/// A ring in a static object: made, joined and used before main() starts, and by main() after that.
struct BeforeMain {
    Ring ring = Ring::anonymous({.capacity = 3, .liveness_period = kPeriod});
    Ring::Producer out = ring.producer();
    Ring::Consumer in = ring.consumer();
    bool sent = static_cast<bool>(out.push(41)) && static_cast<bool>(out.push(42));
    std::uint64_t received = in.pop().value_or(0);
};
BeforeMain before_main;

TEST(StaticRing, WorksBeforeMainAndInIt) {
    ::alarm(60);
    EXPECT_TRUE(before_main.sent);
    EXPECT_EQ(before_main.received, 41U);
    EXPECT_EQ(before_main.in.pop().value_or(0), 42U);
    ChildProcess child([] { return before_main.out.push(43).error() == Status::not_owner ? 0 : 1; });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_TRUE(before_main.out.push(44));
    EXPECT_EQ(before_main.in.pop().value_or(0), 44U);
    ::alarm(0);
}

// ---- a ring by name ------------------------------------------------------------------------------------------------

constexpr std::uint64_t kNumbers = 20'000;
constexpr const char* kNameOfHelper = "SHMRING_TEST_RING";

/// This program, executed anew with a ring's name in its environment, is a helper that sends into that ring, all before
/// main(). It has nothing of its parent's but the name.
[[maybe_unused]] const bool is_no_helper = [] {
    if (const char* name = std::getenv(kNameOfHelper)) ::_exit(send_numbers(Ring::open(name), kNumbers));
    return true;
}();

class ProcessPair : public testing::Test {
 protected:
    void SetUp() override { ::alarm(60); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }
};

TEST_F(ProcessPair, AnExecutedProgramSendsThroughANamedRing) {
    const UniqueName name;
    const Ring ring = Ring::create(name, {.capacity = 100});
    ChildProcess helper([&] {
        ::setenv(kNameOfHelper, name.name().c_str(), 1);
        ::execl("/proc/self/exe", "helper", static_cast<char*>(nullptr));
        return 99;
    });
    EXPECT_EQ(receive_numbers(ring, kNumbers), 0);
    EXPECT_TRUE(helper.join().exited_with(0));
}

TEST_F(ProcessPair, TwoChildrenMeetInARingThatBothOpenOrCreate) {
    const UniqueName name;
    const RingOptions options{.capacity = 7};
    ChildProcess sender([&] { return send_numbers(Ring::open_or_create(name, options), kNumbers); });
    ChildProcess receiver([&] { return receive_numbers(Ring::open_or_create(name, options), kNumbers); });
    EXPECT_TRUE(sender.join().exited_with(0));
    EXPECT_TRUE(receiver.join().exited_with(0));
}

TEST_F(ProcessPair, ANamedRingOutlivesEveryProcessThatUsedIt) {
    const UniqueName name;
    ChildProcess creator([&] { return Ring::create(name, {.capacity = 7}).producer().push(1) ? 0 : 3; });
    EXPECT_TRUE(creator.join().exited_with(0));
    ChildProcess second([&] { return Ring::open(name).producer().push(2) ? 0 : 3; });
    EXPECT_TRUE(second.join().exited_with(0));
    ChildProcess third([&] { return Ring::open(name).consumer().pop().value_or(0) == 1 ? 0 : 3; });
    EXPECT_TRUE(third.join().exited_with(0));
    EXPECT_EQ(Ring::open(name).consumer().pop().value_or(0), 2U);
}

TEST_F(ProcessPair, ARingWhoseNameWasRemovedGoesOnBetweenThoseWhoHaveIt) {
    const UniqueName name;
    const Ring ring = Ring::create(name, {.capacity = 7});
    Shared<Steps> opened;
    Shared<Steps> removed;
    ChildProcess sender([&] {
        const Ring mine = Ring::open(name);
        opened->reach(1);
        if (!removed->await(1) || !mine.segment().retired()) return 7;
        return send_numbers(mine, kNumbers);
    });
    ASSERT_TRUE(opened->await(1));
    EXPECT_FALSE(Ring::remove(name));
    const Ring other = Ring::create(name, {.capacity = 7});
    removed->reach(1);
    EXPECT_EQ(receive_numbers(ring, kNumbers), 0);
    EXPECT_TRUE(sender.join().exited_with(0));
    EXPECT_TRUE(other.was_empty());
}

// ---- wake-ups between processes ------------------------------------------------------------------------------------

/// With a liveness period of an hour a sleeper wakes by itself once, after the first millisecond, and then not again in time.
class WakeUp : public ProcessPair {
 protected:
    static void await_long_sleep(const Line& line) {
        await_sleeper(line);
        std::this_thread::sleep_for(20ms);
    }
    Ring ring = Ring::anonymous({.capacity = 1, .liveness_period = 1h});
};

TEST_F(WakeUp, OfAPushReachesAConsumerInAnotherProcess) {
    Ring::Producer out = ring.producer();
    ChildProcess consumer([&] { return ring.consumer().pop().value_or(0) == 7 ? 0 : 3; });
    await_long_sleep(control_of(ring).readable);
    EXPECT_TRUE(out.push(7));
    EXPECT_TRUE(consumer.join().exited_with(0));
}

TEST_F(WakeUp, OfAPopReachesAProducerInAnotherProcess) {
    ASSERT_TRUE(ring.producer().push(7));
    Ring::Consumer in = ring.consumer();
    ChildProcess producer([&] { return ring.producer().push(8) ? 0 : 3; });
    await_long_sleep(control_of(ring).writable);
    EXPECT_EQ(in.pop().value_or(0), 7U);
    EXPECT_TRUE(producer.join().exited_with(0));
    EXPECT_EQ(in.pop().value_or(0), 8U);
}

TEST_F(WakeUp, OfEveryWayToSendAndToTakeReachesTheOtherProcess) {
    constexpr std::uint64_t kRounds = 12;
    ChildProcess consumer([&] {
        Ring::Consumer in = ring.consumer();
        for (std::uint64_t i = 0; i != kRounds; ++i)
            if (in.pop().value_or(~0U) != i) return 3;
        return 0;
    });
    Ring::Producer out = ring.producer();
    for (std::uint64_t i = 0; i != kRounds; ++i) {
        await_long_sleep(control_of(ring).readable);
        if (i % 3 == 0) {
            EXPECT_EQ(out.try_push_n(std::span(&i, 1)).value_or(0), 1U);
        } else if (i % 3 == 1) {
            EXPECT_TRUE(out.try_emplace(i));
        } else {
            auto claim = out.try_claim();
            ASSERT_TRUE(claim);
            **claim = i;
            claim->commit();
        }
        while (!ring.was_empty()) ::sched_yield();
    }
    EXPECT_TRUE(consumer.join().exited_with(0));

    ASSERT_TRUE(out.push(0));
    out.detach();
    ChildProcess producer([&] {
        Ring::Producer mine = ring.producer();
        for (std::uint64_t i = 1; i != kRounds; ++i)
            if (!mine.push(i)) return 3;
        return 0;
    });
    Ring::Consumer in = ring.consumer();
    for (std::uint64_t i = 0; i != kRounds - 1; ++i) {
        await_long_sleep(control_of(ring).writable);
        if (i % 2 == 0) {
            std::uint64_t message = 99;
            EXPECT_EQ(in.try_pop_n(std::span(&message, 1)).value_or(0), 1U);
            EXPECT_EQ(message, i);
        } else {
            const auto view = in.try_next();
            ASSERT_TRUE(view);
            EXPECT_EQ(**view, i);
        }
    }
    EXPECT_TRUE(producer.join().exited_with(0));
}

TEST_F(WakeUp, OfAClosingReachesSleepersOnEitherSide) {
    ChildProcess consumer([&] { return static_cast<int>(ring.consumer().pop().error()); });
    await_long_sleep(control_of(ring).readable);
    ring.producer().close();
    EXPECT_TRUE(consumer.join().exited_with(static_cast<int>(Status::closed)));

    const Ring full = Ring::anonymous({.capacity = 1, .liveness_period = 1h});
    ChildProcess producer([&] {
        Ring::Producer out = full.producer();
        return out.push(1) ? static_cast<int>(out.push(2).error()) : 99;
    });
    await_long_sleep(control_of(full).writable);
    full.consumer().close();
    EXPECT_TRUE(producer.join().exited_with(static_cast<int>(Status::closed)));
}

// ---- a ring by descriptor ------------------------------------------------------------------------------------------

/// The two were forked before there was a ring, and the one who made it is gone before they use it.
TEST_F(ProcessPair, TwoStrangersShareAnAnonymousRingByItsDescriptor) {
    std::array<DescriptorSocket, 2> sockets;
    Shared<Steps> creator_gone;
    const auto joined = [&](const DescriptorSocket& socket, auto&& use) {
        const int descriptor = socket.receive();
        const Ring ring = Ring::from_descriptor(descriptor);
        if (::close(descriptor) != 0 || !creator_gone->await(1)) return 8;
        return use(ring, kNumbers);
    };
    ChildProcess sender([&] { return joined(sockets[0], send_numbers); });
    ChildProcess receiver([&] { return joined(sockets[1], receive_numbers); });
    ChildProcess creator([&] {
        const Ring ring = Ring::anonymous({.capacity = 9});
        for (const DescriptorSocket& socket : sockets)
            if (!socket.send(ring.segment().descriptor())) return 9;
        return 0;
    });
    EXPECT_TRUE(creator.join().exited_with(0));
    creator_gone->reach(1);
    EXPECT_TRUE(sender.join().exited_with(0));
    EXPECT_TRUE(receiver.join().exited_with(0));
}

/// Death is seen across a passed descriptor: sender and receiver have the segment from one open file description.
TEST_F(ProcessPair, ADeathIsSeenThroughAPassedDescriptor) {
    const DescriptorSocket socket;
    ChildProcess sender([&]() -> int {
        const Ring ring = Ring::from_descriptor(socket.receive());
        Ring::Producer out = ring.producer();
        if (!out.push(1)) return 3;
        for (;;) ::pause();
    });
    const Ring ring = Ring::anonymous({.capacity = 9, .liveness_period = kPeriod});
    ASSERT_TRUE(socket.send(ring.segment().descriptor()));
    Ring::Consumer in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(0), 1U);
    EXPECT_EQ(in.try_pop_for(10 * kPeriod).error(), Status::timed_out) << "it lives";
    sender.kill(SIGKILL);
    EXPECT_EQ(in.pop().error(), Status::peer_lost);
}

}  // namespace
}  // namespace shmring::test
