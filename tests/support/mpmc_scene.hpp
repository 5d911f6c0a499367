// Scenes of the rings of many: writers and readers that claim, publish, repair after the dead and take their records, with the shipped
// algorithm and recovery over the scheduler's Env.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "shmring/detail/intent.hpp"
#include "shmring/detail/mpmc_recovery.hpp"
#include "shmring/segment.hpp"
#include "support/played_calls.hpp"
#include "support/scheduler.hpp"
#include "support/scheduler_env.hpp"
#include "support/spsc_scene.hpp"

namespace shmring::test {

struct Part {
    bool writes = true;
    Acts acts{};
    int heir_of = -1;  ///< begins when that actor is dead, with its record
};
struct CrowdPlan {
    std::uint64_t capacity = 1;  ///< messages, or units
    std::uint64_t inside = 0;
    std::uint64_t before = 0;
    Delivery delivery = Delivery::at_most_once;
    std::vector<Part> parts{};
    bool is_weak = true;

    [[nodiscard]] std::string name() const {
        std::string text = "capacity " + std::to_string(capacity) + ", " + std::to_string(before) + "+" +
                           std::to_string(inside) +
                           (delivery == Delivery::at_least_once ? ", at least once" : "");
        for (const Part& part : parts)
            text += (part.heir_of >= 0 ? " | heir: " : " | ") + text_of(part.acts, part.writes);
        return text;
    }
};

/// `Kind` is a ring and how its messages are written and read:
///   Memory (as MpmcMemory), bool kCountsMessages
///   fill(ring, before, inside, word)              so many had gone through; answers how many are inside now, numbered from there on
///   Status push(out, value), drop(out); std::size_t push_two(out, value, status)
///   Status pop(in, value); std::size_t pop_two(in, values, status)
template <class Kind>
class CrowdScene : public Scene {
    using Memory = typename Kind::Memory;
    using Word = typename Memory::Word;
    using Slots = typename Memory::Slots;

 public:
    explicit CrowdScene(CrowdPlan plan)
        : plan_(std::move(plan)),
          ring_(plan_.capacity),
          history_({.capacity = Kind::kCountsMessages ? plan_.capacity : kMany,
                    .refusals_alone = plan_.is_weak}) {}

    [[nodiscard]] int actors() const override { return static_cast<int>(plan_.parts.size()); }
    void arrange() override {
        for (Word& intent : intents_) intent.set(0);
        inside_ = Kind::fill(ring_, plan_.before, plan_.inside, intents_[0]);
        intents_[0].set(0);
        calls_.clear();
        next_ = 50;
        gone_ = taken_again_ = heirs_gone_ = 0;
        pushes_ = pops_ = uncounted_ = last_words_ = 0;
        named_writes_ = named_reads_ = redelivered_ = 0;
        is_closed_ = false;
        fault_ = nullptr;
    }
    void act(int actor) override {
        const Part& part = plan_.parts[static_cast<std::size_t>(actor)];
        const int record = part.heir_of < 0 ? actor : part.heir_of;
        if (part.heir_of >= 0 && !succeed(part.heir_of)) return leave(actor);
        Word& intent = intents_[static_cast<std::size_t>(record)];
        part.writes ? write(ring_.producer(intent, redelivers()), record, part.acts)
                    : read(ring_.consumer(intent, redelivers()), record, part.acts);
        leave(actor);
    }
    void died(int actor) override {
        gone_ |= only(actor);
        const auto record = static_cast<std::size_t>(record_of(actor));
        const detail::Intent name{intents_[record].now()};
        if (name.delivery() != 0) {
            const auto slot = ring_.slots().at(name.position());
            const bool is_handed_back = slot.word().now() >= slot.when_free_again().value;
            expect(!is_handed_back || ring_.control().redelivered.now() != 0,
                   "it was handed back before it was counted as delivered again");
        }
        (name.side() == detail::ClaimSide::write ? named_writes_ : named_reads_) += name.count();
        if (!plan_.parts[static_cast<std::size_t>(actor)].writes && intents_[record].now() == 0) ++uncounted_;
    }
    [[nodiscard]] std::string judge() override {
        if (fault_ != nullptr) return fault_;
        std::vector<std::uint64_t> inside;
        for (std::uint64_t i = 0; i != inside_; ++i) inside.push_back(plan_.before + i);
        const std::vector<std::uint64_t> rest = drain();
        auto& control = ring_.control();
        const std::uint64_t came = pops_ + rest.size();
        if (!redelivers())
            expect(control.lost.now() + uncounted_ + came >= inside_ + pushes_,
                   "too few were counted as lost");
        const std::uint64_t claims = (control.tail.now() & ~detail::kTailClosed) - plan_.before;
        if (skipped_are_known())
            expect(control.skipped.now() + came >= claims, "too few were counted as skipped");
        expect(control.redelivered.now() >= redelivered_, "too few were counted as delivered again");
        if (only_idlers_died()) {
            expect(control.lost.now() <= named_reads_, "too many were counted as lost");
            expect(control.skipped.now() <= named_writes_, "too many were counted as skipped");
        }
        expect(!is_closed_ || (control.tail.now() & detail::kTailClosed) != 0, "the end was not noted");
        if (fault_ == nullptr) expect_usable();
        expect(!calls_.is_impossible(), "it came again, and nobody had died with it");
        if (fault_ != nullptr) return fault_;
        history_.begin(std::move(inside));
        // What was claimed in vain takes room that no queue has.
        calls_.tell(history_, Kind::kCountsMessages && scheduler.deaths() == 0 && !drops());
        return history_.is_explained(rest) ? "" : "no queue would have answered like this";
    }

 private:
    /// The records, and who of their holders is dead: as detail/participant_roll.hpp, which needs a segment.
    struct Roll {
        CrowdScene& scene;
        int me;
        bool fresh;

        [[nodiscard]] std::uint32_t count() const noexcept {
            return static_cast<std::uint32_t>(scene.actors());
        }
        [[nodiscard]] detail::Intent intent(std::uint32_t index) const noexcept {
            return {scene.intents_[index].load(detail::acquire)};
        }
        [[nodiscard]] bool is_dead(std::uint32_t index) const noexcept {
            const int actor = static_cast<int>(index);
            if (actor == me) return fresh;
            if (scene.is_taken_again(actor)) return false;
            return scheduler.is_playing() ? scheduler.ask_about(actor) : scheduler.is_dead(actor);
        }
        [[nodiscard]] bool clear(std::uint32_t index, detail::Intent intent) const noexcept {
            return scene.intents_[index].compare_exchange_strong(intent.value, 0, detail::relaxed,
                                                                 detail::relaxed);
        }
        void disown(std::uint64_t, std::uint64_t) const noexcept {}  // no leases here
    };

    void expect(bool holds, const char* otherwise) {
        if (!holds && fault_ == nullptr) fault_ = otherwise;
    }
    [[nodiscard]] bool redelivers() const { return plan_.delivery == Delivery::at_least_once; }
    [[nodiscard]] int record_of(int actor) const {
        const int heir_of = plan_.parts[static_cast<std::size_t>(actor)].heir_of;
        return heir_of < 0 ? actor : heir_of;
    }
    /// Whether a living heir holds that one's record.
    [[nodiscard]] bool is_taken_again(int actor) const {
        return has(taken_again_, actor) && !has(heirs_gone_, actor);
    }
    void leave(int actor) {
        gone_ |= only(actor);
        const int heir_of = plan_.parts[static_cast<std::size_t>(actor)].heir_of;
        if (heir_of >= 0) heirs_gone_ |= only(heir_of);
    }
    bool recover(int record, bool fresh = false) {
        return detail::MpmcRecovery(ring_.slots(), ring_.extent(), redelivers(), Roll{*this, record, fresh})
            .run();
    }
    /// Takes the record of a dead one: repairs first, with the old name still in place. As MemberEnd::enter.
    bool succeed(int dead) {
        while (!scheduler.ask_about(dead)) {
            if (has(gone_, dead)) return false;
            scheduler.rest();
        }
        Word& intent = intents_[static_cast<std::size_t>(dead)];
        taken_again_ |= only(dead);
        if (intent.load(detail::relaxed) != 0) {
            (void)recover(dead, true);
            detail::MpmcRecovery(ring_.slots(), ring_.extent(), redelivers(), Roll{*this, dead, true})
                .forget(static_cast<std::uint32_t>(dead));
        }
        intent.store(0, detail::release);
        return true;
    }
    [[nodiscard]] bool drops() const {
        for (const Part& part : plan_.parts)
            for (const Act act : part.acts)
                if (part.writes && act == Act::in_place) return true;
        return false;
    }
    /// Where each place is a message, every claim was published and came out, or was skipped.
    [[nodiscard]] bool skipped_are_known() const {
        for (std::size_t i = 0; i != plan_.parts.size(); ++i)
            if (!plan_.parts[i].writes && scheduler.is_dead(static_cast<int>(i))) return false;
        return Kind::kCountsMessages && !drops();
    }
    /// Whether nobody died who repairs, or took over: then no counter is one too high.
    [[nodiscard]] bool only_idlers_died() const {
        for (std::size_t i = 0; i != plan_.parts.size(); ++i) {
            const Part& part = plan_.parts[i];
            if (part.heir_of >= 0) return false;
            if (scheduler.is_dead(static_cast<int>(i)) &&
                std::ranges::find(part.acts, Act::one) != part.acts.end())
                return false;
        }
        return true;
    }
    /// Whether nobody is left who does the other thing.
    [[nodiscard]] bool is_alone(bool writes) const {
        for (std::size_t i = 0; i != plan_.parts.size(); ++i)
            if (plan_.parts[i].writes != writes && !has(gone_, static_cast<int>(i))) return false;
        return true;
    }

    void write(typename Memory::Producer out, int record, const Acts& acts) {
        for (const Act act : acts) {
            if (act == Act::close) {
                scheduler.begin_call();
                const std::uint64_t last_words = 1;
                SchedulerEnv::copy_in(&last_words_, &last_words, sizeof last_words);
                detail::close_tail(ring_.control());
                is_closed_ = true;
                continue;
            }
            if (act == Act::in_place) {
                scheduler.begin_call();
                (void)Kind::drop(out);
                continue;
            }
            const std::uint64_t first = std::exchange(next_, next_ + (act == Act::two ? 2 : 1));
            calls_.begin_push(first);
            if (act == Act::two) {
                calls_.begin_push(first + 1);
                Status status = Status::ok;
                const std::size_t count = Kind::push_two(out, first, status);
                for (std::size_t i = 0; i != count; ++i) pushed();
                if (count == 0) calls_.refused(status);
                calls_.forget_all_open();
                continue;
            }
            Status status = Kind::push(out, first);
            while (act == Act::one && status == Status::full && !is_alone(true)) {
                if (!recover(record)) scheduler.rest();
                status = Kind::push(out, first);
            }
            expect(status == Status::ok || status == Status::full || status == Status::closed,
                   "a push answers strangely");
            status == Status::ok ? pushed() : calls_.refused(status);
        }
    }
    void pushed() {
        ++pushes_;
        calls_.pushed();
    }
    void read(typename Memory::Consumer in, int record, const Acts& acts) {
        for (const Act act : acts) {
            if (act == Act::repair) {
                scheduler.begin_call();
                (void)recover(record);
                continue;
            }
            if (act == Act::die) {
                calls_.begin_pop();
                std::uint64_t value = 0;
                (void)Kind::take(in, value);
                scheduler.perish();
            }
            if (act == Act::in_place) {
                scheduler.begin_call();
                const Status ahead = in.peek();
                expect(ahead == Status::ok || ahead == Status::empty || ahead == Status::busy ||
                           ahead == Status::closed || ahead == Status::too_large,  // than one byte
                       "a look ahead answers strangely");
                continue;
            }
            if (act == Act::inspect) {
                inspect(in, record);
                continue;
            }
            if (act == Act::two) {
                std::array<std::uint64_t, 2> values{};
                calls_.begin_pops(2);
                Status status = Status::ok;
                const std::size_t count = Kind::pop_two(in, values, status);
                for (std::size_t i = 0; i != count; ++i) accept(in, values[i]);
                if (count == 0) refused_pop(status);
                calls_.forget_all_open();
                continue;
            }
            calls_.begin_pop();
            std::uint64_t value = 0;
            Status status = Kind::pop(in, value);
            while (act == Act::one && (status == Status::empty || status == Status::busy)) {
                const bool last = is_alone(false);
                if (!recover(record)) {
                    if (last && status == Status::empty) break;
                    scheduler.rest();
                }
                status = Kind::pop(in, value);
            }
            status == Status::ok ? accept(in, value) : refused_pop(status);
        }
    }
    /// What the repairers remember for the next is right when nobody else is left.
    void inspect(typename Memory::Consumer in, int record) {
        const ActorSet others = (only(actors()) - 1) & ~only(record);
        scheduler.begin_call();
        do scheduler.rest();
        while ((gone_ & others) != others);
        int times = 0;
        while (recover(record) && ++times != kMostRepairs) {
        }
        scheduler.begin_call();
        const auto& control = ring_.control();
        expect(control.forgotten.now() == control.remembered.now(), "what is settled is settled again");
        const Status left = in.peek();
        scheduler.begin_call();
        expect(left == Status::ok || control.orphans.now() == control.searched.now(),
               "what was searched is searched again");
    }
    void refused_pop(Status status) {
        expect(status == Status::empty || status == Status::busy || status == Status::closed,
               "a pop answers strangely");
        if (status == Status::closed) {  // who hears of the end sees what was done before it
            std::uint64_t last_words = 0;
            SchedulerEnv::copy_out(&last_words, &last_words_, sizeof last_words);
            expect(last_words == 1, "the end came without what was before it");
        }
        calls_.refused(status);
    }
    void accept(const typename Memory::Consumer& in, std::uint64_t value) {
        ++pops_;
        expect(value != Kind::kTorn, "torn");
        if (in.deliveries() == 0) return calls_.popped(value);
        ++redelivered_;
        expect(redelivers(), "delivered again");
        calls_.popped_after(a_dead_reader(), value);
    }
    [[nodiscard]] int a_dead_reader() const {
        for (std::size_t i = 0; i != plan_.parts.size(); ++i)
            if (!plan_.parts[i].writes && scheduler.is_dead(static_cast<int>(i))) return static_cast<int>(i);
        return 0;
    }

    /// What is left, after all repairs, read by one who has a record of its own.
    [[nodiscard]] std::vector<std::uint64_t> drain() {
        taken_again_ = heirs_gone_ = 0;
        const int me = actors();
        auto in = ring_.consumer(intents_[static_cast<std::size_t>(me)], redelivers());
        std::vector<std::uint64_t> rest;
        int times = 0;
        do {
            while (recover(me) && ++times != kMostRepairs) {
            }
            std::uint64_t value = 0;
            while (Kind::pop(in, value) == Status::ok && rest.size() != kMany) {
                expect(value != Kind::kTorn, "torn");
                if (in.deliveries() == 0) {
                    rest.push_back(value);
                } else {
                    ++redelivered_;
                    calls_.taken_by_the_dead(a_dead_reader(), value);
                }
            }
        } while (recover(me) && ++times < kMostRepairs);
        expect(times < kMostRepairs, "repaired over and over");
        const Status end = in.peek();
        expect(end == Status::empty || end == Status::closed, "the readers stand still");
        return rest;
    }
    void expect_usable() {
        if ((ring_.control().tail.now() & detail::kTailClosed) != 0) return;
        Word& intent = intents_[static_cast<std::size_t>(actors())];
        auto out = ring_.producer(intent, redelivers());
        auto in = ring_.consumer(intent, redelivers());
        std::uint64_t value = 0;
        // Small ones, twice around.
        for (std::uint64_t round = 0; round != 2 * ring_.capacity() / Kind::room(ring_); ++round) {
            for (std::uint64_t i = 0; i != Kind::room(ring_); ++i)
                expect(Kind::push(out, 21 + 3 * i) == Status::ok, "a place is stuck");
            for (std::uint64_t i = 0; i != Kind::room(ring_); ++i)
                expect(Kind::pop(in, value) == Status::ok && value == 21 + 3 * i, "a place is out of order");
        }
        (void)recover(actors());  // what the dead named and did not claim was claimed and done meanwhile
        for (const Word& name : intents_) expect(name.now() == 0, "a name was left behind");
        expect(!recover(actors()), "something was left to repair");
    }

    static constexpr std::size_t kMany = 1000;
    static constexpr int kMostRepairs = 20;

    CrowdPlan plan_;
    Memory ring_;
    QueueHistory history_;
    PlayedCalls calls_{};
    std::array<Word, kMostActors> intents_{};  // one for each actor, and the judge's
    std::uint64_t next_ = 50;
    ActorSet gone_ = 0;         // dead, or done
    ActorSet taken_again_ = 0;  // whose record an heir took
    ActorSet heirs_gone_ = 0;   // and left
    std::uint64_t inside_ = 0;  // at the beginning
    std::uint64_t pushes_ = 0;  // that returned
    std::uint64_t pops_ = 0;
    std::uint64_t uncounted_ =
        0;  // readers that died with a call that was over for the ring: they may have taken a message along
    std::uint64_t named_writes_ = 0;  // places that the dead had named when they died
    std::uint64_t named_reads_ = 0;
    std::uint64_t redelivered_ = 0;            // that came out again
    alignas(8) std::uint64_t last_words_ = 0;  // of the one who closes
    bool is_closed_ = false;
    const char* fault_ = nullptr;
};

}  // namespace shmring::test
