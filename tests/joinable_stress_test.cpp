// JoinableQueue in threads: senders, workers that push further tasks, and joiners that know by a count of their own whether the end that
// join() told of was one. A million tasks in all; SHMRING_SOAK=1 does ten million.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <latch>
#include <string>
#include <thread>
#include <vector>

#include "shmring/joinable_queue.hpp"
#include "support/kill_campaign.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

[[nodiscard]] std::uint64_t task_of(std::uint64_t number, std::uint64_t /*like*/) { return number; }
[[nodiscard]] std::string task_of(std::uint64_t number, const std::string& /*like*/) {
    return std::to_string(number);
}
[[nodiscard]] std::uint64_t number_of(std::uint64_t task) { return task; }
[[nodiscard]] std::uint64_t number_of(const std::string& task) { return std::stoull(task); }

template <class T>
class JoinableStress : public testing::Test {
 protected:
    void SetUp() override { ::alarm(is_soak() ? 1700 : 280); }
    void TearDown() override { ::alarm(0); }

    [[nodiscard]] static std::uint64_t scaled(std::uint64_t count) {
        return (is_soak() ? 10 : 1) * count / (Message<T> ? 1 : 4) / kSlowness;
    }
    [[nodiscard]] static JoinableQueue<T> make(std::uint64_t capacity, Delivery delivery) {
        auto queue = JoinableQueue<T>::anonymous({.capacity = capacity,
                                                  .capacity_bytes = Message<T> ? 0 : capacity * 64,
                                                  .delivery = delivery,
                                                  .participants = 64,
                                                  .liveness_period = 2ms});
        queue.set_wait_policy({.spin = 20us});
        return queue;
    }
};
using Types = testing::Types<std::uint64_t, std::string>;
struct TypeNames {
    template <class T>
    static std::string GetName(int) {
        return Message<T> ? "Fixed" : "AnySize";
    }
};
TYPED_TEST_SUITE(JoinableStress, Types, TypeNames);

/// Rounds: one sender pushes some tasks, whose workers push further ones, and joins. Each was done once then, and what the workers wrote,
/// without a word of their own, is there (the thread sanitizer looks at that, too).
TYPED_TEST(JoinableStress, WhenASenderHasJoinedAllItSentIsDoneOnceAndSeen) {
    constexpr std::uint64_t kMostPerRound = 64;
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto queue = this->make(8, delivery);
        std::vector<int> times(4 * kMostPerRound);
        std::vector<std::jthread> workers;
        for (int i = 0; i != 3; ++i)
            workers.emplace_back([&] {
                auto mine = queue.attach();
                auto more = queue.attach();
                while (auto task = mine.pop()) {
                    const std::uint64_t number = number_of(**task);
                    ++times[number];
                    if (number < kMostPerRound && number % 4 == 0) {
                        (void)more.try_push(task_of(kMostPerRound + 2 * number, TypeParam{}));
                        (void)more.try_push(task_of(kMostPerRound + 2 * number + 1, TypeParam{}));
                    }
                }
            });
        std::uint64_t left = this->scaled(250'000);
        for (std::uint64_t round = 0; left > kMostPerRound; ++round) {
            const std::uint64_t count = 1 + round % kMostPerRound;
            for (std::uint64_t number = 0; number != count; ++number)
                ASSERT_TRUE(queue.push(task_of(number, TypeParam{})));
            ASSERT_TRUE(queue.join());
            for (std::uint64_t number = 0; number != times.size(); ++number) {
                if (number < count) {
                    ASSERT_EQ(times[number], 1) << "of round " << round;
                }
                ASSERT_LE(times[number], 1);
                times[number] = 0;
            }
            left -= count;
        }
        queue.close();
    }
}

/// Several senders, workers that abandon now and then, and joiners all the time: what was done when a join began may only grow until it
/// ends, and at its end there was a moment at which as many were done as had been pushed before it began.
TYPED_TEST(JoinableStress, EveryJoinFindsAMomentAtWhichAllThatCameBeforeWasDone) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        auto queue = this->make(64, delivery);
        const std::uint64_t each = this->scaled(125'000);
        std::atomic<std::uint64_t> pushed{0};
        std::atomic<std::uint64_t> done{0};
        std::atomic<std::uint64_t> abandoned{0};
        std::atomic<bool> over{false};
        std::uint64_t joins = 0;
        std::jthread joiner([&] {
            auto mine = queue.attach();
            while (!over) {
                const std::uint64_t before = pushed.load();
                const Status status = mine.join().error();
                ASSERT_TRUE(status == Status::ok || status == Status::peer_lost);
                const std::uint64_t lost = delivery == Delivery::at_most_once ? abandoned.load() : 0;
                ASSERT_GE(done.load() + lost, before);
                ++joins;
            }
        });
        {
            std::vector<std::jthread> workers;
            for (int i = 0; i != 3; ++i)
                workers.emplace_back([&] {
                    auto mine = queue.attach();
                    std::uint64_t count = 0;
                    while (auto task = mine.pop()) {
                        if (++count % 4096 == 0) {
                            abandoned.fetch_add(1);
                            task->abandon();
                            continue;
                        }
                        done.fetch_add(1);
                    }
                });
            {
                std::vector<std::jthread> senders;
                for (std::uint64_t i = 0; i != 2; ++i)
                    senders.emplace_back([&] {
                        auto mine = queue.attach();
                        for (std::uint64_t number = 0; number != each; ++number) {
                            ASSERT_TRUE(mine.push(task_of(number, TypeParam{})));
                            pushed.fetch_add(1);
                            if (number % 1024 == 0) std::this_thread::sleep_for(200us);  // let it run dry
                        }
                    });
            }
            const Status last = queue.join().error();
            EXPECT_TRUE(last == Status::ok || last == Status::peer_lost);
            over = true;
            queue.close();
        }
        joiner.join();
        const bool lossy = delivery == Delivery::at_most_once;
        EXPECT_EQ(done + (lossy ? abandoned.load() : 0), 2 * each);
        EXPECT_EQ(queue.losses().lost, lossy ? abandoned.load() : 0);
        EXPECT_GT(joins, 0U);
        EXPECT_EQ(queue.unfinished(), 0U);
    }
}

}  // namespace
}  // namespace shmring::test
