// What the scheduler's memory lets happen, by the litmus tests that everybody knows: as much as C++20 allows (short of loads that run
// ahead of stores), and nothing that it forbids.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <vector>

#include "support/litmus.hpp"

namespace shmring::test {
namespace {

constexpr auto relaxed = std::memory_order_relaxed;
constexpr auto acquire = std::memory_order_acquire;
constexpr auto release = std::memory_order_release;
constexpr auto acq_rel = std::memory_order_acq_rel;
constexpr auto seq_cst = std::memory_order_seq_cst;
using Order = std::memory_order;
using W = LitmusWords;
using R = Registers;
using Act = Litmus::Act;
using Ends = Litmus::Ends;

void fence(Order order) { scheduler.fence(order); }

/// Each stores, then looks at the other's word: r0, r1.
Ends store_buffering(Order stores, Order loads, bool fenced = false) {
    const auto side = [=](std::size_t mine) {
        return [=](W& w, R& r) {
            w.x[mine].store(1, stores);
            if (fenced) fence(seq_cst);
            r[mine] = w.x[1 - mine].load(loads);
        };
    };
    return Litmus({side(0), side(1)}).ends(2);
}
TEST(WeakMemory, StoreBufferingLetsBothMissEachOther) {
    const Ends all{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    EXPECT_EQ(store_buffering(relaxed, relaxed), all);
    EXPECT_EQ(store_buffering(release, acquire), all);
}
TEST(WeakMemory, StoreBufferingIsForbiddenToSequentialConsistencyAndBySuchFences) {
    const Ends none_missed{{0, 1}, {1, 0}, {1, 1}};
    EXPECT_EQ(store_buffering(seq_cst, seq_cst), none_missed);
    EXPECT_EQ(store_buffering(relaxed, relaxed, true), none_missed);
    EXPECT_EQ(store_buffering(seq_cst, acquire).size(), 4U) << "the loads must be, too";
}

/// A payload, then a flag: r0 is the flag, r1 the payload.
Ends message_passing(Order publish, Order look, Order before = relaxed, Order after = relaxed) {
    return Litmus({[=](W& w, R&) {
                       w.x[0].store(1, relaxed);
                       if (before != relaxed) fence(before);
                       w.x[1].store(1, publish);
                   },
                   [=](W& w, R& r) {
                       r[0] = w.x[1].load(look);
                       if (after != relaxed) fence(after);
                       r[1] = w.x[0].load(relaxed);
                   }})
        .ends(2);
}
TEST(WeakMemory, MessagePassingNeedsReleaseAndAcquire) {
    const Ends passed{{0, 0}, {0, 1}, {1, 1}};
    const Ends torn{{0, 0}, {0, 1}, {1, 0}, {1, 1}};
    EXPECT_EQ(message_passing(release, acquire), passed);
    EXPECT_EQ(message_passing(seq_cst, seq_cst), passed);
    EXPECT_EQ(message_passing(relaxed, acquire), torn);
    EXPECT_EQ(message_passing(release, relaxed), torn);
    EXPECT_EQ(message_passing(relaxed, relaxed), torn);
}
TEST(WeakMemory, MessagePassingWorksWithFences) {
    EXPECT_EQ(message_passing(relaxed, relaxed, release, acquire).size(), 3U);
    EXPECT_EQ(message_passing(relaxed, relaxed, seq_cst, seq_cst).size(), 3U);
    EXPECT_EQ(message_passing(relaxed, acquire, release, relaxed).size(), 3U) << "a fence and an acquire";
    EXPECT_EQ(message_passing(release, relaxed, relaxed, acquire).size(), 3U) << "a release and a fence";
    EXPECT_EQ(message_passing(relaxed, relaxed, release, relaxed).size(), 4U) << "one fence alone";
    EXPECT_EQ(message_passing(relaxed, relaxed, relaxed, acquire).size(), 4U) << "one fence alone";
    EXPECT_EQ(message_passing(relaxed, relaxed, acquire, release).size(), 4U) << "the wrong fences";
}

/// The same with a payload that is not atomic.
std::string fault_of_plain_payload(Order publish, Order look) {
    Litmus litmus({[=](W& w, R&) {
                       const std::uint64_t value = 7;
                       SchedulerEnv::copy_in(&w.plain[0], &value, sizeof value);
                       w.x[0].store(1, publish);
                   },
                   [=](W& w, R& r) {
                       if (w.x[0].load(look) == 0) return;
                       SchedulerEnv::copy_out(&r[0], &w.plain[0], sizeof r[0]);
                   }});
    const Ends ends = litmus.ends(1);
    EXPECT_TRUE(!litmus.findings().fault.empty() || ends == (Ends{{0}, {7}}));
    return litmus.findings().fault;
}
TEST(WeakMemory, APlainPayloadRacesUnlessItIsPassedByReleaseAndAcquire) {
    EXPECT_EQ(fault_of_plain_payload(release, acquire), "");
    EXPECT_EQ(fault_of_plain_payload(relaxed, acquire), "a data race");
    EXPECT_EQ(fault_of_plain_payload(release, relaxed), "a data race");
}
TEST(WeakMemory, TwoPlainWritesAndAnAtomicBesideAPlainOneRace) {
    const auto writes = [](W& w, R&) {
        const std::uint64_t value = 7;
        SchedulerEnv::copy_in(&w.plain[0], &value, sizeof value);
    };
    Litmus two({writes, writes});
    (void)two.ends(0);
    EXPECT_EQ(two.findings().fault, "a data race");
    const auto reads = [](W& w, R& r) { SchedulerEnv::copy_out(&r[0], &w.x[0], sizeof r[0]); };
    Litmus beside({[](W& w, R&) { w.x[0].store(1, relaxed); }, reads});
    (void)beside.ends(0);
    EXPECT_EQ(beside.findings().fault, "a data race");
    Litmus readers({reads, reads});
    (void)readers.ends(0);
    EXPECT_EQ(readers.findings().fault, "");
}

TEST(WeakMemory, TwoReadersMayDisagreeOnTheOrderOfIndependentWritesUnlessAllIsSequential) {
    const auto ends = [](Order stores, Order loads) {
        const auto writes = [=](std::size_t at) { return [=](W& w, R&) { w.x[at].store(1, stores); }; };
        const auto reads = [=](std::size_t first, std::size_t to) {
            return [=](W& w, R& r) {
                r[to] = w.x[first].load(loads);
                r[to + 1] = w.x[1 - first].load(loads);
            };
        };
        return Litmus({writes(0), writes(1), reads(0, 0), reads(1, 2)}).ends(4);
    };
    const std::vector<std::uint64_t> disagreed{1, 0, 1, 0};
    EXPECT_TRUE(ends(release, acquire).contains(disagreed));
    EXPECT_EQ(ends(release, acquire).size(), 16U);
    EXPECT_FALSE(ends(seq_cst, seq_cst).contains(disagreed));
    EXPECT_EQ(ends(seq_cst, seq_cst).size(), 15U);
}

TEST(WeakMemory, ALocationIsCoherent) {
    const auto reads_twice = [](W& w, R& r) {
        r[0] = w.x[0].load(relaxed);
        r[1] = w.x[0].load(relaxed);
    };
    const auto writes_twice = [](W& w, R&) {
        w.x[0].store(1, relaxed);
        w.x[0].store(2, relaxed);
    };
    EXPECT_EQ(Litmus({writes_twice, reads_twice}).ends(2),
              (Ends{{0, 0}, {0, 1}, {0, 2}, {1, 1}, {1, 2}, {2, 2}}));
    EXPECT_EQ(Litmus({[](W& w, R& r) {
                          w.x[0].store(1, relaxed);
                          r[0] = w.x[0].load(relaxed);
                      },
                      [](W& w, R&) { w.x[0].store(2, relaxed); }})
                  .ends(1),
              (Ends{{1}, {2}}))
        << "one's own store hides what was before it";
}
TEST(WeakMemory, WhatAReaderSawItsSuccessorSees) {
    const Ends ends = Litmus({[](W& w, R&) { w.x[0].store(1, relaxed); },
                              [](W& w, R& r) {
                                  r[0] = w.x[0].load(relaxed);
                                  w.x[1].store(1, release);
                              },
                              [](W& w, R& r) {
                                  r[1] = w.x[1].load(acquire);
                                  r[2] = w.x[0].load(relaxed);
                              }})
                          .ends(3);
    EXPECT_FALSE(ends.contains({1, 1, 0}));
    EXPECT_TRUE(ends.contains({0, 1, 0}));
    EXPECT_TRUE(ends.contains({1, 0, 0}));
}

TEST(WeakMemory, AReadModifyWriteReadsTheLastStoreAndLosesNone) {
    const auto adds = [](std::size_t to) {
        return [=](W& w, R& r) { r[to] = w.x[0].fetch_add(1, relaxed); };
    };
    EXPECT_EQ(Litmus({adds(0), adds(1)}).ends(2), (Ends{{0, 1}, {1, 0}}));
    const auto takes = [](std::size_t to) {
        return [=](W& w, R& r) {
            std::uint64_t expected = 0;
            r[to] = w.x[0].compare_exchange_strong(expected, 1, relaxed, relaxed) ? 1 : 0;
        };
    };
    EXPECT_EQ(Litmus({takes(0), takes(1)}).ends(2), (Ends{{0, 1}, {1, 0}}));
}

/// A release store, then another actor's exchange of the flag; a third acquires what the exchange left.
Ends through_an_exchange(Order exchange) {
    return Litmus({[](W& w, R&) {
                       w.x[0].store(1, relaxed);
                       w.x[1].store(1, release);
                   },
                   [=](W& w, R&) { w.x[1].fetch_add(1, exchange); },
                   [](W& w, R& r) {
                       r[0] = w.x[1].load(acquire);
                       r[1] = w.x[0].load(relaxed);
                   }})
        .ends(2);
}
TEST(WeakMemory, AReleaseSequenceGoesOnThroughReadModifyWrites) {
    EXPECT_FALSE(through_an_exchange(relaxed).contains({2, 0}));
    EXPECT_FALSE(through_an_exchange(acq_rel).contains({2, 0}));
    EXPECT_TRUE(through_an_exchange(relaxed).contains({1, 0})) << "the exchange came first";
    const Ends over_a_store = Litmus({[](W& w, R&) {
                                          w.x[0].store(1, relaxed);
                                          w.x[1].store(1, release);
                                      },
                                      [](W& w, R&) {
                                          if (w.x[1].load(relaxed) == 1) w.x[1].store(2, relaxed);
                                      },
                                      [](W& w, R& r) {
                                          r[0] = w.x[1].load(acquire);
                                          r[1] = w.x[0].load(relaxed);
                                      }})
                                  .ends(2);
    EXPECT_TRUE(over_a_store.contains({2, 0})) << "another's store ends it";
}

TEST(WeakMemory, AFailedExchangeIsALoadThatMayBeOld) {
    const Ends ends = Litmus({[](W& w, R&) {
                                  w.x[0].store(1, relaxed);
                                  w.x[0].store(2, relaxed);
                                  w.x[1].store(1, relaxed);
                              },
                              [](W& w, R& r) {
                                  r[0] = w.x[1].load(relaxed);
                                  r[1] = 2;
                                  r[2] = w.x[0].compare_exchange_strong(r[1], 9, relaxed, relaxed) ? 1 : 0;
                              }})
                          .ends(3);
    EXPECT_TRUE(ends.contains({1, 2, 1}));
    EXPECT_TRUE(ends.contains({1, 1, 0})) << "it failed by an old store";
    EXPECT_TRUE(ends.contains({1, 0, 0}));
}
TEST(WeakMemory, AWeakExchangeMayFailForNothing) {
    Litmus litmus({[](W& w, R& r) {
        std::uint64_t expected = 0;
        r[0] = w.x[0].compare_exchange_weak(expected, 1, relaxed, relaxed) ? 1 : 0;
        r[1] = w.x[0].compare_exchange_weak(expected, 2, relaxed, relaxed) ? 1 : 0;
    }});
    EXPECT_EQ(litmus.ends(2), (Ends{{1, 0}}));
    Plan plan;
    plan.spurious = 1;
    EXPECT_EQ(scheduler.explore(litmus, plan).runs, 2U);
}

TEST(WeakMemory, LoadBufferingIsBeyondIt) {
    const auto side = [](std::size_t mine) {
        return [=](W& w, R& r) {
            r[mine] = w.x[1 - mine].load(relaxed);
            w.x[mine].store(1, relaxed);
        };
    };
    EXPECT_EQ(Litmus({side(0), side(1)}).ends(2), (Ends{{0, 0}, {0, 1}, {1, 0}}))
        << "C++20 allows {1, 1}, and no compiler or x86 processor does it";
}

}  // namespace
}  // namespace shmring::test
