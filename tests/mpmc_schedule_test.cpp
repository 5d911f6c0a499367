// Producers, consumers and those who repair take turns at random before every single operation on shared memory; some are killed
// there, and others take their records over. Each seed is a schedule. What must come out is known exactly: every message whose push
// returned, once, except what the dead had in hand.

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "shmring/detail/mpmc_recovery.hpp"
#include "shmring/segment.hpp"
#include "support/fibers.hpp"
#include "support/mortal_env.hpp"
#include "support/mpmc_memory.hpp"

namespace shmring::test {
namespace {

using Message = Sized<24, 8>;
using Memory = MpmcMemory<Message, MortalEnv>;
using Word = Memory::Word;

constexpr std::uint64_t kBatch = 3;
constexpr std::uint64_t kEach = 6;           // messages that each producer sends before it leaves
constexpr std::uint32_t kRecords = 6;        // the last one is the survivor's
constexpr std::uint64_t kSlots = 1000;       // numbers per producer
constexpr std::uint64_t kStuck = 1'000'000;  // turns

std::uint64_t number_of(const Message& message) {
    std::uint64_t number = 0;
    std::memcpy(&number, message.bytes.data(), sizeof number);
    return number;
}

enum class Holder { none, living, dead };
struct Records {
    std::array<Word, kRecords> intents{};
    std::array<Holder, kRecords> holders{};
};
/// As ParticipantRoll: a new holder knows that what its record names is its predecessor's.
struct Roll {
    Records& records;
    std::uint32_t me;
    bool fresh;

    [[nodiscard]] std::uint32_t count() const noexcept { return kRecords; }
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
};

class Schedule {
 public:
    Schedule(std::uint64_t seed, std::uint64_t capacity, Delivery delivery, bool one_by_one)
        : random_(seed),
          delivery_(delivery),
          one_by_one_(one_by_one),
          first_(random_() % 2 == 0 ? random_() % 9 : (std::uint64_t{1} << 32) * capacity - random_() % 4),
          ring_(capacity) {
        ring_.arrange(first_, first_);
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
    struct Actor {
        bool writes = false;
        std::uint64_t id = 0;
        std::uint32_t record = 0;
        Memory::Producer out{};
        Memory::Consumer in{};
        std::array<Message, kBatch> messages{};
        std::uint64_t handed_back = 0;
        bool works = false;  // holds a record, and is not about to leave
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
            actor.record = static_cast<std::uint32_t>(random_() % (kRecords - 1));
        } while (records_.holders.at(actor.record) == Holder::living);
        records_.holders.at(actor.record) = Holder::living;
        actor.works = true;
        Word& intent = records_.intents.at(actor.record);
        if (intent.load(detail::relaxed) != 0) {
            const Roll roll{records_, actor.record, true};
            auto recovery = detail::MpmcRecovery(ring_.slots(), decltype(ring_)::Producer::extent(), redelivers(), roll);
            (void)recovery.run();
            recovery.forget(actor.record);
        }
        intent.store(0, detail::release);
        actor.out = {ring_.slots(), intent, redelivers()};
        actor.in = {ring_.slots(), intent, redelivers()};
    }
    bool recover(std::uint32_t record) {
        const Roll roll{records_, record, false};
        return detail::MpmcRecovery(ring_.slots(), decltype(ring_)::Producer::extent(), redelivers(), roll).run();
    }
    [[nodiscard]] std::uint64_t most() { return one_by_one_ ? 1 : 1 + random_() % kBatch; }
    void write(Actor& actor) {
        for (std::uint64_t sent = 0; sent < kEach;) {
            if (actor.out.claim(most()) != Status::ok) {
                (void)recover(actor.record);
                continue;
            }
            if (random_() % 8 == 0) {
                actor.out.abandon();
                continue;
            }
            const std::uint64_t count = actor.out.claimed().count;
            for (std::uint64_t i = 0; i != count; ++i) {
                actor.messages.at(i) = Message::numbered(actor.id * kSlots + sent + i);
                MortalEnv::copy_in(actor.out.payload(i), &actor.messages.at(i), sizeof(Message));
                actor.out.publish(i);
                returned_.insert(actor.id * kSlots + sent + i);  // the others can have it now
            }
            actor.out.settle();
            sent += count;
        }
        --producers_;
    }
    void read(Actor& actor) {
        for (;;) {
            const bool last = producers_ == 0;
            const Status status = actor.in.claim(most());
            if (status != Status::ok) {
                EXPECT_TRUE(status == Status::empty || status == Status::busy);
                if (!recover(actor.record) && last && status == Status::empty) return;
                continue;
            }
            const std::uint64_t count = actor.in.claimed().count;
            for (std::uint64_t i = 0; i != count; ++i) {
                MortalEnv::copy_out(&actor.messages.at(i), actor.in.payload(i), sizeof(Message));
                actor.in.hand_back(i);
                actor.handed_back = i + 1;
            }
            actor.in.settle();
            actor.handed_back = 0;
            for (std::uint64_t i = 0; i != count; ++i)
                accept(actor.id, actor.messages.at(i), actor.in.deliveries());
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
        producers_ -= actor.writes ? 1U : 0U;
        for (std::uint64_t i = 0; i != actor.handed_back; ++i) gone_.insert(number_of(actor.messages.at(i)));
        if (actor.writes) return;
        const auto [first, count] = actor.in.claimed();
        for (std::uint64_t i = actor.handed_back; i < count; ++i) {
            Message message;
            std::memcpy(&message, ring_.payload(first + i), sizeof message);
            (redelivers() ? again_ : gone_).insert(number_of(message));
            lost_ += redelivers() ? 0U : 1U;
        }
    }

    // ---- what came out -------------------------------------------------------------------------------------------------

    void accept(std::uint64_t by, const Message& message, std::uint64_t deliveries) {
        EXPECT_EQ(message, Message::numbered(number_of(message))) << "torn";
        came_.push_back({by, number_of(message), deliveries});
    }
    void judge() {
        records_.holders.at(kRecords - 1) = Holder::living;
        while (recover(kRecords - 1)) {
        }
        Word& intent = records_.intents.at(kRecords - 1);
        Memory::Consumer in(ring_.slots(), intent, redelivers());
        Message message;
        while (in.try_pop(&message, sizeof message) == Status::ok) accept(0, message, in.deliveries());
        EXPECT_EQ(in.claim(1), Status::empty);

        std::set<std::uint64_t> seen;
        std::vector<std::uint64_t> last(2 * all_.size() * all_.size() + 2, 0);
        std::uint64_t redelivered = 0;
        for (const Came& each : came_) {
            EXPECT_TRUE(seen.insert(each.number).second) << each.number << " came twice";
            EXPECT_TRUE(returned_.contains(each.number)) << each.number << " was never published";
            EXPECT_EQ(each.deliveries != 0, again_.contains(each.number)) << each.number;
            redelivered += each.deliveries != 0 ? 1U : 0U;
            if (each.deliveries != 0) continue;
            std::uint64_t& before = last.at(each.by * all_.size() + each.number / kSlots);
            EXPECT_LT(before, each.number) << "out of order";
            before = each.number;
        }
        for (const std::uint64_t number : returned_)
            EXPECT_EQ(seen.contains(number), !gone_.contains(number)) << number;
        EXPECT_GE(ring_.control().lost.now(), lost_);
        EXPECT_GE(ring_.control().redelivered.now(), redelivered);

        Memory::Producer out(ring_.slots(), intent, redelivers());
        for (std::uint64_t i = 0; i != ring_.capacity(); ++i)
            EXPECT_EQ(out.try_push(&message, sizeof message), Status::ok) << "a place is stuck";
        EXPECT_EQ(out.claim(1), Status::full);
    }
    [[nodiscard]] bool redelivers() const { return delivery_ == Delivery::at_least_once; }

    static constexpr std::uint64_t kMostDeaths = 8;
    std::mt19937_64 random_;
    Delivery delivery_;
    bool one_by_one_;
    std::uint64_t first_;
    Memory ring_;
    Records records_{};
    std::vector<std::unique_ptr<Actor>> all_{};
    std::vector<Actor*> acting_{};
    std::uint64_t producers_ = 0;
    std::uint64_t deaths_ = 0;
    std::uint64_t lost_ = 0;
    std::set<std::uint64_t> returned_{};  // published
    std::set<std::uint64_t> gone_{};      // with a dead consumer
    std::set<std::uint64_t> again_{};     // was in the hands of a dead consumer: comes again, flagged
    std::vector<Came> came_{};
};

TEST(MpmcSchedule, WhateverTheOrderAndWhoeverDiesNothingIsStuckTornRepeatedOrLostBeyondWhatWasInHand) {
    const char* soak = std::getenv("SHMRING_SOAK");  // NOLINT(concurrency-mt-unsafe): nobody sets it
    const std::uint64_t seeds = soak != nullptr && std::string(soak) == "1" ? 100'000 : 800;
    std::uint64_t deaths = 0;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Schedule schedule(seed, 1 + seed % 4,
                          seed / 4 % 2 == 0 ? Delivery::at_most_once : Delivery::at_least_once,
                          seed / 8 % 2 == 0);
        schedule.run();
        deaths += schedule.deaths();
        if (testing::Test::HasFailure()) break;
    }
    EXPECT_GT(deaths, 3 * seeds);
}

}  // namespace
}  // namespace shmring::test
