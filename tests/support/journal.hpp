// What processes of a kill test write down outside the ring, in memory that outlives them: one page of facts against which the
// oracle holds what came out of the ring. Each journal has one writer, which may die between any two stores.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <cstdint>

#include "support/numbered_message.hpp"

namespace shmring::test {

/// What a process of a crowd is at, for the report of those that were killed there.
enum class Doing : std::uint32_t { attaching, calling, detaching, resting };

/// Of one sending process. Sent = the push has returned and that is written here.
struct alignas(64) SenderJournal {
    std::atomic<std::uint64_t> seated{0};     ///< 1 when it has the producer seat
    std::atomic<std::uint64_t> attempted{0};  ///< `sent`, and those of the call under way
    std::atomic<std::uint64_t> sent{0};
    std::atomic<std::uint64_t> lost_peers{0};  ///< calls that answered peer_lost
    std::atomic<std::uint64_t> has_claim{0};   ///< 1 while it rests with a claim in hand
    std::atomic<Doing> doing{Doing::attaching};

    void before_call(std::uint64_t messages) {
        attempted.store(sent.load(std::memory_order_relaxed) + messages, std::memory_order_release);
    }
    void after_call(std::uint64_t messages) {
        const std::uint64_t total = sent.load(std::memory_order_relaxed) + messages;
        sent.store(total, std::memory_order_release);
        attempted.store(total, std::memory_order_release);
    }
};

/// Of one receiving process. Received = the pop has returned and that is written here.
struct alignas(64) ReceiverJournal {
    std::atomic<std::uint64_t> seated{0};
    std::atomic<std::uint64_t> last{
        0};  ///< packed Number of the last message received, by it or its predecessors
    std::atomic<std::uint64_t> missable{
        0};  ///< how many the calls in which predecessors died may have taken since `last`
    std::atomic<std::uint64_t> in_call{0};  ///< how many the call under way may take
    std::atomic<std::uint64_t> received{0};
    std::atomic<std::uint64_t> differing_pops{0};    ///< calls of dead receivers that had taken something
    std::atomic<std::uint64_t> differing_pushes{0};  ///< calls of dead senders that had sent something
    std::atomic<std::uint64_t> lost_peers{0};
    std::atomic<std::uint64_t> fault{0};     ///< the first thing that was wrong (Fault), and
    std::atomic<std::uint64_t> fault_at{0};  ///< the packed Number at which

    /// The journal of a receiver that follows a dead one.
    void inherit(const ReceiverJournal& dead) {
        last.store(dead.last.load(std::memory_order_acquire), std::memory_order_relaxed);
        missable.store(
            dead.missable.load(std::memory_order_acquire) + dead.in_call.load(std::memory_order_acquire),
            std::memory_order_relaxed);
    }
    void before_call(std::uint64_t messages) { in_call.store(messages, std::memory_order_release); }
    void after_call() { in_call.store(0, std::memory_order_release); }
};

}  // namespace shmring::test
