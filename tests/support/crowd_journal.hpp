// What the receivers of a crowd write down outside the ring (senders: SenderJournal in journal.hpp). Many receive at once, so none of
// them can judge alone: each logs what it got, and the oracle in the test's process reads the logs (crowd_oracle.hpp).
// SPDX-License-Identifier: MIT
#pragma once

#include <sched.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "support/journal.hpp"
#include "support/numbered_message.hpp"

namespace shmring::test {

/// One message that a receiver got.
struct Reception {
    Number number{};
    bool redelivered = false;

    [[nodiscard]] std::uint64_t packed() const { return number.packed() | (redelivered ? kRedelivered : 0); }
    [[nodiscard]] static Reception unpacked(std::uint64_t word) {
        return {Number::unpacked(word & ~kRedelivered), (word & kRedelivered) != 0};
    }

 private:
    static constexpr std::uint64_t kRedelivered = std::uint64_t{1} << 63;  // senders take 16 bits above 32
};

/// Of one receiving process, which may die between any two stores. Received = the pop has returned and it is in the log.
struct alignas(64) CrowdReceiverJournal {
    static constexpr std::size_t kEntries = 8192;
    static constexpr std::uint64_t kNothing = ~std::uint64_t{0};

    std::atomic<std::uint64_t> seated{0};
    std::atomic<std::uint64_t> in_call{0};   ///< how many the call under way may take and not log
    std::atomic<std::uint64_t> has_view{0};  ///< 1 while it rests with a View that is not handed back
    std::atomic<std::uint64_t> in_hand{
        kNothing};  ///< the packed Number that is logged and perhaps not yet handed back
    std::atomic<Doing> doing{Doing::attaching};
    std::atomic<std::uint64_t> torn{0};    ///< messages that were none, or two
    std::atomic<std::uint64_t> logged{0};  ///< entries written, ever
    std::atomic<std::uint64_t> read{0};    ///< entries the test has read
    std::array<std::atomic<std::uint64_t>, kEntries> log{};

    void before_call(std::uint64_t messages) { in_call.store(messages, std::memory_order_release); }
    void after_call() { in_call.store(0, std::memory_order_release); }
    void received(const Reception& reception) {
        const std::uint64_t at = logged.load(std::memory_order_relaxed);
        while (at - read.load(std::memory_order_acquire) == kEntries) ::sched_yield();
        log[at % kEntries].store(reception.packed(), std::memory_order_relaxed);
        logged.store(at + 1, std::memory_order_release);
    }
    /// For the test: everything logged since it last asked.
    template <class Take>
    void drain(Take&& take) {
        std::uint64_t at = read.load(std::memory_order_relaxed);
        const std::uint64_t end = logged.load(std::memory_order_acquire);
        for (; at != end; ++at) take(Reception::unpacked(log[at % kEntries].load(std::memory_order_relaxed)));
        read.store(at, std::memory_order_release);
    }
    /// For the test: its writer is dead, everything was drained, and another comes.
    void start_afresh() {
        seated.store(0, std::memory_order_relaxed);
        in_call.store(0, std::memory_order_relaxed);
        has_view.store(0, std::memory_order_relaxed);
        in_hand.store(kNothing, std::memory_order_relaxed);
        doing.store(Doing::attaching, std::memory_order_relaxed);
    }
};

}  // namespace shmring::test
