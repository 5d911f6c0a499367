// An explicit producer of a queue that ends with the last one (QueueOptions::ends_with_last_producer), killed after each instruction that
// changed the segment or was a system call.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "shmring/detail/platform.hpp"
#include "shmring/queue.hpp"
#include "support/queue_fixture.hpp"
#include "support/single_step.hpp"
#include "support/stepped_victim.hpp"
#include "support/torture_report.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

template <class T>
class QueueEndStepKill : public QueueOf<T> {};
TYPED_TEST_SUITE(QueueEndStepKill, QueueTypes);

/// Killed while it binds, puts a value and leaves: it has been there and the queue ends, or it has not been there and the next one's end
/// is the queue's. (Its record was taken before: participants_death_test.)
TYPED_TEST(QueueEndStepKill, AnExplicitProducerMayDieAnywhere) {
    bool has_not_been_there = false;
    bool has_died_there = false;
    const auto make = [] {
        QueueOptions options = ending<TypeParam>(4);
        options.participants = 4;
        return Queue<TypeParam>::anonymous(options);
    };
    const auto kill = [&](Queue<TypeParam>& queue, SteppedVictim& victim) {
        std::atomic<std::uint32_t> falls_asleep{0};  // nobody waits for that
        return victim.kill(queue.segment(), falls_asleep, [&] {
            auto mine = queue.attach();
            (void)mine.push(this->value(0));
            mark_for_stepping();
            mine.bind_producer();
            (void)mine.push(this->value(1));
            mine.detach();
            mark_for_stepping();
        });
    };
    const auto settle = [&](Queue<TypeParam>& queue, const SteppedVictim& victim, bool finished,
                            TortureReport& report) {
        EXPECT_EQ(number_of(*queue.pop()), 0U);
        auto got = queue.try_pop_for(20ms);
        const bool sent = static_cast<bool>(got);
        if (sent) got = queue.try_pop_for(20ms);
        if (got.error() == Status::timed_out) {
            has_not_been_there = true;
            ASSERT_FALSE(sent) << "it has been there";
            ASSERT_FALSE(queue.was_closed());
            auto next = queue.attach();
            next.bind_producer();
            ASSERT_TRUE(next.push(this->value(1)));
            next.detach();
            EXPECT_EQ(number_of(*queue.pop()), 1U);
            EXPECT_EQ(queue.pop().error(), Status::closed);
        } else {
            ASSERT_EQ(got.error(), Status::closed);
            has_died_there |= !finished;
            EXPECT_TRUE(queue.was_closed());
        }
        victim.note_recovery(detail::platform::monotonic_ns(), report);
        EXPECT_TRUE(sent || !finished);
        ASSERT_LT(victim.steps().effective(), 400U);
    };
    kill_at_each_step({.name = std::string(Message<TypeParam> ? "Queue<uint64>" : "Queue<string>") +
                               ": last producer binds, pushes, leaves",
                       .each_step = true},
                      make, kill, settle);
    if (testing::Test::IsSkipped() || testing::Test::HasFailure()) return;
    EXPECT_TRUE(has_not_been_there && has_died_there);
}

}  // namespace
}  // namespace shmring::test
