// Whether anybody has come to the other side, is there now, has left or died; waiting for the first one; and how many there are where
// there may be many.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <stop_token>
#include <string>
#include <system_error>
#include <thread>

#include "shmring/byte_pipe.hpp"
#include "shmring/byte_ring.hpp"
#include "shmring/joinable_queue.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/peer.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/unique_name.hpp"

namespace shmring {

/// For the messages of failing tests.
inline void PrintTo(PeerState state, std::ostream* out) { *out << to_string(state); }
inline void PrintTo(Status status, std::ostream* out) { *out << to_string(status); }

}  // namespace shmring

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

struct OfMessages {
    using Ring = SpscRing<int>;
    static Ring make() { return Ring::anonymous({.capacity = 4, .liveness_period = 1h}); }
};
struct OfBytes {
    using Ring = ByteRing;
    static Ring make() { return Ring::anonymous({.capacity_bytes = 4096, .liveness_period = 1h}); }
};

/// The producer asks after its consumer, and the other way round.
template <class Kind>
struct ProducerAsks : Kind {
    static auto take_own(const auto& ring) { return ring.producer(); }
    static auto take_other(const auto& ring) { return ring.consumer(); }
    static PeerState state(const auto& ring) { return ring.consumer_state(); }
    static PeerState own_state(const auto& ring) { return ring.producer_state(); }
};
template <class Kind>
struct ConsumerAsks : Kind {
    static auto take_own(const auto& ring) { return ring.consumer(); }
    static auto take_other(const auto& ring) { return ring.producer(); }
    static PeerState state(const auto& ring) { return ring.producer_state(); }
    static PeerState own_state(const auto& ring) { return ring.consumer_state(); }
};

/// With a liveness period of an hour, so that what is noticed was asked for or told, and did not come by itself.
template <class Asker>
class PeerOf : public ::testing::Test {
 protected:
    void SetUp() override { ::alarm(60); }  // the watchdog of the calls that wait
    void TearDown() override { ::alarm(0); }

    typename Asker::Ring ring_ = Asker::make();
};
using Askers = ::testing::Types<ProducerAsks<OfMessages>, ConsumerAsks<OfMessages>, ProducerAsks<OfBytes>,
                                ConsumerAsks<OfBytes>>;
TYPED_TEST_SUITE(PeerOf, Askers);

TYPED_TEST(PeerOf, OneThatDiedBeforeItSatDownNeverCame) {
    auto own = TypeParam::take_own(this->ring_);
    ChildProcess child([] { return 1; });  // it would have taken the other side
    (void)child.join();
    EXPECT_EQ(own.peer(), PeerState::never_came);
    EXPECT_EQ(TypeParam::state(this->ring_), PeerState::never_came);
    EXPECT_EQ(TypeParam::own_state(this->ring_), PeerState::here);
}

TYPED_TEST(PeerOf, IsHereAndThenLeftAndHereAgain) {
    auto own = TypeParam::take_own(this->ring_);
    {
        auto other = TypeParam::take_other(this->ring_);
        EXPECT_EQ(own.peer(), PeerState::here);
        EXPECT_EQ(other.peer(), PeerState::here);
        EXPECT_EQ(TypeParam::state(this->ring_), PeerState::here);
    }
    EXPECT_EQ(own.peer(), PeerState::left);
    EXPECT_EQ(TypeParam::state(this->ring_), PeerState::left);
    auto successor = TypeParam::take_other(this->ring_);
    EXPECT_EQ(own.peer(), PeerState::here);
}

TYPED_TEST(PeerOf, IsDeadAsSoonAsItsProcessIs) {
    auto own = TypeParam::take_own(this->ring_);
    ChildProcess child([&] {
        auto other = TypeParam::take_other(this->ring_);
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    EXPECT_EQ(TypeParam::state(this->ring_), PeerState::dead);
    EXPECT_EQ(own.peer(), PeerState::dead);
}

TYPED_TEST(PeerOf, IsNotAwaitedLongerThanAsked) {
    auto own = TypeParam::take_own(this->ring_);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(own.await_peer_for(20ms).error(), Status::timed_out);
    EXPECT_EQ(own.await_peer_until(start + 40ms).error(), Status::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 40ms);
    EXPECT_EQ(own.await_peer_for(0s).error(), Status::timed_out);
}

TYPED_TEST(PeerOf, IsAwaitedAndWakesWhoSleepsUntilItComes) {
    for (int round = 0; round != 2; ++round) {  // the first one, and a successor
        auto own = TypeParam::take_own(this->ring_);
        std::jthread other([&] {
            std::this_thread::sleep_for(20ms);  // beyond the first, short sleep of who waits
            auto taken = TypeParam::take_other(this->ring_);
            while (taken.peer() == PeerState::here) std::this_thread::yield();
        });
        EXPECT_TRUE(own.await_peer());
        EXPECT_TRUE(own.await_peer_for(0s)) << "it is here";
        own.detach();
    }
}

TYPED_TEST(PeerOf, ThatDiedIsNotAwaited) {
    auto own = TypeParam::take_own(this->ring_);
    ChildProcess child([&] {
        auto other = TypeParam::take_other(this->ring_);
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    EXPECT_EQ(own.await_peer().error(), Status::peer_lost);
    auto successor = TypeParam::take_other(this->ring_);
    EXPECT_TRUE(own.await_peer());
}

TYPED_TEST(PeerOf, IsNotAwaitedAfterTheEndUnlessItIsThere) {
    auto own = TypeParam::take_own(this->ring_);
    auto other = TypeParam::take_other(this->ring_);
    other.close();
    EXPECT_TRUE(own.await_peer());
    other.detach();
    EXPECT_EQ(own.await_peer().error(), Status::closed);
}

TYPED_TEST(PeerOf, IsAwaitedUntilItsTokenFires) {
    auto own = TypeParam::take_own(this->ring_);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(5ms);
        stop.request_stop();
    });
    EXPECT_EQ(own.await_peer(stop.get_token()).error(), Status::interrupted);
}

TYPED_TEST(PeerOf, IsNotAwaitedByAForkedChildWithItsParentsHandle) {
    auto own = TypeParam::take_own(this->ring_);
    ChildProcess child([&] {
        EXPECT_EQ(own.await_peer().error(), Status::not_owner);
        EXPECT_EQ(TypeParam::own_state(this->ring_), PeerState::here);
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

TYPED_TEST(PeerOf, OfAnEmptyObjectNeverCame) {
    const typename TypeParam::Ring ring;
    EXPECT_EQ(TypeParam::state(ring), PeerState::never_came);
    decltype(TypeParam::take_own(ring)) own;
    EXPECT_EQ(own.peer(), PeerState::never_came);
    EXPECT_EQ(own.await_peer().error(), Status::not_owner);
}

class PeerOfAPipe : public PeerOf<OfMessages> {};

TEST_F(PeerOfAPipe, IsAwaitedAtANamedPipe) {
    const UniqueName name;
    const auto made = Pipe<int>::create(name, {.capacity = 4, .liveness_period = 1h});
    auto here = made.first();
    EXPECT_EQ(here.await_peer_for(5ms).error(), Status::timed_out);
    std::jthread client([&] {
        std::this_thread::sleep_for(20ms);
        auto there = Pipe<int>::open(name).second();
        EXPECT_TRUE(there.send(1));
        EXPECT_EQ(there.recv().value_or(0), 2);
    });
    EXPECT_TRUE(here.await_peer());
    EXPECT_EQ(here.recv().value_or(0), 1);
    EXPECT_TRUE(here.send(2));
    client.join();
    EXPECT_EQ(here.await_peer().error(), Status::closed);
    EXPECT_EQ(here.peer(), PeerState::left);
}

TEST_F(PeerOfAPipe, IsAwaitedByAnEndThatOnlyReceives) {
    auto [here, there] = BytePipe::pair({.capacity_bytes = 4096, .duplex = false, .liveness_period = 1h});
    std::jthread other([end = std::move(there)]() mutable {
        std::this_thread::sleep_for(20ms);
        end.bind();
        while (end.peer() == PeerState::here) std::this_thread::yield();
    });
    EXPECT_TRUE(here.await_peer());
    here.close();
}

TEST_F(PeerOfAPipe, ThatDiedBeforeItsFirstUseIsNotAwaited) {
    auto [here, there] = Pipe<int>::pair({.capacity = 4, .liveness_period = 1h});
    ChildProcess child([] { return 1; });  // with its copy of that end
    (void)child.join();
    EXPECT_EQ(here.await_peer_for(5ms).error(), Status::timed_out) << "we hold the other copy";
    there.close();
    EXPECT_EQ(here.await_peer().error(), Status::closed);
    EXPECT_EQ(here.peer(), PeerState::dead);
}

struct Numbers {
    static auto make() { return MpmcRing<int>::anonymous({.capacity = 4}); }
};
struct Blobs {
    static auto make() { return MpmcByteRing::anonymous({.capacity_bytes = 4096}); }
};
template <class Kind>
class CountOf : public ::testing::Test {};
using Crowds = ::testing::Types<Numbers, Blobs>;
TYPED_TEST_SUITE(CountOf, Crowds);

TYPED_TEST(CountOf, HandlesTellsThoseOfTheLivingOnBothSides) {
    const auto ring = TypeParam::make();
    EXPECT_EQ(ring.count_producers(), 0U);
    EXPECT_EQ(ring.count_consumers(), 0U);
    auto one = ring.producer();
    auto two = ring.producer();
    auto in = ring.consumer();
    EXPECT_EQ(ring.count_producers(), 2U);
    EXPECT_EQ(ring.count_consumers(), 1U);
    one.detach();
    EXPECT_EQ(ring.count_producers(), 1U);

    ChildProcess child([&] {
        auto its = ring.consumer();
        EXPECT_EQ(ring.count_consumers(), 2U);
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    EXPECT_EQ(ring.count_consumers(), 1U) << "the dead one is not counted";
    in.detach();
    EXPECT_EQ(ring.count_consumers(), 0U);
    EXPECT_EQ(ring.count_producers(), 1U);
}

TEST(CountOfHandles, OfQueuesTellsThoseThatWereUsed) {
    auto queue = Queue<std::string>::anonymous({.capacity = 4, .capacity_bytes = 4096});
    EXPECT_EQ(queue.count_producers() + queue.count_consumers(), 0U);
    ASSERT_TRUE(queue.push("a"));
    EXPECT_EQ(queue.count_producers(), 1U);
    auto other = queue.attach();
    other.bind_producer();
    ASSERT_TRUE(other.pop());
    EXPECT_EQ(queue.count_producers(), 2U);
    EXPECT_EQ(queue.count_consumers(), 1U);
    other.detach();
    EXPECT_EQ(queue.count_producers(), 1U);
    EXPECT_EQ(queue.count_consumers(), 0U);
    EXPECT_EQ(Queue<int>{}.count_producers() + Queue<int>{}.count_consumers(), 0U);
}

TEST(CountOfHandles, OfJoinableQueuesTellsWorkersAndNotTheirTasks) {
    auto queue = JoinableQueue<int>::anonymous({.capacity = 4});
    ASSERT_TRUE(queue.push(1));
    ASSERT_TRUE(queue.push(2));
    auto first = queue.pop();
    auto second = queue.pop();
    ASSERT_TRUE(first && second);
    EXPECT_EQ(queue.count_consumers(), 1U);
    EXPECT_EQ(queue.count_producers(), 1U);
}

TEST(PeerStates, HaveNames) {
    EXPECT_STREQ(to_string(PeerState::never_came), "never_came");
    EXPECT_STREQ(to_string(PeerState::here), "here");
    EXPECT_STREQ(to_string(PeerState::left), "left");
    EXPECT_STREQ(to_string(PeerState::dead), "dead");
    EXPECT_STREQ(to_string(static_cast<PeerState>(99)), "unknown");
}

}  // namespace
}  // namespace shmring::test
