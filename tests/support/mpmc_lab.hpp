// A ring of many on the heap in which any participant can be killed before any operation: what a victim leaves behind, who repairs
// it, and what the survivors must then find. One thread plays them all.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "shmring/detail/intent.hpp"
#include "shmring/detail/mpmc.hpp"
#include "shmring/detail/mpmc_recovery.hpp"
#include "shmring/segment.hpp"
#include "support/memory_ring.hpp"
#include "support/mortal_env.hpp"
#include "support/mpmc_memory.hpp"

namespace shmring::test {

/// A message that came out: which, and how many had died with it in hand.
struct Taken {
    std::uint64_t number = 0;
    std::uint64_t deliveries = 0;
    friend bool operator==(const Taken&, const Taken&) = default;
};
inline void PrintTo(const Taken& taken, std::ostream* out) {
    *out << taken.number << " (" << taken.deliveries << ")";
}

/// Where a ring stands when the victim begins: messages [first, first + inside) are in it, numbered with their positions.
struct Standing {
    std::uint64_t capacity = 1;
    std::uint64_t first = 0;
    std::uint64_t inside = 0;
    Delivery delivery = Delivery::at_most_once;
};
inline void PrintTo(const Standing& at, std::ostream* out) {
    *out << "capacity " << at.capacity << ", first " << at.first << ", inside " << at.inside
         << (at.delivery == Delivery::at_least_once ? ", at least once" : ", at most once");
}

class MpmcLab {
 public:
    using Message = Sized<24, 8>;
    using Memory = MpmcMemory<Message, MortalEnv>;
    using Word = Memory::Word;
    using SlotWord = detail::SlotWord;
    using SlotState = detail::SlotState;
    using Who = std::uint32_t;  // the index of its record
    static constexpr Who kVictim = 0;
    static constexpr Who kProducer = 1;
    static constexpr Who kConsumer = 2;
    static constexpr Who kBystander = 3;
    static constexpr std::uint32_t kParticipants = 4;
    static constexpr std::uint64_t kVictims = 1'000'000;  // what the victim sends counts from here
    static constexpr std::uint64_t kBatch = 3;

    /// The records, and who of their holders is dead.
    struct Roll {
        std::array<Word, kParticipants> intents{};
        std::array<bool, kParticipants> dead{};
        mutable std::vector<std::uint64_t>
            disowned{};  // positions of messages that were taken away from a desk

        [[nodiscard]] std::uint32_t count() const noexcept { return kParticipants; }
        [[nodiscard]] detail::Intent intent(std::uint32_t index) const noexcept {
            return {intents.at(index).load(detail::acquire)};
        }
        [[nodiscard]] bool is_dead(std::uint32_t index) const noexcept { return dead.at(index); }
        [[nodiscard]] bool clear(std::uint32_t index, detail::Intent intent) const noexcept {
            return const_cast<Word&>(intents.at(index))
                .compare_exchange_strong(intent.value, 0, detail::relaxed, detail::relaxed);
        }
        void disown(std::uint64_t position, std::uint64_t) const noexcept { disowned.push_back(position); }
    };

    explicit MpmcLab(const Standing& at) : standing(at), ring(at.capacity) {
        ring.arrange(at.first, at.first + at.inside);
    }
    MpmcLab(const MpmcLab&) = delete;
    MpmcLab& operator=(const MpmcLab&) = delete;

    [[nodiscard]] bool redelivers() const { return standing.delivery == Delivery::at_least_once; }
    [[nodiscard]] Memory::Producer producer(Who who) {
        return {ring.slots(), roll.intents.at(who), redelivers()};
    }
    [[nodiscard]] Memory::Consumer consumer(Who who) {
        return {ring.slots(), roll.intents.at(who), redelivers()};
    }
    [[nodiscard]] auto recovery() {
        return detail::MpmcRecovery(ring.slots(), decltype(ring)::Producer::extent(), redelivers(), roll);
    }
    bool recover() { return recovery().run(); }
    [[nodiscard]] detail::Intent intent(Who who) const { return {roll.intents.at(who).now()}; }
    void name(Who who, detail::ClaimSide side, std::uint64_t position, std::uint64_t count) {
        roll.intents.at(who).set(detail::Intent::of(side, position, count).value);
    }
    [[nodiscard]] std::uint64_t head() { return ring.control().head.now(); }
    [[nodiscard]] std::uint64_t tail() { return ring.control().tail.now(); }
    [[nodiscard]] SlotWord word(std::uint64_t position) const { return {ring.word(position).now()}; }
    [[nodiscard]] SlotWord word_when(std::uint64_t position, SlotState state,
                                     std::uint64_t deliveries = 0) const {
        return SlotWord::of(position / standing.capacity, state, deliveries);
    }
    void set_word(std::uint64_t position, SlotState state, std::uint64_t deliveries = 0) {
        ring.word(position).set(word_when(position, state, deliveries).value);
    }
    /// A message of `position` whose consumer died with it, repaired.
    void make_orphan(std::uint64_t position, std::uint64_t deliveries = 0) {
        set_word(position, SlotState::orphaned, deliveries);
        ring.control().orphans.set(ring.control().orphans.now() + 1);
    }
    /// All shared words, to see whether anything changed.
    [[nodiscard]] std::vector<std::uint64_t> all_words() {
        auto& control = ring.control();
        std::vector<std::uint64_t> words{head(), tail(), control.skipped.now(), control.lost.now(),
                                         control.redelivered.now()};
        for (std::uint64_t i = 0; i != standing.capacity; ++i) words.push_back(word(i).value);
        for (const Word& each : roll.intents) words.push_back(each.now());
        return words;
    }

    // ---- what a survivor finds -----------------------------------------------------------------------------------------

    /// What comes out until there is nothing more.
    [[nodiscard]] std::vector<Taken> drain() {
        std::vector<Taken> all;
        Memory::Consumer in = consumer(kConsumer);
        for (;;) {
            Message message;
            const Status status = in.try_pop(&message, sizeof message);
            if (status != Status::ok) {
                EXPECT_EQ(status, Status::empty);
                return all;
            }
            all.push_back({number_of(message), in.deliveries()});
        }
    }
    /// The empty ring takes `capacity` messages and gives them back.
    void expect_usable() {
        Memory::Producer out = producer(kProducer);
        std::vector<Taken> sent;
        for (std::uint64_t i = 0; i != standing.capacity; ++i) {
            const Message message = Message::numbered(9'000'000 + i);
            ASSERT_EQ(out.try_push(&message, sizeof message), Status::ok) << i;
            sent.push_back({9'000'000 + i, 0});
        }
        const Message more{};
        EXPECT_EQ(out.try_push(&more, sizeof more), Status::full);
        EXPECT_EQ(drain(), sent);
    }
    [[nodiscard]] static std::uint64_t number_of(const Message& message) {
        std::uint64_t number = 0;
        std::memcpy(&number, message.bytes.data(), sizeof number);
        EXPECT_EQ(message, Message::numbered(number)) << "torn";
        return number;
    }

    /// What the words that the dead left promise to the survivors, by docs/algorithms/mpmc.md and not by the code of the repair.
    struct Promise {
        std::vector<Taken> messages{};
        std::uint64_t skipped = 0;
        std::uint64_t lost = 0;
        std::uint64_t redelivered = 0;
    };
    [[nodiscard]] Promise promised() {
        Promise promise;
        auto& control = ring.control();
        promise.skipped = control.skipped.now();
        promise.lost = control.lost.now();
        promise.redelivered = control.redelivered.now();
        const std::uint64_t oldest = tail() > standing.capacity ? tail() - standing.capacity : 0;
        for (std::uint64_t at = oldest; at < head(); ++at) {
            if (!redelivers() || word(at).lap() != at / standing.capacity) continue;
            const SlotState state = word(at).state();
            if (state == SlotState::skipped) continue;
            promise.messages.push_back({number_at(at), word(at).deliveries() + 1});
            ++promise.redelivered;
        }
        for (std::uint64_t at = head(); at != tail(); ++at) {
            if (word(at) == word_when(at, SlotState::published))
                promise.messages.push_back({number_at(at), 0});
            else if (word(at) == word_when(at, SlotState::free))
                ++promise.skipped;
        }
        if (redelivers()) return promise;
        for (std::uint32_t who = 0; who != kParticipants; ++who) {
            const detail::Intent left = intent(who);
            if (roll.dead.at(who) && left.count() != 0 && left.side() == detail::ClaimSide::read &&
                left.position() < head())
                promise.lost += left.count();
        }
        return promise;
    }
    /// The survivors repair, and find exactly that; `slack`: how many claims too many may be counted.
    void expect_survival(const Promise& promise, std::uint64_t slack = 0) {
        for (int times = 0; recover(); ++times) ASSERT_LT(times, 5) << "repaired over and over";
        auto& control = ring.control();
        const auto is_counted = [&](std::uint64_t counter, std::uint64_t least) {
            return counter >= least && counter <= least + slack * kBatch;
        };
        EXPECT_TRUE(is_counted(control.skipped.now(), promise.skipped)) << control.skipped.now();
        EXPECT_TRUE(is_counted(control.lost.now(), promise.lost)) << control.lost.now();
        EXPECT_EQ(drain(), promise.messages);
        EXPECT_EQ(control.redelivered.now(), promise.redelivered);
        expect_usable();
        (void)recover();  // what the dead named and did not claim was claimed and done meanwhile
        for (std::uint32_t who = 0; who != kParticipants; ++who)
            EXPECT_EQ(intent(who).value, 0U) << "of " << who;
        EXPECT_FALSE(recover()) << "nothing is left to repair";
    }

    Standing standing;
    Memory ring;
    Roll roll{};

 private:
    [[nodiscard]] std::uint64_t number_at(std::uint64_t position) const {
        Message message;
        std::memcpy(&message, ring.payload(position), sizeof message);
        return number_of(message);
    }
};

/// Empty, one message, full, just before and across the wrap, from the first lap on and where 32 bits of the lap run out.
[[nodiscard]] inline std::vector<Standing> standings() {
    std::vector<Standing> all;
    for (const std::uint64_t capacity : {1U, 2U, 3U, 5U})
        for (const std::uint64_t first :
             {std::uint64_t{0}, capacity - 1, 3 * capacity + 1, (std::uint64_t{1} << 32) * capacity - 1})
            for (const std::uint64_t inside : std::set<std::uint64_t>{0, 1, capacity})
                for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once})
                    all.push_back({capacity, first, inside, delivery});
    return all;
}

}  // namespace shmring::test
