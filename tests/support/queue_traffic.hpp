// The traffic of a crowd over Queue<T>: numbered values, by every verb, from handles that stay and from handles that come and go.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "shmring/queue.hpp"
#include "support/crowd_byte_traffic.hpp"
#include "support/crowd_roles.hpp"
#include "support/numbered_bytes.hpp"
#include "support/numbered_message.hpp"

namespace shmring::test {

/// What a crowd needs of a ring, said by a queue: each end is a handle of its own, bound.
template <class T>
class QueueCrowd {
 public:
    using Producer = Queue<T>;
    using Consumer = Queue<T>;

    explicit QueueCrowd(Queue<T> queue) : queue_(std::move(queue)) {}

    [[nodiscard]] Producer producer(const WaitPolicy& policy, std::error_code& code) const {
        Queue<T> mine = queue_.attach();
        mine.set_wait_policy(policy);
        mine.bind_producer(code);
        return mine;
    }
    [[nodiscard]] Consumer consumer(const WaitPolicy& policy, std::error_code& code) const {
        Queue<T> mine = queue_.attach();
        mine.set_wait_policy(policy);
        mine.bind_consumer(code);
        return mine;
    }
    /// For the storm itself, at the end.
    struct Last {
        Queue<T> queue;
        void close() { queue.close(); }
        [[nodiscard]] bool recover() {
            using Ring = typename detail::LaneOf<T>::type::Ring;
            return Ring::from_descriptor(queue.segment().descriptor()).producer().recover();
        }
    };
    [[nodiscard]] Last producer() const { return {queue_.attach()}; }
    [[nodiscard]] Losses losses() const { return queue_.losses(); }
    [[nodiscard]] Segment& segment() const { return queue_.segment(); }

 private:
    Queue<T> queue_;
};

/// Values of 48 bytes.
struct FixedValues {
    using Value = NumberedMessage<48>;
    static constexpr std::uint64_t kStride = detail::SlotShape::of(48, 8).stride;

    [[nodiscard]] static Value compose(Number number) {
        Value value{};
        value.write(number);
        return value;
    }
    [[nodiscard]] static const Value& read(const Value& value) { return value; }
};

/// Values of 8 to 300 bytes, most of them small.
struct ValuesOfAnySize {
    using Value = std::vector<std::byte>;
    static constexpr std::uint64_t kStride = detail::kUnitSlot.stride;
    static constexpr ByteSizes kSizes{NumberedBytes::kNumberSize, 300};

    [[nodiscard]] static Value compose(Number number) {
        Value value(kSizes.of(number));
        NumberedBytes::write(number, value);
        return value;
    }
    [[nodiscard]] static CrowdBytes read(const Value& value) {
        return {value, CrowdBytes::number_in(value), kSizes};
    }
};

/// Style::in_place, which a Queue does not have, stands for a handle that binds for each call and detaches after it.
template <class Values>
struct QueueTraffic {
    using Value = typename Values::Value;
    using Ring = QueueCrowd<Value>;
    static constexpr std::uint64_t kStride = Values::kStride;

    [[nodiscard]] static std::uint64_t slots(std::uint64_t capacity) { return capacity; }
    [[nodiscard]] static Ring make(const CrowdPlan& plan) {
        return Ring(Queue<Value>::anonymous({.capacity = plan.capacity,
                                             .capacity_bytes = Message<Value> ? 0 : 640 * plan.capacity,
                                             .delivery = plan.delivery,
                                             .participants = 64,
                                             .liveness_period = plan.liveness_period}));
    }

    class Sender {
     public:
        explicit Sender(const Ring&) {}

        [[nodiscard]] Status send(Queue<Value>& out, SendingCalls& calls) {
            return in_style(
                calls, [&] { return send_one(out, calls); }, [&] { return send_batch(out, calls); },
                [&] {
                    return come_and_go(
                        out, calls.journal.doing, [&](std::error_code& code) { out.bind_producer(code); },
                        [&] { return send_one(out, calls); });
                });
        }

     private:
        [[nodiscard]] static Status send_one(Queue<Value>& out, SendingCalls& calls) {
            const Value value = Values::compose(calls.next());
            calls.journal.doing = Doing::calling;
            calls.journal.before_call(1);
            const auto pushed = calls.waiting == Waiting::spin ? out.try_push(value)
                                : calls.random() % 4 != 0
                                    ? out.push(value)
                                    : out.try_push_for(value, std::chrono::microseconds(300));
            calls.journal.after_call(pushed ? 1 : 0);
            calls.journal.doing = Doing::resting;
            return pushed.error();
        }
        [[nodiscard]] static Status send_batch(Queue<Value>& out, SendingCalls& calls) {
            std::array<Value, kBatch> values{};
            const std::size_t count = 1 + calls.random() % kBatch;
            for (std::size_t i = 0; i != count; ++i) values[i] = Values::compose(calls.next(i));
            calls.journal.doing = Doing::calling;
            calls.journal.before_call(count);
            const auto pushed = out.try_push_n(std::span<const Value>(values).first(count));
            calls.journal.after_call(pushed ? *pushed : 0);
            calls.journal.doing = Doing::resting;
            return pushed.error();
        }
    };

    class Receiver {
     public:
        explicit Receiver(const Ring&) {}

        [[nodiscard]] Status receive(Queue<Value>& in, CrowdReceivingCalls& calls) {
            return in_style(
                calls, [&] { return receive_one(in, calls); }, [&] { return receive_batch(in, calls); },
                [&] {
                    return come_and_go(
                        in, calls.journal.doing, [&](std::error_code& code) { in.bind_consumer(code); },
                        [&] { return receive_one(in, calls); });
                });
        }

     private:
        [[nodiscard]] static Status receive_one(Queue<Value>& in, CrowdReceivingCalls& calls) {
            calls.journal.doing = Doing::calling;
            calls.journal.before_call(1);
            const auto value = calls.waiting == Waiting::spin ? in.try_pop()
                               : calls.random() % 4 != 0      ? in.pop()
                                                         : in.try_pop_for(std::chrono::microseconds(300));
            if (value) calls.accept(Values::read(*value), false);
            calls.journal.after_call();
            calls.journal.doing = Doing::resting;
            return value.error();
        }
        [[nodiscard]] static Status receive_batch(Queue<Value>& in, CrowdReceivingCalls& calls) {
            std::array<Value, kBatch> values{};
            const std::size_t count = 1 + calls.random() % kBatch;
            calls.journal.doing = Doing::calling;
            calls.journal.before_call(count);
            const auto popped = in.try_pop_n(std::span(values).first(count));
            for (std::size_t i = 0; popped && i != *popped; ++i) calls.accept(Values::read(values[i]), false);
            calls.journal.after_call();
            calls.journal.doing = Doing::resting;
            return popped.error();
        }
    };

 private:
    template <class Bind, class Call>
    [[nodiscard]] static Status come_and_go(Queue<Value>& queue, std::atomic<Doing>& doing, Bind&& bind,
                                            Call&& call) {
        std::error_code code;
        doing = Doing::attaching;
        bind(code);
        if (code) return Status::overflow;
        const Status status = call();
        doing = Doing::detaching;
        queue.detach();
        doing = Doing::resting;
        return status;
    }
};

}  // namespace shmring::test
