// JoinableQueue under SIGKILL at random moments: senders, workers with tasks in hand, and joiners, each followed by another. Nobody
// hangs, no acknowledged task is missing beyond what the queue says was lost, none is given out twice unflagged, and join() comes to an
// end with the right answer.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/joinable_queue.hpp"
#include "support/child_process.hpp"
#include "support/kill_campaign.hpp"
#include "support/shared.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

[[nodiscard]] std::uint64_t task_of(std::uint64_t number, std::uint64_t /*like*/) { return number; }
[[nodiscard]] std::string task_of(std::uint64_t number, const std::string& /*like*/) {
    return std::to_string(number) + std::string(number % 150, '.');
}
[[nodiscard]] std::uint64_t number_of(std::uint64_t task) { return task; }
[[nodiscard]] std::uint64_t number_of(const std::string& task) { return std::stoull(task); }

/// What became of one task, each fact written down right after it happened.
struct Fate {
    std::atomic<std::uint8_t> attempted{0};
    std::atomic<std::uint8_t> pushed{0};    ///< the push returned
    std::atomic<std::uint8_t> fresh{0};     ///< how often it was given out without a flag
    std::atomic<std::uint8_t> finished{0};  ///< how often a worker was about to say done
    std::atomic<std::uint8_t> done{0};      ///< done() returned
};

constexpr std::uint64_t kTasks = 200'000;  // of one round
struct Board {
    std::atomic<std::uint32_t> stop{0};
    std::atomic<std::uint64_t> next{0};
    std::array<Fate, kTasks> fates{};
};

template <class T>
class WorkStorm {
 public:
    WorkStorm(Delivery delivery, std::uint64_t capacity, std::uint64_t seed)
        : random_(seed),
          queue_(JoinableQueue<T>::anonymous({.capacity = capacity,
                                              .capacity_bytes = Message<T> ? 0 : capacity * 192,
                                              .delivery = delivery,
                                              .participants = 64,
                                              .liveness_period = 2ms})) {}

    /// Rounds of some kills each, and then a join.
    void run(int count) {
        for (int left = count; left > 0 && !testing::Test::HasFailure(); left -= kKillsPerRound) round();
    }
    std::uint64_t kills = 0;
    std::uint64_t tasks = 0;
    std::uint64_t lost = 0;
    std::uint64_t again = 0;
    std::chrono::nanoseconds longest_join{};

 private:
    static constexpr int kKillsPerRound = 40;
    enum class Job : unsigned { sender, worker, joiner };
    struct Place {
        Job job;
        std::vector<ChildProcess> process{};
    };

    void round() {
        board_->stop.store(0);
        const std::uint64_t used = std::min(board_->next.exchange(0), kTasks);
        for (std::uint64_t number = 0; number != used; ++number) {
            Fate& fate = board_->fates[number];
            for (auto* fact : {&fate.attempted, &fate.pushed, &fate.fresh, &fate.finished, &fate.done})
                fact->store(0);
        }
        const Losses before = queue_.losses();
        for (Place& place : places_) start(place);
        for (int i = 0; i != kKillsPerRound; ++i) {
            std::this_thread::sleep_for(std::chrono::microseconds(random_() % 1500));
            Place& victim = places_[random_() % places_.size()];
            victim.process.back().kill(SIGKILL);
            EXPECT_TRUE(victim.process.back().join().killed_by(SIGKILL)) << unsigned(victim.job);
            ++kills;
            victim.process.clear();
            start(victim);
        }
        board_->stop.store(1);
        for (Place& place : places_)
            if (place.job == Job::sender) {
                EXPECT_TRUE(place.process.back().join().exited_with(0)) << "a sender";
                place.process.clear();
            }
        const auto start_of_join = Clock::now();
        const Result<void> joined = queue_.join_for(20s);
        longest_join = std::max<std::chrono::nanoseconds>(longest_join, Clock::now() - start_of_join);
        judge(before, joined.error());
        board_->stop.store(2);
        for (Place& place : places_) {
            if (place.job == Job::worker) {
                EXPECT_TRUE(place.process.back().join().exited_with(0)) << "a worker";
            }
            place.process.clear();  // joiners may be at rest between two joins
        }
    }

    void judge(const Losses& before, Status joined) {
        const Losses after = queue_.losses();
        const std::uint64_t lost_now = after.lost - before.lost;
        std::uint64_t missing = 0;
        std::uint64_t perhaps_lost = 0;
        const std::uint64_t count = std::min(board_->next.load(), kTasks);
        for (std::uint64_t number = 0; number != count; ++number) {
            const Fate& fate = board_->fates[number];
            EXPECT_LE(fate.fresh.load(), 1) << "task " << number << " was given out twice, unflagged";
            if (queue_.delivery() == Delivery::at_most_once) {
                EXPECT_LE(fate.finished.load(), 1) << "task " << number;
            }
            if (fate.pushed.load() != 0 && fate.finished.load() == 0) ++missing;
            if (fate.attempted.load() != 0 && fate.done.load() == 0) ++perhaps_lost;
        }
        EXPECT_LE(missing, lost_now) << "tasks are gone of which the queue says nothing";
        EXPECT_LE(lost_now, perhaps_lost) << "tasks were counted as lost that were done";
        EXPECT_EQ(joined, lost_now != 0 ? Status::peer_lost : Status::ok);
        EXPECT_EQ(queue_.unfinished(), 0U);
        if (queue_.delivery() == Delivery::at_least_once) {
            EXPECT_EQ(lost_now, 0U);
        }
        tasks += count;
        lost += lost_now;
        again += after.redelivered - before.redelivered;
    }

    void start(Place& place) {
        std::minstd_rand random(random_());
        place.process.emplace_back([this, &place, random]() mutable {
            auto mine = queue_.attach();
            mine.set_wait_policy({.spin = random() % 2 == 0 ? std::chrono::nanoseconds(0) : 20us});
            switch (place.job) {
                case Job::sender:
                    return send(mine, random);
                case Job::worker:
                    return work(mine, random);
                case Job::joiner:
                    return join(mine);
            }
            return 1;
        });
    }
    /// As many as one round has room for; then it stays, to be killed there.
    int send(JoinableQueue<T>& mine, std::minstd_rand& random) {
        while (board_->stop.load() == 0) {
            const std::uint64_t number =
                board_->next.load() < kTasks ? board_->next.fetch_add(1) : std::uint64_t{kTasks};
            if (number >= kTasks) {
                std::this_thread::sleep_for(1ms);
                continue;
            }
            Fate& fate = board_->fates[number];
            fate.attempted.store(1);
            if (!mine.push(task_of(number, T{}))) return 2;
            fate.pushed.store(1);
            if (random() % 64 == 0) std::this_thread::sleep_for(100us);
        }
        return 0;
    }
    int work(JoinableQueue<T>& mine, std::minstd_rand& random) {
        while (board_->stop.load() != 2) {
            if (random() % 8 == 0) {
                work_on_several(mine, 1 + random() % 3);
                continue;
            }
            auto task = mine.try_pop_for(3ms);
            if (!task && task.error() != Status::timed_out) return 3;
            if (!task) continue;
            Fate& fate = board_->fates[number_of(**task)];
            if (!task->redelivered()) fate.fresh.fetch_add(1);
            if (random() % 32 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 500));
            fate.finished.fetch_add(1);
            task->done();
            fate.done.store(1);
        }
        return 0;
    }
    /// Several in hand at once.
    void work_on_several(JoinableQueue<T>& mine, std::uint64_t most) {
        std::vector<Fate*> in_hand;
        while (in_hand.size() != most) {
            auto task = mine.try_pop();
            if (!task) break;
            Fate& fate = board_->fates[number_of(**task)];
            if (!task->redelivered()) fate.fresh.fetch_add(1);
            in_hand.push_back(&fate);
            held_.push_back(*std::move(task));
        }
        for (std::size_t i = 0; i != held_.size(); ++i) {
            in_hand[i]->finished.fetch_add(1);
            held_[i].done();
            in_hand[i]->done.store(1);
        }
        held_.clear();
    }
    int join(JoinableQueue<T>& mine) {
        for (;;) {
            const Status status = mine.join().error();
            if (status != Status::ok && status != Status::peer_lost) return 5;
            std::this_thread::sleep_for(50us);
        }
    }

    std::minstd_rand random_;
    JoinableQueue<T> queue_;
    Shared<Board> board_{};
    std::vector<Task<T>> held_{};  // of a worker
    std::array<Place, 8> places_{{{Job::sender},
                                  {Job::sender},
                                  {Job::sender},
                                  {Job::worker},
                                  {Job::worker},
                                  {Job::worker},
                                  {Job::worker},
                                  {Job::joiner}}};
};

/// Four of these make 3,200 kills, and 12,800 in a soak.
template <class T>
void storm(Delivery delivery, const char* title) {
    for (const std::uint64_t capacity : {1, 64}) {
        WorkStorm<T> storm(delivery, capacity, capacity + 7);
        storm.run(is_soak() ? 1600 : 400 / kSlowness);
        std::printf(
            "%s, capacity %lu: %lu kills, %lu tasks, %lu lost, %lu delivered again, longest join %.1f ms\n",
            title, capacity, storm.kills, storm.tasks, storm.lost, storm.again,
            static_cast<double>(storm.longest_join.count()) / 1e6);
        EXPECT_GT(storm.tasks, storm.kills);
        EXPECT_GT(delivery == Delivery::at_most_once ? storm.lost : storm.again, 0U)
            << "nobody died with a task";
    }
}
TEST(JoinableKillStorm, TasksThatAreLostAreCounted) {
    storm<std::uint64_t>(Delivery::at_most_once, "at most once");
}
TEST(JoinableKillStorm, TasksThatAreDeliveredAgainAreDone) {
    storm<std::uint64_t>(Delivery::at_least_once, "at least once");
}
TEST(JoinableKillStorm, TasksOfAnySizeThatAreLostAreCounted) {
    storm<std::string>(Delivery::at_most_once, "any size, at most once");
}
TEST(JoinableKillStorm, TasksOfAnySizeThatAreDeliveredAgainAreDone) {
    storm<std::string>(Delivery::at_least_once, "any size, at least once");
}

}  // namespace
}  // namespace shmring::test
