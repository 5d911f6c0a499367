// The traffic of a crowd over MpmcRing: numbered messages of one size, by every verb. Its senders do what those of SpscRing do.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "shmring/mpmc_ring.hpp"
#include "support/crowd_roles.hpp"
#include "support/fixed_traffic.hpp"
#include "support/numbered_message.hpp"

namespace shmring::test {

template <std::size_t kSize>
struct CrowdTraffic {
    using Message = NumberedMessage<kSize>;
    using Ring = MpmcRing<Message>;
    using Sender = typename FixedTraffic<kSize, MpmcRing>::Sender;

    static constexpr std::uint64_t kStride = detail::SlotShape::of(kSize, alignof(Message)).stride;
    [[nodiscard]] static std::uint64_t slots(std::uint64_t capacity) { return capacity; }

    [[nodiscard]] static Ring make(const CrowdPlan& plan) {
        return Ring::anonymous({.capacity = plan.capacity,
                                .delivery = plan.delivery,
                                .participants = 64,
                                .liveness_period = plan.liveness_period});
    }

    class Receiver {
        using Consumer = typename Ring::Consumer;

     public:
        explicit Receiver(const Ring&) {}

        [[nodiscard]] Status receive(Consumer& in, CrowdReceivingCalls& calls) {
            return in_style(
                calls, [&] { return receive_one(in, calls); }, [&] { return receive_batch(in, calls); },
                [&] { return receive_in_place(in, calls); });
        }

     private:
        [[nodiscard]] static Status receive_one(Consumer& in, CrowdReceivingCalls& calls) {
            calls.journal.before_call(1);
            const auto message = calls.waiting == Waiting::spin ? in.try_pop()
                                 : calls.random() % 4 != 0      ? in.pop()
                                                           : in.try_pop_for(std::chrono::microseconds(300));
            if (message) calls.accept(*message, in.redeliveries() != 0);
            calls.journal.after_call();
            return message.error();
        }
        /// What is delivered again comes alone.
        [[nodiscard]] static Status receive_batch(Consumer& in, CrowdReceivingCalls& calls) {
            std::array<Message, kBatch> messages;
            const std::size_t count = 1 + calls.random() % kBatch;
            calls.journal.before_call(count);
            const auto popped = in.try_pop_n(std::span(messages).first(count));
            for (std::size_t i = 0; popped && i != *popped; ++i)
                calls.accept(messages[i], in.redeliveries() != 0);
            calls.journal.after_call();
            return popped.error();
        }
        [[nodiscard]] static Status receive_in_place(Consumer& in, CrowdReceivingCalls& calls) {
            calls.before_view();
            auto view = calls.waiting == Waiting::spin ? in.try_next() : in.next();
            if (!view) return view.error();
            const Message message = **view;
            calls.accept_in_place(message, view->redelivered(), [&] { view->hand_back(); });
            return Status::ok;
        }
    };
};

}  // namespace shmring::test
