// Owns the schedule: actors that run the shipped algorithms over SchedulerEnv come here before each operation on shared memory, and
// are told when it is their turn and what comes of it. One thread plays them all; a run is repeated by repeating its decisions.
//
// The kernel's part: a futex wait compares the current value and sleeps, a wake wakes; a sleep's time is over only when nobody else
// can do anything, and such runs are counted. An actor that is mortal may stop for ever before any operation.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "shmring/detail/platform.hpp"
#include "support/exploration.hpp"
#include "support/relay.hpp"
#include "support/weak_memory.hpp"
#include "support/where.hpp"

namespace shmring::test {

/// What is played: actors on shared memory, and what must come of it.
class Scene {
 public:
    Scene() = default;
    Scene(const Scene&) = delete;
    Scene& operator=(const Scene&) = delete;
    virtual ~Scene() = default;

    [[nodiscard]] virtual int actors() const = 0;
    /// Everything as at the beginning, at the same addresses. No operation of anybody's.
    virtual void arrange() = 0;
    /// What one actor does. Nothing that needs a destructor may be alive at an operation.
    virtual void act(int actor) = 0;
    /// One of them died just now.
    virtual void died(int /*actor*/) {}
    /// After a run: what is wrong, or nothing. Operations are plain here, and see the last values.
    [[nodiscard]] virtual std::string judge() = 0;
};

/// Whether a sleep may last to its time-out.
enum class Oversleep : std::uint8_t {
    allowed,           ///< it is counted
    not_after_a_wake,  ///< in a run in which somebody was woken: who is woken finds what he was woken for
    never,
};

/// How a scene is played.
struct Plan {
    Strategy strategy{};
    bool weak = true;      // loads may find old stores
    ActorSet mortals = 0;  // who may die
    Oversleep oversleep = Oversleep::allowed;
    ActorSet late = 0;  // whose loads first find the oldest that they may find; not where runs are pruned
    int spurious = 0;   // how often in a run a weak exchange may fail for no reason
};

struct Findings {
    std::uint64_t runs = 0;       // played to the end
    std::uint64_t redundant = 0;  // and given up, since what was left had been seen
    std::uint64_t overslept = 0;  // runs in which a sleep lasted to its time-out
    std::uint64_t deaths = 0;     // runs in which somebody died
    std::uint64_t steps = 0;
    std::string fault{};      // of the first run that failed; none: empty
    std::string schedule{};   // and its decisions
    bool is_complete = true;  // nothing is left to explore

    void add(const Findings& other) {
        is_complete = is_complete && other.is_complete;
        runs += other.runs;
        redundant += other.redundant;
        overslept += other.overslept;
        deaths += other.deaths;
        steps += other.steps;
        if (fault.empty()) {
            fault = other.fault;
            schedule = other.schedule;
        }
    }
};

class Scheduler {
 public:
    // ---- for tests -------------------------------------------------------------------------------------------------------

    /// Plays the scene in every way that the plan asks for, until one fails.
    [[nodiscard]] Findings explore(Scene& scene, const Plan& plan) {
        Findings findings;
        Exploration exploration(plan.strategy);
        memory_.forget_addresses();
        do {
            const std::string fault = play(scene, plan, exploration);
            ++(is_redundant_ ? findings.redundant : findings.runs);
            findings.overslept += timeouts_ != 0 ? 1U : 0U;
            findings.deaths += deaths_ != 0 ? 1U : 0U;
            findings.steps += steps_;
            if (fault.empty()) continue;
            findings.fault = fault;
            findings.schedule = exploration.schedule();
            findings.is_complete = false;
            return findings;
        } while (exploration.advance());
        findings.is_complete =
            plan.strategy.kind != Strategy::Kind::random && exploration.runs() < plan.strategy.most_runs;
        return findings;
    }
    /// Plays one run by its schedule and writes down every operation. Answers its fault.
    [[nodiscard]] std::string replay(Scene& scene, const Plan& plan, const std::string& schedule,
                                     std::string& trace) {
        Exploration exploration(plan.strategy);
        exploration.follow(schedule);
        memory_.forget_addresses();
        trace_ = &trace;
        std::string fault = play(scene, plan, exploration);
        trace_ = nullptr;
        return fault;
    }

    // ---- for scenes ------------------------------------------------------------------------------------------------------

    [[nodiscard]] bool is_playing() const { return is_playing_; }
    [[nodiscard]] int self() const { return self_; }
    /// Which run this is, of all.
    [[nodiscard]] std::uint64_t run() const { return run_; }
    [[nodiscard]] const Clock& clock() const { return memory_.clock(self_); }
    [[nodiscard]] bool is_dead(int actor) const { return has(dead_, actor); }
    /// Sleeps that lasted to their time-outs in this run, and actors that died in it.
    [[nodiscard]] int timeouts() const { return timeouts_; }
    [[nodiscard]] int deaths() const { return deaths_; }
    /// A call begins: what it finds is no repetition of the call before.
    void begin_call() {
        settle_debts(true);
        me().polls.forget();
    }
    /// Nothing to do until the others have done all they can.
    void rest() {
        settle_debts(false);
        me().state = Actor::State::resting;
        me().deadline_ns = now_ns_ + kRest_ns;
        me().step = {};
        pass_turn();
        come_round("rests no longer");
    }
    /// Whether `actor` is dead, as the kernel says. What a dead one did before is then visible.
    [[nodiscard]] bool ask_about(int actor) {
        if (!has(plan_->mortals, actor)) return false;
        settle_debts(false);
        Step step;
        step.touches.add(Objects::kLives + actor, Access::read);
        await_turn(step);
        (void)settle(1);
        const bool dead = has(dead_, actor);
        if (dead) memory_.inherit(self_, actor);
        (void)exploration_->executed(step.touches, nullptr, steps_of_all_);
        note(dead ? "asks: dead" : "asks: alive");
        return dead;
    }
    /// Called before an actor begins a call, rests, asks about another or leaves: what it has put off is done then; `is_owed`: and is
    /// not forgotten even if it dies, because the call returned.
    void (*settle_debts)(bool is_owed) = nullptr;
    /// The actor that runs dies here.
    [[noreturn]] void perish() {
        settle_debts(true);
        Step step;
        step.touches.add(Objects::kLives + self_, Access::write);
        await_turn(step, true);
        (void)settle(1);
        die();
    }
    /// A run may fail before its end.
    void fail(const std::string& fault) {
        if (fault_.empty()) fault_ = fault;
    }

    // ---- for the Env: operations of the actor that runs ------------------------------------------------------------------

    [[nodiscard]] std::uint64_t load(const std::uint64_t& word, std::memory_order order, const Where& where) {
        const int location = memory_.location_at(&word, word);
        if (const int again = me().polls.repeats(location); again >= 0) {
            if (again >= memory_.readable(self_, location, order).first)
                return memory_.load(self_, location, again, order);
            me().polls.forget();
        }
        // A sequentially consistent load binds those that come after it, even other loads.
        const bool is_ordered = order == std::memory_order_seq_cst;
        const Step step = step_on(location,
                                  !plan_->weak ? Access::read
                                  : is_ordered ? Access::write
                                               : Access::look,
                                  order);
        await_turn(step);
        const WeakMemory::Range range = memory_.readable(self_, location, order);
        const int first = std::max(range.first, exploration_->least_index());
        const int back = settle(range.last - first + 1);
        const int index = has(plan_->late, self_) ? first + back : range.last - back;
        const std::uint64_t value = memory_.load(self_, location, index, order);
        me().polls.note(location, index);
        (void)exploration_->executed(step.touches, &memory_.store_at(location, index).cause, steps_of_all_);
        if (trace_ != nullptr) note("loads", &word, value, where, order, range.last - index);
        return value;
    }
    /// `is_owed`: by the program it came before a step that was made; even a dead actor's stores become visible.
    void store(std::uint64_t& word, std::uint64_t value, std::memory_order order, const Where& where,
               bool is_owed = false) {
        const int location = memory_.location_at(&word, word);
        const Step step = step_on(location, Access::write, order);
        await_turn(step, is_owed);
        (void)settle(1);
        memory_.store(self_, location, value, order);
        word = value;
        wrote(location, step.touches);
        if (trace_ != nullptr) note("stores", &word, value, where, order);
    }
    template <class Change>
    std::uint64_t change(std::uint64_t& word, Change&& change, std::memory_order order, const Where& where) {
        const int location = memory_.location_at(&word, word);
        const Step step = step_on(location, Access::write, order);
        await_turn(step);
        (void)settle(1);
        const std::uint64_t before = word;
        word = change(before);
        memory_.exchange(self_, location, word, order);
        wrote(location, step.touches);
        if (trace_ != nullptr) note("changes", &word, word, where, order);
        return before;
    }
    /// Fails where the last value is another one, where an old one that it may see is, and, if it is weak, now and then for nothing.
    bool compare_exchange(std::uint64_t& word, std::uint64_t& expected, std::uint64_t desired, bool is_weak,
                          std::memory_order order, std::memory_order failure, const Where& where) {
        const int location = memory_.location_at(&word, word);
        const Step step = step_on(location, Access::write, order);
        await_turn(step);
        const WeakMemory::Range range = memory_.readable(self_, location, failure);
        std::array<int, kMostOutcomes> indices{range.last};
        int count = 1;
        for (int index = range.last - 1; index >= range.first && count != kMostOutcomes - 1; --index)
            if (memory_.store_at(location, index).value != expected)
                indices[static_cast<std::size_t>(count++)] = index;
        const bool would_succeed = word == expected;
        if (would_succeed && is_weak && spurious_ < plan_->spurious)
            indices[static_cast<std::size_t>(count++)] = range.last;
        const int outcome = settle(count);
        if (outcome == 0 && would_succeed) {
            memory_.exchange(self_, location, desired, order);
            word = desired;
            wrote(location, step.touches);
            if (trace_ != nullptr) note("exchanges", &word, desired, where, order);
            return true;
        }
        const int index = indices[static_cast<std::size_t>(outcome)];
        spurious_ += would_succeed && index == range.last ? 1 : 0;
        expected = memory_.load(self_, location, index, failure);
        me().polls.forget();
        Touches tried;
        tried.add(location,
                  plan_->weak && failure != std::memory_order_seq_cst ? Access::trial : Access::write);
        if (failure == std::memory_order_seq_cst) tried.add(Objects::kSequential, Access::read);
        (void)exploration_->executed(tried, &memory_.store_at(location, index).cause, steps_of_all_);
        if (trace_ != nullptr) note("fails to exchange", &word, expected, where, failure, range.last - index);
        return false;
    }
    void fence(std::memory_order order) {
        if (order != std::memory_order_seq_cst) return memory_.fence(self_, order);
        Step step;
        step.touches.add(Objects::kSequential, Access::write);
        await_turn(step);
        (void)settle(1);
        memory_.fence(self_, order);
        (void)exploration_->executed(step.touches, nullptr, steps_of_all_);
        note("fences");
    }
    /// A plain copy, of which a part may be all that its actor lived to do. `ring` is the side that others can see.
    void copy(void* to, const void* from, std::size_t size, bool into_ring) {
        if (size == 0) return;
        me().polls.forget();
        const std::size_t half = into_ring ? size / 2 : 0;
        copy_part(to, from, half, into_ring);
        copy_part(static_cast<std::byte*>(to) + half, static_cast<const std::byte*>(from) + half, size - half,
                  into_ring);
    }
    void pause() { me().polls.pause(); }

    [[nodiscard]] detail::platform::FutexResult futex_wait(const std::uint32_t* word, std::uint32_t expected,
                                                           std::uint64_t deadline_ns) {
        using detail::platform::FutexResult;
        const std::uint64_t& whole = whole_of(word);
        const int location = memory_.location_at(&whole, whole);
        Step step = step_on(location, Access::write, std::memory_order_relaxed);
        step.touches.add(Objects::kSleepers, Access::write);
        await_turn(step);
        (void)settle(1);
        me().polls.forget();
        memory_.see_last(self_, location);
        if (*word != expected) {
            (void)exploration_->executed(step.touches, nullptr, steps_of_all_);
            note("does not sleep");
            return FutexResult::value_changed;
        }
        me().state = Actor::State::asleep;
        me().sleeps_on = word;
        me().deadline_ns = deadline_ns;
        (void)exploration_->executed(step.touches, nullptr, steps_of_all_);
        note("sleeps");
        me().step = {};
        pass_turn();
        if (me().state == Actor::State::ready) {
            (void)settle(1);
            (void)exploration_->executed({}, nullptr, steps_of_all_);
            note("was woken");
            return FutexResult::woken;
        }
        ++timeouts_;
        if (plan_->oversleep == Oversleep::never) fail("a wake-up was missed");
        if (plan_->oversleep == Oversleep::not_after_a_wake && wakes_ != 0) fail("woken in vain");
        come_round("its time is over");
        return FutexResult::timed_out;
    }
    int futex_wake(const std::uint32_t* word, int count) {
        Step step;
        step.touches.add(Objects::kSleepers, Access::write);
        await_turn(step);
        int sleepers = 0;
        for (int actor = 0; actor != count_; ++actor) sleepers += actor_of(actor).sleeps_at(word) ? 1 : 0;
        int first = settle(count == 1 && sleepers > 1 ? sleepers : 1);  // the kernel may choose any
        (void)exploration_->executed(step.touches, nullptr, steps_of_all_);
        int woken = 0;
        for (int actor = 0; actor != count_ && woken != count; ++actor) {
            if (!actor_of(actor).sleeps_at(word) || first-- > 0) continue;
            rouse(actor);
            exploration_->enables(self_, actor);
            ++woken;
        }
        note("wakes");
        ++wakes_;
        changed();
        return woken;
    }
    [[nodiscard]] std::uint64_t now_ns() const { return now_ns_; }

 private:
    static constexpr int kMostOutcomes = 32;
    static constexpr std::uint64_t kRest_ns = 20'000'000;
    static constexpr std::uint64_t kMostSteps = 3000;
    static constexpr int kMostTimeouts = 24;  // in a run: more, and somebody waits for what never comes

    /// The loads between two pauses of a polling loop. A round that repeats the one before it need not be tried with newer stores, too:
    /// the round before it could have come as late and found them.
    class Polls {
     public:
        void forget() { seen_ = known_ = at_ = 0; }
        void note(int location, int index) {
            known_ = at_ = 0;
            if (seen_ != kMost) round_[seen_++] = {location, index};
        }
        void pause() {
            if (seen_ != 0) {
                last_round_ = round_;
                known_ = seen_;
            }
            at_ = seen_ = 0;
        }
        /// The store that the load must read; negative: it may read any.
        [[nodiscard]] int repeats(int location) {
            if (at_ == known_ || last_round_[at_].location != location) return -1;
            return last_round_[at_++].index;
        }

     private:
        static constexpr std::size_t kMost = 8;
        struct Look {
            int location = 0;
            int index = 0;
        };
        std::array<Look, kMost> round_{};
        std::array<Look, kMost> last_round_{};
        std::size_t seen_ = 0;   // in this round, where it repeats nothing
        std::size_t known_ = 0;  // in the one before
        std::size_t at_ = 0;     // how much of that was repeated
    };
    struct Actor {
        enum class State { ready, asleep, resting, gone };
        State state = State::ready;
        Step step{};  // the next one
        const std::uint32_t* sleeps_on = nullptr;
        std::uint64_t deadline_ns = 0;  // of a sleep or rest
        bool has_changed = true;        // something, since it could last die
        bool may_die = false;           // at the next step
        Polls polls{};
        [[nodiscard]] bool sleeps_at(const std::uint32_t* word) const {
            return state == State::asleep && sleeps_on == word;
        }
    };

    // ---- a run -----------------------------------------------------------------------------------------------------------

    [[nodiscard]] std::string play(Scene& scene, const Plan& plan, Exploration& exploration) {
        plan_ = &plan;
        scene_ = &scene;
        exploration_ = &exploration;
        ++run_;
        scene.arrange();
        count_ = scene.actors();
        memory_.reset(count_, plan.weak);
        exploration.begin(count_);
        dead_ = 0;
        now_ns_ = kDawn_ns;
        timeouts_ = wakes_ = rests_ = deaths_ = spurious_ = 0;
        steps_ = 0;
        is_redundant_ = false;
        fault_.clear();
        is_playing_ = true;
        for (int actor = 0; actor != count_; ++actor) {
            actors_[static_cast<std::size_t>(actor)] = {};
            runners_[static_cast<std::size_t>(actor)].begin([this, &scene, actor] {
                (void)settle(1);  // that it begins is a step
                (void)exploration_->executed({}, nullptr, steps_of_all_);
                scene.act(actor);
                leave();
            });
        }
        self_ = decide();
        Runner::start(runners_[static_cast<std::size_t>(self_)]);
        is_playing_ = false;
        if (memory_.has_race()) fault_ = "a data race";
        memory_.forget_race();
        if (is_redundant_ || !fault_.empty()) return std::exchange(fault_, {});
        return scene.judge();
    }
    [[noreturn]] void leave() {
        settle_debts(true);
        if (has(plan_->mortals, self_) && me().has_changed) {  // it may die before its last call returns
            Step step;
            await_turn(step);
            (void)settle(1);
            (void)exploration_->executed({}, nullptr, steps_of_all_);
        }
        vanish();
    }
    [[noreturn]] void vanish() {
        me().state = Actor::State::gone;
        me().step = {};
        pass_turn();
        std::abort();  // nobody gives it another turn
    }
    [[noreturn]] void die() {
        dead_ |= only(self_);
        ++deaths_;
        Touches touches;
        touches.add(Objects::kLives + self_, Access::write);
        (void)exploration_->executed(touches, nullptr, steps_of_all_);
        note("dies");
        scene_->died(self_);
        vanish();
    }

    // ---- turns -----------------------------------------------------------------------------------------------------------

    /// Says what comes next, and returns when it is to be done.
    void await_turn(const Step& step, bool is_owed = false) {
        me().step = step;
        me().may_die = has(plan_->mortals, self_) && me().has_changed && !is_owed;
        if (me().may_die) me().step.touches.add(Objects::kLives + self_, Access::write);
        pass_turn();
    }
    void pass_turn() {
        const int next = has_failed() ? Exploration::kRedundant : decide();
        if (next == self_) return;
        if (next < 0) Runner::stop();
        const int own = std::exchange(self_, next);
        runners_[static_cast<std::size_t>(own)].hand_over(runners_[static_cast<std::size_t>(next)]);
    }
    [[nodiscard]] bool has_failed() const { return memory_.has_race() || !fault_.empty(); }
    [[nodiscard]] int decide() {
        ActorSet ready = 0;
        ActorSet waiting = 0;  // for the earliest time of all
        std::uint64_t earliest_ns = detail::platform::kNever;
        for (int actor = 0; actor != count_; ++actor) {
            const Actor& each = actor_of(actor);
            if (each.state == Actor::State::ready) ready |= only(actor);
            if (each.state == Actor::State::asleep || each.state == Actor::State::resting) {
                if (each.deadline_ns < earliest_ns) waiting = 0;
                earliest_ns = std::min(earliest_ns, each.deadline_ns);
                if (each.deadline_ns == earliest_ns) waiting |= only(actor);
            }
            Step& step = steps_of_all_[static_cast<std::size_t>(actor)];
            step = each.step;
            if (step.is_look()) step.length = memory_.length(step.touches.begin()->object);
        }
        if ((ready | waiting) == 0) return Exploration::kRedundant;
        if (ready == 0 && timeouts_ + rests_ > kMostTimeouts) {
            fail("somebody living waits for ever");
            return Exploration::kRedundant;
        }
        if (steps_ == kMostSteps) {
            fail("a run without an end");
            return Exploration::kRedundant;
        }
        const int next = exploration_->next_actor(ready != 0 ? ready : waiting, steps_of_all_, ready == 0);
        is_redundant_ = next < 0;
        ++steps_;
        return next;
    }
    /// Which of `count` outcomes the step has that was waited for; or it is the last.
    [[nodiscard]] int settle(int count) {
        const bool may_die = me().may_die && !exploration_->is_half_asleep();
        const int outcome = exploration_->outcome(count + (may_die ? 1 : 0));
        if (may_die && outcome == count) die();
        if (me().may_die) me().has_changed = false;
        me().may_die = false;
        return outcome;
    }
    /// Everybody else has done all that can be done.
    void come_round(const char* what) {
        (void)settle(1);
        ++rests_;
        now_ns_ = std::max(now_ns_, me().deadline_ns);
        me().state = Actor::State::ready;
        memory_.see_everything(self_);
        Touches touches;
        touches.add(Objects::kSleepers, Access::write);
        (void)exploration_->executed(touches, nullptr, steps_of_all_);
        exploration_->enables(Exploration::kRedundant, self_);
        begin_call();
        note(what);
    }
    /// One that was woken may die before it does anything: then its wake-up is lost.
    void rouse(int actor) {
        Actor& sleeper = actor_of(actor);
        sleeper.state = Actor::State::ready;
        sleeper.step = {};
        sleeper.may_die = has(plan_->mortals, actor);
        if (sleeper.may_die) sleeper.step.touches.add(Objects::kLives + actor, Access::write);
    }

    // ---- parts of operations ---------------------------------------------------------------------------------------------

    [[nodiscard]] static Step step_on(int location, Access access, std::memory_order order) {
        Step step;
        step.touches.add(location, access);
        if (order == std::memory_order_seq_cst) step.touches.add(Objects::kSequential, Access::read);
        return step;
    }
    void wrote(int location, const Touches& touches) {
        const Clock& cause = exploration_->executed(touches, nullptr, steps_of_all_);
        memory_.store_at(location, memory_.length(location) - 1).cause = cause;
        changed();
    }
    void changed() {
        me().has_changed = true;
        me().polls.forget();
    }
    void copy_part(void* to, const void* from, std::size_t size, bool into_ring) {
        if (size == 0) return;
        if (has(plan_->mortals, self_) && me().has_changed) {
            await_turn({});
            (void)settle(1);
            (void)exploration_->executed({}, nullptr, steps_of_all_);
        }
        std::memcpy(to, from, size);
        if (into_ring) {
            memory_.plain_write(self_, to, size);
            me().has_changed = true;
        } else {
            memory_.plain_read(self_, from, size);
        }
        note(into_ring ? "copies in" : "copies out");
    }
    [[nodiscard]] static const std::uint64_t& whole_of(const std::uint32_t* word) {
        return *reinterpret_cast<const std::uint64_t*>(reinterpret_cast<std::uintptr_t>(word) &
                                                       ~std::uintptr_t{7});
    }
    [[nodiscard]] Actor& me() { return actors_[static_cast<std::size_t>(self_)]; }
    [[nodiscard]] Actor& actor_of(int actor) { return actors_[static_cast<std::size_t>(actor)]; }

    // ---- the trace -------------------------------------------------------------------------------------------------------

    void note(const char* what) {
        if (trace_ != nullptr) *trace_ += std::string(1, static_cast<char>('a' + self_)) + " " + what + "\n";
    }
    void note(const char* what, const void* word, std::uint64_t value, const Where& where,
              std::memory_order order, int age = 0) {
        const std::string_view path = where.file_name();
        const std::string_view file = path.substr(path.rfind('/') + 1);
        std::array<char, 256> line{};
        std::snprintf(line.data(), line.size(), "%c %s word %d: %#llx (order %d%s) at %.*s:%u\n", 'a' + self_,
                      what, memory_.location_at(word, 0), static_cast<unsigned long long>(value),
                      static_cast<int>(order),
                      age != 0 ? (", " + std::to_string(age) + " stores old").c_str() : "",
                      static_cast<int>(file.size()), file.data(), where.line());
        *trace_ += line.data();
    }

    static constexpr std::uint64_t kDawn_ns = 1'000'000'000;

    WeakMemory memory_{};
    std::array<Runner, kMostActors> runners_{};
    std::array<Actor, kMostActors> actors_{};
    std::array<Step, kMostActors> steps_of_all_{};
    const Plan* plan_ = nullptr;
    Scene* scene_ = nullptr;
    Exploration* exploration_ = nullptr;
    std::string* trace_ = nullptr;
    std::string fault_{};
    int count_ = 0;
    int self_ = 0;
    ActorSet dead_ = 0;
    std::uint64_t run_ = 0;
    std::uint64_t now_ns_ = 0;
    std::uint64_t steps_ = 0;
    int timeouts_ = 0;
    int wakes_ = 0;
    int rests_ = 0;
    int deaths_ = 0;
    int spurious_ = 0;
    bool is_playing_ = false;
    bool is_redundant_ = false;
};

}  // namespace shmring::test
