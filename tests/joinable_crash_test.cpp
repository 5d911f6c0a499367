// JoinableQueue: workers, adopters, joiners and senders killed after each instruction that changed the segment and after each system call.
// Whatever is left, the others do: each task is done once, or again with a flag, or counted as lost; then join() ends with the right
// answer, and every record can be taken again.

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/joinable_queue.hpp"
#include "support/child_process.hpp"
#include "support/segment_changes.hpp"
#include "support/shared.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

[[nodiscard]] std::uint64_t task_of(std::uint64_t number, std::uint64_t /*like*/) { return number; }
[[nodiscard]] std::string task_of(std::uint64_t number, const std::string& /*like*/) {
    return std::to_string(number) + std::string(100, '.');
}
[[nodiscard]] std::uint64_t number_of(std::uint64_t task) { return task; }
[[nodiscard]] std::uint64_t number_of(const std::string& task) { return std::stoull(task); }

template <class T>
class JoinableCrash : public testing::Test {
 protected:
    using Queue = JoinableQueue<T>;
    static constexpr std::uint64_t kCapacity = 4;
    static constexpr std::uint64_t kMostTasks = 8;
    static constexpr std::uint32_t kParticipants = 12;

    /// What the victim did with a task, each written down right after.
    struct Fate {
        std::atomic<bool> pushing{false};
        std::atomic<bool> pushed{false};
        std::atomic<bool> popped{false};
        std::atomic<bool> finishing{false};
        std::atomic<bool> done{false};
    };
    using Fates = std::array<Fate, kMostTasks>;

    struct Scene {
        explicit Scene(Delivery which)
            : delivery(which),
              queue(Queue::anonymous({.capacity = kCapacity,
                                      .capacity_bytes = Message<T> ? 0 : kCapacity * 256,
                                      .delivery = which,
                                      .participants = kParticipants,
                                      .liveness_period = 1ms})) {}
        void push(Queue& mine, std::uint64_t number) {
            Fate& fate = fates->at(number);
            fate.pushing = true;
            if (!mine.push(task_of(number, T{}))) ::_exit(4);
            fate.pushed = true;
        }
        /// A handle that has its records. The queue must look empty.
        [[nodiscard]] Queue worker() {
            Queue mine = queue.attach();
            if (mine.try_pop()) ::_exit(5);
            return mine;
        }
        /// The same, and so many tasks have come meanwhile.
        [[nodiscard]] Queue worker_with(std::uint64_t tasks) {
            Queue mine = worker();
            for (std::uint64_t number = 1; number <= tasks; ++number) push(mine, number);
            return mine;
        }
        [[nodiscard]] Result<Task<T>> take(Queue& mine) {
            auto task = mine.try_pop();
            if (task) fates->at(number_of(**task)).popped = true;
            return task;
        }
        void finish(Task<T>& task) {
            Fate& fate = fates->at(number_of(*task));
            fate.finishing = true;
            task.done();
            fate.done = true;
        }

        Delivery delivery;
        Queue queue;
        Shared<Fates> fates{};
    };
    using Act = std::function<void(Scene&)>;

    void SetUp() override { ::alarm(is_soak() ? 1700 : 250); }
    void TearDown() override { ::alarm(0); }

    /// `arrive`: the victim's way to where it is stepped from; what it answers lives on. `act(what, scene)` is stepped.
    /// `stride`: an operation of many steps is killed after every so many of them, each form of the test from another one on; in a soak
    /// after each.
    template <class Arrive, class Operation>
    static void at_every_step(const Act& prepare, Arrive&& arrive, Operation&& act,
                              std::uint64_t stride = 1) {
        if (is_soak()) stride = 1;
        for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
            for (std::uint64_t steps = first_of(delivery, stride);; steps += stride) {
                SCOPED_TRACE(
                    std::string(delivery == Delivery::at_most_once ? "at most once" : "at least once") +
                    ", killed after " + std::to_string(steps) + " steps");
                Scene scene(delivery);
                prepare(scene);
                std::optional<SegmentChanges> changes;
                std::uint64_t calls = 0;
                bool was_at_call = false;
                const auto is_time = [&](const ChildProcess& child) {
                    if (!changes) changes.emplace(scene.queue.segment());
                    calls += was_at_call ? 1 : 0;
                    was_at_call = SteppedChild::is_at_system_call(child);
                    return changes->count() + calls >= steps;
                };
                const SteppedChild::End end = SteppedChild::kill_when(is_time, [&] {
                    auto what = arrive(scene);
                    mark_for_stepping();
                    act(what, scene);
                    mark_for_stepping();
                    ::_exit(3);
                });
                if (end == SteppedChild::End::cannot_be_traced)
                    GTEST_SKIP() << "ptrace is not permitted here";
                ASSERT_NE(end, SteppedChild::End::failed);
                expect_survival(scene);
                if (testing::Test::HasFailure()) return;
                if (end == SteppedChild::End::finished) {
                    EXPECT_LT(steps, 1000U);
                    break;
                }
            }
    }
    [[nodiscard]] static std::uint64_t first_of(Delivery delivery, std::uint64_t stride) {
        return (delivery == Delivery::at_most_once ? 0 : stride / 2) + (Message<T> ? 0 : stride / 4);
    }
    static void expect_survival(Scene& scene) {
        auto& [delivery, queue, fates] = scene;
        std::array<int, kMostTasks> times{};
        auto worker = queue.attach();
        while (auto task = worker.try_pop_for(12ms)) {
            const std::uint64_t number = number_of(**task);
            ASSERT_LT(number, kMostTasks);
            EXPECT_EQ(**task, task_of(number, T{}));
            ++times.at(number);
            if (fates->at(number).popped) {
                EXPECT_TRUE(task->redelivered()) << "task " << number << " comes twice, unflagged";
            }
            EXPECT_FALSE(fates->at(number).done) << "task " << number << " was done";
        }
        std::uint64_t missing = 0;  // and certainly lost
        std::uint64_t perhaps = 0;  // or done, or not even pushed
        for (std::uint64_t number = 0; number != kMostTasks; ++number) {
            const Fate& fate = fates->at(number);
            EXPECT_LE(times.at(number), fate.pushing ? 1 : 0) << "task " << number;
            if (fate.done || times.at(number) != 0) continue;
            ++(fate.pushed && !fate.finishing ? missing : perhaps);
        }
        const std::uint64_t lost = queue.losses().lost;
        EXPECT_GE(lost, missing) << "a task is gone of which the queue says nothing";
        EXPECT_LE(lost, missing + perhaps) << "counted twice";
        if (delivery == Delivery::at_least_once) {
            EXPECT_EQ(lost, 0U);
        }
        EXPECT_EQ(queue.join_for(300ms).error(), lost != 0 ? Status::peer_lost : Status::ok);
        EXPECT_EQ(queue.unfinished(), 0U);
        for (std::uint64_t i = 0; i != kCapacity; ++i) EXPECT_TRUE(queue.try_push(task_of(i, T{})));
        EXPECT_EQ(queue.try_push(task_of(0, T{})).error(), Status::full);
        for (std::uint64_t i = 0; i != kCapacity; ++i) EXPECT_EQ(**worker.try_pop(), task_of(i, T{}));
        worker.detach();
        queue.detach();
        expect_all_records_free(queue);
    }
    static void expect_all_records_free(const Queue& queue) {
        std::vector<detail::Participant> all;
        std::error_code error;
        while (!error)
            all.push_back(detail::Participant::attach(queue.segment(), detail::Role::observer, error));
        EXPECT_EQ(all.size() - 1, kParticipants) << error.message();
    }

    // ---- what victims find -------------------------------------------------------------------------------------------

    static void nothing(Scene&) {}
    /// Its worker died with it in hand.
    static void a_task_left_behind(Scene& scene) {
        ChildProcess worker([&] {
            Queue mine = scene.worker_with(1);
            const auto task = scene.take(mine);
            ::raise(SIGKILL);
        });
        ASSERT_TRUE(worker.join().killed_by(SIGKILL));
    }
    /// Its worker died when it had named it at its desk, and before it handed the place back.
    static void a_task_on_its_way(Scene& scene) {
        const detail::ParticipantTable table(scene.queue.segment());
        const auto is_named = [&] {
            for (std::uint32_t i = 0; i != table.count(); ++i)
                if (table.record(i).lease.load(std::memory_order_acquire) != 0) return true;
            return false;
        };
        const auto end = SteppedChild::kill_when(is_named, [&] {
            Queue mine = scene.worker_with(1);
            mark_for_stepping();
            (void)mine.try_pop();
            mark_for_stepping();
        });
        ASSERT_TRUE(end == SteppedChild::End::on_the_way || end == SteppedChild::End::cannot_be_traced);
    }
    /// Tries as often as it takes to look after the dead.
    static void take_over(Queue& mine, Scene& scene) {
        for (int i = 0; i != 20; ++i) {
            auto task = scene.take(mine);
            if (!task) continue;
            scene.finish(*task);
            return;
        }
    }
};
using Types = testing::Types<std::uint64_t, std::string>;
struct TypeNames {
    template <class T>
    static std::string GetName(int) {
        return Message<T> ? "Fixed" : "AnySize";
    }
};
TYPED_TEST_SUITE(JoinableCrash, Types, TypeNames);

TYPED_TEST(JoinableCrash, WorkerInItsFirstPopWithItsRecords) {
    this->at_every_step([](auto& scene) { scene.push(scene.queue, 1); },
                        [](auto& scene) { return scene.queue.attach(); },
                        [](auto& mine, auto& scene) {
                            auto task = scene.take(mine);
                            if (task) scene.finish(*task);
                        },
                        96);
}
TYPED_TEST(JoinableCrash, WorkerInPopAndDone) {
    this->at_every_step(
        this->nothing, [](auto& scene) { return scene.worker_with(2); },
        [](auto& mine, auto& scene) {
            auto task = scene.take(mine);
            if (task) scene.finish(*task);
        });
}
TYPED_TEST(JoinableCrash, WorkerWithTwoTasksInHand) {
    this->at_every_step(
        this->nothing, [](auto& scene) { return scene.worker_with(3); },
        [](auto& mine, auto& scene) {
            auto first = scene.take(mine);
            auto second = scene.take(mine);
            if (second) scene.finish(*second);
            if (first) scene.finish(*first);
        },
        12);
}
TYPED_TEST(JoinableCrash, WorkerThatPushesBeforeItIsDone) {
    this->at_every_step(
        this->nothing, [](auto& scene) { return scene.worker_with(1); },
        [](auto& mine, auto& scene) {
            auto task = scene.take(mine);
            scene.push(mine, 2);
            if (task) scene.finish(*task);
        });
}
TYPED_TEST(JoinableCrash, WorkerThatAbandons) {
    this->at_every_step(
        this->nothing, [](auto& scene) { return scene.worker_with(2); },
        [](auto& mine, auto& scene) {
            auto task = scene.take(mine);
            if (task) task->abandon();
        });
}
TYPED_TEST(JoinableCrash, WorkerThatDetachesWithATaskInHand) {
    this->at_every_step(
        this->nothing, [](auto& scene) { return scene.worker_with(1); },
        [](auto& mine, auto& scene) {
            const auto task = scene.take(mine);
            mine.detach();
        },
        4);
}
TYPED_TEST(JoinableCrash, AdopterOfATaskLeftBehind) {
    this->at_every_step(
        this->a_task_left_behind,
        [](auto& scene) {
            auto mine = scene.worker();
            std::this_thread::sleep_for(10ms);
            return mine;
        },
        this->take_over, 16);
}
TYPED_TEST(JoinableCrash, RecovererOfATaskOnItsWay) {
    this->at_every_step(
        this->a_task_on_its_way,
        [](auto& scene) {
            auto mine = scene.worker();
            std::this_thread::sleep_for(10ms);
            return mine;
        },
        this->take_over, 12);
}
TYPED_TEST(JoinableCrash, JoinerThatSettlesTheDead) {
    for (const auto prepare : {this->a_task_left_behind, this->a_task_on_its_way})
        this->at_every_step(
            prepare, [](auto& scene) { return scene.queue.attach(); },
            [](auto& mine, auto&) { (void)mine.join_for(0s); }, 48);
}
TYPED_TEST(JoinableCrash, JoinerThatSleeps) {
    this->at_every_step([](auto& scene) { scene.push(scene.queue, 1); },
                        [](auto& scene) {
                            auto mine = scene.queue.attach();
                            mine.set_wait_policy({.spin = 0ns});
                            (void)mine.join_for(0s);  // it has its record
                            return mine;
                        },
                        [](auto& mine, auto&) { (void)mine.join_for(3ms); });
}
TYPED_TEST(JoinableCrash, Sender) {
    this->at_every_step(
        this->nothing,
        [](auto& scene) {
            auto mine = scene.worker();
            (void)mine.join_for(0s);  // it has its record
            return mine;
        },
        [](auto& mine, auto& scene) { scene.push(mine, 1); });
}

}  // namespace
}  // namespace shmring::test
