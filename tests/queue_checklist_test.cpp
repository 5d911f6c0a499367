// What CPython's own tests pin of multiprocessing.Queue, SimpleQueue and Manager().Queue, one test each, under Python's names where it
// is a matter of calls. The numbers are those of the table in docs/semantics.md. What these tests add over queue_test.cpp is the order
// of things as Python's tests have it; 11 is JoinableQueue's.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "shmring/queue.hpp"
#include "support/child_process.hpp"
#include "support/queue_fixture.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {

/// A text whose codec fails as it says.
struct Picky {
    std::string text{};
};

}  // namespace shmring::test

template <>
struct shmring::Codec<shmring::test::Picky> {
    using Picky = test::Picky;
    static std::size_t size(const Picky& value) noexcept {
        return value.text == "cannot be sent" ? kNotEncodable : value.text.size();
    }
    static void encode(const Picky& value, std::span<std::byte> to) noexcept {
        Codec<std::string>::encode(value.text, to);
    }
    static bool decode(Bytes from, Picky& value) {
        (void)Codec<std::string>::decode(from, value.text);
        if (value.text == "throws") throw std::bad_alloc();
        return value.text != "cannot be read";
    }
};

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

/// Used before main(), which is where 12 asks for it: a Queue needs nothing that is made later.
template <class T>
struct BeforeMain {
    Queue<T> queue = queue_of<T>(2);
    bool put = static_cast<bool>(queue.put(value_of(7, T{})));
    Result<T> got = queue.get(true, 3s);
};
const BeforeMain<std::uint64_t> kNumberBeforeMain;
const BeforeMain<std::string> kTextBeforeMain;

/// Far longer than any call that does not wait takes, and far shorter than those would that did.
constexpr auto kAtOnce = 20s;

template <class Call>
[[nodiscard]] Clock::duration time_of(Call&& call) {
    const auto start = Clock::now();
    call();
    return Clock::now() - start;
}

template <class T>
class Checklist : public QueueOf<T> {
 protected:
    static void fill(Queue<T>& queue) {
        while (queue.put_nowait(value_of(0, T{}))) {
        }
    }
};
TYPED_TEST_SUITE(Checklist, QueueTypes);

TYPED_TEST(Checklist, No1AFreshQueueIsEmptyAndNotFull) {
    auto queue = queue_of<TypeParam>(6);
    EXPECT_TRUE(queue.was_empty());
    EXPECT_FALSE(queue.was_full());
}

TYPED_TEST(Checklist, No2SixPutsInSixShapesFillAQueueOfSix) {
    auto queue = queue_of<TypeParam>(6);
    EXPECT_TRUE(queue.put(this->value(1)));
    EXPECT_TRUE(queue.put(this->value(2), true));
    EXPECT_TRUE(queue.put(this->value(3), true, std::nullopt));
    EXPECT_TRUE(queue.put(this->value(4), false));
    EXPECT_TRUE(queue.put(this->value(5), false, std::nullopt));
    EXPECT_FALSE(queue.was_full());
    EXPECT_TRUE(queue.put_nowait(this->value(6)));
    EXPECT_FALSE(queue.was_empty());
    EXPECT_TRUE(queue.was_full());
}

TYPED_TEST(Checklist, No3APutThatMayNotBlockIsRefusedAtOnceByAFullQueue) {
    auto queue = queue_of<TypeParam>(6);
    this->fill(queue);
    const auto took = time_of([&] {
        EXPECT_EQ(queue.put(this->value(7), false).error(), Status::full);
        EXPECT_EQ(queue.put(this->value(7), false, std::nullopt).error(), Status::full);
        EXPECT_EQ(queue.put_nowait(this->value(7)).error(), Status::full);
    });
    EXPECT_LT(took, kAtOnce);
}

TYPED_TEST(Checklist, No4ABlockingPutOnAFullQueueEndsWithItsTimeOut) {
    auto queue = queue_of<TypeParam>(1);
    this->fill(queue);
    const auto took =
        time_of([&] { EXPECT_EQ(queue.put(this->value(7), true, 30ms).error(), Status::timed_out); });
    EXPECT_GE(took, 30ms);
    EXPECT_LT(took, 30ms + kAtOnce);
}

TYPED_TEST(Checklist, No5APutThatMayNotBlockIgnoresItsTimeOut) {
    auto queue = queue_of<TypeParam>(1);
    this->fill(queue);
    const auto took = time_of([&] { EXPECT_EQ(queue.put(this->value(7), false, 1h).error(), Status::full); });
    EXPECT_LT(took, kAtOnce);
}

TYPED_TEST(Checklist, No6WhenAChildHasTakenAllTheParentSeesItEmptyAndNotFull) {
    auto queue = queue_of<TypeParam>(6);
    this->fill(queue);
    EXPECT_TRUE(queue.was_full());
    ChildProcess child([&] {
        auto mine = queue.attach();
        for (int i = 0; i != 6; ++i)
            if (!mine.get()) return 1;
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_TRUE(queue.was_empty());
    EXPECT_FALSE(queue.was_full());
}

TYPED_TEST(Checklist, No7GetInItsShapesTakesWhatAnotherProcessPutInOrder) {
    auto queue = queue_of<TypeParam>(6);
    ChildProcess child([&] {
        for (std::uint64_t number = 2; number != 6; ++number)
            if (!queue.put(this->value(number))) return 1;
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(*queue.get(true, std::nullopt), this->value(2));
    EXPECT_EQ(*queue.get(true), this->value(3));
    EXPECT_EQ(*queue.get(true, 1s), this->value(4));
    EXPECT_EQ(*queue.get_nowait(), this->value(5));
    EXPECT_TRUE(queue.was_empty());
}

TYPED_TEST(Checklist, No8AGetOnAnEmptyQueueAnswersAtOnceOrAfterItsTimeOut) {
    auto queue = queue_of<TypeParam>(6);
    const auto at_once = time_of([&] {
        EXPECT_EQ(queue.get(false).error(), Status::empty);
        EXPECT_EQ(queue.get(false, std::nullopt).error(), Status::empty);
        EXPECT_EQ(queue.get_nowait().error(), Status::empty);
        EXPECT_EQ(queue.get(false, 1h).error(), Status::empty);
    });
    EXPECT_LT(at_once, kAtOnce);
    const auto timed = time_of([&] { EXPECT_EQ(queue.get(true, 30ms).error(), Status::timed_out); });
    EXPECT_GE(timed, 30ms);
    EXPECT_LT(timed, 30ms + kAtOnce);
}

TYPED_TEST(Checklist, No9WhatAParentPutBeforeTheForkAndItsChildAfterItAllComesEachInOrder) {
    auto queue = queue_of<TypeParam>(20);
    for (std::uint64_t number = 0; number != 10; ++number) ASSERT_TRUE(queue.put(this->value(number)));
    ChildProcess child([&] {
        auto mine = queue.attach();
        for (std::uint64_t number = 10; number != 20; ++number)
            if (!mine.put(this->value(number))) return 1;
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    for (std::uint64_t number = 0; number != 20; ++number) ASSERT_EQ(*queue.get(), this->value(number));
    EXPECT_EQ(queue.get(false).error(), Status::empty);
}

TYPED_TEST(Checklist, No10QsizeFollowsPutsAndGets) {
    auto queue = queue_of<TypeParam>(4);
    EXPECT_EQ(queue.qsize(), 0U);
    ASSERT_TRUE(queue.put(this->value(1)));
    EXPECT_EQ(queue.qsize(), 1U);
    ASSERT_TRUE(queue.put(this->value(2)));
    EXPECT_EQ(queue.qsize(), 2U);
    ASSERT_TRUE(queue.get());
    EXPECT_EQ(queue.qsize(), 1U);
    ASSERT_TRUE(queue.get());
    EXPECT_EQ(queue.qsize(), 0U);
}

TEST(ChecklistBeforeMain, No12WhatWasPutInAStaticInitialiserWasGotThere) {
    EXPECT_TRUE(kNumberBeforeMain.put && kTextBeforeMain.put);
    EXPECT_EQ(*kNumberBeforeMain.got, value_of(7, std::uint64_t{}));
    EXPECT_EQ(*kTextBeforeMain.got, value_of(7, std::string()));
}

TYPED_TEST(Checklist, No13AGetWithATimeOutDoesNotEndEarly) {
    auto queue = queue_of<TypeParam>(1);
    EXPECT_GE(time_of([&] { EXPECT_EQ(queue.get(true, 200ms).error(), Status::timed_out); }), 200ms);
}

TYPED_TEST(Checklist, No16AfterCloseEveryCallSaysClosed) {
    auto queue = queue_of<TypeParam>(2);
    queue.close();
    EXPECT_EQ(queue.put(this->value(1)).error(), Status::closed);
    EXPECT_EQ(queue.put_nowait(this->value(1)).error(), Status::closed);
    EXPECT_EQ(queue.put(this->value(1), true, 1h).error(), Status::closed);
    EXPECT_EQ(queue.get().error(), Status::closed);
    EXPECT_EQ(queue.get_nowait().error(), Status::closed);
    EXPECT_EQ(queue.get(true, 1h).error(), Status::closed);
    EXPECT_TRUE(queue.was_closed());
}

TYPED_TEST(Checklist, No17EmptinessIsSeenAcrossProcesses) {
    auto queue = queue_of<TypeParam>(2);
    EXPECT_TRUE(queue.was_empty());
    ChildProcess child([&] {
        auto mine = queue.attach();
        return mine.put(this->value(1)) && mine.put(this->value(0)) ? 0 : 1;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_FALSE(queue.was_empty());
    EXPECT_EQ(*queue.get(), this->value(1));
    EXPECT_EQ(*queue.get(), this->value(0));
    EXPECT_TRUE(queue.was_empty());
}

TYPED_TEST(Checklist, No18ClosingTwiceIsNoError) {
    auto queue = queue_of<TypeParam>(2);
    queue.close();
    queue.close();
    queue.attach().close();
    EXPECT_TRUE(queue.attach().was_closed());
    queue.detach();
    queue.detach();
    EXPECT_EQ(queue.get().error(), Status::closed);
}

TYPED_TEST(Checklist, No19AQueueOfTwoShowsItsMakerWhatAnotherProcessDoesToIt) {
    const UniqueName name;
    auto made = Queue<TypeParam>::create(name, queue_options<TypeParam>(2));
    EXPECT_TRUE(ChildProcess([&] {
                    auto found = Queue<TypeParam>::open(name);
                    return found.put(this->value(5)) && found.put(this->value(6)) ? 0 : 1;
                })
                    .join()
                    .exited_with(0));
    EXPECT_EQ(made.qsize(), 2U);
    EXPECT_TRUE(made.was_full());
    EXPECT_FALSE(made.was_empty());
    EXPECT_TRUE(ChildProcess([&] {
                    auto found = Queue<TypeParam>::open(name);
                    return *found.get() == this->value(5) && *found.get() == this->value(6) ? 0 : 1;
                })
                    .join()
                    .exited_with(0));
    EXPECT_TRUE(made.was_empty());
    EXPECT_FALSE(made.was_full());
}

// ---- values that cannot be sent or read ------------------------------------------------------------------------------

class ChecklistOfCodecs : public testing::Test {
 protected:
    void SetUp() override { ::alarm(100); }
    void TearDown() override { ::alarm(0); }
    void expect_room_for_one() {
        EXPECT_TRUE(queue.was_empty());
        EXPECT_TRUE(queue.put({"good"}, false));
        EXPECT_TRUE(queue.was_full());
        EXPECT_EQ(queue.get(true, 10s)->text, "good");
    }
    Queue<Picky> queue = Queue<Picky>::anonymous({.capacity = 1, .capacity_bytes = 64});
};

TEST_F(ChecklistOfCodecs, No14AValueThatCannotBeEncodedTakesNoRoomAndTheNextOneArrives) {
    EXPECT_EQ(queue.put({"cannot be sent"}).error(), Status::too_large);
    EXPECT_EQ(queue.put({"cannot be sent"}, false).error(), Status::too_large);
    EXPECT_EQ(queue.put({"cannot be sent"}, true, 1h).error(), Status::too_large);
    EXPECT_EQ(queue.qsize(), 0U);
    expect_room_for_one();
}

TEST_F(ChecklistOfCodecs, No15AValueThatCannotBeDecodedIsToldToItsReaderAndGivesItsRoomBack) {
    ASSERT_TRUE(queue.put({"cannot be read"}));
    EXPECT_EQ(queue.get().error(), Status::corrupt);
    expect_room_for_one();
    ASSERT_TRUE(queue.put({"throws"}));
    EXPECT_THROW((void)queue.get(), std::bad_alloc);
    expect_room_for_one();
}

TEST_F(ChecklistOfCodecs, No15AValueThatCannotBeDecodedIsToldAfterTheBatchThatItEnds) {
    auto three = Queue<Picky>::anonymous({.capacity = 3, .capacity_bytes = 3 * 64});
    for (const char* text : {"good", "cannot be read", "better"}) ASSERT_TRUE(three.put({text}));
    std::array<Picky, 3> got;
    EXPECT_EQ(*three.try_pop_n(got), 1U);
    EXPECT_EQ(got[0].text, "good");
    EXPECT_EQ(three.try_pop_n(got).error(), Status::corrupt);
    EXPECT_EQ(*three.try_pop_n(got), 1U);
    EXPECT_EQ(got[0].text, "better");
    EXPECT_EQ(three.try_pop_n(got).error(), Status::empty);
}

TEST_F(ChecklistOfCodecs, No14AVectorWithAnElementThatCannotBeEncodedCannotEither) {
    using Codecs = Codec<std::vector<Picky>>;
    EXPECT_EQ(Codecs::size({{"good"}, {"good"}}), 2 * (4 + 4U));
    EXPECT_EQ(Codecs::size({{"good"}, {"cannot be sent"}, {"good"}}), kNotEncodable);
    auto lists = Queue<std::vector<Picky>>::anonymous({.capacity = 1, .capacity_bytes = 64});
    EXPECT_EQ(lists.put({{"good"}, {"cannot be sent"}}).error(), Status::too_large);
    ASSERT_TRUE(lists.put({{"good"}, {"better"}}));
    EXPECT_EQ(lists.get()->back().text, "better");
}

}  // namespace
}  // namespace shmring::test
