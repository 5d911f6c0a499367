// A thousand short-lived processes come to a named object, put or get, and leave by return, exit, _exit, SIGKILL or SIGTERM, or are
// killed at any time: no segment, descriptor or participant record leaks, nothing that was acknowledged and not taken is lost. What
// they do and what is checked: support/fork_storm.hpp. One row for each kind of object.

#include "support/fork_storm.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "shmring/queue.hpp"
#include "support/queue_fixture.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// Fewer records than visitors: each is taken and given back, or left by the dead, a hundred times.
template <class T>
struct VisitedQueue {
    using Object = Queue<T>;

    [[nodiscard]] static Object create(const std::string& name) {
        QueueOptions options = queue_options<T>(64);
        options.participants = 10;
        return Object::create(name, options);
    }
    [[nodiscard]] static Object open(const std::string& name) { return Object::open(name); }
    [[nodiscard]] static bool put(Object& queue, std::uint64_t number) {
        return static_cast<bool>(queue.try_push_for(value_of(number, T{}), 100ms));
    }
    [[nodiscard]] static std::optional<std::uint64_t> get(Object& queue) {
        const auto got = queue.try_pop_for(20ms);
        if (!got) return std::nullopt;
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
using Objects = testing::Types<VisitedQueue<std::uint64_t>, VisitedQueue<std::string>>;
TYPED_TEST_SUITE(AThousandVisitors, Objects);

TYPED_TEST(AThousandVisitors, LeaveNothingBehindAndLoseNothing) {
    ForkStorm<TypeParam>().run(is_soak() ? 10'000 : 1'000);
}

}  // namespace
}  // namespace shmring::test
