// Sleeping on several lines, step by step in a scripted world: what ends a sleep, and what counts as a missed wake-up.
// SPDX-License-Identifier: MIT

#include "shmring/detail/event_set.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "support/counting_env.hpp"

namespace shmring::test {
namespace {

using Set = detail::EventSet<CountingEnv>;
using Events = detail::EventCount<CountingEnv>;
using detail::platform::FutexResult;

class EventSetSleep : public testing::Test {
 protected:
    struct Source {
        detail::EventLine<CountingEnv> line{};
        bool is_ready = false;
    };
    static constexpr std::uint64_t kPeriod_ns = 100'000'000;

    detail::SleepResult sleep(std::uint64_t deadline_ns = detail::platform::kNever) {
        std::array<detail::WaitPoint<CountingEnv>, 2> points{point(sources_[0]), point(sources_[1])};
        std::array<detail::platform::FutexTarget, 2> targets{};
        return Set::sleep(
            std::span(points), targets, 0, deadline_ns, [] { return false; }, found_);
    }
    [[nodiscard]] std::uint64_t missed() const {
        return sources_[0].line.missed_wakes.load(std::memory_order_relaxed) +
               sources_[1].line.missed_wakes.load(std::memory_order_relaxed);
    }
    static detail::WaitPoint<CountingEnv> point(Source& source) {
        return {.line = &source.line,
                .object = &source,
                .ready = [](void* self, bool) noexcept { return static_cast<Source*>(self)->is_ready; },
                .examine = [](void*) noexcept {},
                .period_ns = kPeriod_ns};
    }

    FreshWorld fresh_world_{};
    std::array<Source, 2> sources_{};
    std::size_t found_ = Set::kNone;
};

TEST_F(EventSetSleep, AMessageWithoutAWakeUpIsFoundAfterTheFirstMillisecondAndCounted) {
    world.sleep = [&](std::uint32_t, std::uint64_t deadline_ns) {
        sources_[1].is_ready = true;
        world.now_ns = deadline_ns;
        return FutexResult::timed_out;
    };
    const std::uint64_t start_ns = world.now_ns;
    EXPECT_EQ(sleep(), detail::SleepResult::ready);
    EXPECT_EQ(found_, 1U);
    EXPECT_EQ(world.now_ns - start_ns, detail::kFirstSleep_ns);
    EXPECT_EQ(missed(), 1U);
}

TEST_F(EventSetSleep, AWakeUpThatFindsUsLateOnTheProcessorWasNotMissed) {
    world.sleep = [&](std::uint32_t, std::uint64_t deadline_ns) {
        sources_[1].is_ready = true;
        Events::notify(sources_[1].line, 1);
        world.now_ns = deadline_ns + 1;
        return FutexResult::woken;
    };
    EXPECT_EQ(sleep(), detail::SleepResult::ready);
    EXPECT_EQ(found_, 1U);
    EXPECT_EQ(missed(), 0U);
}

TEST_F(EventSetSleep, AWakeUpInTheMomentOfTheTimeOutWasNotMissed) {
    world.sleep = [&](std::uint32_t, std::uint64_t deadline_ns) {
        sources_[0].is_ready = true;
        Events::notify(sources_[0].line, 1);
        world.now_ns = deadline_ns;
        return FutexResult::timed_out;
    };
    EXPECT_EQ(sleep(), detail::SleepResult::ready);
    EXPECT_EQ(missed(), 0U);
}

TEST_F(EventSetSleep, TheDeadlineEndsItAndNobodyStaysRegistered) {
    EXPECT_EQ(sleep(world.now_ns + 5'000'000), detail::SleepResult::timed_out);
    EXPECT_EQ(found_, Set::kNone);
    for (const Source& source : sources_)
        EXPECT_EQ(source.line.word.load(std::memory_order_relaxed) & detail::kWaitersMask, 0U);
}

}  // namespace
}  // namespace shmring::test
