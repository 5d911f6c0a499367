// A byte ring of many on the heap in which any participant can be killed before any operation, with living ones around it: what a
// victim leaves behind, who repairs it, and what the survivors must then find. One thread plays them all.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <ostream>
#include <vector>

#include "shmring/detail/intent.hpp"
#include "shmring/detail/mpmc_recovery.hpp"
#include "support/byte_letter.hpp"
#include "support/mpmc_byte_memory.hpp"
#include "support/mpmc_lab.hpp"

namespace shmring::test {

/// A message of so many bytes; its tag says which it is and how long.
[[nodiscard]] inline ByteLetter sized_letter(std::uint64_t serial, std::uint64_t size) {
    return {serial << 12 | size, size};
}

/// Where a ring stands when the victim begins: behind `first` units, with messages of these sizes in it.
struct ByteStanding {
    std::uint64_t units = 1;
    std::uint64_t first = 0;
    std::vector<std::uint64_t> inside{};
    Delivery delivery = Delivery::at_most_once;
    std::uint64_t unit_lines = 1;
};
inline void PrintTo(const ByteStanding& at, std::ostream* out) {
    *out << at.units << " units, first " << at.first << ", inside";
    for (const std::uint64_t size : at.inside) *out << " " << size;
    *out << (at.delivery == Delivery::at_least_once ? ", at least once" : ", at most once");
}

class MpmcByteLab {
 public:
    using Memory = MpmcByteHeap<MortalEnv>;
    using Roll = MpmcLab::Roll;
    using Who = MpmcLab::Who;
    using SlotWord = detail::SlotWord;
    using SlotState = detail::SlotState;
    using Header = detail::RecordHeader;
    static constexpr Who kVictim = MpmcLab::kVictim;
    static constexpr Who kProducer = MpmcLab::kProducer;  // lives, as the next: who uses the ring afterwards
    static constexpr Who kConsumer = MpmcLab::kConsumer;
    static constexpr Who kBystander = MpmcLab::kBystander;
    static constexpr std::uint64_t kAny = Header::kMaxLength;

    explicit MpmcByteLab(const ByteStanding& at) : standing(at), ring(at.units, at.unit_lines) {
        ring.arrange_empty(at.first);
        for (const std::uint64_t size : at.inside) (void)push(kProducer, size);  // as far as there is room
        inside_ = sent_;
    }
    MpmcByteLab(const MpmcByteLab&) = delete;
    MpmcByteLab& operator=(const MpmcByteLab&) = delete;

    [[nodiscard]] bool redelivers() const { return standing.delivery == Delivery::at_least_once; }
    [[nodiscard]] Memory::Producer producer(Who who) {
        return ring.producer(roll.intents.at(who), redelivers());
    }
    [[nodiscard]] Memory::Consumer consumer(Who who) {
        return ring.consumer(roll.intents.at(who), redelivers());
    }
    [[nodiscard]] auto recovery() {
        return detail::MpmcRecovery(ring.slots(), ring.extent(), redelivers(), roll);
    }
    bool recover() { return recovery().run(); }
    [[nodiscard]] detail::Intent intent(Who who) const { return {roll.intents.at(who).now()}; }
    void name(Who who, detail::ClaimSide side, std::uint64_t position) {
        roll.intents.at(who).set(detail::Intent::of(side, position, 1).value);
    }
    /// Messages at the beginning.
    [[nodiscard]] std::uint64_t count_inside() const { return inside_; }
    [[nodiscard]] std::uint64_t head() { return ring.control().head.now(); }
    [[nodiscard]] std::uint64_t tail() { return ring.control().tail.now(); }
    [[nodiscard]] std::uint64_t max_message() { return ring.memory().max_message(); }
    [[nodiscard]] SlotWord word(std::uint64_t position) const { return {ring.word(position).now()}; }
    [[nodiscard]] SlotWord word_when(std::uint64_t position, SlotState state,
                                     std::uint64_t deliveries = 0) const {
        return SlotWord::of(position / standing.units, state, deliveries);
    }
    [[nodiscard]] bool is(std::uint64_t position, SlotState state) const {
        return word(position) == word_when(position, state);
    }
    [[nodiscard]] bool is_freed(std::uint64_t position) const {
        return is(position + standing.units, SlotState::free);
    }
    [[nodiscard]] Header header(std::uint64_t position) const {
        return Header::of(ring.header(position).now());
    }
    /// All shared words, to see whether anything changed.
    [[nodiscard]] std::vector<std::uint64_t> all_words() {
        auto& control = ring.control();
        std::vector<std::uint64_t> words{head(), tail(), control.skipped.now(), control.lost.now(),
                                         control.redelivered.now()};
        for (std::uint64_t i = 0; i != standing.units; ++i) {
            words.push_back(ring.word(i).now());
            words.push_back(ring.header(i).now());
        }
        for (const auto& each : roll.intents) words.push_back(each.now());
        return words;
    }

    // ---- messages ------------------------------------------------------------------------------------------------------

    /// Numbered 0, 1, 2, ... in the order of their pushes.
    Status push(Who who, std::uint64_t size) {
        Memory::Producer out = producer(who);
        const ByteLetter letter = sized_letter(sent_, size);
        const Status status = out.prepare(size);
        if (status != Status::ok) return status;
        ++sent_;
        std::memcpy(out.place(), letter.bytes.data(), size);
        out.publish(letter.size, letter.tag);
        return status;
    }
    /// The message that `in` has in hand, whole.
    [[nodiscard]] static Taken look_at(const Memory::Consumer& in) {
        const ByteLetter expected(in.tag(), in.tag() & 0xfff);
        EXPECT_EQ(in.length(), expected.size);
        EXPECT_EQ(std::memcmp(in.payload(), expected.bytes.data(), expected.size), 0) << "torn";
        return {in.tag() >> 12, in.deliveries()};
    }
    /// What comes out until there is nothing more, or nothing more for now: `end` says which.
    [[nodiscard]] std::vector<Taken> drain(Status& end) {
        std::vector<Taken> all;
        Memory::Consumer in = consumer(kConsumer);
        while ((end = in.claim(kAny)) == Status::ok) {
            all.push_back(look_at(in));
            in.hand_back();
        }
        return all;
    }
    [[nodiscard]] std::vector<Taken> drain() {
        Status end{};
        auto all = drain(end);
        EXPECT_EQ(end, Status::empty);
        return all;
    }
    /// The empty ring takes as many of the smallest as it has room for, and one of the largest, and gives them back.
    void expect_usable() {
        const std::uint64_t before = sent_;
        Status status{};
        while ((status = push(kProducer, 0)) == Status::ok) {
        }
        EXPECT_EQ(status, Status::full);
        EXPECT_EQ(sent_ - before, standing.units) << "a unit is stuck";
        EXPECT_EQ(drain().size(), sent_ - before);
        EXPECT_EQ(push(kProducer, max_message()), Status::ok);
        EXPECT_EQ(drain(), (std::vector<Taken>{{sent_ - 1, 0}}));
    }

    // ---- what a survivor finds -----------------------------------------------------------------------------------------

    /// What the words that the dead left promise to the survivors, by docs/algorithms/mpmc_byte_ring.md and not by the code of the repair. `skipped` counts
    /// one too many where a record was published and the padding before it not.
    MpmcLab::Promise promised() {
        MpmcLab::Promise promise;
        auto& control = ring.control();
        promise.skipped = control.skipped.now();
        promise.lost = control.lost.now();
        promise.redelivered = control.redelivered.now();
        const std::uint64_t oldest = tail() > standing.units ? tail() - standing.units : 0;
        for (std::uint64_t at = oldest; at < head(); ++at) {
            const SlotState state = word(at).state();
            const bool is_message = state == SlotState::published || state == SlotState::orphaned;
            if (!redelivers() || word(at).lap() != at / standing.units || !is_message ||
                is_living(detail::ClaimSide::read, at))
                continue;
            promise.messages.push_back({header(at).tag >> 12, word(at).deliveries() + 1});
            ++promise.redelivered;
        }
        for (std::uint64_t at = head(); at < tail();) {
            if (is(at, SlotState::published)) {
                promise.messages.push_back({header(at).tag >> 12, 0});
                at += ring.memory().units_of(header(at).length);
            } else {
                at += is(at, SlotState::filler) ? header(at).length : 1;
            }
        }
        for (Who who = 0; who != MpmcLab::kParticipants; ++who) {
            const detail::Intent left = intent(who);
            if (!roll.dead.at(who) || left.count() == 0) continue;
            if (left.side() == detail::ClaimSide::write)
                promise.skipped += left.position() < tail() && is(left.position(), SlotState::free) ? 1U : 0U;
            else if (!redelivers() && left.position() < head())
                ++promise.lost;
        }
        return promise;
    }
    /// The survivors repair, and find exactly that; `slack`: how many claims too many may be counted. One that died repairing may leave
    /// its rest for when the readers stand before it.
    void expect_survival(const MpmcLab::Promise& promise, std::uint64_t slack = 0) {
        std::vector<Taken> came;
        Status end = Status::busy;
        const std::uint64_t named_only =
            unclaimed_reads();  // each is counted when others are done with what it names
        for (int times = 0; end != Status::empty || recover(); ++times) {
            ASSERT_LT(times, 20) << "repaired over and over";
            (void)recover();
            const auto more = drain(end);
            came.insert(came.end(), more.begin(), more.end());
        }
        auto& control = ring.control();
        const auto is_counted = [&](std::uint64_t counter, std::uint64_t least, std::uint64_t more = 0) {
            return counter >= least && counter <= least + slack + more;
        };
        EXPECT_TRUE(is_counted(control.skipped.now(), promise.skipped))
            << control.skipped.now() << " skipped, " << promise.skipped << " promised";
        EXPECT_TRUE(is_counted(control.lost.now(), promise.lost, named_only))
            << control.lost.now() << " lost, " << promise.lost << " promised";
        EXPECT_EQ(came, promise.messages);
        EXPECT_EQ(control.redelivered.now(), promise.redelivered);
        expect_usable();
        (void)recover();  // what the dead named and did not claim was claimed and done meanwhile
        for (Who who = 0; who != MpmcLab::kParticipants; ++who)
            EXPECT_EQ(intent(who).value, 0U) << "of " << who;
        EXPECT_FALSE(recover()) << "nothing is left to repair";
    }

    ByteStanding standing;
    Memory ring;
    Roll roll{};

 private:
    [[nodiscard]] bool is_living(detail::ClaimSide side, std::uint64_t position) const {
        for (Who who = 0; who != MpmcLab::kParticipants; ++who)
            if (!roll.dead.at(who) && intent(who).names(side, position)) return true;
        return false;
    }
    [[nodiscard]] std::uint64_t unclaimed_reads() {
        std::uint64_t count = 0;
        for (Who who = 0; who != MpmcLab::kParticipants; ++who) {
            const detail::Intent left = intent(who);
            const bool is_read = left.count() != 0 && left.side() == detail::ClaimSide::read;
            count += roll.dead.at(who) && is_read && left.position() >= head() ? 1U : 0U;
        }
        return count;
    }
    std::uint64_t sent_ = 0;
    std::uint64_t inside_ = 0;
};

/// Empty, one short and one long message, full of the smallest; at the start, before and behind the wrap, and where 32 bits of the
/// lap run out.
[[nodiscard]] inline std::vector<ByteStanding> byte_standings() {
    std::vector<ByteStanding> all;
    for (const std::uint64_t units : {1U, 2U, 3U, 5U, 8U})
        for (const std::uint64_t first :
             {std::uint64_t{0}, units - 1, 3 * units + 1, (std::uint64_t{1} << 32) * units - 1})
            for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
                const std::uint64_t most = MpmcByteHeap<MortalEnv>(units).memory().max_message();
                all.push_back({units, first, {}, delivery});
                all.push_back({units, first, {most}, delivery});
                all.push_back({units, first, std::vector<std::uint64_t>(units, 9), delivery});
                if (units > 2) all.push_back({units, first, {0, 70}, delivery});
            }
    return all;
}

}  // namespace shmring::test
