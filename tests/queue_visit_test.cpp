// Reading a queue's values in place, or into what the caller keeps; what becomes of them when that throws; and how large they may be.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "shmring/byte_pipe.hpp"
#include "shmring/joinable_queue.hpp"
#include "shmring/queue.hpp"
#include "support/mpmc_internals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

struct Quote {
    std::uint64_t number = 0;
    double price = 0;
};
std::string text_of(shmring::Bytes bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(QueueVisit, ShowsAMessageWhereItLiesAndTakesIt) {
    auto queue = Queue<Quote>::anonymous({.capacity = 4});
    for (std::uint64_t i = 1; i != 5; ++i) ASSERT_TRUE(queue.push({i, 0.5}));
    std::uint64_t sum = 0;
    const auto add = [&](const Quote& quote) { sum = 10 * sum + quote.number; };
    EXPECT_TRUE(queue.try_pop_with(add));
    EXPECT_TRUE(queue.pop_with(add));
    EXPECT_TRUE(queue.try_pop_with_for(add, 20s));
    EXPECT_TRUE(queue.try_pop_with_until(add, SteadyClock::now() + 20s));
    EXPECT_EQ(sum, 1234U);
    EXPECT_EQ(queue.try_pop_with(add).error(), Status::empty);
    EXPECT_EQ(queue.try_pop_with_for(add, 1ms).error(), Status::timed_out);
    queue.close();
    EXPECT_EQ(queue.pop_with(add).error(), Status::closed);
    EXPECT_EQ(sum, 1234U);
}

TEST(QueueVisit, ShowsTheBytesOfAnythingElse) {
    auto queue = Queue<std::string>::anonymous({.capacity = 4, .capacity_bytes = 4096});
    ASSERT_TRUE(queue.push("some text"));
    std::string seen;
    EXPECT_TRUE(queue.pop_with([&](shmring::Bytes bytes) {
        seen = text_of(bytes);
        EXPECT_TRUE(queue.push("from inside"));
        EXPECT_EQ(queue.try_pop().error(), Status::overflow) << "one value at a time";
    }));
    EXPECT_EQ(seen, "some text");
    EXPECT_EQ(*queue.pop(), "from inside");
}

TEST(QueueVisit, AVisitorThatThrowsLeavesTheValueAsADeathWould) {
    const auto fail = [](const Quote&) { throw std::runtime_error("no"); };
    auto again = Queue<Quote>::anonymous({.capacity = 2, .delivery = Delivery::at_least_once});
    ASSERT_TRUE(again.push({1, 0}) && again.push({2, 0}));
    EXPECT_THROW((void)again.try_pop_with(fail), std::runtime_error);
    EXPECT_THROW((void)again.pop_with(fail), std::runtime_error);
    EXPECT_EQ(again.try_pop()->number, 1U);
    EXPECT_EQ(again.try_pop()->number, 2U);
    EXPECT_EQ(again.losses().redelivered, 2U);
    EXPECT_EQ(again.losses().lost, 0U);

    auto once = Queue<Quote>::anonymous({.capacity = 2});
    ASSERT_TRUE(once.push({1, 0}) && once.push({2, 0}));
    EXPECT_THROW((void)once.try_pop_with(fail), std::runtime_error);
    EXPECT_EQ(once.losses().lost, 1U);
    EXPECT_TRUE(once.try_push({3, 0})) << "its room is given back";
    EXPECT_EQ(once.try_pop()->number, 2U);
}

TEST(QueueVisit, AViewMayBeAbandoned) {
    auto ring = MpmcByteRing::anonymous({.capacity_bytes = 4096, .delivery = Delivery::at_least_once});
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_TRUE(out.try_push_value(std::string("text")));
    {
        auto view = in.try_next();
        ASSERT_TRUE(view);
        view->abandon();
        view->abandon();
        view->hand_back();
    }
    auto view = in.try_next();
    ASSERT_TRUE(view);
    EXPECT_EQ(text_of(view->bytes()), "text");
    EXPECT_TRUE(view->redelivered());
}

TEST(QueueVisit, FillsAValueThatTheCallerKeeps) {
    auto texts = Queue<std::string>::anonymous({.capacity = 8, .capacity_bytes = 8192});
    std::string text;
    text.reserve(1000);
    const char* const place = text.data();
    for (int i = 0; i != 4; ++i) ASSERT_TRUE(texts.push(std::string(900, static_cast<char>('a' + i))));
    EXPECT_TRUE(texts.try_pop(text));
    EXPECT_TRUE(texts.pop(text));
    EXPECT_TRUE(texts.try_pop_for(text, 20s));
    EXPECT_TRUE(texts.try_pop_until(text, SteadyClock::now() + 20s));
    EXPECT_EQ(text, std::string(900, 'd'));
    EXPECT_EQ(static_cast<const char*>(text.data()), place) << "nothing was allocated";
    EXPECT_EQ(texts.try_pop(text).error(), Status::empty);

    auto quotes = Queue<Quote>::anonymous({.capacity = 1});
    ASSERT_TRUE(quotes.push({7, 1}));
    Quote quote;
    EXPECT_TRUE(quotes.pop(quote));
    EXPECT_EQ(quote.number, 7U);
}

/// As every pop: the wake-up goes ahead of the place, which is handed back last, and our next call makes good what came too early.
TEST(QueueVisit, HandsBackLastWhatIsDeliveredAgain) {
    using Events = detail::EventCount<detail::ShippedEnv>;
    const auto take_two = [](auto queue, auto value) {
        auto& writable = mpmc_control_of(queue.segment()).writable;
        const auto waiters = [&] {
            return writable.word.load(std::memory_order_relaxed) & detail::kWaitersMask;
        };
        ASSERT_TRUE(queue.push(value));
        ASSERT_TRUE(queue.try_pop(value));
        (void)Events::register_waiter(writable);  // as if before the place was free
        EXPECT_EQ(queue.try_pop(value).error(), Status::empty);
        EXPECT_EQ(waiters(), 0U) << "the place was handed back before the wake-up";
        ASSERT_TRUE(queue.push(value));
        ASSERT_TRUE(queue.try_pop_with([](const auto&) {}));
        (void)Events::register_waiter(writable);
        EXPECT_EQ(queue.try_pop(value).error(), Status::empty);
        EXPECT_EQ(waiters(), 0U);
    };
    take_two(Queue<int>::anonymous({.capacity = 1, .delivery = Delivery::at_least_once}), 1);
    take_two(Queue<std::string>::anonymous(
                 {.capacity = 1, .capacity_bytes = 1024, .delivery = Delivery::at_least_once}),
             std::string("text"));
}

TEST(QueueVisit, BytesThatAreNoValueAreCorruptAndGone) {
    auto queue = Queue<std::vector<std::uint32_t>>::anonymous({.capacity = 4, .capacity_bytes = 4096});
    auto ring = MpmcByteRing::from_descriptor(queue.segment().descriptor());
    auto out = ring.producer();
    ASSERT_TRUE(out.try_push_value(std::string("seven b")));
    std::vector<std::uint32_t> numbers;
    EXPECT_EQ(queue.try_pop(numbers).error(), Status::corrupt);
    EXPECT_EQ(queue.try_pop(numbers).error(), Status::empty);
}

TEST(QueueVisit, TellsTheLargestValueWhichFitsAndNoLarger) {
    auto queue = Queue<std::string>::anonymous({.capacity = 4, .capacity_bytes = 4096});
    const std::size_t most = queue.max_value_bytes();
    EXPECT_GE(most, 2048U);
    EXPECT_TRUE(queue.push(std::string(most, 'x')));
    EXPECT_EQ(queue.push(std::string(most + 1, 'x')).error(), Status::too_large) << "at once";
    EXPECT_EQ(Queue<Quote>::anonymous({.capacity = 4}).max_value_bytes(), sizeof(Quote));
    EXPECT_EQ(Queue<std::string>().max_value_bytes(), 0U);
    auto tasks = JoinableQueue<std::string>::anonymous(
        {.capacity = 4, .capacity_bytes = 4096, .delivery = Delivery::at_least_once, .max_task_bytes = 128});
    EXPECT_EQ(tasks.max_value_bytes(), 128U);
}

TEST(BytePipeInPlace, LendsMessagesAndCarriesPartsAndTags) {
    auto ends = BytePipe::pair({.capacity_bytes = 4096});
    auto& [here, there] = ends;
    const std::string one = "one ";
    const std::string two = "message";
    const std::vector<shmring::Bytes> parts{std::as_bytes(std::span(one)), std::as_bytes(std::span(two))};
    ASSERT_TRUE(here.try_send_gathered(parts, 3));
    ASSERT_TRUE(here.send_gathered(parts));
    ASSERT_TRUE(here.try_send(parts[0], 5));
    ASSERT_TRUE(here.send(parts[1], 6));
    {
        auto first = there.try_next();
        auto second = there.next();
        ASSERT_TRUE(first && second);
        EXPECT_EQ(text_of(first->bytes()), "one message");
        EXPECT_EQ(first->tag(), 3U);
        EXPECT_EQ(text_of(second->bytes()), "one message");
    }
    std::string text;
    ASSERT_TRUE(there.recv(text));
    EXPECT_EQ(text, "one ");
    EXPECT_EQ(there.tag(), 5U);
    auto last = there.try_next_for(20s);
    ASSERT_TRUE(last);
    EXPECT_EQ(last->tag(), 6U);
    last->hand_back();
    EXPECT_EQ(there.try_next().error(), Status::empty);
    EXPECT_EQ(there.try_next_until(SteadyClock::now() + 1ms).error(), Status::timed_out);
    here.close();
    EXPECT_EQ(there.next().error(), Status::closed);
}

}  // namespace
}  // namespace shmring::test
