// JoinableQueue with processes that are stopped, with a task in hand or inside a push: stopped is never dead. Whoever can go on does, join()
// waits, and when the stopped one goes on, nothing was lost and nothing done twice.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <thread>

#include "shmring/joinable_queue.hpp"
#include "support/child_process.hpp"
#include "support/queue_fixture.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr auto kPeriod = 2ms;  // how often one asks who lives
constexpr auto kManyPeriods = 25 * kPeriod;

/// A value whose sender stops itself while it writes it into the ring.
struct Parcel {
    std::uint64_t number = 0;
    bool stops = false;
    std::string padding{};  // so that it is no Message

    [[nodiscard]] friend std::uint64_t number_of(const Parcel& parcel) { return parcel.number; }
};

/// What was done how often, by whoever did it.
constexpr std::uint64_t kTasks = 40;
using Done = std::array<std::atomic<int>, kTasks>;

template <class T>
[[nodiscard]] JoinableQueue<T> make(std::uint64_t capacity, Delivery delivery) {
    return JoinableQueue<T>::anonymous({.capacity = capacity,
                                        .capacity_bytes = Message<T> ? 0 : capacity * 256,
                                        .delivery = delivery,
                                        .participants = 16,
                                        .liveness_period = kPeriod});
}
/// In a process of its own: does one task after the other until the queue is closed.
template <class T>
[[nodiscard]] ChildProcess worker_of(const JoinableQueue<T>& queue, Done& done) {
    return ChildProcess([&] {
        auto mine = queue.attach();
        while (auto task = mine.pop()) done.at(number_of(**task)).fetch_add(1);
    });
}
template <class T>
void expect_no_losses(const JoinableQueue<T>& queue) {
    const Losses losses = queue.losses();
    EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U) << "a living one was buried";
}
void expect_each_done_once(const Done& done, std::uint64_t count) {
    for (std::uint64_t number = 0; number != kTasks; ++number)
        EXPECT_EQ(done.at(number).load(), number < count ? 1 : 0) << "task " << number;
}

}  // namespace
}  // namespace shmring::test

template <>
struct shmring::Codec<shmring::test::Parcel> {
    static std::size_t size(const test::Parcel&) noexcept { return sizeof(std::uint64_t); }
    static void encode(const test::Parcel& parcel, std::span<std::byte> to) noexcept {
        if (parcel.stops) ::raise(SIGSTOP);
        std::memcpy(to.data(), &parcel.number, to.size());
    }
    static bool decode(Bytes from, test::Parcel& parcel) noexcept {
        if (from.size() != sizeof parcel.number) return false;
        std::memcpy(&parcel.number, from.data(), from.size());
        return true;
    }
};

namespace shmring::test {
namespace {

template <class T>
class JoinableStop : public QueueOf<T> {};
TYPED_TEST_SUITE(JoinableStop, QueueTypes);

TYPED_TEST(JoinableStop, AStoppedWorkersTaskIsWaitedForWhileAnotherDoesTheRest) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto queue = make<TypeParam>(4, delivery);
        Shared<Done> done;
        ASSERT_TRUE(queue.push(this->value(0)));
        ChildProcess stopped([&] {
            auto mine = queue.attach();
            auto task = mine.pop();
            if (!task) return 3;
            ::raise(SIGSTOP);
            done->at(number_of(**task)).fetch_add(1);
            task->done();
            return task->redelivered() ? 4 : 0;
        });
        stopped.await_stop();
        ChildProcess other = worker_of(queue, *done);
        for (std::uint64_t number = 1; number != kTasks; ++number)
            ASSERT_TRUE(queue.push(this->value(number)));
        while (queue.unfinished() != 1) std::this_thread::yield();
        EXPECT_EQ(queue.join_for(kManyPeriods).error(), Status::timed_out);
        EXPECT_EQ(queue.unfinished(), 1U);
        EXPECT_EQ(done->at(0).load(), 0);
        expect_no_losses(queue);
        ChildProcess joiner([&] { return queue.attach().join() ? 0 : 3; });
        stopped.kill(SIGCONT);
        EXPECT_TRUE(queue.join());
        expect_each_done_once(*done, kTasks);
        EXPECT_TRUE(stopped.join().exited_with(0));
        EXPECT_TRUE(joiner.join().exited_with(0));
        expect_no_losses(queue);
        queue.close();
        EXPECT_TRUE(other.join().exited_with(0));
    }
}

TEST(JoinableSenderStop, InsideAPushHoldsTheOthersUpOnlyUntilItGoesOn) {
    ::alarm(100);  // the watchdog of the calls in this process
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto queue = make<Parcel>(3, delivery);
        Shared<Done> done;
        ChildProcess sender([&] { return queue.attach().push({.number = 0, .stops = true}) ? 0 : 3; });
        sender.await_stop();
        // There is room behind it, and then none; readers wait for it.
        EXPECT_TRUE(queue.push({.number = 1}));
        EXPECT_TRUE(queue.push({.number = 2}));
        EXPECT_EQ(queue.try_push_for({.number = 3}, kManyPeriods).error(), Status::timed_out);
        EXPECT_EQ(queue.try_pop().error(), Status::busy);
        EXPECT_EQ(queue.try_pop_for(kManyPeriods).error(), Status::timed_out);
        EXPECT_EQ(queue.join_for(kManyPeriods).error(), Status::timed_out);
        expect_no_losses(queue);
        ChildProcess another([&] { return queue.attach().push({.number = 3}) ? 0 : 3; });
        ChildProcess worker = worker_of(queue, *done);
        sender.kill(SIGCONT);
        EXPECT_TRUE(sender.join().exited_with(0));
        EXPECT_TRUE(another.join().exited_with(0));
        EXPECT_TRUE(queue.join());
        expect_each_done_once(*done, 4);
        expect_no_losses(queue);
        queue.close();
        EXPECT_TRUE(worker.join().exited_with(0));
    }
    ::alarm(0);
}

}  // namespace
}  // namespace shmring::test
