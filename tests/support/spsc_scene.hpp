// Scenes of the ring with one producer and one consumer: the shipped algorithm, event count and waiter over the scheduler's Env.
//
//   actor 0   the producer: what its acts say
//   actor 1   the consumer
//   actor 2   an heir, where there is one: takes the seat of the one that died, and goes on
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shmring/detail/event_count.hpp"
#include "shmring/detail/spsc.hpp"
#include "shmring/detail/waiter_sleep.hpp"
#include "shmring/wait.hpp"
#include "support/memory_ring.hpp"
#include "support/played_calls.hpp"
#include "support/scheduler.hpp"
#include "support/scheduler_env.hpp"

namespace shmring::test {

/// What an end of a stream does next.
enum class Act : std::uint8_t {
    try_one,   ///< try_push or try_pop
    one,       ///< push or pop: waits
    two,       ///< a batch of two, without waiting
    in_place,  ///< claims and publishes, or borrows and hands back
    close,
    die,      ///< of a crowd: takes a message, and dies with it in hand
    repair,   ///< of a crowd: looks after the dead
    inspect,  ///< of a crowd: when all others are gone, looks whether they left things in order
};
using Acts = std::vector<Act>;

[[nodiscard]] inline std::string text_of(const Acts& acts, bool writes) {
    static constexpr const char* kWrites[] = {"try_push", "push", "try_push_n", "claim",
                                              "close",    "die",  "repair",     "inspect"};
    static constexpr const char* kReads[] = {"try_pop", "pop", "try_pop_n", "next",
                                             "close",   "die", "repair",    "inspect"};
    std::string text;
    for (const Act act : acts)
        text += (text.empty() ? "" : ", ") +
                std::string((writes ? kWrites : kReads)[static_cast<std::size_t>(act)]);
    return text;
}

struct StreamPlan {
    std::uint64_t capacity = 1;
    std::uint64_t inside = 0;  ///< messages in the ring at the beginning
    std::uint64_t before = 0;  ///< messages that had been read by then
    Acts producer{};
    Acts consumer{};
    int heir_of = -1;  ///< actor 2 goes on for that one, with these acts
    Acts heir{};
    bool is_weak = true;  ///< as the plan that it is played by
    bool wakes = false;   ///< after each push and pop, the other side is woken if it sleeps

    [[nodiscard]] std::string name() const {
        std::string text = "capacity " + std::to_string(capacity) + ", " + std::to_string(before) + "+" +
                           std::to_string(inside) + ", " + text_of(producer, true) + " | " +
                           text_of(consumer, false);
        if (heir_of >= 0) text += " | heir: " + text_of(heir, heir_of == 0);
        return text;
    }
};

/// What the scenes of all streams share: the plan, the calls, how they wait and inherit. `Ends` knows the ring:
///   bool kCountsMessages             its capacity is a number of messages
///   Status join_producer(), join_consumer()
///   Status push(value), claim_and_publish(value); Status pop(value), borrow_and_return(value)
///   std::size_t push_two(value, status), pop_two(values, status); void close(side); Control& control()
template <class Ends>
class StreamScene : public Scene {
    using Events = detail::EventCount<SchedulerEnv>;
    using Line = detail::EventLine<SchedulerEnv>;

 public:
    explicit StreamScene(StreamPlan plan)
        : plan_(std::move(plan)),
          ends_(plan_.capacity),
          history_({.capacity = Ends::kCountsMessages ? plan_.capacity : kMany,
                    .refusals_alone = plan_.is_weak}) {}

    [[nodiscard]] int actors() const override { return plan_.heir_of < 0 ? 2 : 3; }
    void arrange() override {
        ends_.arrange(plan_.before, plan_.before + plan_.inside);
        calls_.clear();
        next_ = plan_.before + plan_.inside;
        is_done_ = {};
        is_lost_ = false;
        fault_ = nullptr;
        expect(ends_.join_producer() == Status::ok && ends_.join_consumer() == Status::ok,
               "arranged wrongly");
    }
    void act(int actor) override {
        if (actor == 2) return inherit();
        play(actor == 0, actor == 0 ? plan_.producer : plan_.consumer);
        is_done_[static_cast<std::size_t>(actor)] = true;
    }
    void died(int actor) override {
        if (actor == 2 || !plan_.wakes || scheduler.timeouts() == 0 || sleeps(actor != 0)) return;
        const Line& own = line(actor == 1);
        expect((own.word.now() & detail::kWaitersMask) != 0 || own.missed_wakes.now() != 0,
               "one that missed its wake-up did not count it before it left");
    }
    [[nodiscard]] std::string judge() override {
        if (fault_ != nullptr) return fault_;
        const auto& control = ends_.control();
        if (scheduler.deaths() == 0)  // so small a ring publishes each
            expect(control.read_pos_published.now() == control.read_pos.now(),
                   "a read position was not published");
        std::vector<std::uint64_t> inside;
        for (std::uint64_t i = 0; i != plan_.inside; ++i) inside.push_back(plan_.before + i);
        std::vector<std::uint64_t> rest;
        if (ends_.join_consumer() != Status::ok) return "nobody can go on reading";
        std::uint64_t value = 0;
        while (rest.size() != kMany && ends_.pop(value) == Status::ok) rest.push_back(value);
        history_.begin(std::move(inside));
        calls_.tell(history_);
        if (fault_ != nullptr) return fault_;
        if (scheduler.deaths() == 0) expect_event_lines_left_in_order();
        if (fault_ != nullptr) return fault_;
        return history_.is_explained(rest) ? "" : "no queue would have answered like this";
    }

 private:
    void expect(bool holds, const char* otherwise) {
        if (!holds && fault_ == nullptr) fault_ = otherwise;
    }
    void expect_event_lines_left_in_order() {
        std::uint64_t missed = 0;
        for (const bool of_readers : {true, false}) {
            expect((line(of_readers).word.now() & detail::kWaitersMask) == 0,
                   "one is counted asleep who is not");
            missed += line(of_readers).missed_wakes.now();
        }
        expect(scheduler.timeouts() == 0 || missed != 0, "a missed wake-up was not counted");
    }
    [[nodiscard]] bool sleeps(bool writes) const {
        const Acts& acts = writes ? plan_.producer : plan_.consumer;
        return std::ranges::find(acts, Act::one) != acts.end();
    }
    [[nodiscard]] Line& line(bool of_readers) {
        return of_readers ? ends_.control().readable : ends_.control().writable;
    }

    void play(bool writes, const Acts& acts) {
        for (const Act act : acts) {
            switch (act) {
                case Act::try_one:
                    writes ? push_one(false) : pop_one(false);
                    break;
                case Act::one:
                    writes ? push_one(true) : pop_one(true);
                    break;
                case Act::two:
                    writes ? push_two() : pop_two();
                    break;
                case Act::in_place:
                    writes ? push_in_place() : pop_in_place();
                    break;
                case Act::close:
                    ends_.close(writes ? detail::kProducerClosed : detail::kConsumerClosed);
                    Events::notify_all(line(true));
                    Events::notify_all(line(false));
                    break;
                case Act::die:
                case Act::repair:
                case Act::inspect:
                    break;
            }
        }
    }
    void push_one(bool waits) {
        const std::uint64_t value = next_++;
        calls_.begin_push(value);
        answer_push(attempt(Status::full, waits, true, [&] { return ends_.push(value); }));
    }
    void push_in_place() {
        const std::uint64_t value = next_++;
        calls_.begin_push(value);
        answer_push(attempt(Status::full, false, true, [&] { return ends_.claim_and_publish(value); }));
    }
    void answer_push(Status status) {
        expect(status == Status::ok || status == Status::full || status == Status::closed ||
                   status == Status::peer_lost,
               "a push answers strangely");
        if (status != Status::ok) return refused_push(status);
        calls_.pushed();
        if (plan_.wakes) wake(line(true), 1);
    }
    void push_two() {
        const std::uint64_t first = std::exchange(next_, next_ + 2);
        calls_.begin_push(first);
        calls_.begin_push(first + 1);
        Status status = Status::ok;
        const std::size_t count = ends_.push_two(first, status);
        for (std::size_t i = 0; i != count; ++i) calls_.pushed();
        if (count != 2) refused_push(status);
        calls_.forget_all_open();
        if (plan_.wakes && count != 0) wake(line(true), count);
    }
    /// Where room is counted in bytes, "full" says nothing about messages.
    void refused_push(Status status) { Ends::kCountsMessages ? calls_.refused(status) : calls_.forget(); }
    void pop_one(bool waits) {
        std::uint64_t value = 0;
        calls_.begin_pop();
        const Status status = attempt(Status::empty, waits, false, [&] { return ends_.pop(value); });
        answer_pop(status, value);
    }
    void pop_in_place() {
        std::uint64_t value = 0;
        calls_.begin_pop();
        const Status status =
            attempt(Status::empty, false, false, [&] { return ends_.borrow_and_return(value); });
        answer_pop(status, value);
    }
    void answer_pop(Status status, std::uint64_t value) {
        expect(status == Status::ok || status == Status::empty || status == Status::closed ||
                   status == Status::peer_lost,
               "a pop answers strangely");
        if (status != Status::ok) return calls_.refused(status);
        expect(value != Ends::kTorn, "torn");
        calls_.popped(value);
        if (plan_.wakes) wake(line(false), 1);
    }
    void pop_two() {
        std::array<std::uint64_t, 2> values{};
        calls_.begin_pops(2);
        Status status = Status::ok;
        const std::size_t count = ends_.pop_two(values, status);
        for (std::size_t i = 0; i != count; ++i) {
            expect(values[i] != Ends::kTorn, "torn");
            calls_.popped(values[i]);
        }
        if (count != 2) calls_.refused(status);
        calls_.forget_all_open();
        if (plan_.wakes && count != 0) wake(line(false), count);
    }

    /// As Endpoint does it: a look, and a notification if somebody waits.
    static void wake(Line& line, std::uint64_t count) {
        if (Events::somebody_waits(line)) (void)Events::notify(line, count);
    }
    /// One attempt, or the shipped way of waiting; "nothing yet" becomes peer_lost when the peer is known to be dead, after a last look.
    template <class Try>
    Status attempt(Status not_yet, bool waits, bool writes, Try&& once) {
        const Status first = once();
        if (first != not_yet || !waits) return first;
        const auto judged = [&]() noexcept {
            const Status status = once();
            if (status != not_yet || !is_lost_) return status;
            const Status last = once();
            return last == not_yet ? Status::peer_lost : last;
        };
        const auto examine = [&]() noexcept { is_lost_ = is_lost_ || scheduler.ask_about(writes ? 1 : 0); };
        detail::Waiter<SchedulerEnv> waiter;
        waiter.set_policy({.spin = std::chrono::nanoseconds(0)});
        return waiter.wait(line(!writes), not_yet, detail::platform::kNever, kPeriod_ns, {}, judged, examine);
    }

    void inherit() {
        const bool writes = plan_.heir_of == 0;
        while (!scheduler.ask_about(plan_.heir_of)) {
            if (is_done_[static_cast<std::size_t>(plan_.heir_of)]) return;
            scheduler.rest();
        }
        expect((writes ? ends_.join_producer() : ends_.join_consumer()) == Status::ok,
               "an heir finds nonsense");
        play(writes, plan_.heir);
    }

    static constexpr std::uint64_t kPeriod_ns = 100'000'000;
    static constexpr std::size_t kMany = 1000;

    StreamPlan plan_;
    Ends ends_;
    PlayedCalls calls_{};
    QueueHistory history_;
    std::uint64_t next_ = 0;  // number of the next message that is sent
    std::array<bool, 2> is_done_{};
    bool is_lost_ = false;
    const char* fault_ = nullptr;
};

inline void clear_event_lines(auto& control) {
    for (auto* line : {&control.readable, &control.writable}) {
        line->word.set(0);
        line->missed_wakes.set(0);
    }
}

/// `T` is a Sized.
template <class T>
class SpscEnds {
 public:
    static constexpr std::uint64_t kTorn = ~std::uint64_t{0};
    static constexpr bool kCountsMessages = true;

    explicit SpscEnds(std::uint64_t capacity) : ring_(capacity) {}
    void arrange(std::uint64_t read, std::uint64_t written) {
        ring_.arrange(read, written);
        clear_event_lines(ring_.control());
    }
    [[nodiscard]] auto& control() { return ring_.control(); }
    [[nodiscard]] Status join_producer() {
        Status status{};
        producer_ = ring_.join_producer(status);
        return status;
    }
    [[nodiscard]] Status join_consumer() {
        Status status{};
        consumer_ = ring_.join_consumer(status);
        return status;
    }
    void close(std::uint64_t side) { detail::close_stream(ring_.control(), side); }

    [[nodiscard]] Status push(std::uint64_t value) { return producer_.try_push(T::numbered(value)); }
    [[nodiscard]] Status claim_and_publish(std::uint64_t value) {
        const Status status = producer_.prepare();
        if (status != Status::ok) return status;
        const T message = T::numbered(value);
        SchedulerEnv::copy_in(producer_.place(), &message, sizeof message);
        producer_.publish(1);
        return status;
    }
    [[nodiscard]] std::size_t push_two(std::uint64_t first, Status& status) {
        const std::array<T, 2> messages{T::numbered(first), T::numbered(first + 1)};
        return producer_.try_push_n(messages.data(), 2, status);
    }
    [[nodiscard]] Status pop(std::uint64_t& value) {
        T message = T::numbered(0);
        const Status status = consumer_.try_pop(&message);
        if (status == Status::ok) value = number_of(message);
        return status;
    }
    [[nodiscard]] Status borrow_and_return(std::uint64_t& value) {
        const Status status = consumer_.prepare();
        if (status != Status::ok) return status;
        T message = T::numbered(0);
        SchedulerEnv::copy_out(&message, consumer_.place(), sizeof message);
        value = number_of(message);
        consumer_.hand_back(1);
        return status;
    }
    [[nodiscard]] std::size_t pop_two(std::array<std::uint64_t, 2>& values, Status& status) {
        std::array<T, 2> messages{T::numbered(0), T::numbered(0)};
        const std::size_t count = consumer_.try_pop_n(messages.data(), 2, status);
        for (std::size_t i = 0; i != count; ++i) values[i] = number_of(messages[i]);
        return count;
    }

 private:
    [[nodiscard]] static std::uint64_t number_of(const T& message) {
        const std::uint64_t number = message.bytes[0];
        return message == T::numbered(number) ? number : kTorn;
    }
    MemoryRing<T, SchedulerEnv> ring_;
    typename MemoryRing<T, SchedulerEnv>::Producer producer_{};
    typename MemoryRing<T, SchedulerEnv>::Consumer consumer_{};
};

template <class T>
using SpscScene = StreamScene<SpscEnds<T>>;

}  // namespace shmring::test
