// The oracle of the kill tests: judges what came out of a ring by what the journals say went in.
//
// Nothing torn, repeated, invented or out of order; nothing lost, except what the one call took in which a receiver was killed.
// A sender that was killed in a call may have sent any part of that call and nothing beyond it.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "support/journal.hpp"
#include "support/numbered_message.hpp"

namespace shmring::test {

enum class Fault : std::uint64_t {
    none,
    torn,      ///< bytes of no message, or of two
    repeated,  ///< at or before the last one received
    invented,  ///< no push of it was ever begun
    lost,      ///< more is missing than died with the calls of killed receivers
};

[[nodiscard]] constexpr const char* to_string(Fault fault) {
    switch (fault) {
        case Fault::none:
            return "none";
        case Fault::torn:
            return "torn";
        case Fault::repeated:
            return "repeated";
        case Fault::invented:
            return "invented";
        case Fault::lost:
            return "lost";
    }
    return "unknown";
}

/// Follows one stream. `senders[0]` is nobody: senders count from 1.
class Oracle {
 public:
    /// `last`: the last message received before (sender 0: none yet); `missable`: how many may be missing after it.
    Oracle(std::span<const SenderJournal> senders, Number last, std::uint64_t missable)
        : senders_(senders), last_(last), missable_(missable) {}

    /// Of a message that a receiver got next. missed() then says how many it found missing before it.
    [[nodiscard]] Fault judge(Number next) {
        if (next.sender >= senders_.size() || next.sequence >= attempted(next.sender)) return Fault::invented;
        if (next.sender < last_.sender) return Fault::repeated;
        if (next.sender == last_.sender) {
            if (next.sequence <= last_.sequence) return Fault::repeated;
            missed_ = next.sequence - last_.sequence - 1;
        } else {
            missed_ = unreceived_before(next.sender) + next.sequence;
        }
        if (missed_ > missable_) return Fault::lost;
        unjournalled_ =
            next.sender != last_.sender && last_.sender != 0 && last_.sequence >= sent(last_.sender);
        last_ = next;
        missable_ = 0;
        return Fault::none;
    }

    /// At the end of the stream, when everything sent must have come.
    [[nodiscard]] Fault judge_end() {
        missed_ = unreceived_before(senders_.size());
        return missed_ > missable_ ? Fault::lost : Fault::none;
    }

    [[nodiscard]] std::uint64_t missed() const { return missed_; }
    /// Whether the sender before this one died in a call that had sent something.
    [[nodiscard]] bool unjournalled() const { return unjournalled_; }
    [[nodiscard]] Number last() const { return last_; }

 private:
    [[nodiscard]] std::uint64_t attempted(std::uint64_t sender) const {
        return senders_[sender].attempted.load(std::memory_order_acquire);
    }
    [[nodiscard]] std::uint64_t sent(std::uint64_t sender) const {
        return senders_[sender].sent.load(std::memory_order_acquire);
    }
    /// What is missing for certain after the last one: what earlier senders than `end` had journalled as sent.
    [[nodiscard]] std::uint64_t unreceived_before(std::uint64_t end) const {
        const std::uint64_t got = last_.sender == 0 ? 0 : last_.sequence + 1;
        const std::uint64_t of_last = sent(last_.sender);
        std::uint64_t missing = of_last > got ? of_last - got : 0;
        for (std::uint64_t sender = last_.sender + 1; sender < end; ++sender) missing += sent(sender);
        return missing;
    }

    std::span<const SenderJournal> senders_;
    Number last_;
    std::uint64_t missable_;
    std::uint64_t missed_ = 0;
    bool unjournalled_ = false;
};

/// One receiving process's side of it: judges every message and journals the verdict.
class Receiving {
 public:
    Receiving(ReceiverJournal& journal, std::span<const SenderJournal> senders)
        : journal_(journal),
          oracle_(senders, Number::unpacked(journal.last.load(std::memory_order_relaxed)),
                  journal.missable.load(std::memory_order_relaxed)) {}

    /// False: something is wrong, and the journal says what.
    template <class Message>
    [[nodiscard]] bool accept(const Message& message) {
        const Fault fault = message.is_whole() ? oracle_.judge(message.number()) : Fault::torn;
        if (fault != Fault::none) return report(fault, message.number());
        if (oracle_.missed() != 0) count(journal_.differing_pops);
        if (oracle_.unjournalled()) count(journal_.differing_pushes);
        journal_.last.store(message.number().packed(), std::memory_order_release);
        journal_.missable.store(0, std::memory_order_release);
        count(journal_.received);
        return true;
    }
    [[nodiscard]] bool accept_end() {
        if (const Fault fault = oracle_.judge_end(); fault != Fault::none)
            return report(fault, oracle_.last());
        if (oracle_.missed() != 0) count(journal_.differing_pops);
        return true;
    }

 private:
    bool report(Fault fault, Number at) {
        journal_.fault_at.store(at.packed(), std::memory_order_relaxed);
        journal_.fault.store(static_cast<std::uint64_t>(fault), std::memory_order_release);
        return false;
    }
    /// One writer: no read-modify-write needed.
    static void count(std::atomic<std::uint64_t>& counter) {
        counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_release);
    }

    ReceiverJournal& journal_;
    Oracle oracle_;
};

}  // namespace shmring::test
