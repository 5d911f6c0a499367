// The oracle of kill tests with many senders and many receivers: judges what came out of a ring by what the journals say went in.
//
// Nothing torn or invented; what one receiver gets of one sender comes in the sender's order; nothing comes twice, except what a receiver
// died with in hand, and that is flagged; nothing acknowledged is missing, except what killed receivers could have taken in the one
// call they died in.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "support/crowd_journal.hpp"
#include "support/journal.hpp"
#include "support/numbered_message.hpp"

namespace shmring::test {

enum class CrowdFault { none, torn, invented, repeated, disordered, lost };

[[nodiscard]] constexpr const char* to_string(CrowdFault fault) {
    constexpr std::array<const char*, 6> kNames{"none", "torn", "invented", "repeated", "disordered", "lost"};
    return kNames[static_cast<std::size_t>(fault)];
}

/// Follows one ring. `senders[0]` is nobody: senders count from 1. Receivers are numbered from 0; a dead one's number is used again.
class CrowdOracle {
 public:
    CrowdOracle(std::span<const SenderJournal> senders, std::size_t receivers, bool redelivers)
        : senders_(senders),
          redelivers_(redelivers),
          received_(senders.size()),
          expected_(receivers, std::vector<std::uint64_t>(senders.size(), 0)) {}

    /// `receiver` got this. The fault is also kept, if it is the first.
    CrowdFault judge(std::size_t receiver, const Reception& reception) {
        const Number number = reception.number;
        if (number.sender == 0 || number.sender >= senders_.size() ||
            number.sequence >= attempted(number.sender))
            return keep(CrowdFault::invented, number);
        ++messages_;
        std::uint8_t& times = times_received(number);
        if (times != 0) ++repeated_[number.packed()];
        if (reception.redelivered) {
            ++flagged_;
            if (!redelivers_) return keep(CrowdFault::repeated, number);
        } else {
            if ((times & kUnflagged) != 0) return keep(CrowdFault::repeated, number);
            times |= kUnflagged;
            std::uint64_t& expected = expected_[receiver][number.sender];  // or a later one
            if (number.sequence < expected) return keep(CrowdFault::disordered, number);
            expected = number.sequence + 1;
        }
        if ((times & kTimes) != kTimes) ++times;
        return CrowdFault::none;
    }
    CrowdFault judge_torn(const Number& number) { return keep(CrowdFault::torn, number); }
    /// `receiver` was killed, its log was judged to the end, and another takes its number.
    void died(std::size_t receiver, const CrowdReceiverJournal& journal) {
        missable_ += journal.in_call.load(std::memory_order_acquire);
        const std::uint64_t in_hand = journal.in_hand.load(std::memory_order_acquire);
        if (in_hand != CrowdReceiverJournal::kNothing) ++died_in_hand_[in_hand];
        std::fill(expected_[receiver].begin(), expected_[receiver].end(), 0);
    }
    /// At the end of the stream, when everything sent must have come.
    CrowdFault judge_end() {
        for (const auto& [packed, times] : repeated_) {
            const auto deaths = died_in_hand_.find(packed);
            if (deaths == died_in_hand_.end() || deaths->second < times)
                return keep(CrowdFault::repeated, Number::unpacked(packed));
        }
        for (std::uint64_t sender = 1; sender != senders_.size(); ++sender) {
            const std::uint64_t sent = senders_[sender].sent.load(std::memory_order_acquire);
            const std::vector<std::uint8_t>& times = received_[sender];
            for (std::uint64_t sequence = 0; sequence != sent; ++sequence) {
                if (sequence < times.size() && times[sequence] != 0) continue;
                ++missing_;
                if (missing_ > missable_) return keep(CrowdFault::lost, {sender, sequence});
            }
        }
        return fault_;
    }

    [[nodiscard]] CrowdFault fault() const { return fault_; }
    [[nodiscard]] std::string text() const {
        return std::string(to_string(fault_)) + " at " + std::to_string(at_.sender) + ":" +
               std::to_string(at_.sequence);
    }
    [[nodiscard]] std::uint64_t messages() const { return messages_; }
    [[nodiscard]] std::uint64_t flagged() const { return flagged_; }
    [[nodiscard]] std::uint64_t repeated() const { return repeated_.size(); }
    /// After judge_end(): acknowledged and not received.
    [[nodiscard]] std::uint64_t missing() const { return missing_; }
    [[nodiscard]] std::uint64_t missable() const { return missable_; }

 private:
    static constexpr std::uint8_t kUnflagged = 0x80;
    static constexpr std::uint8_t kTimes = 0x7f;

    [[nodiscard]] std::uint64_t attempted(std::uint64_t sender) const {
        return senders_[sender].attempted.load(std::memory_order_acquire);
    }
    [[nodiscard]] std::uint8_t& times_received(Number number) {
        std::vector<std::uint8_t>& times = received_[number.sender];
        if (number.sequence >= times.size())
            times.resize(std::max<std::size_t>(number.sequence + 1, 2 * times.size()));
        return times[number.sequence];
    }
    CrowdFault keep(CrowdFault fault, Number at) {
        if (fault_ == CrowdFault::none) {
            fault_ = fault;
            at_ = at;
        }
        return fault;
    }

    std::span<const SenderJournal> senders_;
    bool redelivers_;
    std::vector<std::vector<std::uint8_t>> received_;   // by sender and sequence
    std::vector<std::vector<std::uint64_t>> expected_;  // by receiver and sender
    std::map<std::uint64_t, std::uint64_t> repeated_{};
    std::map<std::uint64_t, std::uint64_t> died_in_hand_{};
    std::uint64_t missable_ = 0;
    std::uint64_t messages_ = 0;
    std::uint64_t flagged_ = 0;
    std::uint64_t missing_ = 0;
    CrowdFault fault_ = CrowdFault::none;
    Number at_{};
};

}  // namespace shmring::test
