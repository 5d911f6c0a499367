// MpmcRing and MpmcByteRing: killed after each change that an operation makes to the segment. Whatever was published comes once,
// whatever was in hand is skipped, lost or delivered again as the policy says, and the ring then holds exactly what it did.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "support/child_process.hpp"
#include "support/segment_changes.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"
#include "support/stepped_crowd.hpp"

namespace shmring::test {
namespace {

/// Where the ring stands when the victim begins: `before` messages have come and gone, `inside` are in it.
struct Place {
    std::uint64_t capacity;
    std::uint64_t before;
    std::uint64_t inside;
};

template <class Kind>
class MpmcStepKill : public testing::Test {
 protected:
    using Ring = typename Kind::Ring;
    using Producer = typename Ring::Producer;
    using Consumer = typename Ring::Consumer;
    static constexpr bool kIsBytes = std::is_same_v<Kind, SteppedBytes>;

    /// What is left of `inside` messages and of those that the victim sent, and what it cost.
    struct Outcome {
        std::vector<Got> got{};
        std::uint64_t lost = 0;
        std::uint64_t skipped = 0;
        bool named_at_death = false;
    };
    /// One ring, and the participants that survive.
    struct Scene {
        explicit Scene(const Place& where, Delivery delivery)
            : place(where),
              ring(Kind::make(where.capacity, delivery)),
              out(ring.producer()),
              in(ring.consumer()) {
            for (std::uint64_t i = 0; i != place.before; ++i) {
                EXPECT_EQ(Kind::push(out, i), Status::ok);
                EXPECT_EQ(Kind::pop(in).value_or(Got{~0U}).number, i);
            }
            for (std::uint64_t i = 0; i != place.inside; ++i)
                EXPECT_EQ(Kind::push(out, first() + i), Status::ok);
        }
        /// Of those in the ring.
        [[nodiscard]] std::uint64_t first() const { return place.before; }
        [[nodiscard]] std::uint64_t end() const { return place.before + place.inside; }

        /// A survivor repairs, and takes everything out.
        [[nodiscard]] Outcome settle() {
            Outcome outcome;
            const detail::ParticipantTable table(ring.segment());
            for (std::uint32_t i = 0; i != table.count(); ++i)
                outcome.named_at_death |= table.record(i).intent.load(std::memory_order_acquire) != 0;
            (void)in.recover();
            while (const std::optional<Got> got = Kind::pop(in)) outcome.got.push_back(*got);
            EXPECT_EQ(ring.was_closed() ? Status::empty : still(), Status::empty);
            outcome.lost = ring.losses().lost;
            outcome.skipped = ring.losses().skipped;
            return outcome;
        }
        [[nodiscard]] Status still() {
            if constexpr (kIsBytes) {
                std::array<std::byte, 128> buffer;
                return in.try_pop(std::span<std::byte>(buffer)).error();
            } else {
                return in.try_pop().error();
            }
        }
        /// Neither a place too many nor one too few, three laps long.
        void expect_exact_capacity() {
            for (int lap = 0; lap != 3; ++lap) {
                for (std::uint64_t i = 0; i != place.capacity; ++i) ASSERT_EQ(Kind::push(out, i), Status::ok);
                ASSERT_EQ(Kind::push(out, 99), Status::full);
                for (std::uint64_t i = 0; i != place.capacity; ++i) {
                    ASSERT_EQ(Kind::pop(in).value_or(Got{~0U}).number, i);
                }
            }
        }

        Place place;
        Ring ring;
        Producer out;
        Consumer in;
    };

    void SetUp() override { ::alarm(is_soak() ? 1700 : 110); }
    void TearDown() override { ::alarm(0); }

    /// Kills after 0, 1, 2, ... changes until the operation gets done. `check(scene, finished)` looks at what is left.
    /// `prepare(scene)`: what happened before the victim came.
    template <class Operation, class Check>
    static void at_every_change(const char* name, const Place& place, Delivery delivery,
                                Operation&& operation, Check&& check,
                                const std::function<void(Scene&)>& prepare = {}) {
        for (std::uint64_t changes = 0;; ++changes) {
            SCOPED_TRACE(std::string(name) + " in " + std::to_string(place.capacity) + "/" +
                         std::to_string(place.before) + "/" + std::to_string(place.inside) +
                         (delivery == Delivery::at_most_once ? ", at most once" : ", at least once") +
                         ", killed after " + std::to_string(changes) + " changes");
            Scene scene(place, delivery);
            if (prepare) prepare(scene);
            std::optional<SegmentChanges> seen;
            const auto is_time = [&] {
                if (!seen) seen.emplace(scene.ring.segment());
                return seen->count() == changes;
            };
            const SteppedChild::End end = SteppedChild::kill_when(is_time, [&] { operation(scene); });
            if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
            ASSERT_NE(end, SteppedChild::End::failed);
            const bool finished = end == SteppedChild::End::finished;
            check(scene, finished);
            scene.expect_exact_capacity();
            if (testing::Test::HasFailure()) return;
            if (finished) {
                EXPECT_LT(changes, 400U);
                return;
            }
        }
    }

    /// A producer that sends `numbers` with one operation. Each comes or does not, in order, and those before come.
    static void kill_producer(const char* name, const Place& place, const std::vector<std::uint64_t>& numbers,
                              const std::function<void(Producer&)>& send) {
        std::size_t came_before = 0;
        at_every_change(
            name, place, Delivery::at_most_once,
            [&](Scene& scene) {
                Producer out = scene.ring.producer();
                mark_for_stepping();
                send(out);
                mark_for_stepping();
                ::_exit(3);
            },
            [&](Scene& scene, bool finished) {
                const Outcome outcome = scene.settle();
                ASSERT_GE(outcome.got.size(), place.inside);
                for (std::uint64_t i = 0; i != place.inside; ++i)
                    ASSERT_EQ(outcome.got[i].number, scene.first() + i);
                std::size_t came = 0;
                for (std::size_t i = place.inside; i != outcome.got.size(); ++i, ++came) {
                    ASSERT_LT(came, numbers.size()) << "more than was sent";
                    ASSERT_EQ(outcome.got[i].number, numbers[came]);
                    ASSERT_FALSE(outcome.got[i].redelivered);
                }
                ASSERT_GE(came, came_before) << "what was published came undone";
                came_before = came;
                const std::uint64_t too_many =
                    kIsBytes ? 1 : 0;  // the padding of a message that was published
                ASSERT_LE(outcome.skipped, numbers.empty() ? 1 : numbers.size() - came + too_many);
                ASSERT_EQ(outcome.lost, 0U);
                if (finished) {
                    ASSERT_EQ(came, numbers.size());
                    ASSERT_EQ(outcome.skipped, 0U);
                }
            });
    }
    /// In a batch of bytes each message is a claim of its own, and only that of the last one is named.
    /// A consumer that takes up to `most` of those in the ring with one operation.
    static void kill_consumer(const char* name, const Place& place, std::uint64_t most,
                              const std::function<void(Consumer&)>& take) {
        for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
            std::uint64_t gone_before = 0;
            std::uint64_t redelivered = 0;
            at_every_change(
                name, place, delivery,
                [&](Scene& scene) {
                    Consumer in = scene.ring.consumer();
                    mark_for_stepping();
                    take(in);
                    mark_for_stepping();
                    ::_exit(3);
                },
                [&](Scene& scene, bool finished) {
                    const Outcome outcome = scene.settle();
                    std::vector<int> times(place.inside, 0);
                    std::uint64_t next = scene.first();
                    for (const Got& got : outcome.got) {
                        ASSERT_GE(got.number, scene.first());
                        ASSERT_LT(got.number, scene.end());
                        ASSERT_EQ(times[got.number - scene.first()]++, 0) << "twice";
                        redelivered += got.redelivered ? 1 : 0;
                        if (got.redelivered) continue;
                        ASSERT_GE(got.number, next) << "out of order";
                        next = got.number + 1;
                    }
                    const std::uint64_t gone = place.inside - outcome.got.size();
                    ASSERT_LE(gone, most);
                    ASSERT_GE(gone, gone_before);
                    gone_before = gone;
                    ASSERT_EQ(outcome.skipped, 0U);
                    ASSERT_LE(outcome.lost, most);
                    if (delivery == Delivery::at_least_once) {
                        ASSERT_EQ(outcome.lost, 0U);
                    } else if (outcome.named_at_death && !(kIsBytes && most > 1)) {
                        ASSERT_GE(outcome.lost, gone) << "lost, but not counted";
                    }
                    if (finished) {
                        const bool one_per_call = kIsBytes && delivery == Delivery::at_least_once;
                        ASSERT_EQ(gone, one_per_call ? std::min<std::uint64_t>(most, 1) : most);
                    }
                });
            if (testing::Test::HasFailure() || testing::Test::IsSkipped()) return;
            EXPECT_EQ(redelivered != 0, delivery == Delivery::at_least_once && most != 0) << name;
        }
    }
};
using Kinds = testing::Types<SteppedSlots, SteppedBytes>;
struct KindNames {
    template <class Kind>
    static std::string GetName(int) {
        return std::is_same_v<Kind, SteppedSlots> ? "Slots" : "Bytes";
    }
};
TYPED_TEST_SUITE(MpmcStepKill, Kinds, KindNames);

/// Empty, one inside, at the wrap, all but full.
constexpr Place kRoomFor3[] = {{4, 0, 0}, {4, 0, 1}, {4, 3, 1}, {5, 4, 2}};
constexpr Place kHolds3[] = {{4, 0, 3}, {4, 3, 4}, {5, 7, 4}};

TYPED_TEST(MpmcStepKill, APush) {
    for (const Place& place : kRoomFor3)
        this->kill_producer("push", place, {100}, [](auto& out) { (void)TypeParam::push(out, 100); });
    this->kill_producer("push, capacity 1", {1, 5, 0}, {100},
                        [](auto& out) { (void)TypeParam::push(out, 100); });
    this->kill_producer("push, full", {4, 2, 4}, {}, [](auto& out) { (void)TypeParam::push(out, 100); });
}
TYPED_TEST(MpmcStepKill, ABatchOfPushes) {
    for (const Place& place : {kRoomFor3[0], kRoomFor3[2]})
        this->kill_producer("batch", place, {100, 101, 102}, [](auto& out) { TypeParam::push_n(out, 100); });
    this->kill_producer("batch, room for one", {4, 2, 3}, {100},
                        [](auto& out) { TypeParam::push_n(out, 100); });
}
TYPED_TEST(MpmcStepKill, AClaimAndItsCommit) {
    for (const Place& place : kRoomFor3)
        this->kill_producer("claim", place, {100}, [](auto& out) { TypeParam::claim_and_commit(out, 100); });
}
TYPED_TEST(MpmcStepKill, AClaimThatIsDropped) {
    for (const Place& place : kRoomFor3)
        this->kill_producer("drop", place, {}, [](auto& out) { TypeParam::claim_and_drop(out); });
}
TYPED_TEST(MpmcStepKill, APop) {
    for (const Place& place : kHolds3)
        this->kill_consumer("pop", place, 1, [](auto& in) { (void)TypeParam::pop(in); });
    this->kill_consumer("pop, capacity 1", {1, 5, 1}, 1, [](auto& in) { (void)TypeParam::pop(in); });
    this->kill_consumer("pop, empty", {4, 3, 0}, 0, [](auto& in) { (void)TypeParam::pop(in); });
}
TYPED_TEST(MpmcStepKill, ABatchOfPops) {
    for (const Place& place : kHolds3)
        this->kill_consumer("batch", place, 3, [](auto& in) { TypeParam::pop_n(in); });
    this->kill_consumer("batch, of one", {4, 3, 1}, 1, [](auto& in) { TypeParam::pop_n(in); });
}
TYPED_TEST(MpmcStepKill, AViewAndItsReturn) {
    for (const Place& place : kHolds3)
        this->kill_consumer("view", place, 1, [](auto& in) { TypeParam::view(in); });
}

/// Two units where one is left before the end: padding, then the record.
using MpmcStepKillOfBytes = MpmcStepKill<SteppedBytes>;
TEST_F(MpmcStepKillOfBytes, APushBehindPadding) {
    for (const Place& place : {Place{4, 3, 0}, Place{4, 2, 1}, Place{5, 4, 0}})
        kill_producer("padding", place, {SteppedBytes::kLarge},
                      [](auto& out) { (void)SteppedBytes::push(out, SteppedBytes::kLarge); });
}
TEST_F(MpmcStepKillOfBytes, AClaimBehindPadding) {
    for (const Place& place : {Place{4, 3, 0}, Place{4, 2, 1}}) {
        kill_producer("padding, commit", place, {SteppedBytes::kLarge},
                      [](auto& out) { SteppedBytes::claim_and_commit(out, SteppedBytes::kLarge); });
        kill_producer("padding, less than claimed", place, {100},
                      [](auto& out) { SteppedBytes::claim_and_commit(out, 100); });
        kill_producer("padding, dropped", place, {}, [](auto& out) { SteppedBytes::claim_and_drop(out); });
    }
}
/// The consumer steps over the padding, which is a claim of its own.
TEST_F(MpmcStepKillOfBytes, APopFromBehindPadding) {
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        std::uint64_t gone_before = 0;
        at_every_change(
            "pop behind padding", {4, 3, 0}, delivery,
            [&](Scene& scene) {
                Consumer in = scene.ring.consumer();
                Producer out = scene.ring.producer();
                if (SteppedBytes::push(out, SteppedBytes::kLarge) != Status::ok) ::_exit(4);
                mark_for_stepping();
                (void)SteppedBytes::pop(in);
                mark_for_stepping();
                ::_exit(3);
            },
            [&](Scene& scene, bool finished) {
                const Outcome outcome = scene.settle();
                ASSERT_LE(outcome.got.size(), 1U);
                const std::uint64_t gone = 1 - outcome.got.size();
                ASSERT_GE(gone, gone_before);
                gone_before = gone;
                if (gone != 0 && outcome.named_at_death && delivery == Delivery::at_most_once) {
                    ASSERT_GE(outcome.lost, 1U);
                }
                if (finished) {
                    ASSERT_EQ(gone, 1U);
                }
            });
    }
}

// ---- killed while it repairs, or takes a dead one's place ----------------------------------------------------------

/// A claim and a View whose holders are dead; then somebody is killed at each step of repairing them.
template <class Kind, class Operation>
void die_holding(typename Kind::Ring& ring, Operation&& operation) {
    ChildProcess child([&] {
        operation(ring);
        return 3;
    });
    ASSERT_TRUE(child.join().killed_by(SIGKILL));
}
TYPED_TEST(MpmcStepKill, ARepair) {
    using Stage = typename MpmcStepKill<TypeParam>::Scene;
    for (const Delivery delivery : {Delivery::at_most_once, Delivery::at_least_once}) {
        const auto die_with_both = [](Stage& scene) {
            die_holding<TypeParam>(scene.ring, [](auto& ring) {
                auto out = ring.producer();
                auto in = ring.consumer();
                const auto view = in.try_next();
                if constexpr (std::is_same_v<TypeParam, SteppedSlots>) {
                    const auto claim = out.try_claim();
                    ::raise(SIGKILL);
                } else {
                    const auto claim = out.try_claim(100);
                    ::raise(SIGKILL);
                }
            });
        };
        this->at_every_change(
            "repair", {4, 3, 1}, delivery,
            [&](Stage& scene) {
                auto mine = scene.ring.producer();
                mark_for_stepping();
                (void)mine.recover();
                mark_for_stepping();
                ::_exit(3);
            },
            [&](Stage& scene, bool finished) {
                const auto outcome = scene.settle();
                const bool again = delivery == Delivery::at_least_once;
                ASSERT_EQ(outcome.got.size(), again ? 1U : 0U);
                if (again) {
                    ASSERT_EQ(outcome.got[0].number, 3U);
                    ASSERT_TRUE(outcome.got[0].redelivered);
                }
                ASSERT_GE(outcome.skipped, 1U);
                ASSERT_LE(outcome.skipped, finished ? 1U : 2U)
                    << "one too many for a repairer that was killed";
                ASSERT_GE(outcome.lost, again ? 0U : 1U);
                ASSERT_LE(outcome.lost, again ? 0U : finished ? 1U : 2U);
            },
            die_with_both);
        if (testing::Test::HasFailure() || testing::Test::IsSkipped()) return;
    }
}

}  // namespace
}  // namespace shmring::test
