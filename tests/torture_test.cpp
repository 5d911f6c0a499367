// Every operation of every ring and queue, killed after every instruction that changed the segment or was a system call, in every state of
// the ring that makes a difference. What is looked at after each death: support/torture.hpp. The quick form kills after some of these
// instructions, tools/dev torture after all of them. Finer looks at single rings: *_step_kill_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/child_process.hpp"
#include "support/single_step.hpp"
#include "support/torture.hpp"
#include "support/torture_kinds.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

template <class Kind>
class TortureOf : public testing::Test {
 protected:
    using Ring = typename Kind::Ring;
    using Out = typename Kind::Out;
    using In = typename Kind::In;
    using Path = TorturePath<Kind>;
    using Operation = std::function<void(const Ring&)>;
    static constexpr bool kRedelivers = !Kind::kHasSeats;
    static constexpr bool kHasClaims = !Kind::kIsQueue;

    void SetUp() override { ::alarm(is_soak() ? 1700 : 110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    /// A victim that writes, or reads: it is there before the operation begins.
    template <class Act>
    [[nodiscard]] static Operation writing(Act act) {
        return [act](const Ring& ring) {
            Out out = Kind::out(ring);
            mark_for_stepping();
            act(out);
            mark_for_stepping();
        };
    }
    template <class Act>
    [[nodiscard]] static Operation reading(Act act) {
        return [act](const Ring& ring) {
            In in = Kind::in(ring);
            mark_for_stepping();
            act(in);
            log_of_victim->returned.store(1, std::memory_order_relaxed);
            mark_for_stepping();
        };
    }
    template <class Come>
    [[nodiscard]] static Operation coming(Come come) {
        return [come](const Ring& ring) {
            mark_for_stepping();
            auto handle = come(ring);
            mark_for_stepping();
        };
    }
    /// A process that does something and is dead then, before the victim comes.
    template <class Life>
    [[nodiscard]] static Operation dying(Life life) {
        return [life](const Ring& ring) {
            ChildProcess child([&] {
                life(ring);
                return 3;
            });
            EXPECT_TRUE(child.join().killed_by(SIGKILL));
        };
    }

    static void kill_writer(Path path) {
        path.is_reader = false;
        Torture<Kind>::run(path);
    }
    static void kill_reader(Path path) {
        path.is_reader = true;
        Torture<Kind>::run(path);
        if (!kRedelivers) return;
        if (Kind::kSizesVary && path.takes > 1)
            path.takes = 1;  // what is delivered again is taken one by one
        Torture<Kind>::run(path, Delivery::at_least_once);
    }
    /// Of which one message dies with somebody in any case, where messages are not delivered again.
    static void kill_heir(Path path) {
        path.takes += 1;
        Torture<Kind>::run(path);
        path.takes -= 1;
        Torture<Kind>::run(path, Delivery::at_least_once);
    }
};
using Kinds = testing::Types<SpscNumbers, SpscBytes, CrowdNumbers, CrowdBytes, QueueOfNumbers, QueueOfText>;
struct KindNames {
    template <class Kind>
    static std::string GetName(int) {
        std::string name = Kind::kName;
        std::erase_if(name, [](char c) { return c == '<' || c == '>'; });
        return name;
    }
};
TYPED_TEST_SUITE(TortureOf, Kinds, KindNames);

// ---- writers -------------------------------------------------------------------------------------------------------

TYPED_TEST(TortureOf, Pushes) {
    const auto push = this->writing([](auto& out) { (void)TypeParam::push(out, kOfVictim); });
    this->kill_writer({.name = "push, empty", .sends = 1, .operation = push});
    this->kill_writer({.name = "push, wrap", .before = 3, .inside = 1, .sends = 1, .operation = push});
    this->kill_writer({.name = "push, last place", .before = 2, .inside = 3, .sends = 1, .operation = push});
    this->kill_writer({.name = "push, smallest ring",
                       .capacity = TypeParam::kLeast,
                       .before = 5,
                       .inside = TypeParam::kLeast - 1,
                       .sends = 1,
                       .operation = push});
    this->kill_writer({.name = "push, full", .before = 1, .inside = 4, .operation = push});
    this->kill_writer(
        {.name = "push, reader asleep", .before = 3, .sends = 1, .peer = Peer::asleep, .operation = push});
}
TYPED_TEST(TortureOf, PushesThatSleep) {
    const auto waiting = this->writing([](auto& out) { (void)TypeParam::push_within(out, kOfVictim, 600s); });
    this->kill_writer({.name = "push, sleeps until woken",
                       .before = 1,
                       .inside = 4,
                       .sends = 1,
                       .peer = Peer::acts,
                       .operation = waiting});
    const auto in_vain =
        this->writing([](auto& out) { (void)TypeParam::push_within(out, kOfVictim, 200ms); });
    this->kill_writer({.name = "push, sleeps in vain", .before = 1, .inside = 4, .operation = in_vain});
}
TYPED_TEST(TortureOf, BatchesOfPushes) {
    const auto push = this->writing([](auto& out) { TypeParam::push_three(out, kOfVictim); });
    this->kill_writer({.name = "batch, empty", .sends = 3, .operation = push});
    this->kill_writer({.name = "batch, wrap", .before = 3, .inside = 1, .sends = 3, .operation = push});
    this->kill_writer(
        {.name = "batch, room for one", .before = 2, .inside = 3, .sends = 1, .operation = push});
    this->kill_writer(
        {.name = "batch, reader asleep", .before = 2, .sends = 3, .peer = Peer::asleep, .operation = push});
}
TYPED_TEST(TortureOf, Claims) {
    if constexpr (TestFixture::kHasClaims) {
        const auto commit = this->writing([](auto& out) { TypeParam::claim_and_commit(out, kOfVictim); });
        this->kill_writer({.name = "claim and commit, empty", .sends = 1, .operation = commit});
        this->kill_writer(
            {.name = "claim and commit, wrap", .before = 3, .inside = 1, .sends = 1, .operation = commit});
        this->kill_writer({.name = "claim and commit, reader asleep",
                           .before = 2,
                           .sends = 1,
                           .peer = Peer::asleep,
                           .operation = commit});
        const auto drop = this->writing([](auto& out) { TypeParam::claim_and_drop(out); });
        this->kill_writer({.name = "claim and drop", .before = 3, .inside = 1, .operation = drop});
        this->kill_writer(
            {.name = "claim and drop, reader asleep", .before = 3, .peer = Peer::asleep, .operation = drop});
    } else {
        GTEST_SKIP() << "a queue has no claims";
    }
}

// ---- readers -------------------------------------------------------------------------------------------------------

TYPED_TEST(TortureOf, Pops) {
    const auto pop = this->reading([](auto& in) { (void)TypeParam::pop(in); });
    this->kill_reader({.name = "pop", .before = 1, .inside = 2, .takes = 1, .operation = pop});
    this->kill_reader({.name = "pop, wrap", .before = 3, .inside = 2, .takes = 1, .operation = pop});
    this->kill_reader({.name = "pop, full", .before = 2, .inside = 4, .takes = 1, .operation = pop});
    this->kill_reader({.name = "pop, smallest ring",
                       .capacity = TypeParam::kLeast,
                       .before = 5,
                       .inside = TypeParam::kLeast,
                       .takes = 1,
                       .operation = pop});
    this->kill_reader({.name = "pop, empty", .before = 3, .operation = pop});
    this->kill_reader({.name = "pop, writer asleep",
                       .before = 3,
                       .inside = 4,
                       .takes = 1,
                       .peer = Peer::asleep,
                       .operation = pop});
}
TYPED_TEST(TortureOf, PopsThatSleep) {
    const auto waiting = this->reading([](auto& in) { (void)TypeParam::pop_within(in, 600s); });
    this->kill_reader({.name = "pop, sleeps until woken",
                       .before = 3,
                       .takes = 1,
                       .peer = Peer::acts,
                       .operation = waiting});
    const auto in_vain = this->reading([](auto& in) { (void)TypeParam::pop_within(in, 200ms); });
    this->kill_reader({.name = "pop, sleeps in vain", .before = 3, .operation = in_vain});
}
TYPED_TEST(TortureOf, BatchesOfPops) {
    const auto pop = this->reading([](auto& in) { TypeParam::pop_three(in); });
    this->kill_reader(
        {.name = "batch of pops, wrap", .before = 2, .inside = 4, .takes = 3, .operation = pop});
    this->kill_reader(
        {.name = "batch of pops, one there", .before = 3, .inside = 1, .takes = 1, .operation = pop});
    this->kill_reader({.name = "batch of pops, writer asleep",
                       .before = 3,
                       .inside = 4,
                       .takes = 3,
                       .peer = Peer::asleep,
                       .operation = pop});
}
/// What a call had not returned yet is delivered again, or counted, wherever it dies: in the end of its wait, in the wake-up.
TYPED_TEST(TortureOf, PopsThatDieBeforeTheyReturn) {
    if constexpr (!TypeParam::kHasSeats) {
        const auto pop = this->reading([](auto& in) { (void)TypeParam::pop(in); });
        this->kill_reader({.name = "pop, writer asleep, each step",
                           .before = 3,
                           .inside = 4,
                           .takes = 1,
                           .peer = Peer::asleep,
                           .each_step = true,
                           .operation = pop});
        const auto waiting = this->reading([](auto& in) { (void)TypeParam::pop_within(in, 600s); });
        this->kill_reader({.name = "pop, sleeps until woken, each step",
                           .before = 3,
                           .takes = 1,
                           .peer = Peer::acts,
                           .each_step = true,
                           .operation = waiting});
        if constexpr (TypeParam::kIsQueue) {
            const auto into_a_value = this->reading([](auto& in) {
                typename std::remove_reference_t<decltype(in)>::value_type value{};
                (void)in.try_pop(value);
            });
            this->kill_reader({.name = "pop into a value, writer asleep, each step",
                               .before = 3,
                               .inside = 4,
                               .takes = 1,
                               .peer = Peer::asleep,
                               .each_step = true,
                               .operation = into_a_value});
        }
    } else {
        GTEST_SKIP() << "who takes a dead reader's seat starts with what it had not handed back";
    }
}
TYPED_TEST(TortureOf, Views) {
    if constexpr (TestFixture::kHasClaims) {
        const auto view = this->reading([](auto& in) { TypeParam::view(in); });
        this->kill_reader({.name = "view, wrap",
                           .before = 3,
                           .inside = 2,
                           .takes = 1,
                           .in_place = true,
                           .operation = view});
        this->kill_reader({.name = "view, full",
                           .before = 2,
                           .inside = 4,
                           .takes = 1,
                           .in_place = true,
                           .operation = view});
        this->kill_reader({.name = "view, writer asleep",
                           .before = 3,
                           .inside = 4,
                           .takes = 1,
                           .peer = Peer::asleep,
                           .in_place = true,
                           .operation = view});
    } else {
        GTEST_SKIP() << "a queue has no views";
    }
}

/// Of which the decoding throws: the message is lost as if the reader had died there, which it then does; or it is delivered again.
TYPED_TEST(TortureOf, PopsThatThrow) {
    if constexpr (std::is_same_v<TypeParam, CrowdBytes>) {
        const auto pop = this->reading([](auto& in) { TypeParam::leave_unread(in); });
        typename TestFixture::Path path{
            .name = "pop that throws, wrap", .is_reader = true, .before = 3, .inside = 2, .operation = pop};
        Torture<TypeParam>::run(path, Delivery::at_least_once);
        path.takes = 1;
        Torture<TypeParam>::run(path);
        path.name = "pop that throws, writer asleep";
        path.inside = 4;
        path.peer = Peer::asleep;
        Torture<TypeParam>::run(path);
        path.takes = 0;
        Torture<TypeParam>::run(path, Delivery::at_least_once);
    } else {
        GTEST_SKIP() << "with one consumer the message just stays; queues do as MpmcByteRing";
    }
}

// ---- coming, going, and the end ------------------------------------------------------------------------------------

TYPED_TEST(TortureOf, Closing) {
    const auto of_writer = this->writing([](auto& out) { out.close(); });
    this->kill_writer({.name = "close by a writer", .before = 3, .inside = 2, .operation = of_writer});
    this->kill_writer({.name = "close by a writer, reader asleep",
                       .before = 3,
                       .peer = Peer::asleep,
                       .operation = of_writer});
    const auto of_reader = this->reading([](auto& in) { in.close(); });
    this->kill_reader({.name = "close by a reader", .before = 3, .inside = 2, .operation = of_reader});
    this->kill_reader({.name = "close by a reader, writer asleep",
                       .before = 3,
                       .inside = 4,
                       .peer = Peer::asleep,
                       .operation = of_reader});
}
TYPED_TEST(TortureOf, Leaving) {
    const auto of_writer = this->writing([](auto& out) { out.detach(); });
    this->kill_writer({.name = "detach a writer", .before = 3, .inside = 2, .operation = of_writer});
    this->kill_writer({.name = "detach a writer, reader asleep",
                       .before = 3,
                       .peer = Peer::asleep,
                       .operation = of_writer});
    const auto of_reader = this->reading([](auto& in) { in.detach(); });
    this->kill_reader({.name = "detach a reader", .before = 3, .inside = 2, .operation = of_reader});
}
TYPED_TEST(TortureOf, Coming) {
    const auto of_writer = this->coming([](const auto& ring) { return TypeParam::out(ring); });
    this->kill_writer(
        {.name = "attach a writer", .before = 3, .inside = 2, .is_long = true, .operation = of_writer});
    const auto of_reader = this->coming([](const auto& ring) { return TypeParam::in(ring); });
    this->kill_reader(
        {.name = "attach a reader", .before = 3, .inside = 2, .is_long = true, .operation = of_reader});
}

/// The victim takes the place of a dead one, who in a ring of many leaves a claim or a view there.
TYPED_TEST(TortureOf, Inheriting) {
    const auto writer_comes = this->coming([](const auto& ring) { return TypeParam::out(ring); });
    const auto reader_comes = this->coming([](const auto& ring) { return TypeParam::in(ring); });
    if constexpr (TypeParam::kHasSeats) {
        this->kill_writer({.name = "attach in a dead writer's seat",
                           .before = 3,
                           .inside = 2,
                           .is_long = true,
                           .operation = writer_comes,
                           .prepare = this->dying([](const auto& ring) {
                               auto out = TypeParam::out(ring);
                               const auto claim = TypeParam::claim(out);
                               if (claim) ::raise(SIGKILL);
                           })});
    } else if constexpr (TestFixture::kHasClaims) {
        // All records are the dead one's. The survivors, who come first, get two that are empty.
        const auto leave_all = this->dying([](const auto& ring) {
            std::vector<typename TypeParam::Out> others;
            for (int i = 0; i != 2; ++i) others.push_back(TypeParam::out(ring));
            auto out = TypeParam::out(ring);
            auto in = TypeParam::in(ring);
            for (int i = 0; i != 2; ++i) others.push_back(TypeParam::out(ring));
            const auto view = in.try_next();
            const auto claim = TypeParam::claim(out);
            if (view && claim) ::raise(SIGKILL);
        });
        this->kill_heir({.name = "attach in a dead one's place",
                         .before = 3,
                         .inside = 2,
                         .is_long = true,
                         .operation = writer_comes,
                         .prepare = leave_all});
        this->kill_heir({.name = "attach a reader in a dead one's place",
                         .is_reader = true,
                         .before = 3,
                         .inside = 2,
                         .is_long = true,
                         .operation = reader_comes,
                         .prepare = leave_all});
    } else {
        GTEST_SKIP() << "a queue attaches as its ring does";
    }
}
/// A dead one's view of the oldest message, and claim behind the youngest.
TYPED_TEST(TortureOf, Repairing) {
    if constexpr (!TypeParam::kHasSeats && TestFixture::kHasClaims) {
        const auto leave_both = this->dying([](const auto& ring) {
            auto out = TypeParam::out(ring);
            auto in = TypeParam::in(ring);
            const auto view = in.try_next();
            const auto claim = TypeParam::claim(out);
            if (view && claim) ::raise(SIGKILL);
        });
        this->kill_heir({.name = "repair",
                         .before = 3,
                         .inside = 2,
                         .operation = this->writing([](auto& out) { (void)out.recover(); }),
                         .prepare = leave_both});
        this->kill_heir({.name = "repair, full",
                         .before = 3,
                         .inside = 3,
                         .operation = this->reading([](auto& in) { (void)in.recover(); }),
                         .prepare = leave_both});
        // The push waits for the place of the dead one's view, and finds out. (Delivered again it would keep the place until somebody reads.)
        Torture<TypeParam>::run({.name = "repair by a push that sleeps",
                                 .before = 3,
                                 .inside = 3,
                                 .sends = 1,
                                 .takes = 1,
                                 .operation = this->writing(
                                     [](auto& out) { (void)TypeParam::push_within(out, kOfVictim, 600s); }),
                                 .prepare = leave_both});
    } else {
        GTEST_SKIP() << "who comes next takes the seat as it stands; a queue is repaired as its ring is";
    }
}

// ---- literally -----------------------------------------------------------------------------------------------------

/// That the other instructions make no difference. For the rings with seats: spsc_step_kill_test.cpp and byte_step_kill_test.cpp.
TYPED_TEST(TortureOf, EveryInstruction) {
    if constexpr (std::is_same_v<TypeParam, CrowdNumbers>) {
        this->kill_writer(
            {.name = "push, wrap",
             .before = 3,
             .inside = 1,
             .sends = 1,
             .literally = true,
             .operation = this->writing([](auto& out) { (void)TypeParam::push(out, kOfVictim); })});
        this->kill_reader({.name = "pop, wrap",
                           .before = 3,
                           .inside = 2,
                           .takes = 1,
                           .literally = true,
                           .operation = this->reading([](auto& in) { (void)TypeParam::pop(in); })});
    } else {
        GTEST_SKIP() << "a million steps; one ring of many does";
    }
}

}  // namespace
}  // namespace shmring::test
