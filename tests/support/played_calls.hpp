// The calls of a scene's actors, as they are played: what each answered and which were over before it began, by what the actors know of
// each other. Real time says nothing here: an actor to whom nothing was passed on may still see the past.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "shmring/result.hpp"
#include "support/history.hpp"
#include "support/scheduler.hpp"
#include "support/scheduler_env.hpp"

namespace shmring::test {

class PlayedCalls {
 public:
    void clear() {
        counts_ = {};
        is_impossible_ = false;
    }

    /// The actor that runs begins to push `value`, or to pop.
    void begin_push(std::uint64_t value) { begin(QueueCall::Kind::push, value); }
    void begin_pop() { begin(QueueCall::Kind::pop, 0); }
    void begin_pops(std::size_t count) {
        for (std::size_t i = 0; i != count; ++i) begin_pop();
    }
    /// Its oldest open call is over.
    void pushed() { end(QueueCall::Answer::done); }
    void popped(std::uint64_t value) {
        open().value = value;
        end(QueueCall::Answer::done);
    }
    /// full or empty; closed: everything that was pushed had been taken; the rest says nothing about the queue.
    void refused(Status status) {
        open().is_ended = status == Status::closed;
        const bool says_something = status == Status::full || status == Status::empty ||
                                    status == Status::peer_lost ||
                                    (status == Status::closed && open().kind == QueueCall::Kind::pop);
        if (says_something) return end(QueueCall::Answer::refused);
        forget();
    }
    /// The oldest open call was none.
    void forget() {
        Calls& mine = calls_of_self();
        const std::size_t at = open_of_self();
        for (std::size_t i = at; i + 1 < count_of_self(); ++i) mine[i] = mine[i + 1];
        --counts_[static_cast<std::size_t>(scheduler.self())].all;
    }
    /// Its oldest open call took a message that `dead` had taken and not returned: it is that one's call that took it.
    void popped_after(int dead, std::uint64_t value) {
        forget();
        taken_by_the_dead(dead, value);
    }
    void taken_by_the_dead(int dead, std::uint64_t value) {
        Calls& theirs = calls_[static_cast<std::size_t>(dead)];
        Counts& counts = counts_[static_cast<std::size_t>(dead)];
        for (std::size_t i = counts.over; i != counts.all; ++i) {
            if (theirs[i].answer != QueueCall::Answer::none) continue;
            theirs[i].value = value;
            theirs[i].answer = QueueCall::Answer::done;
            return;
        }
        is_impossible_ = true;
    }
    /// Something came again that nobody had died with.
    [[nodiscard]] bool is_impossible() const { return is_impossible_; }
    void forget_all_open() {
        while (open_of_self() != count_of_self()) forget();
    }

    /// Hands all calls over to a checker; without the pushes that found no room, where room may be taken by what nobody sees.
    void tell(QueueHistory& history, bool with_refused_pushes = true) const {
        std::array<const Call*, QueueHistory::kMostCalls> all{};
        std::array<std::size_t, QueueHistory::kMostCalls> rank{};
        std::array<int, QueueHistory::kMostCalls> actor{};
        std::size_t count = 0;
        for (std::size_t who = 0; who != calls_.size(); ++who)
            for (std::size_t i = 0; i != counts_[who].all; ++i) {
                const bool found_no_room = calls_[who][i].kind == QueueCall::Kind::push &&
                                           calls_[who][i].answer == QueueCall::Answer::refused;
                if (found_no_room && !with_refused_pushes) continue;
                all.at(count) = &calls_[who][i];
                actor.at(count) = static_cast<int>(who);
                rank.at(count++) = i;
            }
        for (std::size_t later = 0; later != count; ++later) {
            std::uint32_t before = 0;
            for (std::size_t earlier = 0; earlier != count; ++earlier) {
                const Call& one = *all[earlier];
                const bool is_own = actor[earlier] == actor[later];
                const bool is_over =
                    one.over_at != 0 && (is_own ? rank[earlier] < rank[later]
                                                : all[later]->known.covers(actor[earlier], one.over_at));
                const bool is_drained = all[later]->is_ended && one.kind == QueueCall::Kind::push &&
                                        one.answer == QueueCall::Answer::done;
                if (is_over || is_drained) before |= std::uint32_t{1} << earlier;
            }
            history.add({all[later]->kind, all[later]->answer, all[later]->value, before});
        }
    }

 private:
    struct Call {
        QueueCall::Kind kind = QueueCall::Kind::push;
        QueueCall::Answer answer = QueueCall::Answer::none;
        std::uint64_t value = 0;
        Clock known{};    // when it began
        int over_at = 0;  // by its actor's clock; 0: never
        bool is_ended = false;
    };
    static constexpr std::size_t kMost = 12;  // calls of an actor
    using Calls = std::array<Call, kMost>;
    struct Counts {
        std::size_t all = 0;
        std::size_t over = 0;
    };

    void begin(QueueCall::Kind kind, std::uint64_t value) {
        scheduler.begin_call();
        calls_of_self().at(counts_[static_cast<std::size_t>(scheduler.self())].all++) = {
            .kind = kind, .value = value, .known = scheduler.clock()};
    }
    void end(QueueCall::Answer answer) {
        Call& call = open();
        call.answer = answer;
        call.over_at = scheduler.clock().at(scheduler.self());
        ++counts_[static_cast<std::size_t>(scheduler.self())].over;
    }
    [[nodiscard]] Calls& calls_of_self() { return calls_[static_cast<std::size_t>(scheduler.self())]; }
    [[nodiscard]] std::size_t open_of_self() const {
        return counts_[static_cast<std::size_t>(scheduler.self())].over;
    }
    [[nodiscard]] std::size_t count_of_self() const {
        return counts_[static_cast<std::size_t>(scheduler.self())].all;
    }
    [[nodiscard]] Call& open() { return calls_of_self().at(open_of_self()); }

    std::array<Calls, kMostActors> calls_{};
    std::array<Counts, kMostActors> counts_{};
    bool is_impossible_ = false;
};

}  // namespace shmring::test
