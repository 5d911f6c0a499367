// JoinableQueue<T>: a queue of tasks that can be waited for, many to many, on a ring in shared memory.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

#include "shmring/detail/one_thread.hpp"
#include "shmring/detail/python_names.hpp"
#include "shmring/detail/queue_sender.hpp"
#include "shmring/detail/ring_factory.hpp"
#include "shmring/detail/task_lane.hpp"
#include "shmring/detail/task_reader.hpp"
#include "shmring/detail/workbench.hpp"
#include "shmring/options.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/task.hpp"
#include "shmring/wait.hpp"

namespace shmring {

/// A Queue whose pops give a Task, and whose join() waits until every task that was pushed is done. Types, handles, threads, forks and
/// statuses as for Queue.
///
/// A task in a worker's hand stands in the segment at the worker's desk, not in the ring: a slow task stops nobody. There is no counter
/// of unfinished tasks that a death could leave wrong: join() looks whether any task is left. If a worker dies with tasks in hand, other
/// handles find out within about a liveness period, while they wait or now and then as they pop, and do as the queue's Delivery says.
///
/// A handle has at most 64 tasks in hand, each of which takes a participant record; pop answers overflow when there is none for another,
/// and unavailable when the system refused what taking one needs.
/// Origin: of the idea, Python's multiprocessing.JoinableQueue, which counts with a semaphore.
template <class T>
class JoinableQueue : public detail::RingFactory<JoinableQueue<T>, JoinableQueueOptions>,
                      public detail::QueueSender<T, typename detail::TasksOf<T>::type>,
                      public detail::PythonPutNames<JoinableQueue<T>, T> {
    using Lane = typename detail::TasksOf<T>::type;
    using Sender = detail::QueueSender<T, Lane>;
    using Sender::out_, Sender::policy_, Sender::ring_, Sender::segment_;
    using typename detail::PythonPutNames<JoinableQueue<T>, T>::Timeout;
    static constexpr bool kNothrow = Lane::kNothrow;

 public:
    /// An empty object without a queue: what the noexcept factories return when they fail. Calls on it answer not_owner (task_done()
    /// overflow), capacities and counts 0.
    JoinableQueue() noexcept = default;

    /// Another handle of the same queue, for another thread, or for a forked child of a process that uses this one.
    [[nodiscard]] JoinableQueue attach() const { return JoinableQueue(segment_); }

    /// Takes the oldest task: empty, busy (a push is under way), closed (ended and drained), corrupt (its bytes are no T; it is gone),
    /// or overflow. noexcept for Messages; for others as their decoding: a task whose decoding throws is left to others.
    [[nodiscard]] Result<Task<T>> try_pop() noexcept(kNothrow) { return taking<Task<T>>(at_once()); }
    /// Waits while the queue is empty. `stop` ends the wait with interrupted.
    [[nodiscard]] Result<Task<T>> pop(const std::stop_token& stop = {}) noexcept(kNothrow) {
        return taking<Task<T>>(waiting(detail::platform::kNever, stop));
    }
    /// Waits at most `timeout`; the whole call takes no longer, whatever others do. Zero or less is one attempt and answers timed_out.
    template <class Rep, class Period>
    [[nodiscard]] Result<Task<T>> try_pop_for(std::chrono::duration<Rep, Period> timeout,
                                              const std::stop_token& stop = {}) noexcept(kNothrow) {
        return taking<Task<T>>(waiting(detail::deadline_after(timeout), stop));
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<Task<T>> try_pop_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(kNothrow&& detail::kNothrowClock<Clock>) {
        return taking<Task<T>>([&](auto& attempt) {
            return detail::wait_until(deadline,
                                      [&](std::uint64_t ns) noexcept { return waiting(ns, stop)(attempt); });
        });
    }

    /// For programs ported from Python: pop(), try_pop() or try_pop_for() of a task without a guard, which task_done() finishes, the
    /// oldest one first.
    [[nodiscard]] Result<T> get(bool block = true, const Timeout& timeout = std::nullopt) noexcept(kNothrow) {
        if (!block) return get_nowait();
        return taking<T>(waiting(timeout ? detail::deadline_after(*timeout) : detail::platform::kNever, {}));
    }
    [[nodiscard]] Result<T> get_nowait() noexcept(kNothrow) { return taking<T>(at_once()); }
    /// overflow: this handle has taken no task without a guard that is not done yet.
    Result<void> task_done() noexcept {
        if (bench_ == nullptr) return Status::overflow;
        return bench_->finish_oldest();
    }

    /// Waits until every task that was pushed before is done: there is a moment during the call at which the queue holds no task and nobody
    /// has one in hand. What the workers did is visible then.
    /// peer_lost: all is done but tasks were lost with their workers since this handle last said so (at_most_once); or a dead worker's
    /// task waits and there is no worker left but this handle (at_least_once): it stays for one who comes, and join() may be called
    /// again. interrupted: by `stop`. overflow: no participant record was free; unavailable: the system refused what taking
    /// one needs.
    /// corrupt: the ring's positions are none.
    [[nodiscard]] Result<void> join(const std::stop_token& stop = {}) noexcept {
        return join_by(detail::platform::kNever, stop);
    }
    /// Waits at most `timeout`, never less before answering timed_out; zero or less is one look.
    template <class Rep, class Period>
    [[nodiscard]] Result<void> join_for(std::chrono::duration<Rep, Period> timeout,
                                        const std::stop_token& stop = {}) noexcept {
        return join_by(detail::deadline_after(timeout), stop);
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> join_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(detail::kNothrowClock<Clock>) {
        return detail::wait_until(deadline,
                                  [&](std::uint64_t ns) noexcept { return join_by(ns, stop).error(); });
    }
    /// Tasks in the queue and in workers' hands: exact while nobody moves.
    [[nodiscard]] std::uint64_t unfinished() const noexcept {
        if (segment_ == nullptr) return 0;
        const auto left = Lane::unfinished(*segment_);
        const auto holds = ring_holds();
        return left.count() + detail::LeaseTable(*segment_).in_hand(
                                  [&holds](detail::LeaseWord task) noexcept { return !holds(task); });
    }

    /// ok: a pop would not wait, for there is a task, the end of the queue, or an error to be told. empty, busy: it would. Takes
    /// nothing; another worker may be quicker. To wait until it answers ok: wait_any(queue).
    [[nodiscard]] Result<void> poll() noexcept {
        if (const std::error_code code = bind_reader()) return this->no_end(code);
        return in_.poll(
            [this]() noexcept { return left_behind_ || (bench_->is_time_to_look() && sees_left_behind()); });
    }
    /// What wait_any and WaitSet need of a worker; binds it, and is valid while the queue object stays where it is.
    [[nodiscard]] auto read_point() noexcept {
        (void)bind_reader();  // one that cannot be bound counts as readable: the call tells
        auto point = in_.read_point();
        if (point.line == nullptr) return point;
        point.object = this;
        point.ready = [](void* self, bool asks) noexcept {
            return static_cast<JoinableQueue*>(self)->readable(asks);
        };
        point.examine = [](void* self) noexcept {
            auto& queue = *static_cast<JoinableQueue*>(self);
            (void)queue.in_.recover();
            (void)queue.sees_left_behind();
        };
        return point;
    }
    /// For epoll, poll and select: see MpmcRing's consumer; a dead worker's task is heard of as a death is. Binds the worker's side.
    /// Throws std::system_error.
    [[nodiscard]] int readable_fd() {
        if (!in_) in_ = detail::TaskReader<Lane>(ring_.consumer(policy_));
        return in_.readable_fd();
    }
    [[nodiscard]] int readable_fd(std::error_code& code) noexcept {
        code.clear();
        if (!in_) in_ = detail::TaskReader<Lane>(ring_.consumer(policy_, code));
        return code ? -1 : in_.readable_fd(code);
    }

    /// As the senders' close(). A handle that its parent only popped with is in use, too.
    void close() noexcept {
        if (out_ || !in_ || in_.usable()) Sender::close();
    }
    /// Gives this handle's records back; the queue goes on, and so may this handle. Tasks in hand are left to others; no other thread
    /// may be finishing one of them meanwhile.
    void detach() noexcept {
        out_.detach();
        in_.detach();
        if (bench_ != nullptr) bench_->leave();
    }
    void set_wait_policy(const WaitPolicy& policy) noexcept {
        policy_ = policy;
        joining_.set_policy(policy);
        if (out_) out_.set_wait_policy(policy);
        if (in_) in_.set_wait_policy(policy);
    }

    /// What becomes of the tasks in a dead worker's hand.
    [[nodiscard]] Delivery delivery() const noexcept {
        const bool again = segment_ != nullptr && detail::LeaseTable(*segment_).redelivers();
        return again ? Delivery::at_least_once : Delivery::at_most_once;
    }
    /// skipped: pushes that died before they returned; lost: tasks that died with their workers; redelivered: those that were given to
    /// another, or that no dead worker's pop had returned yet.
    [[nodiscard]] Losses losses() const noexcept {
        if (segment_ == nullptr) return {};
        Losses sum = ring_.losses();
        const detail::LeaseTable leases(*segment_);
        sum.lost += leases.lost();
        sum.redelivered += leases.redelivered();
        return sum;
    }

    [[nodiscard]] static detail::SegmentSpec spec(const JoinableQueueOptions& options) noexcept {
        return Lane::spec(options);
    }

 private:
    friend detail::RingFactory<JoinableQueue<T>, JoinableQueueOptions>;
    explicit JoinableQueue(std::shared_ptr<Segment> segment) noexcept
        : Sender(segment, largest_in(segment.get())) {
        if (segment_ != nullptr) told_of_ = losses().lost;
    }
    [[nodiscard]] static std::size_t largest_in(const Segment* segment) noexcept {
        if (segment == nullptr || !detail::LeaseTable(*segment).redelivers()) return Sender::kAnySize;
        return detail::LeaseTable(*segment).room();
    }

    [[nodiscard]] bool bind_bench() noexcept {
        if (bench_ == nullptr && segment_ != nullptr)
            bench_.reset(new (std::nothrow) detail::Workbench(segment_));
        return bench_ != nullptr;
    }
    [[nodiscard]] std::error_code bind_reader() noexcept {
        std::error_code code;
        if (in_ && bench_ != nullptr) [[likely]]
            return code;
        if (!bind_bench()) return std::make_error_code(std::errc::not_enough_memory);
        if (!in_) in_ = detail::TaskReader<Lane>(ring_.consumer(policy_, code));
        return code;
    }
    /// A dead worker's task, to be delivered again: remembered until the next pop, which looks for it at once.
    [[nodiscard]] bool sees_left_behind() noexcept {
        left_behind_ = left_behind_ || bench_->finds_left_behind(ring_holds());
        return left_behind_;
    }
    /// By time, too: where another queue of the same wait always has something, no sleep of it ever lasts for a period.
    [[nodiscard]] bool readable(bool asks) noexcept {
        return left_behind_ || in_.finds_in_ring(asks) ||
               (asks && bench_->is_time_to_look() && sees_left_behind());
    }
    // How often to make an attempt.
    [[nodiscard]] auto at_once() noexcept {
        return [this](auto& attempt) noexcept { return in_.once(attempt); };
    }
    [[nodiscard]] auto waiting(std::uint64_t deadline_ns, const std::stop_token& stop) noexcept {
        return [this, deadline_ns, &stop](auto& attempt) noexcept {
            return in_.waiting(deadline_ns, stop, attempt);
        };
    }
    /// A task, or the value of one without a guard. Made where the caller has it: nothing may throw once it is in hand, but its decoding.
    template <class Taken, class Call>
    [[nodiscard]] Result<Taken> taking(Call&& call) {
        const detail::InCall here(occupied_, [this]() noexcept { return !in_ || in_.usable(); });
        return Result<Taken>(std::in_place, [&](auto&& to) -> Status {
            detail::Desk* desk = nullptr;
            bool is_adopted = false;
            if (const Status found = find(call, desk, is_adopted); found != Status::ok) return found;
            const auto make = [&](auto&& place) noexcept(kNothrow) {
                return is_adopted ? in_.read_again(*desk, *bench_, place)
                                  : in_.move_to(*desk, *bench_, place);
            };
            if constexpr (std::is_same_v<Taken, T>) {
                const Status status = make(to);
                if (status == Status::ok) bench_->take_off_guard(*desk);
                return status;
            } else {
                return to.emplace(typename Task<T>::Key(), *bench_, *desk, make).value_.error();
            }
        });
    }
    /// Finds a task and a desk for it: one of ours, or the one at which a dead worker left it. `call(attempt)` repeats the attempt as
    /// often as it takes.
    template <class Call>
    [[nodiscard]] Status find(Call&& call, detail::Desk*& desk, bool& is_adopted) {
        if (const std::error_code code = bind_reader()) [[unlikely]]
            return this->no_end(code);
        if (!in_.usable()) [[unlikely]]
            return Status::not_owner;
        const auto settle_past = [this](const detail::Participant& taken) noexcept {
            in_.settle_past_of(taken);
        };
        const auto in_ring = ring_holds();
        detail::Desk* adopted = nullptr;
        detail::Desk* free = bench_->free_desk(settle_past);
        if (free == nullptr) [[unlikely]] {
            adopted = bench_->adopt_any(in_ring);  // it may be the dead who hold all the records
            if (adopted == nullptr) free = bench_->free_desk(settle_past);
            if (adopted == nullptr && free == nullptr) return bench_->why_no_desk();
        }
        auto attempt = [&]() noexcept {
            if (adopted == nullptr && (std::exchange(left_behind_, false) || bench_->is_time_to_look()))
                [[unlikely]]
                adopted = bench_->adopt(in_ring);
            if (adopted != nullptr) return Status::ok;
            const Status status = in_.claim();
            // Who hears that the queue has ended may not ask again.
            if (status == Status::closed) adopted = bench_->adopt_any(in_ring);
            return adopted != nullptr ? Status::ok : status;
        };
        // Without a call, which may read a clock of the user's that throws, where a task is in our hand already.
        const Status status = adopted != nullptr ? Status::ok : call(attempt);
        if (status != Status::ok) return status;
        if (adopted != nullptr) in_.left_there();  // whatever woke us may be another's
        is_adopted = adopted != nullptr;
        desk = is_adopted ? adopted : free;
        return Status::ok;
    }

    [[nodiscard]] Result<void> join_by(std::uint64_t deadline_ns, const std::stop_token& stop) noexcept {
        if (!bind_bench()) return this->no_end(std::make_error_code(std::errc::not_enough_memory));
        return this->with_record([&](auto& out) noexcept -> Result<void> {
            if (!out.usable()) return Status::not_owner;
            const auto left = Lane::unfinished(*segment_);
            bool deserted = false;
            const auto look = [&]() noexcept {
                if (none_left(left)) return Status::ok;
                if (!left.is_possible(left.tail())) return Status::corrupt;
                return deserted ? Status::peer_lost : Status::busy;
            };
            const auto examine = [&]() noexcept {
                (void)out.recover();
                settle_the_dead();
                deserted = bench_->is_deserted(left.has_orphan(), in_ ? 1 : 0);
            };
            Status status = look();
            if (status == Status::busy) {
                examine();
                status = look();
            }
            if (status == Status::busy)
                status = deadline_ns == 0
                             ? Status::timed_out
                             : joining_.wait(bench_->leases().control().finished, Status::busy, deadline_ns,
                                             segment_->geometry().liveness_period_ns, stop, look, examine);
            if (status != Status::ok) return status;
            const std::uint64_t lost = losses().lost;
            return std::exchange(told_of_, lost) == lost ? Result<void>() : Status::peer_lost;
        });
    }
    /// Says of a task whether its place in the ring was not handed back.
    [[nodiscard]] auto ring_holds() const noexcept {
        return [this](detail::LeaseWord task) noexcept {
            return Lane::unfinished(*segment_).holds(task.position(), task.deliveries());
        };
    }
    /// Whether there is a moment during this call at which no task is left. The ring first: a task goes from there to a desk, which names it
    /// before the ring's place is handed back. The tail again at the end: a worker may have pushed a task before it finished its own.
    template <class Left>
    [[nodiscard]] bool none_left(const Left& left) const noexcept {
        const std::uint64_t tail = left.tail();
        return left.none_before(tail) && bench_->leases().none_in_hand() && left.tail() == tail;
    }
    /// Only counts: a task that is to be delivered again needs a worker.
    void settle_the_dead() noexcept {
        if (bench_->leases().redelivers()) return;
        (void)bench_->adopt_any(ring_holds());
    }

    detail::TaskReader<Lane> in_{};
    std::unique_ptr<detail::Workbench> bench_{};
    detail::Waiter<detail::ShippedEnv> joining_{};
    detail::Occupied occupied_{};
    bool left_behind_ = false;
    std::uint64_t told_of_ = 0;  // losses that join() has spoken of, or that were there before us
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
