// Producers, consumers and those who repair take turns at random before every single operation on shared memory; some are killed
// there, and others take their records over. A seed is a schedule. What must come out is known exactly: every message whose push
// returned, once, except what the dead had in hand.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "shmring/detail/mpmc_recovery.hpp"
#include "shmring/segment.hpp"
#include "support/fibers.hpp"
#include "support/memory_ring.hpp"
#include "support/mortal_env.hpp"

namespace shmring::test {

enum class Holder { none, living, dead };
struct ScheduleRecords {
    static constexpr std::uint32_t kCount = 6;  // the last one is the survivor's
    using Word = MortalEnv::Atom<std::uint64_t>;
    std::array<Word, kCount> intents{};
    std::array<Holder, kCount> holders{};
};
/// As ParticipantRoll: a new holder knows that what its record names is its predecessor's.
struct ScheduleRoll {
    ScheduleRecords& records;
    std::uint32_t me;
    bool fresh;

    [[nodiscard]] std::uint32_t count() const noexcept { return ScheduleRecords::kCount; }
    [[nodiscard]] detail::Intent intent(std::uint32_t index) const noexcept {
        return {records.intents.at(index).load(detail::acquire)};
    }
    [[nodiscard]] bool is_dead(std::uint32_t index) const noexcept {
        fate.happens();  // a system call takes its time
        return index == me ? fresh : records.holders.at(index) == Holder::dead;
    }
    [[nodiscard]] bool clear(std::uint32_t index, detail::Intent intent) const noexcept {
        return records.intents.at(index).compare_exchange_strong(intent.value, 0, detail::relaxed,
                                                                 detail::relaxed);
    }
    void disown(std::uint64_t, std::uint64_t) const noexcept {}  // no leases here
};

/// `Kind` is a ring and how its messages are written and read:
///   Memory, Letter (a message as an actor keeps it: number()), kBatch
///   claim_room(out, ring, number, most), count(out), send(out, index, number, letter), settle(out)
///   is_sent(out, ring)               whether one that died with a claim had published the message of that claim, and was not back
///   unsent(out, ring)                how many messages of its claim it had not published
///   claim(in, most, dice), count(in), receive(in, index, letter), hand_back(in, index), settle(in)
///   number_at(ring, position), is_whole(letter, ring), expect_all_free(out, ring)
template <class Kind>
class Schedule {
    using Memory = typename Kind::Memory;
    using Letter = typename Kind::Letter;
    using Word = ScheduleRecords::Word;

 public:
    /// `one_by_one`: no batches.
    Schedule(std::uint64_t seed, Memory&& ring, Delivery delivery, bool one_by_one)
        : random_(seed), delivery_(delivery), one_by_one_(one_by_one), ring_(std::move(ring)) {
        const std::uint64_t far = (std::uint64_t{1} << 32) * ring_.capacity();
        ring_.arrange_empty(random_() % 2 == 0 ? random_() % 9 : far - random_() % 4);
    }

    void run() {
        for (const bool writes : {true, true, false, false}) enter(writes);
        fate.before_each = &Fiber::give_way;
        for (std::uint64_t turns = 0; !acting_.empty() && turns != kStuck; ++turns) turn();
        fate.before_each = nullptr;
        ASSERT_TRUE(acting_.empty()) << "somebody is stuck";
        judge();
    }
    [[nodiscard]] std::uint64_t deaths() const { return deaths_; }

 private:
    static constexpr std::uint64_t kEach = 6;           // messages that each producer sends before it leaves
    static constexpr std::uint64_t kNumbers = 1000;     // per producer
    static constexpr std::uint64_t kStuck = 1'000'000;  // turns
    static constexpr std::uint64_t kMostDeaths = 8;
    static constexpr std::uint32_t kSurvivor = ScheduleRecords::kCount - 1;

    struct Actor {
        bool writes = false;
        std::uint64_t id = 0;
        std::uint32_t record = 0;
        typename Memory::Producer out{};
        typename Memory::Consumer in{};
        std::array<Letter, Kind::kBatch> letters{};
        std::uint64_t number = 0;  // of the next message it sends
        bool drops = false;        // is taking a claim back
        bool works = false;        // holds a record, and is not about to leave
        std::unique_ptr<Fiber> fiber{};
    };
    struct Came {
        std::uint64_t by = 0;
        std::uint64_t number = 0;
        std::uint64_t deliveries = 0;
    };

    // ---- the actors: nothing that needs a destructor may live on their stacks while they do an operation ---------------

    void enter(bool writes) {
        Actor& actor = *all_.emplace_back(std::make_unique<Actor>());
        actor.writes = writes;
        actor.id = all_.size();
        producers_ += writes ? 1U : 0U;
        acting_.push_back(&actor);
        actor.fiber = std::make_unique<Fiber>([this, &actor] {
            take_record(actor);
            actor.writes ? write(actor) : read(actor);
            actor.works = false;
            records_.intents.at(actor.record).store(0, detail::release);
            records_.holders.at(actor.record) = Holder::none;
        });
    }
    void take_record(Actor& actor) {
        do {
            actor.record = static_cast<std::uint32_t>(random_() % kSurvivor);
        } while (records_.holders.at(actor.record) == Holder::living);
        records_.holders.at(actor.record) = Holder::living;
        actor.works = true;
        Word& intent = records_.intents.at(actor.record);
        if (intent.load(detail::relaxed) != 0) {
            const ScheduleRoll roll{records_, actor.record, true};
            auto recovery = detail::MpmcRecovery(ring_.slots(), ring_.extent(), redelivers(), roll);
            (void)recovery.run();
            recovery.forget(actor.record);
        }
        intent.store(0, detail::release);
        actor.out = ring_.producer(intent, redelivers());
        actor.in = ring_.consumer(intent, redelivers());
    }
    bool recover(std::uint32_t record) {
        const ScheduleRoll roll{records_, record, false};
        return detail::MpmcRecovery(ring_.slots(), ring_.extent(), redelivers(), roll).run();
    }
    [[nodiscard]] std::uint64_t most() { return one_by_one_ ? 1 : 1 + random_() % Kind::kBatch; }
    void write(Actor& actor) {
        const std::uint64_t first = actor.id * kNumbers;
        for (actor.number = first; actor.number < first + kEach;) {
            if (Kind::claim_room(actor.out, ring_, actor.number, most()) != Status::ok) {
                (void)recover(actor.record);
                continue;
            }
            if (random_() % 8 == 0) {
                actor.drops = true;
                actor.out.abandon();
                actor.drops = false;
                continue;
            }
            const std::uint64_t count = Kind::count(actor.out);
            for (std::uint64_t i = 0; i != count; ++i) {
                Kind::send(actor.out, i, actor.number + i, actor.letters.at(i), ring_);
                returned_.insert(actor.number + i);  // the others can have it now
            }
            Kind::settle(actor.out);
            actor.number += count;
        }
        --producers_;
    }
    void read(Actor& actor) {
        for (;;) {
            const bool last = producers_ == 0;
            const Status status = Kind::claim(actor.in, most(), random_());
            if (status != Status::ok) {
                EXPECT_TRUE(status == Status::empty || status == Status::busy || status == Kind::kLeft);
                if (!recover(actor.record) && last && status == Status::empty) return;
                continue;
            }
            const std::uint64_t count = Kind::count(actor.in);
            for (std::uint64_t i = 0; i != count; ++i) {
                Kind::receive(actor.in, i, actor.letters.at(i));
                Kind::hand_back(actor.in, i);
            }
            Kind::settle(actor.in);
            for (std::uint64_t i = 0; i != count; ++i)
                accept(actor.id, actor.letters.at(i), actor.in.deliveries());
        }
    }

    // ---- who is next, and who dies -------------------------------------------------------------------------------------

    void turn() {
        const std::size_t next = random_() % acting_.size();
        Actor& actor = *acting_[next];
        const bool dies = deaths_ < kMostDeaths && actor.works && random_() % 80 == 0;
        if (dies) bury(actor);
        for (std::uint64_t steps = dies ? 0 : 1 + random_() % 4; steps != 0 && !actor.fiber->is_done();
             --steps)
            actor.fiber->resume();
        if (!dies && !actor.fiber->is_done()) return;
        acting_.erase(acting_.begin() + static_cast<std::ptrdiff_t>(next));
        if (dies) enter(actor.writes);
    }
    void bury(Actor& actor) {
        ++deaths_;
        records_.holders.at(actor.record) = Holder::dead;
        if (actor.writes) {
            --producers_;
            if (actor.drops || actor.out.claimed().count == 0) return;
            if (Kind::is_sent(actor.out, ring_)) returned_.insert(actor.number);
            skipped_ += Kind::unsent(actor.out, ring_);
            return;
        }
        const std::uint64_t first = actor.in.claimed().first;
        for (std::uint64_t i = 0; i != Kind::count(actor.in); ++i) {
            const std::uint64_t lap = (first + i) / ring_.capacity();
            const detail::SlotWord word{ring_.word(first + i).now()};
            if (word.lap() != lap || word.state() != detail::SlotState::published) {
                gone_.insert(actor.letters.at(i).number());  // it had handed that one back
                continue;
            }
            (redelivers() ? again_ : gone_).insert(Kind::number_at(ring_, first + i));
            lost_ += redelivers() ? 0U : 1U;
        }
    }

    // ---- what came out -------------------------------------------------------------------------------------------------

    void accept(std::uint64_t by, const Letter& letter, std::uint64_t deliveries) {
        EXPECT_TRUE(Kind::is_whole(letter, ring_)) << "torn: " << letter.number();
        came_.push_back({by, letter.number(), deliveries});
    }
    void judge() {
        records_.holders.at(kSurvivor) = Holder::living;
        Word& intent = records_.intents.at(kSurvivor);
        auto in = ring_.consumer(intent, redelivers());
        Letter letter;
        do {  // a repairer may have died between two places: the next stands before the rest
            while (recover(kSurvivor)) {
            }
            while (Kind::claim(in, 1, 0) == Status::ok) {
                Kind::receive(in, 0, letter);
                Kind::hand_back(in, 0);
                Kind::settle(in);
                accept(0, letter, in.deliveries());
            }
        } while (recover(kSurvivor));
        EXPECT_EQ(in.peek(), Status::empty);

        std::set<std::uint64_t> seen;
        std::vector<std::uint64_t> last(2 * all_.size() * all_.size() + 2, 0);
        std::uint64_t redelivered = 0;
        for (const Came& each : came_) {
            EXPECT_TRUE(seen.insert(each.number).second) << each.number << " came twice";
            EXPECT_TRUE(returned_.contains(each.number)) << each.number << " was never published";
            EXPECT_EQ(each.deliveries != 0, again_.contains(each.number)) << each.number;
            redelivered += each.deliveries != 0 ? 1U : 0U;
            if (each.deliveries != 0) continue;
            std::uint64_t& before = last.at(each.by * all_.size() + each.number / kNumbers);
            EXPECT_LT(before, each.number) << "out of order";
            before = each.number;
        }
        for (const std::uint64_t number : returned_)
            EXPECT_EQ(seen.contains(number), !gone_.contains(number)) << number;
        EXPECT_GE(ring_.control().skipped.now(), skipped_);
        EXPECT_GE(ring_.control().lost.now(), lost_);
        EXPECT_GE(ring_.control().redelivered.now(), redelivered);

        auto out = ring_.producer(intent, redelivers());
        Kind::expect_all_free(out, ring_);
    }
    [[nodiscard]] bool redelivers() const { return delivery_ == Delivery::at_least_once; }

    std::mt19937_64 random_;
    Delivery delivery_;
    bool one_by_one_;
    Memory ring_;
    ScheduleRecords records_{};
    std::vector<std::unique_ptr<Actor>> all_{};
    std::vector<Actor*> acting_{};
    std::uint64_t producers_ = 0;
    std::uint64_t deaths_ = 0;
    std::uint64_t skipped_ = 0;
    std::uint64_t lost_ = 0;
    std::set<std::uint64_t> returned_{};  // published
    std::set<std::uint64_t> gone_{};      // with a dead consumer
    std::set<std::uint64_t> again_{};     // was in the hands of a dead consumer: comes again, flagged
    std::vector<Came> came_{};
};

}  // namespace shmring::test
