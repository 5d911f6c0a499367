// The end of a stream by somebody who holds no participant record, because others hold them all: it needs none.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/shmring.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Whoever else there is place for, until there is none.
[[nodiscard]] std::vector<detail::Participant> fill_up(const Segment& segment) {
    std::vector<detail::Participant> crowd;
    for (std::error_code code; !code;)
        crowd.push_back(detail::Participant::attach(segment, detail::Role::observer, code));
    crowd.pop_back();  // who got none
    return crowd;
}

TEST(CloseWithoutRecord, AQueueIsEndedByAHandleForWhichThereIsNoRecord) {
    auto worker = Queue<int>::anonymous({.capacity = 8, .participants = 2});
    ASSERT_TRUE(worker.push(1));
    ASSERT_EQ(*worker.pop(), 1);
    auto supervisor = worker.attach();
    ASSERT_EQ(supervisor.try_push(2).error(), Status::overflow);
    ASSERT_TRUE(worker.push(3));
    supervisor.close();
    EXPECT_TRUE(worker.was_closed());
    EXPECT_EQ(worker.push(4).error(), Status::closed);
    EXPECT_EQ(*worker.pop(), 3) << "what is left is read";
    EXPECT_EQ(worker.pop().error(), Status::closed);
}

TEST(CloseWithoutRecord, ClosingTakesNoRecordAlsoWhereThereIsOne) {
    auto queue = Queue<int>::anonymous({.capacity = 8, .participants = 1});
    queue.attach().close();
    queue.bind_consumer();  // the only record is still free
    EXPECT_EQ(queue.try_pop().error(), Status::closed);
}

TEST(CloseWithoutRecord, AJoinableQueueAndOneOfTextsEndLikewise) {
    auto tasks = JoinableQueue<int>::anonymous({.capacity = 8, .participants = 4});
    ASSERT_TRUE(tasks.push(1));
    { const auto done = tasks.pop(); }
    const auto crowd = fill_up(tasks.segment());
    tasks.attach().close();
    EXPECT_EQ(tasks.try_pop().error(), Status::closed);
    EXPECT_EQ(tasks.try_push(1).error(), Status::closed);

    auto texts = Queue<std::string>::anonymous({.capacity = 8, .capacity_bytes = 1024, .participants = 4});
    ASSERT_TRUE(texts.push("left"));
    texts.bind_consumer();
    const auto others = fill_up(texts.segment());
    texts.attach().close();
    EXPECT_EQ(*texts.pop(), "left");
    EXPECT_EQ(texts.pop().error(), Status::closed);
}

/// How the four kinds of ring are made, written and read.
template <class Any>
struct Kind {
    using Ring = Any;
    [[nodiscard]] static Ring make() {
        return Ring::anonymous(
            {.capacity = 8, .participants = 2, .liveness_period = 1h, .segment = {.bell = true}});
    }
    [[nodiscard]] static Result<void> put(auto& out) { return out.push(7); }
};
template <class Any>
struct KindOfBytes {
    using Ring = Any;
    [[nodiscard]] static Ring make() {
        return Ring::anonymous(
            {.capacity_bytes = 1024, .participants = 2, .liveness_period = 1h, .segment = {.bell = true}});
    }
    [[nodiscard]] static Result<void> put(auto& out) { return out.push(std::as_bytes(std::span("seven"))); }
};

template <class Any>
class RingCloses : public testing::Test {};
using Kinds = testing::Types<Kind<SpscRing<int>>, KindOfBytes<ByteRing>, Kind<MpmcRing<int>>,
                             KindOfBytes<MpmcByteRing>>;
TYPED_TEST_SUITE(RingCloses, Kinds);

TYPED_TEST(RingCloses, ARingObjectEndsItsStreamForBothSidesWithoutARecord) {
    auto ring = TypeParam::make();
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_TRUE(TypeParam::put(out));
    EXPECT_TRUE(fill_up(ring.segment()).empty());
    ring.close();
    EXPECT_EQ(TypeParam::put(out).error(), Status::closed);
    EXPECT_EQ(in.next().error(), Status::ok) << "what is left is read";
    EXPECT_EQ(in.next().error(), Status::closed);
}

TYPED_TEST(RingCloses, ASleeperWakes) {
    auto ring = TypeParam::make();
    auto in = ring.consumer();
    const auto until_asleep = [](auto& line) {
        while ((line.word.load(std::memory_order_relaxed) & detail::kWaitersMask) == 0)
            std::this_thread::sleep_for(1ms);
    };
    Status heard = Status::ok;
    std::thread reader([&] { heard = in.next().error(); });  // for an hour, or until it is told
    until_asleep(*in.read_point().line);
    ring.close();
    reader.join();
    EXPECT_EQ(heard, Status::closed);
}

TYPED_TEST(RingCloses, ADescriptorBecomesReadable) {
    auto ring = TypeParam::make();
    auto in = ring.consumer();
    const int descriptor = in.readable_fd();
    ASSERT_TRUE(settle(descriptor, [&] { EXPECT_EQ(in.try_next().error(), Status::empty); }));
    ring.close();
    EXPECT_TRUE(becomes_readable(descriptor));
    EXPECT_EQ(in.try_next().error(), Status::closed);
}

/// A child may end what it inherited, by an object that is nobody's handle; its parent's bound handle is not its to use.
TEST(CloseWithoutRecord, AForkedChildEndsTheQueueByAnUnboundHandleAndNotByItsParentsBoundOne) {
    auto bound = Queue<int>::anonymous({.capacity = 8});
    auto unbound = bound.attach();
    ASSERT_TRUE(bound.push(1));
    EXPECT_TRUE(ChildProcess([&] { bound.close(); }).join().exited_with(0));
    EXPECT_FALSE(bound.was_closed()) << "its parent's handle";
    EXPECT_TRUE(ChildProcess([&] { unbound.close(); }).join().exited_with(0));
    EXPECT_TRUE(bound.was_closed());
}

TEST(CloseWithoutRecord, AForkedChildDoesNotEndItByAHandleThatItsParentOnlyPopsWith) {
    const auto expect_open = [](auto queue) {
        EXPECT_EQ(queue.try_pop().error(), Status::empty);
        EXPECT_TRUE(ChildProcess([&] { queue.close(); }).join().exited_with(0));
        EXPECT_FALSE(queue.was_closed()) << "its parent's handle";
        queue.close();
        EXPECT_TRUE(queue.was_closed());
    };
    expect_open(Queue<int>::anonymous({.capacity = 8}));
    expect_open(Queue<std::string>::anonymous({.capacity = 8, .capacity_bytes = 1024}));
    expect_open(JoinableQueue<int>::anonymous({.capacity = 8}));
}

TEST(CloseWithoutRecord, AnEmptyObjectHasNothingToEnd) {
    SpscRing<int>().close();
    MpmcByteRing().close();
    Queue<int>().close();
    JoinableQueue<int>().close();
}

}  // namespace
}  // namespace shmring::test
