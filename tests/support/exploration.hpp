// Which runs are made: decides at every step who is next and which of the possible outcomes the step has, and goes through all runs
// that differ in more than the order of steps that have nothing to do with each other.
//
// Pruning is dynamic partial-order reduction with sleep sets (Flanagan and Godefroid, 2005; Godefroid, 1996), on these events: a
// store, a load *together with the store it reads*, and so on. A load that reads an older store than the last one commutes with the
// stores it did not read, whichever comes first. So a load is tried again before a later store only for the sake of what it could read
// then, and one that sleeps wakes only for the new stores. That this loses no outcome is tested against runs without any pruning
// (exploration_test).
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/vector_clock.hpp"

namespace shmring::test {

/// What a step does to an object that others can touch.
enum class Access : std::uint8_t {
    look,   ///< reads one of several values: a store that comes in between takes none of them away
    trial,  ///< a compare-and-swap that failed: it was a look, and could have been a write
    read,   ///< reads the last value
    write,  ///< changes it, or depends on nobody changing it
};
/// Beside the locations of the memory there are these.
struct Objects {
    static constexpr int kSequential =
        Floors::kMostLocations;                        // the order of all sequentially consistent operations
    static constexpr int kSleepers = kSequential + 1;  // who sleeps in the kernel
    static constexpr int kLives = kSleepers + 1;       // of actor 0, 1, ...
    static constexpr int kCount = kLives + kMostActors;
};
struct Touch {
    int object = 0;
    Access access = Access::look;
};
/// Of a step, or of an event when it was done.
class Touches {
 public:
    void add(int object, Access access) { list_[static_cast<std::size_t>(count_++)] = {object, access}; }
    [[nodiscard]] const Touch* begin() const { return list_.data(); }
    [[nodiscard]] const Touch* end() const { return list_.data() + count_; }

 private:
    std::array<Touch, 4> list_{};
    int count_ = 0;
};

/// A step that an actor is about to make. The first touch of a load is its look.
struct Step {
    Touches touches{};
    int length = 0;  // of the history that a load looks at, now
    [[nodiscard]] bool is_look() const {
        return touches.begin() != touches.end() && touches.begin()->access == Access::look;
    }
};

using ActorSet = std::uint32_t;
[[nodiscard]] constexpr ActorSet only(int actor) { return ActorSet{1} << actor; }
[[nodiscard]] constexpr bool has(ActorSet set, int actor) { return (set >> actor & 1) != 0; }
[[nodiscard]] constexpr int lowest(ActorSet set) { return __builtin_ctz(set); }

struct Strategy {
    enum class Kind {
        every,    ///< every order of every two steps, pruned by nothing: for tests of the pruning
        pruned,   ///< every run that differs
        bounded,  ///< every run with at most `bound` departures: preemptions and stale reads
        random,   ///< priorities with `bound` changes at random moments (PCT), outcomes at random
    };
    Kind kind = Kind::pruned;
    int bound = 3;
    std::uint64_t most_runs = ~std::uint64_t{0};
    std::uint64_t seed = 1;
};

class Exploration {
 public:
    static constexpr int kRedundant = -1;

    explicit Exploration(const Strategy& strategy) : strategy_(strategy), random_(strategy.seed) {}

    /// A run begins.
    void begin(int actors) {
        actors_ = actors;
        depth_ = 0;
        asleep_ = {};
        last_actor_ = kRedundant;
        departures_ = 0;
        for (History& each : objects_) each = {};
        for (Clock& each : causes_) each = {};
        if (strategy_.kind != Strategy::Kind::random) return;
        nodes_.clear();
        replayed_ = 0;
        for (int& each : priorities_) each = static_cast<int>(random_() % 1'000'000) + strategy_.bound;
        for (int i = 0; i != strategy_.bound; ++i)
            changes_[static_cast<std::size_t>(i)] = random_() % horizon_;
    }
    /// Who of `enabled` is next; kRedundant: whatever comes now was seen before. `steps` are those they are about to make;
    /// `any_of_them`: each must be tried here.
    [[nodiscard]] int next_actor(ActorSet enabled, const std::array<Step, kMostActors>& steps,
                                 bool any_of_them) {
        if (depth_ == nodes_.size()) {
            Node node;
            node.enabled = enabled;
            node.asleep = asleep_;
            node.departures = departures_;
            node.last_actor = last_actor_;
            const ActorSet barred = barred_in(node, steps);
            const ActorSet candidates = enabled & ~barred;
            if (candidates == 0) return kRedundant;
            node.tried = barred;
            node.actor = prefer(candidates, steps);
            const bool all = any_of_them || strategy_.kind != Strategy::Kind::pruned;
            node.wanted = all ? candidates : only(node.actor);
            nodes_.push_back(node);
        }
        Node& node = nodes_[depth_];
        node.length = steps[static_cast<std::size_t>(node.actor)].length;
        return node.actor;
    }
    /// Which of its outcomes the step has, 0 being the plain one. Stores older than number least_index() were seen before.
    [[nodiscard]] int outcome(int count) {
        Node& node = nodes_[depth_];
        if (depth_ < replayed_) {
            if (node.outcomes != 0 && node.outcomes != count)
                throw std::logic_error("a run did not repeat itself");
        } else if (strategy_.kind == Strategy::Kind::random && count > 1) {
            node.outcome =
                random_() % 4 == 0 ? static_cast<int>(random_() % static_cast<std::uint64_t>(count)) : 0;
        }
        node.outcomes = count;
        return node.outcome;
    }
    /// What a load whose newer stores woke it must not read again.
    [[nodiscard]] int least_index() const {
        const Node& node = nodes_[depth_];
        return has(node.asleep.actors, node.actor) ? node.asleep.covered_of(node.actor) : 0;
    }
    /// Whether the actor that is up was asleep, and woke only for newer stores.
    [[nodiscard]] bool is_half_asleep() const {
        return has(nodes_[depth_].asleep.actors, nodes_[depth_].actor);
    }

    /// The step was made. `read_from`: the causes of what a look or trial found. Answers the causes of the event.
    const Clock& executed(const Touches& touches, const Clock* read_from,
                          const std::array<Step, kMostActors>& steps) {
        Node& node = nodes_[depth_];
        const int actor = node.actor;
        const auto at = static_cast<int>(depth_++);
        if (done_.size() < depth_) done_.resize(2 * depth_);
        Clock& cause = causes_[static_cast<std::size_t>(actor)];
        departures_ =
            departures_after(node, actor) + (strategy_.kind == Strategy::Kind::bounded && node.outcome != 0);
        last_actor_ = actor;
        const Clock known = cause;
        link(actor, at, touches, read_from);
        if (strategy_.kind == Strategy::Kind::pruned && depth_ >= replayed_) {
            find_races(actor, touches, known);
            asleep_ = node.asleep;
            asleep_.actors &= ~only(actor);
            wake(touches, steps);
        }
        enter(actor, at, touches);
        return cause;
    }
    /// `actor` can go on because of what `by` did, or, where it is nobody, of what everybody did.
    void enables(int by, int actor) {
        Clock& cause = causes_[static_cast<std::size_t>(actor)];
        for (int who = 0; who != actors_; ++who)
            if (by == kRedundant || who == by) cause.join(causes_[static_cast<std::size_t>(who)]);
        if (by == kRedundant)
            asleep_ = {};  // only here, where nobody else can go on: no other order has this
    }

    /// Goes back to the last decision that can be taken otherwise. False: there is none.
    [[nodiscard]] bool advance() {
        ++runs_;
        if (runs_ >= strategy_.most_runs) return false;
        if (strategy_.kind == Strategy::Kind::random) {
            horizon_ = std::max<std::uint64_t>(depth_, 1);
            return true;
        }
        for (; !nodes_.empty(); nodes_.pop_back()) {
            Node& node = nodes_.back();
            const bool may_depart = strategy_.kind != Strategy::Kind::bounded ||
                                    departures_after(node, node.actor) < strategy_.bound;
            if (node.outcome + 1 < node.outcomes && may_depart) {
                ++node.outcome;
                break;
            }
            node.tried |= only(node.actor);
            if (strategy_.kind == Strategy::Kind::pruned) node.asleep.add(node.actor, node.length);
            if (const int other = another(node); other != kRedundant) {
                node.actor = other;
                node.outcome = 0;
                node.outcomes = 0;
                break;
            }
        }
        replayed_ = nodes_.size();
        return !nodes_.empty();
    }
    [[nodiscard]] std::uint64_t runs() const { return runs_; }

    /// The decisions of this run: a letter for each step's actor, and the number of its outcome where it is not the plain one.
    [[nodiscard]] std::string schedule() const {
        std::string text;
        for (std::size_t i = 0; i != std::min(depth_ + 1, nodes_.size()); ++i) {
            text += static_cast<char>('a' + nodes_[i].actor);
            if (nodes_[i].outcome != 0) text += std::to_string(nodes_[i].outcome);
        }
        return text;
    }
    /// One run, by such a text; beyond its end by default.
    void follow(const std::string& schedule) {
        strategy_.kind = Strategy::Kind::every;
        nodes_.clear();
        for (const char each : schedule) {
            if (each >= 'a') {
                nodes_.emplace_back();
                nodes_.back().actor = each - 'a';
            } else if (!nodes_.empty()) {
                nodes_.back().outcome = nodes_.back().outcome * 10 + (each - '0');
            }
        }
        replayed_ = nodes_.size();
    }

 private:
    /// Who need not run: what it could do now was tried before, in another order. Of a load only what the first `covered` stores allow.
    struct Asleep {
        ActorSet actors = 0;
        std::array<std::int16_t, kMostActors> covered{};
        [[nodiscard]] int covered_of(int actor) const { return covered[static_cast<std::size_t>(actor)]; }
        void add(int actor, int length) {
            actors |= only(actor);
            covered[static_cast<std::size_t>(actor)] = static_cast<std::int16_t>(length);
        }
    };
    struct Node {
        int actor = 0;
        int outcome = 0;
        int outcomes = 0;
        int length = 0;
        int departures = 0;
        int last_actor = kRedundant;
        ActorSet enabled = 0;
        ActorSet wanted = 0;
        ActorSet tried = 0;
        Asleep asleep{};
    };
    /// An event of this run.
    struct Done {
        Clock cause{};
        int actor = 0;
        int number = 0;  // among its actor's
    };
    /// An actor's last event of a kind on an object: the node where it was decided, and its number among the actor's events.
    struct Last {
        int node = -1;
        int number = 0;
    };
    struct History {
        std::array<std::array<Last, kMostActors>, 3> last{};  // looks and trials, reads, writes
        Clock written{};                                      // the causes of all writes
        Clock read{};                                         // and of all reads
        [[nodiscard]] Last& of(Access access, int actor) {
            const std::size_t kind = access == Access::write ? 2 : access == Access::read ? 1 : 0;
            return last[kind][static_cast<std::size_t>(actor)];
        }
    };

    // ---- who is next -----------------------------------------------------------------------------------------------------

    [[nodiscard]] ActorSet barred_in(const Node& node, const std::array<Step, kMostActors>& steps) const {
        ActorSet barred = 0;
        for (int actor = 0; actor != actors_; ++actor) {
            if (!has(node.asleep.actors, actor)) continue;
            const Step& step = steps[static_cast<std::size_t>(actor)];
            if (!step.is_look() || step.length <= node.asleep.covered_of(actor)) barred |= only(actor);
        }
        return barred;
    }
    [[nodiscard]] int prefer(ActorSet candidates, const std::array<Step, kMostActors>&) {
        if (strategy_.kind == Strategy::Kind::random) {
            for (int i = 0; i != strategy_.bound; ++i)
                if (changes_[static_cast<std::size_t>(i)] == depth_ && last_actor_ >= 0)
                    priorities_[static_cast<std::size_t>(last_actor_)] = i;
            int best = lowest(candidates);
            for (int actor = best; actor != actors_; ++actor)
                if (has(candidates, actor) && priorities_[static_cast<std::size_t>(actor)] >
                                                  priorities_[static_cast<std::size_t>(best)])
                    best = actor;
            return best;
        }
        return last_actor_ >= 0 && has(candidates, last_actor_) ? last_actor_ : lowest(candidates);
    }
    [[nodiscard]] int departures_after(const Node& node, int actor) const {
        const bool is_preemption =
            node.last_actor >= 0 && actor != node.last_actor && has(node.enabled, node.last_actor);
        return node.departures + (is_preemption ? 1 : 0);
    }
    [[nodiscard]] int another(const Node& node) const {
        for (int actor = 0; actor != actors_; ++actor) {
            if (!has(node.wanted & ~node.tried, actor)) continue;
            if (strategy_.kind == Strategy::Kind::bounded && departures_after(node, actor) > strategy_.bound)
                continue;
            return actor;
        }
        return kRedundant;
    }

    // ---- what depends on what --------------------------------------------------------------------------------------------

    /// Earlier events that could have come after this one, to another effect: then their places are to be decided otherwise, too.
    /// `known`: the causes of the actor's event before this one.
    void find_races(int actor, const Touches& touches, const Clock& known) {
        for (const Touch& touch : touches) {
            if (touch.access == Access::look) continue;
            for (int other = 0; other != actors_; ++other) {
                if (other == actor) continue;
                for (const Access access : {Access::look, Access::read, Access::write}) {
                    if (access != Access::write && touch.access != Access::write) continue;
                    const Last& last = objects_[static_cast<std::size_t>(touch.object)].of(access, other);
                    if (last.node >= 0 && !known.covers(other, last.number)) reverse(last);
                }
            }
        }
    }
    /// Somebody must be tried where `last` was decided, with whom the newest event can come before it: the first of all events since
    /// then that do not depend on it. Whoever has none of the others before it will do.
    void reverse(const Last& last) {
        Node& node = nodes_[static_cast<std::size_t>(last.node)];
        const Done& late = done_[static_cast<std::size_t>(last.node)];
        ActorSet seen = 0;
        ActorSet first = 0;
        for (std::size_t i = static_cast<std::size_t>(last.node) + 1; i != depth_; ++i) {
            const Done& each = done_[i];
            if (i + 1 != depth_ && each.cause.covers(late.actor, late.number)) continue;
            if (!has(seen, each.actor) && is_first(each, late, static_cast<std::size_t>(last.node) + 1, i))
                first |= only(each.actor);
            seen |= only(each.actor);
        }
        if ((first & (node.wanted | node.tried)) != 0) return;
        const ActorSet possible = first & node.enabled;
        node.wanted |= possible != 0 ? only(lowest(possible)) : node.enabled;
    }
    /// Whether no event from `begin` on that is independent of `late` happens before this one.
    [[nodiscard]] bool is_first(const Done& event, const Done& late, std::size_t begin,
                                std::size_t end) const {
        for (std::size_t i = begin; i != end; ++i) {
            const Done& each = done_[i];
            if (each.cause.covers(late.actor, late.number)) continue;
            if (event.cause.covers(each.actor, each.number)) return false;
        }
        return true;
    }
    void link(int actor, int node, const Touches& touches, const Clock* read_from) {
        Clock& cause = causes_[static_cast<std::size_t>(actor)];
        cause.advance(actor);
        if (read_from != nullptr) cause.join(*read_from);
        for (const Touch& touch : touches) {
            const History& object = objects_[static_cast<std::size_t>(touch.object)];
            if (touch.access == Access::read || touch.access == Access::write) cause.join(object.written);
            if (touch.access == Access::write) cause.join(object.read);
        }
        done_[static_cast<std::size_t>(node)] = {cause, actor, cause.at(actor)};
    }
    void enter(int actor, int node, const Touches& touches) {
        const Clock& cause = causes_[static_cast<std::size_t>(actor)];
        for (const Touch& touch : touches) {
            History& object = objects_[static_cast<std::size_t>(touch.object)];
            object.of(touch.access, actor) = {node, cause.at(actor)};
            if (touch.access == Access::read) object.read.join(cause);
            if (touch.access == Access::write) object.written.join(cause);
        }
    }
    /// Those asleep who would do something else after this event.
    void wake(const Touches& done, const std::array<Step, kMostActors>& steps) {
        for (int actor = 0; actor != actors_; ++actor) {
            if (!has(asleep_.actors, actor)) continue;
            for (const Touch& mine : steps[static_cast<std::size_t>(actor)].touches)
                for (const Touch& theirs : done)
                    if (mine.object == theirs.object && depends(mine.access, theirs.access))
                        asleep_.actors &= ~only(actor);
        }
    }
    [[nodiscard]] static bool depends(Access asleep, Access done) {
        if (asleep == Access::read) return done == Access::write;
        return asleep == Access::write && (done == Access::write || done == Access::read);
    }

    Strategy strategy_;
    std::mt19937_64 random_;
    int actors_ = 0;
    std::uint64_t runs_ = 0;
    std::vector<Node> nodes_{};
    std::vector<Done> done_{};
    std::size_t depth_ = 0;
    std::size_t replayed_ = 0;
    int last_actor_ = kRedundant;
    int departures_ = 0;
    Asleep asleep_{};
    std::array<History, Objects::kCount> objects_{};
    std::array<Clock, kMostActors> causes_{};
    std::array<int, kMostActors> priorities_{};
    std::array<std::uint64_t, 16> changes_{};
    std::uint64_t horizon_ = 50;
};

}  // namespace shmring::test
