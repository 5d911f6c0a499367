// Queue<T> under SIGKILL at random moments, on both lanes: producers and consumers that attach, put, get, sleep for room or for values,
// detach, and close. Nobody hangs, and what was acknowledged and not in the hands of a killed one comes exactly once, in each
// producer's order. Who is killed and when: support/crowd_storm.hpp; who judges: crowd_oracle.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "shmring/queue.hpp"
#include "support/child_process.hpp"
#include "support/crowd_storm.hpp"
#include "support/kill_campaign.hpp"
#include "support/queue_fixture.hpp"
#include "support/queue_traffic.hpp"
#include "support/shared.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr std::array<std::uint64_t, 4> kCapacities = {1, 3, 64, 1000};

/// With QueueClosing 3,200 kills and more, 10,000 in a soak.
template <class Values>
void storm(const char* title) {
    const int kills = is_soak() ? 4800 : 1400 / kSlowness;
    CrowdReport all;
    CrowdPlan plan;
    plan.seed = static_cast<std::uint64_t>(kills);
    for (const std::uint64_t capacity : kCapacities)
        for (int left = kills / static_cast<int>(kCapacities.size()); left > 0; left -= plan.kills) {
            plan.capacity = capacity;
            plan.kills = std::min(left, 350);
            ++plan.seed;
            const CrowdReport report = CrowdStorm<QueueTraffic<Values>>(plan).run();
            ASSERT_EQ(report.failure, "") << "capacity " << capacity;
            all += report;
        }
    all.print(title);
    const auto died = [&](Doing doing) { return all.died_doing[static_cast<std::size_t>(doing)]; };
    std::printf(
        "  killed while attaching %llu, in a call %llu (asleep there: %llu), detaching %llu, between %llu\n",
        static_cast<unsigned long long>(died(Doing::attaching)),
        static_cast<unsigned long long>(died(Doing::calling)),
        static_cast<unsigned long long>(all.died_asleep_in_call),
        static_cast<unsigned long long>(died(Doing::detaching)),
        static_cast<unsigned long long>(died(Doing::resting)));
    EXPECT_GE(all.kills, static_cast<std::uint64_t>(kills));
    EXPECT_GT(all.messages, all.kills);
    EXPECT_GT(all.missable, 0U) << "no consumer died in a call";
    EXPECT_GT(died(Doing::attaching), 0U);
    EXPECT_GT(died(Doing::detaching), 0U);
    EXPECT_GT(all.died_asleep_in_call, 0U);
    EXPECT_GT(died(Doing::calling), all.died_asleep_in_call);
}
TEST(QueueKillStorm, OfValuesOfOneSize) { storm<FixedValues>("values of 48 bytes"); }
TEST(QueueKillStorm, OfValuesOfAnySize) { storm<ValuesOfAnySize>("values of any size"); }

/// One queue: two producers, two consumers and two closers, of which some are killed within a few milliseconds. Whether it is closed by
/// then or by us: everybody who lives comes to the end.
template <class T>
class QueueClosing : public QueueOf<T> {
 protected:
    static constexpr std::size_t kProducers = 2;
    static constexpr std::uint64_t kMost = 20'000;
    struct Board {
        std::array<std::atomic<std::uint64_t>, kProducers> acknowledged{};
        std::array<std::atomic<std::uint8_t>, kProducers * kMost> received{};
    };

    void produce(Queue<T> mine, std::uint64_t which, Board& board) const {
        for (std::uint64_t i = 0; i != kMost && mine.push(this->value(which * kMost + i)); ++i)
            board.acknowledged[which].store(i + 1);
    }
    /// 0: it came to the end.
    [[nodiscard]] static int consume(Queue<T> mine, Board& board) {
        for (const T& value : mine) board.received[number_of(value)].fetch_add(1);
        return mine.error() == Status::closed ? 0 : 1;
    }
    static void expect_right_counts(const Board& board, std::uint64_t killed_consumers) {
        std::uint64_t missing = 0;
        for (std::uint64_t which = 0; which != kProducers; ++which) {
            const std::uint64_t acknowledged = board.acknowledged[which].load();
            for (std::uint64_t i = 0; i != kMost; ++i) {
                const unsigned times = board.received[which * kMost + i].load();
                if (i < acknowledged && times == 0) ++missing;
                ASSERT_LE(times, i <= acknowledged ? 1U : 0U) << which << ":" << i;
            }
        }
        EXPECT_LE(missing, killed_consumers) << "more than killed consumers could have had in hand";
    }
};
TYPED_TEST_SUITE(QueueClosing, QueueTypes);

TYPED_TEST(QueueClosing, WhoeverIsKilledWhileSomebodyClosesTheRestComesToTheEnd) {
    std::minstd_rand random(11);
    const int least_kills = is_soak() ? 1500 : 200 / kSlowness;
    int kills = 0;
    int rounds = 0;
    int closed_by_the_killed = 0;
    for (; kills < least_kills; ++rounds) {
        auto queue = Queue<TypeParam>::anonymous(queue_options<TypeParam>(1 + random() % 8));
        Shared<typename TestFixture::Board> board;
        std::vector<std::unique_ptr<ChildProcess>> crowd;
        for (std::uint64_t which = 0; which != this->kProducers; ++which)
            crowd.push_back(std::make_unique<ChildProcess>([&, which] {
                this->produce(queue.attach(), which, *board);
                return 0;
            }));
        for (int i = 0; i != 2; ++i)
            crowd.push_back(
                std::make_unique<ChildProcess>([&] { return this->consume(queue.attach(), *board); }));
        for (int i = 0; i != 2; ++i)
            crowd.push_back(std::make_unique<ChildProcess>([&, after = random() % 1500] {
                std::this_thread::sleep_for(std::chrono::microseconds(after));
                queue.attach().close();
                return 0;
            }));
        std::array<bool, 6> is_killed{};
        for (std::size_t i = 0; i != 3; ++i) {
            std::this_thread::sleep_for(std::chrono::microseconds(random() % 600));
            const std::size_t victim = i == 0 ? 4 + random() % 2 : random() % crowd.size();
            crowd[victim]->kill(SIGKILL);
            is_killed[victim] = true;
        }
        std::uint64_t dead_consumers = 0;
        bool closed_by_the_living = false;
        for (const std::size_t closer : {4U, 5U}) {
            const Ended ended = crowd[closer]->join();
            kills += ended.killed_by(SIGKILL) ? 1 : 0;
            closed_by_the_living |= ended.exited_with(0);
            ASSERT_TRUE(ended.exited_with(0) || is_killed[closer]) << ended;
        }
        closed_by_the_killed += queue.was_closed() && !closed_by_the_living ? 1 : 0;
        auto last = queue.attach();
        last.close();
        for (std::size_t i = 0; i != 4; ++i) {
            const Ended ended = crowd[i]->join();
            const bool died = ended.killed_by(SIGKILL);
            kills += died ? 1 : 0;
            dead_consumers += died && i >= 2 ? 1 : 0;
            ASSERT_TRUE(died ? is_killed[i] : ended.exited_with(0)) << "round " << rounds << ": " << ended;
        }
        ASSERT_EQ(this->consume(last.attach(), *board), 0);
        ASSERT_EQ(last.push(this->value(0)).error(), Status::closed);
        this->expect_right_counts(*board, dead_consumers);
        if (testing::Test::HasFailure()) return;
    }
    std::printf("%d kills in %d rounds; in %d a closer was killed after it had closed\n", kills, rounds,
                closed_by_the_killed);
}

}  // namespace
}  // namespace shmring::test
