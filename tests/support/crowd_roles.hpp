// What the processes of a crowd do until they are killed, stopped or told to end: some stream numbered messages into a ring, others
// take them out and log them for the oracle. What differs from ring to ring is a Traffic (crowd_traffic.hpp, crowd_byte_traffic.hpp):
//
//   struct Traffic {
//       using Ring = ...;
//       static Ring make(const CrowdPlan&);
//       struct Sender { Status send(Ring::Producer&, SendingCalls&); };              // one call, journalled; made from the Ring
//       struct Receiver { Status receive(Ring::Consumer&, CrowdReceivingCalls&); };  // likewise
//   };
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <system_error>

#include "shmring/detail/layout.hpp"
#include "shmring/result.hpp"
#include "shmring/wait.hpp"
#include "support/crowd_journal.hpp"
#include "support/journal.hpp"
#include "support/stream_roles.hpp"

namespace shmring::test {

/// One storm. Every process draws its own style and way of waiting.
struct CrowdPlan {
    std::uint64_t capacity = 1;
    Delivery delivery = Delivery::at_most_once;
    bool receives_in_place_only = false;  ///< with at_least_once: then nothing at all may be missing
    bool stops_only = false;              ///< nobody is killed: they are stopped for a while and resumed
    int kills = 1;                        ///< or stops
    std::chrono::nanoseconds liveness_period = std::chrono::milliseconds(2);
    std::chrono::microseconds longest_rest{1500};  ///< between two kills
    std::uint64_t seed = 1;
};

/// What the calls of one receiving process have in common.
struct CrowdReceivingCalls {
    Style style;
    Waiting waiting;
    bool redelivers;
    CrowdReceiverJournal& journal;
    std::minstd_rand random;
    bool faulty = false;

    /// `message` has is_whole() and number().
    template <class Message>
    void accept(const Message& message, bool redelivered) {
        if (message.is_whole()) {
            journal.received({message.number(), redelivered});
        } else {
            journal.torn.fetch_add(1, std::memory_order_release);
            faulty = true;
        }
    }
    /// Now and then, to be killed there.
    void rest_with_view() {
        if (random() % 8 != 0) return;
        journal.has_view.store(1, std::memory_order_release);
        pause_a_moment();
        journal.has_view.store(0, std::memory_order_release);
    }
    /// What somebody dies with who has a View is lost, unless it is delivered again.
    void before_view() { journal.before_call(redelivers ? 0 : 1); }
    /// One whose View is alive. At most once: it is received when it was handed back. At least once: it is received first, so that none
    /// goes missing; who dies in between has it in hand, and it comes again.
    template <class Message, class HandBack>
    void accept_in_place(const Message& message, bool redelivered, HandBack&& hand_back) {
        rest_with_view();
        if (redelivers) {
            journal.in_hand.store(message.number().packed(), std::memory_order_release);
            accept(message, redelivered);
            rest_with_view();
            hand_back();
            journal.in_hand.store(CrowdReceiverJournal::kNothing, std::memory_order_release);
        } else {
            hand_back();
            accept(message, redelivered);
            journal.after_call();
        }
    }
};

/// The `sender`-th sending process of its storm. Ends when told to.
template <class Traffic>
[[nodiscard]] int send_in_crowd(const typename Traffic::Ring& ring, SendingCalls calls,
                                const WaitPolicy& policy, std::uint32_t pause_every,
                                const std::atomic<std::uint32_t>& stop) {
    std::error_code code;
    auto out = ring.producer(policy, code);
    if (code) return kNoSeat;
    calls.journal.seated.store(1, std::memory_order_release);
    typename Traffic::Sender sender(ring);
    std::uint64_t pause_at = 0;
    while (stop.load(std::memory_order_relaxed) == 0) {
        const Status status = sender.send(out, calls);
        if (status == Status::full) ::sched_yield();
        if (status != Status::ok && status != Status::full && status != Status::timed_out)
            return kUnexpectedStatus + static_cast<int>(status);
        if (calls.journal.sent.load(std::memory_order_relaxed) < pause_at) continue;
        pause_at += pause_every;
        pause_a_moment();
    }
    return kDone;
}

/// Ends when the stream is closed and drained, or something is wrong.
template <class Traffic>
[[nodiscard]] int receive_in_crowd(const typename Traffic::Ring& ring, CrowdReceivingCalls calls,
                                   const WaitPolicy& policy, std::uint32_t pause_every) {
    std::error_code code;
    auto in = ring.consumer(policy, code);
    if (code) return kNoSeat;
    calls.journal.seated.store(1, std::memory_order_release);
    typename Traffic::Receiver receiver(ring);
    std::uint64_t pause_at = calls.journal.logged.load(std::memory_order_relaxed);
    for (;;) {
        const Status status = receiver.receive(in, calls);
        if (calls.faulty) return kFaulty;
        if (status == Status::closed) return kDone;
        if (status == Status::empty || status == Status::busy) ::sched_yield();
        if (status != Status::ok && status != Status::empty && status != Status::busy &&
            status != Status::timed_out)
            return kUnexpectedStatus + static_cast<int>(status);
        if (calls.journal.logged.load(std::memory_order_relaxed) < pause_at) continue;
        pause_at += pause_every;
        pause_a_moment();
    }
}

}  // namespace shmring::test
