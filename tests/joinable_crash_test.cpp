// JoinableQueue: workers, adopters, joiners and senders killed after each instruction that changed the segment and after each system call,
// with both ways of delivery. What is looked at after each death: support/joinable_torture.hpp. The quick form kills after some of these
// instructions, tools/dev torture after all of them.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "support/child_process.hpp"
#include "support/joinable_torture.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

template <class T>
class JoinableCrash : public testing::Test {
 protected:
    using Scene = JoinableScene<T>;
    using Queue = typename Scene::Queue;
    using Act = typename JoinableTorture<T>::Act;
    static constexpr std::chrono::milliseconds kInVain{20};
    static constexpr bool kIsLong =
        true;  // who takes a record on the way: ten thousands of instructions, of which few matter

    void SetUp() override { ::alarm(is_soak() ? 1700 : 250); }
    void TearDown() override { ::alarm(0); }

    template <class Arrive, class Operation>
    static void kill(const char* name, const Act& prepare, Arrive&& arrive, Operation&& act,
                     bool is_long = false) {
        if (testing::Test::HasFailure() || testing::Test::IsSkipped()) return;
        JoinableTorture<T>::run(name, prepare, arrive, act, is_long);
    }

    // ---- what victims do -------------------------------------------------------------------------------------------

    static void push_one(Queue& mine, Scene& scene) {
        scene.push_by(10, [&](const T& task) { return static_cast<bool>(mine.try_push(task)); });
    }
    static void push_three(Queue& mine, Scene& scene) {
        const std::array<T, 3> tasks{Scene::task(10), Scene::task(11), Scene::task(12)};
        for (std::uint64_t i = 10; i != 13; ++i) scene.fate(i).pushing = true;
        const auto count = mine.try_push_n(tasks);
        for (std::uint64_t i = 0; count && i != *count; ++i) scene.fate(10 + i).pushed = true;
    }
    static void pop_and_finish(Queue& mine, Scene& scene) {
        auto task = scene.take(mine);
        if (task) scene.finish(*task);
    }
    /// Tries as often as it takes to look after the dead.
    static void take_over(Queue& mine, Scene& scene) {
        for (int i = 0; i != 20 && mine.losses().lost == 0; ++i) {
            auto task = scene.take(mine);
            if (!task) continue;
            scene.finish(*task);
            return;
        }
    }

    // ---- what victims are ------------------------------------------------------------------------------------------

    /// With so many tasks in the queue, which has seen so many before.
    [[nodiscard]] static auto worker_with(std::uint64_t tasks, std::uint64_t before = 0) {
        return [=](Scene& scene) { return scene.worker_with(tasks, before); };
    }
    [[nodiscard]] static Queue sender(Scene& scene) { return scene.sender(); }
    /// Whose first pop looks after the dead.
    [[nodiscard]] static Queue stranger(Scene& scene) { return scene.patient(); }

    // ---- what victims find -----------------------------------------------------------------------------------------

    static void nothing(Scene&) {}
    template <std::uint64_t kTasks>
    static void tasks(Scene& scene) {
        for (std::uint64_t number = 1; number <= kTasks; ++number) scene.push(scene.queue, number);
    }
    /// Its worker died with it in hand.
    static void a_task_left_behind(Scene& scene) {
        ChildProcess worker([&] {
            Queue mine = scene.worker_with(1);
            const auto task = scene.take(mine);
            ::raise(SIGKILL);
        });
        ASSERT_TRUE(worker.join().killed_by(SIGKILL));
    }
    /// Their worker died with them in hand, and with all records.
    static void all_records_left_behind(Scene& scene) {
        ChildProcess worker([&] {
            Queue mine = scene.worker_with(2);
            const auto first = scene.take(mine);
            const auto second = scene.take(mine);
            std::vector<detail::Participant> rest;
            std::error_code error;
            while (!error)
                rest.push_back(
                    detail::Participant::attach(scene.queue.segment(), detail::Role::observer, error));
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

    // ---- who stands beside them ------------------------------------------------------------------------------------

    /// A worker that sleeps, until it gets what a survivor pushes, or hears of the end.
    static void sleeping_worker(Scene& scene) {
        scene.peer_takes_the_marker = true;
        scene.beside([&scene] {
            Queue mine = scene.patient();
            for (;;) {
                const auto task = mine.try_pop_for(hang_time());
                if (task) scene.note(*task);
                if (task.error() == Status::closed) scene.move_on();
                if (scene.notes->moved_on_ns != 0) return 0;
                if (!task) return 10 + static_cast<int>(task.error());
            }
        });
        scene.await_asleep(scene.tasks_line());
    }
    /// A sender that sleeps as soon as the queue is full.
    static void sender_beside(Scene& scene) {
        scene.beside([&scene] {
            Queue mine = scene.patient();
            scene.await(scene.fate(Scene::kCapacity).pushed);
            Status status = Status::ok;
            scene.push_by(kTaskOfSleeper, [&](const T& task) {
                status = mine.try_push_for(task, hang_time()).error();
                return status == Status::ok;
            });
            return status == Status::ok || status == Status::closed ? 0 : 10 + static_cast<int>(status);
        });
    }
    static void sleeping_sender(Scene& scene) {
        tasks<Scene::kCapacity>(scene);
        sender_beside(scene);
        scene.await_asleep(scene.room_line());
    }
    /// A joiner that sleeps as soon as there is a task. It ends when nothing is left.
    static void joiner_beside(Scene& scene) {
        scene.beside([&scene] {
            Queue mine = scene.patient();
            scene.await(scene.fate(1).pushed);
            for (;;) {
                const Status status = mine.join_for(hang_time()).error();
                if (status == Status::ok) return 0;
                if (status != Status::peer_lost) return 10 + static_cast<int>(status);
                if (mine.unfinished() == 0) return 0;
            }
        });
    }
    static void sleeping_joiner(Scene& scene) {
        tasks<1>(scene);
        joiner_beside(scene);
        scene.await_asleep(scene.done_line());
    }
    /// The victim, where the other one falls asleep only when it has made everything ready.
    [[nodiscard]] static Queue worker_before_a_sleeping_sender(Scene& scene) {
        auto mine = scene.worker_with(Scene::kCapacity);
        scene.await_asleep(scene.room_line());
        return mine;
    }
    [[nodiscard]] static Queue worker_before_a_sleeping_joiner(Scene& scene) {
        auto mine = scene.worker_with(1);
        scene.await_asleep(scene.done_line());
        return mine;
    }
    /// A worker that finishes a task when the victim is asleep, and takes it then or before.
    static void helping_worker(Scene& scene, bool takes_it_before) {
        scene.beside([&scene, takes_it_before] {
            Queue mine = scene.patient();
            std::optional<Result<Task<T>>> task;
            if (takes_it_before) task.emplace(mine.try_pop());
            scene.notes->helper_is_ready = true;
            scene.await_victim_asleep();
            if (!task) task.emplace(mine.try_pop());
            if (*task) scene.note(**task);
            // After a death another survivor may have taken it.
            const bool was_taken = !takes_it_before && scene.notes->is_dead && task->error() == Status::empty;
            return *task || was_taken ? 0 : 9;
        });
        scene.await(scene.notes->helper_is_ready);
    }
    /// A sender that pushes a task when the victim is asleep.
    static void helping_sender(Scene& scene) {
        scene.beside([&scene] {
            Queue mine = scene.patient();
            scene.await_victim_asleep();
            scene.push(mine, kTaskOfHelper);
            return 0;
        });
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

// ---- senders -------------------------------------------------------------------------------------------------------

TYPED_TEST(JoinableCrash, Sender) {
    const auto push = this->push_one;
    this->kill("push, empty", this->nothing, this->sender, push);
    this->kill("push, wrap", this->nothing, this->worker_with(1, 3), push);
    this->kill("push, last place", this->nothing, this->worker_with(3, 2), push);
    this->kill("push, full", this->nothing, this->worker_with(4, 1), push);
    this->kill("push, worker asleep", this->sleeping_worker, this->sender, push);
    this->kill("push, joiner asleep", this->sleeping_joiner, this->sender, push);
}
TYPED_TEST(JoinableCrash, SenderThatSleeps) {
    this->kill(
        "push, sleeps until woken",
        [this](auto& scene) {
            this->template tasks<4>(scene);
            this->helping_worker(scene, false);
        },
        this->sender,
        [](auto& mine, auto& scene) {
            scene.push_by(10, [&](const TypeParam& task) { return bool(mine.try_push_for(task, 600s)); });
        });
    this->kill(
        "push, sleeps in vain", this->template tasks<4>, this->sender, [this](auto& mine, auto& scene) {
            scene.push_by(
                10, [&](const TypeParam& task) { return bool(mine.try_push_for(task, this->kInVain)); });
        });
}
TYPED_TEST(JoinableCrash, SenderOfABatch) {
    const auto push = this->push_three;
    this->kill("batch, empty", this->nothing, this->sender, push);
    this->kill("batch, wrap", this->nothing, this->worker_with(1, 3), push);
    this->kill("batch, room for one", this->nothing, this->worker_with(3, 2), push);
    this->kill("batch, worker asleep", this->sleeping_worker, this->sender, push);
}

// ---- workers -------------------------------------------------------------------------------------------------------

TYPED_TEST(JoinableCrash, WorkerInItsFirstPopWithItsRecords) {
    this->kill("attach a worker, pop and done", this->template tasks<1>, this->stranger, this->pop_and_finish,
               this->kIsLong);
    this->kill("attach a sender and push", this->template tasks<1>, this->stranger, this->push_one,
               this->kIsLong);
}
TYPED_TEST(JoinableCrash, WorkerInPopAndDone) {
    const auto pop = this->pop_and_finish;
    this->kill("pop and done", this->nothing, this->worker_with(2), pop);
    this->kill("pop and done, wrap", this->nothing, this->worker_with(2, 3), pop);
    this->kill("pop and done, full", this->nothing, this->worker_with(4, 2), pop);
    this->kill("pop, empty", this->nothing, this->worker_with(0, 3), pop);
    this->kill("pop and done, sender asleep", this->sender_beside, this->worker_before_a_sleeping_sender,
               pop);
    this->kill("pop and done, joiner asleep", this->joiner_beside, this->worker_before_a_sleeping_joiner,
               pop);
}
TYPED_TEST(JoinableCrash, WorkerThatLetsItsTaskGo) {
    this->kill("pop, done at the end of its scope", this->nothing, this->worker_with(2),
               [](auto& mine, auto& scene) {
                   auto task = scene.take(mine);
                   if (task)
                       scene.finish_by(number_of_task(**task), [&] { const auto last = std::move(task); });
               });
    this->kill("get and task_done", this->nothing, this->worker_with(2), [](auto& mine, auto& scene) {
        const auto task = mine.get_nowait();
        if (!task) return;
        scene.fate(number_of_task(*task)).popped = true;
        scene.finish_by(number_of_task(*task), [&] { (void)mine.task_done(); });
    });
}
TYPED_TEST(JoinableCrash, WorkerThatSleeps) {
    this->kill("pop, sleeps until woken, done", this->helping_sender, this->worker_with(0, 3),
               [](auto& mine, auto& scene) {
                   auto task = scene.note_popped(mine.try_pop_for(600s));
                   if (task) scene.finish(*task);
               });
    this->kill("pop, sleeps in vain", this->nothing, this->worker_with(0, 3),
               [this](auto& mine, auto&) { (void)mine.try_pop_for(this->kInVain); });
}
TYPED_TEST(JoinableCrash, WorkerWithTwoTasksInHand) {
    this->kill("two tasks in hand", this->nothing, this->worker_with(3), [](auto& mine, auto& scene) {
        auto first = scene.take(mine);
        auto second = scene.take(mine);
        if (second) scene.finish(*second);
        if (first) scene.finish(*first);
    });
}
TYPED_TEST(JoinableCrash, WorkerThatPushesBeforeItIsDone) {
    this->kill("pop, push, done", this->nothing, this->worker_with(1), [](auto& mine, auto& scene) {
        auto task = scene.take(mine);
        scene.push(mine, 2);
        if (task) scene.finish(*task);
    });
}
TYPED_TEST(JoinableCrash, WorkerThatAbandons) {
    this->kill("pop and abandon", this->nothing, this->worker_with(2), [](auto& mine, auto& scene) {
        auto task = scene.take(mine);
        if (task) task->abandon();
    });
}
TYPED_TEST(JoinableCrash, WorkerThatDetaches) {
    this->kill("pop and detach", this->nothing, this->worker_with(1), [](auto& mine, auto& scene) {
        const auto task = scene.take(mine);
        mine.detach();
    });
    this->kill("detach", this->nothing, this->worker_with(2, 3), [](auto& mine, auto&) { mine.detach(); });
    this->kill("detach a sender, worker asleep", this->sleeping_worker, this->sender,
               [](auto& mine, auto&) { mine.detach(); });
}

// ---- closers -------------------------------------------------------------------------------------------------------

TYPED_TEST(JoinableCrash, Closer) {
    const auto close = [](auto& mine, auto&) { mine.close(); };
    this->kill("close", this->nothing, this->worker_with(2, 3), close);
    this->kill("close, worker asleep", this->sleeping_worker, this->sender, close);
    this->kill("close, sender asleep", this->sleeping_sender, this->sender, close);
    this->kill("close, joiner asleep", this->sleeping_joiner, this->sender, close);
}

// ---- who finds the dead --------------------------------------------------------------------------------------------

TYPED_TEST(JoinableCrash, AdopterOfATaskLeftBehind) {
    this->kill("recovery: take over a dead one's task", this->a_task_left_behind, this->stranger,
               this->take_over, this->kIsLong);
}
TYPED_TEST(JoinableCrash, RecovererOfATaskOnItsWay) {
    this->kill("recovery: a task on its way to the desk", this->a_task_on_its_way, this->stranger,
               this->take_over, this->kIsLong);
}
TYPED_TEST(JoinableCrash, ComerWhereTheDeadHaveAllRecords) {
    this->kill("attach in a dead one's place", this->all_records_left_behind, this->stranger,
               this->pop_and_finish, this->kIsLong);
}
TYPED_TEST(JoinableCrash, JoinerThatSettlesTheDead) {
    const auto join = [](auto& mine, auto&) { (void)mine.join_for(0s); };
    this->kill("join, settles a dead one's task", this->a_task_left_behind, this->stranger, join,
               this->kIsLong);
    this->kill("join, settles a task on its way", this->a_task_on_its_way, this->stranger, join,
               this->kIsLong);
}

// ---- joiners -------------------------------------------------------------------------------------------------------

TYPED_TEST(JoinableCrash, Joiner) {
    const auto join = [](auto& mine, auto&) { (void)mine.join_for(0s); };
    this->kill("join, nothing left", this->nothing, this->worker_with(0, 3), join);
    this->kill("join, a task left", this->template tasks<1>, this->sender, join);
}
TYPED_TEST(JoinableCrash, JoinerThatSleeps) {
    this->kill(
        "join, sleeps until woken",
        [this](auto& scene) {
            scene.push(scene.queue, 1);
            this->helping_worker(scene, true);
        },
        this->sender, [](auto& mine, auto&) { (void)mine.join_for(600s); });
    this->kill("join, sleeps in vain", this->template tasks<1>, this->sender,
               [this](auto& mine, auto&) { (void)mine.join_for(this->kInVain); });
}

}  // namespace
}  // namespace shmring::test
