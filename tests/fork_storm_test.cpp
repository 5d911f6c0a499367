// A thousand short-lived processes come to a named object, put or get, and leave by return, exit, _exit, SIGKILL or SIGTERM, or are
// killed at any time: no segment, descriptor or participant record leaks, nothing that was acknowledged and not taken is lost. What
// they do and what is checked: support/fork_storm.hpp. One row for each kind of object.
// SPDX-License-Identifier: MIT

#include "support/fork_storm.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <optional>
#include <string>

#include "shmring/joinable_queue.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"
#include "support/child_process.hpp"
#include "support/queue_fixture.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Either queue. Of what gives tasks the visitors are workers: a task is done when its number was read.
template <class AnyQueue>
struct VisitedQueue {
    using Object = AnyQueue;
    using Value = typename Object::value_type;
    static constexpr bool kHasTasks = requires(Object & queue) { queue.join(); };

    /// Fewer records than visitors: each is taken and given back, or left by the dead, a hundred times. A worker takes one more.
    [[nodiscard]] static Object create(const std::string& name) {
        const QueueOptions options = queue_options<Value>(64);
        return Object::create(name, {.capacity = options.capacity,
                                     .capacity_bytes = options.capacity_bytes,
                                     .participants = kHasTasks ? 20 : 10,
                                     .liveness_period = options.liveness_period});
    }
    [[nodiscard]] static Object open(const std::string& name) { return Object::open(name); }
    [[nodiscard]] static bool put(Object& queue, std::uint64_t number) {
        return static_cast<bool>(queue.try_push_for(value_of(number, Value{}), 100ms));
    }
    [[nodiscard]] static std::optional<std::uint64_t> get(Object& queue) {
        const auto got = queue.try_pop_for(20ms);
        if (!got) return std::nullopt;
        if constexpr (kHasTasks)
            return number_of(**got);
        else
            return number_of(*got);
    }
    static void detach(Object& queue) { queue.detach(); }
    [[nodiscard]] static Segment& segment(Object& queue) { return queue.segment(); }
};

template <class V>
class AThousandVisitors : public testing::Test {
 protected:
    void SetUp() override { ::alarm(is_soak() ? 600 : 110); }
    void TearDown() override { ::alarm(0); }
};
using Objects =
    testing::Types<VisitedQueue<Queue<std::uint64_t>>, VisitedQueue<Queue<std::string>>,
                   VisitedQueue<JoinableQueue<std::uint64_t>>, VisitedQueue<JoinableQueue<std::string>>>;
TYPED_TEST_SUITE(AThousandVisitors, Objects);

TYPED_TEST(AThousandVisitors, LeaveNothingBehindAndLoseNothing) {
    ForkStorm<TypeParam>().run(is_soak() ? 10'000 : 1'000);
}

[[nodiscard]] std::ptrdiff_t open_descriptors() {
    return std::distance(std::filesystem::directory_iterator("/proc/self/fd"),
                         std::filesystem::directory_iterator());
}

/// An end of a pipe has one life, so each visitor has a pipe of its own.
TEST(AThousandPipes, EndWithTheirVisitorsAndLeaveNothingBehind) {
    const std::ptrdiff_t before = open_descriptors();
    for (std::uint64_t visit = 0; visit != 1000 && !HasFailure(); ++visit) {
        auto [here, there] = Pipe<std::uint64_t>::pair({.capacity = 8, .liveness_period = 2ms});
        const bool sends = visit % 2 == 0;
        ChildProcess visitor([&, &end = there] {
            const bool well = sends ? static_cast<bool>(end.send(visit)) : end.recv().value_or(0) == visit;
            switch (well ? visit / 2 % 5 : 99) {
                case 0:
                    return 0;
                case 1:
                    std::exit(0);
                case 2:
                    std::quick_exit(0);
                case 3:
                    return ::raise(SIGKILL);
                case 4:
                    return ::raise(SIGTERM);
                default:
                    return 1;
            }
        });
        there.close();  // our copy
        if (!sends) {
            EXPECT_TRUE(here.send(visit));
        } else {
            EXPECT_EQ(here.recv().value_or(0), visit);
        }
        EXPECT_EQ(here.recv().error(), Status::closed) << visit;
        const Ended ended = visitor.join();
        EXPECT_TRUE(ended.exited_with(0) || ended.killed_by(SIGKILL) || ended.killed_by(SIGTERM)) << ended;
    }
    EXPECT_EQ(open_descriptors(), before);
}

}  // namespace
}  // namespace shmring::test
