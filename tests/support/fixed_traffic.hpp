// The traffic of a kill storm over SpscRing: numbered messages of one size, by every verb. Its Sender serves MpmcRing, too
// (crowd_traffic.hpp).
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "shmring/spsc_ring.hpp"
#include "support/numbered_message.hpp"
#include "support/stream_roles.hpp"

namespace shmring::test {

template <std::size_t kSize, template <class> class RingOf = SpscRing>
struct FixedTraffic {
    using Message = NumberedMessage<kSize>;
    using Ring = RingOf<Message>;

    [[nodiscard]] static Ring make(std::uint64_t capacity, std::chrono::nanoseconds liveness_period) {
        return Ring::anonymous({.capacity = capacity, .liveness_period = liveness_period});
    }

    class Sender {
        using Producer = typename Ring::Producer;

     public:
        explicit Sender(const Ring&) {}

        [[nodiscard]] Status send(Producer& out, SendingCalls& calls) {
            return in_style(
                calls, [&] { return send_one(out, calls); }, [&] { return send_batch(out, calls); },
                [&] { return send_in_place(out, calls); });
        }

     private:
        [[nodiscard]] static Status send_one(Producer& out, SendingCalls& calls) {
            Message message{};
            message.write(calls.next());
            calls.journal.before_call(1);
            const auto pushed = calls.waiting == Waiting::spin ? out.try_push(message)
                                : calls.random() % 4 != 0
                                    ? out.push(message)
                                    : out.try_push_for(message, std::chrono::microseconds(300));
            calls.journal.after_call(pushed ? 1 : 0);
            return pushed.error();
        }
        [[nodiscard]] static Status send_batch(Producer& out, SendingCalls& calls) {
            std::array<Message, kBatch> messages{};
            const std::size_t count = 1 + calls.random() % kBatch;
            for (std::size_t i = 0; i != count; ++i) messages[i].write(calls.next(i));
            calls.journal.before_call(count);
            const auto pushed = out.try_push_n(std::span(messages).first(count));
            calls.journal.after_call(pushed ? *pushed : 0);
            return pushed.error();
        }
        [[nodiscard]] static Status send_in_place(Producer& out, SendingCalls& calls) {
            auto claim = calls.waiting == Waiting::spin ? out.try_claim() : out.claim();
            if (!claim) return claim.error();
            claim->operator->()->write(calls.next());
            calls.linger();
            if (calls.random() % 16 == 0) return Status::ok;  // dropped: must not be sent
            calls.journal.before_call(1);
            claim->commit();
            calls.journal.after_call(1);
            return Status::ok;
        }
    };

    class Receiver {
        using Consumer = typename Ring::Consumer;

     public:
        explicit Receiver(const Ring&) {}

        [[nodiscard]] Status receive(Consumer& in, ReceivingCalls& calls) {
            return in_style(
                calls, [&] { return receive_one(in, calls); }, [&] { return receive_batch(in, calls); },
                [&] { return receive_in_place(in, calls); });
        }

     private:
        [[nodiscard]] static Status receive_one(Consumer& in, ReceivingCalls& calls) {
            calls.journal.before_call(1);
            const auto message = calls.waiting == Waiting::spin ? in.try_pop()
                                 : calls.random() % 4 != 0      ? in.pop()
                                                           : in.try_pop_for(std::chrono::microseconds(300));
            if (message) calls.accept(*message);
            calls.journal.after_call();
            return message.error();
        }
        [[nodiscard]] static Status receive_batch(Consumer& in, ReceivingCalls& calls) {
            std::array<Message, kBatch> messages;
            const std::size_t count = 1 + calls.random() % kBatch;
            calls.journal.before_call(count);
            const auto popped = in.try_pop_n(std::span(messages).first(count));
            for (std::size_t i = 0; popped && i != *popped; ++i) calls.accept(messages[i]);
            calls.journal.after_call();
            return popped.error();
        }
        /// Looks at the message where it lies, hands it back, and only then is it received.
        [[nodiscard]] static Status receive_in_place(Consumer& in, ReceivingCalls& calls) {
            auto view = calls.waiting == Waiting::spin ? in.try_next() : in.next();
            if (!view) return view.error();
            const Message message = **view;
            calls.journal.before_call(1);
            view->hand_back();
            calls.accept(message);
            calls.journal.after_call();
            return Status::ok;
        }
    };
};

}  // namespace shmring::test
