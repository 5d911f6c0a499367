// One process does something with a JoinableQueue, and is killed after each instruction that anybody else could notice. Whatever is left,
// the others do: each task is done once, or again with a flag, or counted as lost; then join() ends with the right answer, the queue holds
// exactly what it held before, and every record can be taken again. The operations are in joinable_crash_test.cpp.
// SPDX-License-Identifier: MIT
#pragma once

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

#include "shmring/detail/lease_table.hpp"
#include "shmring/detail/participants.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/joinable_queue.hpp"
#include "support/child_process.hpp"
#include "support/crowd_stand.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"
#include "support/stepped_victim.hpp"
#include "support/torture_report.hpp"

namespace shmring::test {

[[nodiscard]] inline std::uint64_t task_of(std::uint64_t number, std::uint64_t /*like*/) { return number; }
[[nodiscard]] inline std::string task_of(std::uint64_t number, const std::string& /*like*/) {
    return std::to_string(number) + std::string(100, '.');
}
[[nodiscard]] inline std::uint64_t number_of_task(std::uint64_t task) { return task; }
[[nodiscard]] inline std::uint64_t number_of_task(const std::string& task) { return std::stoull(task); }

/// What became of a task: each step of the victim written down right after (`pushing` and `finishing`: right before).
struct Fate {
    std::atomic<bool> pushing{false};
    std::atomic<bool> pushed{false};
    std::atomic<bool> popped{false};
    std::atomic<bool> finishing{false};
    std::atomic<bool> done{false};
    std::atomic<std::uint32_t> times{0};  ///< that one of the living got it
    std::atomic<bool> flagged{false};     ///< as one that may have been begun
};

/// Numbers of tasks that the victim neither pushes nor finds.
inline constexpr std::uint64_t kTaskOfHelper = 13;   // who acts when the victim is asleep
inline constexpr std::uint64_t kTaskOfSleeper = 14;  // by the sender that slept
inline constexpr std::uint64_t kMarkerTask = 15;     // by a survivor, after the death
inline constexpr std::uint64_t kMostTasks = 16;

/// A queue, and what everybody writes down.
template <class T>
struct JoinableScene {
    using Queue = JoinableQueue<T>;
    static constexpr std::uint64_t kCapacity = 4;
    static constexpr std::uint32_t kParticipants = 12;

    struct Notes {
        std::array<Fate, kMostTasks> fates;
        std::atomic<std::uint64_t> moved_on_ns{0};  ///< a survivor got a task that was pushed after the death
        std::atomic<std::uint32_t> falls_asleep{0};  ///< the victim stands in front of its futex call
        std::atomic<std::uint32_t> is_dead{0};
        std::atomic<bool> helper_is_ready{false};
    };

    explicit JoinableScene(Delivery which)
        : delivery(which),
          queue(Queue::anonymous({.capacity = kCapacity,
                                  .capacity_bytes = Message<T> ? 0 : kCapacity * 256,
                                  .delivery = which,
                                  .participants = kParticipants,
                                  .liveness_period = std::chrono::milliseconds(2)})) {}

    [[nodiscard]] static T task(std::uint64_t number) { return task_of(number, T{}); }
    [[nodiscard]] Fate& fate(std::uint64_t number) { return notes->fates.at(number); }

    // ---- for victims, and for those who come before them ---------------------------------------------------------

    template <class Push>
    void push_by(std::uint64_t number, Push&& how) {
        fate(number).pushing = true;
        if (how(task(number))) fate(number).pushed = true;
    }
    void push(Queue& mine, std::uint64_t number) {
        push_by(number, [&](const T& value) {
            if (!mine.push(value)) ::_exit(4);
            return true;
        });
    }
    /// A handle that goes to sleep at once when it has to wait.
    [[nodiscard]] Queue patient() {
        Queue mine = queue.attach();
        mine.set_wait_policy({.spin = std::chrono::nanoseconds(0)});
        return mine;
    }
    /// One that has a joiner's and sender's record.
    [[nodiscard]] Queue sender() {
        Queue mine = patient();
        (void)mine.join_for(std::chrono::seconds(0));
        return mine;
    }
    /// One that has a worker's records. The queue must look empty.
    [[nodiscard]] Queue worker() {
        Queue mine = patient();
        if (mine.try_pop()) ::_exit(5);
        return mine;
    }
    /// The same, after so many tasks were done, and so many have come that were not.
    [[nodiscard]] Queue worker_with(std::uint64_t tasks, std::uint64_t before = 0) {
        Queue mine = worker();
        for (std::uint64_t i = 0; i != before; ++i)
            if (!mine.push(task(0)) || !mine.pop()) ::_exit(6);
        for (std::uint64_t number = 1; number <= tasks; ++number) push(mine, number);
        return mine;
    }
    template <class Popped>
    [[nodiscard]] Popped note_popped(Popped got) {
        if (got) fate(number_of_task(**got)).popped = true;
        return got;
    }
    [[nodiscard]] Result<Task<T>> take(Queue& mine) { return note_popped(mine.try_pop()); }
    /// `how()` finishes it.
    template <class How>
    void finish_by(std::uint64_t number, How&& how) {
        fate(number).finishing = true;
        how();
        fate(number).done = true;
    }
    void finish(Task<T>& task) {
        finish_by(number_of_task(*task), [&] { task.done(); });
    }

    // ---- the living ------------------------------------------------------------------------------------------------

    /// Notes what one of them got; it is done when the caller lets it go.
    void note(const Task<T>& got) {
        const std::uint64_t number = number_of_task(*got);
        if (number >= kMostTasks || *got != task(number)) {
            ADD_FAILURE() << "a task that nobody pushed";
            return;
        }
        Fate& known = fate(number);
        ++known.times;
        known.flagged = got.redelivered();
        if (number == kMarkerTask) move_on();
    }
    void move_on() { notes->moved_on_ns = detail::platform::monotonic_ns(); }

    /// `live()`, whose int is 0 if all went well, runs in a process beside the victim.
    template <class Live>
    void beside(Live&& live) {
        peer.emplace(live, 3 * hang_time());
    }
    [[nodiscard]] const Line& tasks_line() const { return crowd_control(queue.segment()).readable; }
    [[nodiscard]] const Line& room_line() const { return crowd_control(queue.segment()).writable; }
    [[nodiscard]] const Line& done_line() const {
        return detail::LeaseTable(queue.segment()).control().finished;
    }
    static void await_asleep(const Line& line) {
        await_sleeper(line);
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the first sleep lasts 1 ms
    }
    static void await(const std::atomic<bool>& flag) {
        while (!flag) std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
    /// Until the victim is in front of its futex call, or dead.
    void await_victim_asleep() {
        while (notes->falls_asleep.load(std::memory_order_acquire) == 0 &&
               notes->is_dead.load(std::memory_order_acquire) == 0)
            std::this_thread::sleep_for(std::chrono::microseconds(50));
        std::this_thread::sleep_for(std::chrono::microseconds(300));  // by then it is in the kernel
    }

    Delivery delivery;
    Queue queue;
    Shared<Notes> notes{};
    std::optional<ChildProcess> peer{};
    bool peer_takes_the_marker = false;  ///< it is a worker that sleeps
};

template <class T>
class JoinableTorture {
 public:
    using Scene = JoinableScene<T>;
    using Queue = typename Scene::Queue;
    using Act = std::function<void(Scene&)>;

    /// `arrive(scene)`: the victim's way to where it is stepped from; what it answers lives on. `act(what, scene)` is stepped.
    /// `is_long`: ten thousands of instructions, with the same system calls each time.
    template <class Arrive, class Operation>
    static void run(const std::string& name, const Act& prepare, Arrive&& arrive, Operation&& act,
                    bool is_long) {
        for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
            if (testing::Test::HasFailure() || testing::Test::IsSkipped()) return;
            run(full_name(name, delivery), delivery, prepare, arrive, act, is_long);
        }
    }

 private:
    static std::string full_name(const std::string& name, Delivery delivery) {
        return std::string(Message<T> ? "JoinableQueue<uint64>: " : "JoinableQueue<string>: ") + name +
               (delivery == Delivery::at_least_once ? ", at least once" : "");
    }
    template <class Arrive, class Operation>
    static void run(const std::string& name, Delivery delivery, const Act& prepare, Arrive& arrive,
                    Operation& act, bool is_long) {
        const std::uint64_t quarter = (delivery == Delivery::at_most_once ? 0U : 2U) + (Message<T> ? 0U : 1U);
        const bool is_alone = !JoinableTorture(delivery, prepare).scene_.peer;
        kill_at_each_step(
            {.name = name, .quarter = quarter, .is_long = is_long, .is_alone = is_alone},
            [&] { return JoinableTorture(delivery, prepare); },
            [&](JoinableTorture& world, SteppedVictim& victim) { return world.kill(victim, arrive, act); },
            [](JoinableTorture& world, const SteppedVictim& victim, bool, TortureReport& report) {
                world.settle(victim, report);
            });
    }

    JoinableTorture(Delivery delivery, const Act& prepare) : scene_(delivery) { prepare(scene_); }

    template <class Arrive, class Operation>
    SteppedChild::End kill(SteppedVictim& victim, Arrive& arrive, Operation& act) {
        const auto body = [&] {
            auto what = arrive(scene_);
            mark_for_stepping();
            act(what, scene_);
            mark_for_stepping();
            ::_exit(3);
        };
        const SteppedChild::End end = victim.kill(scene_.queue.segment(), scene_.notes->falls_asleep, body);
        scene_.notes->is_dead.store(1, std::memory_order_release);
        return end;
    }

    // ---- survivors -------------------------------------------------------------------------------------------------

    void settle(const SteppedVictim& victim, TortureReport& report) {
        auto worker = scene_.queue.attach();
        const bool hung = !move_on(worker);
        EXPECT_FALSE(hung) << "a survivor hangs";
        report.hung += hung ? 1 : 0;
        if (hung) return;
        judge(report);
        victim.note_recovery(scene_.notes->moved_on_ns.load(std::memory_order_acquire), report);
        if (!closed_ && !testing::Test::HasFailure()) expect_exact_capacity(worker);
        worker.detach();
        scene_.queue.detach();
        expect_all_records_free();
    }
    /// A task that is pushed now comes, and everything else is done or counted as lost. False: not in time.
    [[nodiscard]] bool move_on(Queue& worker) {
        if (scene_.peer_takes_the_marker) {
            const Status status = scene_.queue.try_push_for(Scene::task(kMarkerTask), hang_time()).error();
            closed_ = status == Status::closed;
            if ((status != Status::ok && !closed_) || !peer_ends_well()) return false;
            scene_.fate(kMarkerTask).pushing = true;
            return drain(worker) && joins();
        }
        const std::uint64_t start_ns = detail::platform::monotonic_ns();
        for (bool sent = false; scene_.notes->moved_on_ns == 0;) {
            if (std::chrono::nanoseconds(detail::platform::monotonic_ns() - start_ns) > hang_time())
                return false;
            if (!sent && !closed_) {
                const Status status = scene_.queue.try_push_for(Scene::task(kMarkerTask), kMoment).error();
                sent = status == Status::ok;
                closed_ = status == Status::closed;
                scene_.fate(kMarkerTask).pushing = sent;
            }
            const auto task = worker.try_pop_for(kMoment);
            if (task) scene_.note(*task);
            if (task.error() == Status::closed) scene_.move_on();
        }
        return drain(worker) && peer_ends_well() && drain(worker) && joins();
    }
    [[nodiscard]] bool peer_ends_well() {
        if (!scene_.peer) return true;
        const Ended ended = scene_.peer->join();
        EXPECT_TRUE(ended.exited_with(0)) << "who was beside the victim " << ended;
        return ended.exited_with(0);
    }
    [[nodiscard]] bool drain(Queue& worker) {
        const std::uint64_t start_ns = detail::platform::monotonic_ns();
        for (;;) {
            const auto task = worker.try_pop_for(kMoment);
            if (task) scene_.note(*task);
            if (!task && scene_.queue.unfinished() == 0) return true;
            if (std::chrono::nanoseconds(detail::platform::monotonic_ns() - start_ns) > hang_time())
                return false;
        }
    }
    /// join() tells of losses, once, and of nothing else.
    [[nodiscard]] bool joins() {
        const std::uint64_t lost = scene_.queue.losses().lost;
        const Status status = scene_.queue.join_for(hang_time()).error();
        EXPECT_EQ(status, lost != 0 ? Status::peer_lost : Status::ok);
        EXPECT_EQ(scene_.queue.unfinished(), 0U);
        return status != Status::timed_out;
    }

    void judge(TortureReport& report) {
        std::uint64_t missing = 0;  // and certainly lost
        std::uint64_t perhaps = 0;  // or done, or not quite pushed
        for (std::uint64_t number = 0; number != kMostTasks; ++number) {
            const Fate& fate = scene_.fate(number);
            const std::uint32_t times = fate.times;
            expect(times <= (fate.pushing ? 1 : 0), report.repeated, number, "comes too often");
            expect(times == 0 || !fate.popped || fate.flagged, report.repeated, number,
                   "comes twice, unflagged");
            expect(times == 0 || !fate.done, report.repeated, number, "was done, and comes again");
            if (!fate.pushing || fate.done || times != 0) continue;
            ++(fate.pushed && !fate.finishing ? missing : perhaps);
        }
        const std::uint64_t lost = scene_.queue.losses().lost;
        EXPECT_GE(lost, missing) << "a task is gone of which the queue says nothing";
        EXPECT_LE(lost, missing + perhaps) << "counted twice";
        report.lost += lost < missing ? missing - lost : 0;
        if (scene_.delivery != Delivery::at_least_once) return;
        EXPECT_EQ(lost, 0U);
        report.lost += lost;
    }
    static void expect(bool right, std::uint64_t& counter, std::uint64_t number, const char* what) {
        EXPECT_TRUE(right) << "task " << number << ' ' << what;
        counter += right ? 0 : 1;
    }
    void expect_exact_capacity(Queue& worker) {
        for (std::uint64_t i = 0; i != Scene::kCapacity; ++i)
            EXPECT_TRUE(scene_.queue.try_push(Scene::task(i)));
        EXPECT_EQ(scene_.queue.try_push(Scene::task(0)).error(), Status::full);
        for (std::uint64_t i = 0; i != Scene::kCapacity; ++i) {
            const auto task = worker.try_pop();
            ASSERT_TRUE(task);
            EXPECT_EQ(**task, Scene::task(i));
        }
    }
    void expect_all_records_free() {
        std::vector<detail::Participant> all;
        std::error_code error;
        while (!error)
            all.push_back(detail::Participant::attach(scene_.queue.segment(), detail::Role::observer, error));
        EXPECT_EQ(all.size() - 1, Scene::kParticipants) << error.message();
    }

    static constexpr std::chrono::milliseconds kMoment{4};

    Scene scene_;
    bool closed_ = false;
};

}  // namespace shmring::test
