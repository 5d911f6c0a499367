// The accounts of a run with many on both sides: a message names its sender and its number there, each receiver takes note of
// what it got from whom, and in the end the parent compares the sums with what was sent.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>

#include "harness/control.hpp"
#include "harness/message.hpp"

namespace bench {

/// `sender:16 | number:48`, numbers counting from 0. Far below the marks that end a phase.
constexpr Sequence sequence_from(std::size_t sender, std::uint64_t number) {
    return static_cast<Sequence>(sender) << 48 | number;
}
constexpr std::size_t sender_in(Sequence sequence) { return static_cast<std::size_t>(sequence >> 48); }
constexpr std::uint64_t number_in(Sequence sequence) { return sequence & ((Sequence{1} << 48) - 1); }

/// Of some messages of one sender: how many, and sums that one lost and another repeated do not leave as they were.
struct Tally {
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    std::uint64_t squares = 0;

    void add(std::uint64_t number) {
        ++count;
        sum += number;
        squares += number * number;
    }
    void add(const Tally& other) {
        count += other.count;
        sum += other.sum;
        squares += other.squares;
    }
    friend bool operator==(const Tally&, const Tally&) = default;
};

using Ledger = std::array<Tally, kMostOnASide>;  // by sender

/// What one receiver knows. A plain local variable of the receiving loop: only that keeps it cheap.
template <bool kKeepsOrder>
class Bookkeeper {
 public:
    explicit Bookkeeper(std::size_t senders) : senders_(senders) {}

    /// Takes note of a message that is whole, from a known sender, and later than all that came from there; where order is not
    /// kept, counts those that are not. False: it is something else, which blame() names.
    template <std::size_t Size>
    [[nodiscard]] bool enter(const Message<Size>& message) {
        const Sequence sequence = sequence_of(message.words[0], 0);
        const std::size_t sender = sender_in(sequence);
        if (!matches(message, sequence) || sender >= senders_) [[unlikely]]
            return false;
        const std::uint64_t number = number_in(sequence);
        if (number < due_[sender]) [[unlikely]] {
            if (kKeepsOrder) return false;
            ++reordered_;
        } else {
            due_[sender] = number + 1;
        }
        ledger_[sender].add(number);
        return true;
    }
    template <std::size_t Size>
    [[noreturn]] void blame(const Message<Size>& message) const {
        const Sequence sequence = sequence_of(message.words[0], 0);
        const std::size_t sender = sender_in(sequence);
        if (is_end(sequence) && matches(message, sequence))
            throw std::runtime_error("repeated message: the end of a phase that is over");
        if (!matches(message, sequence) || sender >= senders_)
            throw std::runtime_error("torn message: its words do not belong together, or to no sender");
        const std::uint64_t number = number_in(sequence);
        const bool again = number + 1 == due_[sender];
        throw std::runtime_error(std::string(again ? "repeated" : "reordered") +
                                 " message: " + std::to_string(number) + " of sender " +
                                 std::to_string(sender) + " after " + std::to_string(due_[sender] - 1));
    }
    [[nodiscard]] const Ledger& ledger() const { return ledger_; }
    [[nodiscard]] std::uint64_t reordered() const { return reordered_; }

 private:
    std::size_t senders_;
    std::array<std::uint64_t, kMostOnASide> due_{};
    Ledger ledger_{};
    std::uint64_t reordered_ = 0;
};

/// Shared by all sides of one run, each word that is written while the clock runs on lines of its own.
struct Accounts {
    struct Counter {
        alignas(kLineGap) std::atomic<std::uint64_t> count{0};
    };
    alignas(kLineGap) std::atomic<std::uint64_t> finished{0};  // senders, over all phases
    alignas(kLineGap) std::int64_t end_ns = 0;                 // when all of the last phase had arrived
    std::array<Counter, kMostOnASide> sent{};                  // by sender, over all phases
    std::array<Counter, kMostOnASide> received{};              // by receiver, over all phases
    std::array<Ledger, kMostOnASide> ledgers{};                // by receiver, once it has ended
    std::array<std::uint64_t, kMostOnASide> reordered{};       // likewise

    [[nodiscard]] static std::uint64_t total(const std::array<Counter, kMostOnASide>& counters) {
        std::uint64_t total = 0;
        for (const Counter& counter : counters) total += counter.count.load(std::memory_order_acquire);
        return total;
    }
    /// What is wrong with the sums, or nothing.
    [[nodiscard]] std::string audit() const {
        for (std::size_t sender = 0; sender != kMostOnASide; ++sender) {
            Tally due;
            for (std::uint64_t number = 0; number != sent[sender].count.load(std::memory_order_acquire);
                 ++number)
                due.add(number);
            Tally had;
            for (const Ledger& ledger : ledgers) had.add(ledger[sender]);
            if (had == due) continue;
            const std::string fault = had.count < due.count   ? "lost message: "
                                      : had.count > due.count ? "repeated message: "
                                                              : "lost message, and another repeated: ";
            return fault + std::to_string(had.count) + " arrived of " + std::to_string(due.count) +
                   " of sender " + std::to_string(sender);
        }
        return {};
    }
};

}  // namespace bench
