// The end of a joinable queue with its last explicit producer (JoinableQueueOptions::ends_with_last_producer): its workers leave.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <system_error>

#include "shmring/joinable_queue.hpp"
#include "support/child_process.hpp"
#include "support/queue_fixture.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

template <class T>
class JoinableEnd : public QueueOf<T> {
 protected:
    [[nodiscard]] static JoinableQueue<T> make(Delivery delivery, bool ends = true) {
        return JoinableQueue<T>::anonymous({.capacity = 8,
                                            .capacity_bytes = Message<T> ? 0 : 8 * 256,
                                            .delivery = delivery,
                                            .ends_with_last_producer = ends,
                                            .participants = 32,
                                            .liveness_period = 5ms});
    }
    /// A producer that binds, pushes two tasks and is killed.
    void push_and_die(const JoinableQueue<T>& queue) {
        ChildProcess parent([&] {
            auto mine = queue.attach();
            mine.bind_producer();
            for (std::uint64_t i = 0; i != 2; ++i)
                if (!mine.push(this->value(i))) return 4;
            ::raise(SIGKILL);
            return 3;
        });
        ASSERT_TRUE(parent.join().killed_by(SIGKILL));
    }
};
TYPED_TEST_SUITE(JoinableEnd, QueueTypes);

TYPED_TEST(JoinableEnd, WorkersGetWhatIsLeftAndLeaveWhenTheLastProducerWasKilled) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        const auto queue = this->make(delivery);
        ChildProcess worker([&] {
            auto mine = queue.attach();
            std::uint64_t tasks = 0;
            while (auto task = mine.pop()) ++tasks;
            return tasks == 2 && mine.was_closed() ? 0 : 5;
        });
        this->push_and_die(queue);
        EXPECT_TRUE(worker.join().exited_with(0));
        auto other = queue.attach();
        EXPECT_EQ(other.push(this->value(9)).error(), Status::closed);
        EXPECT_EQ(other.try_pop().error(), Status::closed);
        EXPECT_TRUE(other.join_for(20s));
    }
}
TYPED_TEST(JoinableEnd, ADeadWorkersTaskIsStillGivenOutAfterTheEnd) {
    const auto queue = this->make(Delivery::at_least_once);
    this->push_and_die(queue);
    ChildProcess worker([&] {
        auto mine = queue.attach();
        const auto task = mine.pop();
        ::raise(task ? SIGKILL : SIGTERM);
        return 3;
    });
    ASSERT_TRUE(worker.join().killed_by(SIGKILL));
    auto mine = queue.attach();
    for (int i = 0; i != 2; ++i) EXPECT_TRUE(mine.pop()) << i;
    EXPECT_EQ(mine.pop().error(), Status::closed);
    EXPECT_TRUE(mine.join_for(20s));
}
TYPED_TEST(JoinableEnd, OneThatDetachesEndsItAndAnImplicitSenderDoesNot) {
    auto queue = this->make(Delivery::at_most_once);
    auto implicit = queue.attach();
    ASSERT_TRUE(implicit.push(this->value(1)));
    implicit.detach();
    EXPECT_TRUE(queue.pop());
    EXPECT_EQ(queue.try_pop_for(20ms).error(), Status::timed_out);
    auto sender = queue.attach();
    std::error_code code;
    sender.bind_producer(code);
    ASSERT_FALSE(code);
    sender.detach();
    EXPECT_EQ(queue.pop().error(), Status::closed);
}
TYPED_TEST(JoinableEnd, WithoutTheOptionItGoesOn) {
    auto queue = this->make(Delivery::at_most_once, false);
    this->push_and_die(queue);
    for (int i = 0; i != 2; ++i) EXPECT_TRUE(queue.pop()) << i;
    EXPECT_EQ(queue.try_pop_for(50ms).error(), Status::timed_out);
    EXPECT_FALSE(queue.was_closed());
}

}  // namespace
}  // namespace shmring::test
