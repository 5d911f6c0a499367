// A queue of tasks whose words a hostile peer has written: whatever they say, looking whether anything is left comes to an end.

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>

#include "shmring/joinable_queue.hpp"
#include "support/crowd_stand.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Found by tests/fuzz/tasks_fuzz.cpp: positions that no ring can be at made join() count up to one that it had passed.
TEST(JoinableHostile, JoinComesBackFromPositionsThatCannotBe) {
    ::alarm(60);
    for (const std::uint64_t head :
         {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{1} << 40, ~std::uint64_t{0}})
        for (const std::uint64_t tail : {std::uint64_t{0}, std::uint64_t{6}, std::uint64_t{1} << 40,
                                         (std::uint64_t{1} << 55) - 1, std::uint64_t{1} << 60}) {
            auto queue = JoinableQueue<std::uint64_t>::anonymous({.capacity = 4, .participants = 4});
            ASSERT_TRUE(queue.join_for(0ns));  // it has its records now: who comes later is refused
            auto& control = crowd_control(queue.segment());
            control.head.store(head, std::memory_order_relaxed);
            control.tail.store(tail, std::memory_order_relaxed);
            const Status status = queue.join_for(0ns).error();
            EXPECT_TRUE(status == Status::timed_out || status == Status::ok || status == Status::corrupt ||
                        status == Status::overflow)
                << to_string(status) << " at " << head << ", " << tail;
            (void)queue.unfinished();
        }
    ::alarm(0);
}

}  // namespace
}  // namespace shmring::test
