// Pruning must lose nothing: small random programs end in the same ways with and without it.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "support/litmus.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using Ends = Litmus::Ends;

enum class Kind { load, store, add, exchange, fence, sleep, wake, ask };
struct Line {
    Kind kind = Kind::load;
    std::size_t word = 0;
    std::memory_order order = std::memory_order_relaxed;
};
using Program = std::vector<std::vector<Line>>;  // by actor

std::string text_of(const Program& program) {
    static constexpr const char* kNames[] = {"load",  "store", "add",  "exchange",
                                             "fence", "sleep", "wake", "ask"};
    std::string text;
    for (const auto& actor : program) {
        for (const Line& line : actor)
            text += std::string(kNames[static_cast<int>(line.kind)]) + " x" + std::to_string(line.word) +
                    " " + name_of(line.order) + "; ";
        text += "\n";
    }
    return text;
}

/// Every load and exchange of an actor is folded into its register, in order.
void perform(const std::vector<Line>& lines, std::uint64_t actor, LitmusWords& words, Registers& r) {
    std::uint64_t count = 0;
    const auto found = [&](std::uint64_t value) { r[actor] = r[actor] * 32 + value + 1; };
    for (const Line& line : lines) {
        LitmusWords::Word& word = words.x[line.word];
        const std::uint64_t value = 4 * actor + ++count;
        const auto* futex = reinterpret_cast<const std::uint32_t*>(&word);
        const auto failure =
            line.order == std::memory_order_seq_cst ? line.order
            : line.order == std::memory_order_relaxed || line.order == std::memory_order_release
                ? std::memory_order_relaxed
                : std::memory_order_acquire;
        switch (line.kind) {
            case Kind::load:
                found(word.load(line.order));
                break;
            case Kind::store:
                word.store(value, line.order);
                break;
            case Kind::add:
                found(word.fetch_add(value, line.order) % 16);
                break;
            case Kind::exchange: {
                std::uint64_t expected = 0;
                found(word.compare_exchange_strong(expected, value, line.order, failure) ? 16
                                                                                         : expected % 16);
                break;
            }
            case Kind::fence:
                scheduler.fence(line.order);
                break;
            case Kind::sleep:
                found(static_cast<std::uint64_t>(SchedulerEnv::futex_wait(futex, 0, 1)));
                break;
            case Kind::wake:
                found(static_cast<std::uint64_t>(SchedulerEnv::futex_wake(futex, 1)));
                break;
            case Kind::ask:
                found(scheduler.ask_about(0) ? 1 : 0);
                break;
        }
    }
}

class RandomPrograms {
 public:
    explicit RandomPrograms(std::uint64_t seed) : random_(seed) {}

    [[nodiscard]] Program next(std::size_t actors, std::size_t most_lines, std::uint64_t kinds) {
        kinds_ = kinds;
        Program program(actors);
        for (auto& actor : program)
            for (std::uint64_t lines = 1 + random_() % most_lines; lines != 0; --lines)
                actor.push_back(line());
        return program;
    }

 private:
    [[nodiscard]] Line line() {
        using std::memory_order;
        static constexpr memory_order kOrders[] = {memory_order::relaxed, memory_order::acquire,
                                                   memory_order::release, memory_order::acq_rel,
                                                   memory_order::seq_cst};
        Line line;
        line.word = random_() % 2;
        const std::uint64_t die = random_() % kinds_;
        line.kind = die < 4    ? Kind::load
                    : die < 8  ? Kind::store
                    : die < 9  ? Kind::add
                    : die < 11 ? Kind::exchange
                    : die < 12 ? Kind::fence
                    : die < 13 ? Kind::sleep
                    : die < 14 ? Kind::wake
                               : Kind::ask;
        do {
            line.order = kOrders[random_() % 5];
        } while (!fits(line));
        return line;
    }
    [[nodiscard]] static bool fits(const Line& line) {
        const bool acquires =
            line.order == std::memory_order_acquire || line.order == std::memory_order_acq_rel;
        const bool releases =
            line.order == std::memory_order_release || line.order == std::memory_order_acq_rel;
        if (line.kind == Kind::load) return !releases;
        if (line.kind == Kind::store) return !acquires;
        return true;
    }
    std::mt19937_64 random_;
    std::uint64_t kinds_ = 0;
};

Litmus litmus_of(const Program& program) {
    std::vector<Litmus::Act> acts;
    for (std::size_t actor = 0; actor != program.size(); ++actor)
        acts.emplace_back(
            [&program, actor](LitmusWords& w, Registers& r) { perform(program[actor], actor, w, r); });
    return Litmus(acts);
}

struct Sizes {
    std::size_t actors = 2;
    std::size_t most_lines = 4;
    std::uint64_t kinds = 12;
    int programs = 1000;
    ActorSet mortals = 0;
};
void expect_nothing_lost(const Sizes& sizes, std::uint64_t seed) {
    RandomPrograms programs(seed);
    std::uint64_t runs_of_all = 0;
    std::uint64_t runs = 0;
    std::uint64_t given_up = 0;
    for (int i = 0; i != sizes.programs * (is_soak() ? 30 : 1); ++i) {
        const Program program = programs.next(sizes.actors, sizes.most_lines, sizes.kinds);
        Litmus litmus = litmus_of(program);
        const Ends all = litmus.ends(sizes.actors, Strategy::Kind::every, sizes.mortals);
        runs_of_all += litmus.findings().runs;
        const Ends pruned = litmus.ends(sizes.actors, Strategy::Kind::pruned, sizes.mortals);
        runs += litmus.findings().runs;
        given_up += litmus.findings().redundant;
        ASSERT_EQ(pruned, all) << text_of(program);
    }
    std::cout << runs_of_all << " runs, pruned to " << runs << ", and " << given_up << " given up\n";
    EXPECT_LT(runs, runs_of_all);
}

TEST(Exploration, PruningLosesNoEndOfTwoActors) {
    expect_nothing_lost({.actors = 2, .most_lines = 4, .programs = 3000}, 1);
}
TEST(Exploration, PruningLosesNoEndOfThreeActors) {
    expect_nothing_lost({.actors = 3, .most_lines = 3, .programs = 60}, 2);
}
TEST(Exploration, PruningLosesNoEndOfActorsThatSleepAndWake) {
    expect_nothing_lost({.actors = 2, .most_lines = 5, .kinds = 14, .programs = 1000}, 3);
    expect_nothing_lost({.actors = 3, .most_lines = 3, .kinds = 14, .programs = 60}, 4);
}
TEST(Exploration, PruningLosesNoEndWhereSomebodyMayDie) {
    expect_nothing_lost({.actors = 2, .most_lines = 4, .kinds = 17, .programs = 1500, .mortals = only(0)}, 5);
    expect_nothing_lost(
        {.actors = 2, .most_lines = 4, .kinds = 17, .programs = 500, .mortals = only(0) | only(1)}, 6);
    expect_nothing_lost({.actors = 3, .most_lines = 2, .kinds = 17, .programs = 150, .mortals = only(0)}, 7);
}

}  // namespace
}  // namespace shmring::test
