// An explicit producer of a queue that ends with the last one (QueueOptions::ends_with_last_producer), killed after each instruction that
// changed the segment or was a system call.

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "shmring/detail/platform.hpp"
#include "shmring/queue.hpp"
#include "support/effective_steps.hpp"
#include "support/queue_fixture.hpp"
#include "support/single_step.hpp"
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
    TortureReport report;
    for (std::uint64_t steps = 0;; ++steps) {
        SCOPED_TRACE("killed after " + std::to_string(steps) + " steps that matter");
        QueueOptions options = ending<TypeParam>(4);
        options.participants = 4;
        auto queue = Queue<TypeParam>::anonymous(options);
        std::optional<EffectiveSteps> seen;
        std::uint64_t death_ns = 0;
        const auto is_time = [&](pid_t child) {
            if (!seen) seen.emplace(queue.segment());
            seen->look(child);
            death_ns = detail::platform::monotonic_ns();
            return seen->effective() == steps;
        };
        const auto life = [&] {
            auto mine = queue.attach();
            (void)mine.push(this->value(0));
            mark_for_stepping();
            mine.bind_producer();
            (void)mine.push(this->value(1));
            mine.detach();
            mark_for_stepping();
        };
        const SteppedChild::End end = SteppedChild::kill_when(is_time, life);
        if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
        ASSERT_NE(end, SteppedChild::End::failed);

        ++report.kills;
        report.effective = std::max(report.effective, seen->effective());
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
            has_died_there |= end == SteppedChild::End::on_the_way;
            EXPECT_TRUE(queue.was_closed());
        }
        report.worst_ns = std::max(report.worst_ns, detail::platform::monotonic_ns() - death_ns);
        if (testing::Test::HasFailure()) return;
        if (end == SteppedChild::End::finished) {
            EXPECT_TRUE(sent);
            report.instructions = seen->instructions();
            break;
        }
        ASSERT_LT(steps, 400U);
    }
    report.print(std::string(Message<TypeParam> ? "Queue<uint64>" : "Queue<string>") +
                 ": last producer binds, pushes, leaves");
    EXPECT_TRUE(has_not_been_there && has_died_there);
}

}  // namespace
}  // namespace shmring::test
