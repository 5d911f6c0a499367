// Queue<T>: the queue people know from Python's multiprocessing, many to many, on a ring in shared memory.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <system_error>
#include <utility>

#include "shmring/detail/one_thread.hpp"
#include "shmring/detail/python_names.hpp"
#include "shmring/detail/queue_lane.hpp"
#include "shmring/detail/queue_sender.hpp"
#include "shmring/detail/ring_factory.hpp"
#include "shmring/options.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/wait.hpp"

namespace shmring {

/// A bounded queue of values between any number of processes and threads. T is any Message (sent as its bytes) or has a Codec
/// (std::string, std::vector, types of your own). There is no helper thread and no hidden buffer: what push acknowledged, any process
/// can pop at once, and put followed by get in one thread always succeeds.
///
/// One Queue object is a handle for one thread at a time. It takes a participant record when it first pushes, and another when it first
/// pops, so one made before fork() and not used yet serves parent and child; once used, it is its process's, and answers not_owner in
/// a forked child, which makes its own by attach(). Deaths, order and statuses: as for MpmcRing. A handle's first use answers
/// overflow when every participant record is held, and unavailable when the system refused a descriptor, a page or a lock;
/// bind_producer() and bind_consumer() say by an exception which it was.
template <class T>
class Queue : public detail::RingFactory<Queue<T>, QueueOptions>,
              public detail::QueueSender<T, typename detail::LaneOf<T>::type>,
              public detail::PythonNames<Queue<T>, T> {
    using Lane = typename detail::LaneOf<T>::type;
    using Sender = detail::QueueSender<T, Lane>;
    using Sender::out_, Sender::policy_, Sender::ring_, Sender::segment_;

 public:
    /// An empty object without a queue: what the noexcept factories return when they fail. Calls on it answer not_owner, capacities
    /// and counts 0; binding throws.
    Queue() noexcept = default;

    /// Another handle of the same queue, for another thread, or for a forked child of a process that uses this one.
    [[nodiscard]] Queue attach() const { return Queue(segment_); }
    /// Takes a record now that would be taken at first use. Throws std::system_error: errc::participants_exhausted, or errc::not_owner
    /// in a forked child whose parent uses this handle.
    void bind_consumer() {
        if (!in_) in_ = ring_.consumer(policy_);
        if (!in_.usable()) detail::throw_foreign_handle();
    }
    void bind_consumer(std::error_code& code) noexcept {
        code.clear();
        if (!in_) in_ = ring_.consumer(policy_, code);
        if (!code && !in_.usable()) code = make_error_code(errc::not_owner);
    }

    /// Takes the oldest value: empty, busy (a push is under way), closed (ended and drained), or corrupt (its bytes are no T).
    /// noexcept for Messages; for others as their decoding: a value whose decoding throws is delivered again (at_least_once), or lost and
    /// counted (at_most_once).
    [[nodiscard]] Result<T> try_pop() noexcept(Message<T>) {
        return popping([&](auto& in) { return Lane::try_pop(in); });
    }
    /// Waits while the queue is empty.
    [[nodiscard]] Result<T> pop(const std::stop_token& stop = {}) noexcept(Message<T>) {
        return popping([&](auto& in) { return Lane::pop(in, stop); });
    }
    /// Waits at most `timeout`; the whole call takes no longer, whatever others do.
    template <class Rep, class Period>
    [[nodiscard]] Result<T> try_pop_for(std::chrono::duration<Rep, Period> timeout,
                                        const std::stop_token& stop = {}) noexcept(Message<T>) {
        return popping([&](auto& in) { return Lane::pop_by(in, timeout, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<T> try_pop_until(
        std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(Message<T>&& detail::kNothrowClock<Clock>) {
        return popping([&](auto& in) { return Lane::pop_by(in, deadline, stop); });
    }
    /// As many as there are, at most values.size(): how many (at least one, unless there was no room), or why none. Bytes that are no
    /// T end it; after some that were, the next call answers corrupt. A decoding that throws ends it, too: taken() tells how many came
    /// before.
    [[nodiscard]] Result<std::size_t> try_pop_n(std::span<T> values) noexcept(Message<T>) {
        std::size_t& done = taken_;
        done = 0;
        const Status owed = std::exchange(owed_, Status::ok);
        const bool redelivers = *this && ring_.delivery() == Delivery::at_least_once;
        const Result<void> all = popping([&](auto& in) -> Result<void> {
            return owed == Status::ok ? Lane::try_pop_n(in, values, done, redelivers) : Result<void>(owed);
        });
        if (done != 0 && all.error() == Status::corrupt) owed_ = Status::corrupt;
        return all || done != 0 ? Result<std::size_t>(done) : all.error();
    }

    /// Into a value that the caller keeps: strings and vectors allocate nothing once they are large enough. Else as those above.
    [[nodiscard]] Result<void> try_pop(T& value) noexcept(Message<T>) {
        return popping_into(value, [](auto& in) { return in.try_next(); });
    }
    [[nodiscard]] Result<void> pop(T& value, const std::stop_token& stop = {}) noexcept(Message<T>) {
        return popping_into(value, [&](auto& in) { return in.next(stop); });
    }
    template <class Rep, class Period>
    [[nodiscard]] Result<void> try_pop_for(T& value, std::chrono::duration<Rep, Period> timeout,
                                           const std::stop_token& stop = {}) noexcept(Message<T>) {
        return popping_into(value, [&](auto& in) { return in.try_next_for(timeout, stop); });
    }
    template <class Clock, class Duration>
    [[nodiscard]] Result<void> try_pop_until(
        T& value, std::chrono::time_point<Clock, Duration> deadline,
        const std::stop_token& stop = {}) noexcept(Message<T>&& detail::kNothrowClock<Clock>) {
        return popping_into(value, [&](auto& in) { return in.try_next_until(deadline, stop); });
    }

    /// Shows the oldest value to `visit` where it lies, without a copy, and takes it then: a Message as `const T&`, anything else as the
    /// Bytes that its Codec wrote. If `visit` throws, the value is delivered again (at_least_once), or lost and counted (at_most_once).
    /// While it runs this handle pops nothing else (overflow), and may push.
    template <class Visit>
    [[nodiscard]] Result<void> try_pop_with(Visit&& visit) {
        return visited(popping([](auto& in) { return in.try_next(); }), visit);
    }
    template <class Visit>
    [[nodiscard]] Result<void> pop_with(Visit&& visit, const std::stop_token& stop = {}) {
        return visited(popping([&](auto& in) { return in.next(stop); }), visit);
    }
    template <class Visit, class Rep, class Period>
    [[nodiscard]] Result<void> try_pop_with_for(Visit&& visit, std::chrono::duration<Rep, Period> timeout,
                                                const std::stop_token& stop = {}) {
        return visited(popping([&](auto& in) { return in.try_next_for(timeout, stop); }), visit);
    }
    template <class Visit, class Clock, class Duration>
    [[nodiscard]] Result<void> try_pop_with_until(Visit&& visit,
                                                  std::chrono::time_point<Clock, Duration> deadline,
                                                  const std::stop_token& stop = {}) {
        return visited(popping([&](auto& in) { return in.try_next_until(deadline, stop); }), visit);
    }

    /// How many of its values the last try_pop_n filled, however it ended.
    [[nodiscard]] std::size_t taken() const noexcept { return taken_; }
    /// ok: a pop would not wait, for there is a value, the end of the queue, or an error to be told. empty, busy: it would. Takes
    /// nothing; another consumer may be quicker. To wait until it answers ok: wait_any(queue).
    [[nodiscard]] Result<void> poll() noexcept {
        std::error_code code;
        if (!in_) in_ = ring_.consumer(policy_, code);
        return code ? this->no_end(code) : in_.poll();
    }

    /// As the senders' close(). A handle that its parent only popped with is in use, too.
    void close() noexcept {
        if (out_ || !in_ || in_.usable()) Sender::close();
    }
    /// Gives this handle's records back; the queue goes on, and so may this handle. What Python's Queue.close() does.
    void detach() noexcept {
        out_.detach();
        in_.detach();
    }
    void set_wait_policy(const WaitPolicy& policy) noexcept {
        policy_ = policy;
        if (out_) out_.set_wait_policy(policy);
        if (in_) in_.set_wait_policy(policy);
    }

    [[nodiscard]] Losses losses() const noexcept { return ring_.losses(); }
    /// What wait_any and WaitSet need of the reading side; binds it. One that cannot be bound counts as readable: the call tells.
    [[nodiscard]] auto read_point() noexcept {
        std::error_code told_by_the_call;
        bind_consumer(told_by_the_call);
        return in_.read_point();
    }
    /// For epoll, poll and select: see MpmcRing's consumer. Binds the reading side, and throws as that does.
    [[nodiscard]] int readable_fd() {
        bind_consumer();
        return in_.readable_fd();
    }

    class Iterator;
    /// `for (T& value : queue)` pops until the queue is closed and drained (or this handle cannot go on: error()).
    [[nodiscard]] Iterator begin() { return Iterator(*this, true); }
    [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }
    /// `for (T& value : queue.drain())` pops what is there now.
    [[nodiscard]] auto drain() {
        struct View {
            Queue& queue;
            [[nodiscard]] Iterator begin() const { return Iterator(queue, false); }
            [[nodiscard]] std::default_sentinel_t end() const noexcept { return {}; }
        };
        return View{*this};
    }
    /// Why the last iteration over this handle ended.
    [[nodiscard]] Status error() const noexcept { return iteration_error_; }

    [[nodiscard]] static detail::SegmentSpec spec(const QueueOptions& options) noexcept {
        return Lane::spec(options);
    }

 private:
    friend detail::RingFactory<Queue<T>, QueueOptions>;
    explicit Queue(std::shared_ptr<Segment> segment) noexcept : Sender(std::move(segment)) {}

    template <class Call>
    [[nodiscard]] auto popping(Call&& call) -> decltype(call(std::declval<typename Lane::Consumer&>())) {
        const detail::InCall here(occupied_, [this]() noexcept { return !in_ || in_.usable(); });
        if (!in_) [[unlikely]] {
            std::error_code code;
            in_ = ring_.consumer(policy_, code);
            if (code) return this->no_end(code);
        }
        return call(in_);
    }

    template <class View, class Visit>
    [[nodiscard]] static Result<void> visited(Result<View> view, Visit&& visit) {
        if (!view) return view.error();
        struct Unread {
            View& view;
            ~Unread() { view.abandon(); }  // which does nothing once it was handed back
        } const unless_handed_back{*view};
        visit(Lane::content(*view));
        detail::ViewAccess::conclude(*view);
        return {};
    }
    template <class Call>
    [[nodiscard]] Result<void> popping_into(T& value, Call&& call) {
        bool is_one = true;
        const Result<void> seen = visited(popping(call), [&](const auto& content) {
            if constexpr (Message<T>)
                value = content;
            else
                is_one = Codec<T>::decode(content, value);
        });
        return seen && !is_one ? Result<void>(Status::corrupt) : seen;
    }

    typename Lane::Consumer in_{};
    Status iteration_error_ = Status::ok;
    Status owed_ = Status::ok;  // by try_pop_n
    std::size_t taken_ = 0;
    detail::Occupied occupied_{};
};

/// Pops as it goes. An input iterator: what it stands on is its own until it moves on.
template <class T>
class Queue<T>::Iterator {
 public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    [[nodiscard]] T& operator*() const noexcept { return **value_; }
    Iterator& operator++() {
        advance();
        return *this;
    }
    void operator++(int) { advance(); }
    [[nodiscard]] bool operator==(std::default_sentinel_t) const noexcept { return !value_ || !*value_; }

 private:
    friend class Queue;
    Iterator(Queue& queue, bool waits) : queue_(&queue), waits_(waits) { advance(); }
    void advance() {
        value_.reset();
        value_.emplace(Popping{*this});  // where it stays: once popped, a move that throws would lose it
        queue_->iteration_error_ = value_->error();
    }
    struct Popping {
        Iterator& here;
        operator Result<T>() const { return here.waits_ ? here.queue_->pop() : here.queue_->try_pop(); }
    };

    Queue* queue_;
    bool waits_;
    mutable std::optional<Result<T>> value_{};  // its reader may take it away
};

}  // namespace shmring

#include "shmring/detail/header_end.hpp"
