// Status, Result and errc: the vocabulary of every call, and the part of it that is ABI.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <set>
#include <string>
#include <system_error>
#include <type_traits>
#include <utility>

#include "shmring/result.hpp"

namespace shmring::test {
namespace {

TEST(StatusNames, NumbersAndNamesAreThoseOfTheAbi) {
    const std::array<std::pair<Status, const char*>, 14> expected = {{
        {Status::ok, "ok"},
        {Status::empty, "empty"},
        {Status::full, "full"},
        {Status::busy, "busy"},
        {Status::timed_out, "timed_out"},
        {Status::closed, "closed"},
        {Status::peer_lost, "peer_lost"},
        {Status::too_large, "too_large"},
        {Status::corrupt, "corrupt"},
        {Status::not_owner, "not_owner"},
        {Status::interrupted, "interrupted"},
        {Status::overflow, "overflow"},
        {Status::invalid, "invalid"},
        {Status::unavailable, "unavailable"},
    }};
    for (std::size_t number = 0; number != expected.size(); ++number) {
        EXPECT_EQ(static_cast<std::uint32_t>(expected[number].first), number);
        EXPECT_STREQ(to_string(expected[number].first), expected[number].second);
    }
    EXPECT_STRNE(to_string(static_cast<Status>(14)), nullptr);
    EXPECT_STRNE(to_string(static_cast<Status>(0xffff'ffff)), nullptr);
}

TEST(Errc, EachHasASentenceOfItsOwn) {
    std::set<std::string> sentences;
    for (int number = 1; number <= static_cast<int>(errc::not_owner); ++number) {
        const std::error_code code = static_cast<errc>(number);
        EXPECT_EQ(code.value(), number);
        EXPECT_STREQ(code.category().name(), "shmring");
        EXPECT_GT(code.message().size(), 10U);
        EXPECT_TRUE(sentences.insert(code.message()).second) << code.message();
    }
    EXPECT_EQ(static_cast<int>(errc::bad_name), 1);
    EXPECT_EQ(static_cast<int>(errc::retired), 20);
    EXPECT_EQ(static_cast<int>(errc::not_owner), 23);
}

TEST(Errc, AnUnknownNumberHasASentenceToo) {
    const std::string unknown = std::error_code(999, error_category()).message();
    EXPECT_NE(unknown, std::error_code(errc::retired).message());
    EXPECT_EQ(unknown, std::error_code(0, error_category()).message());
    EXPECT_GT(unknown.size(), 10U);
}

TEST(Errc, IsAnErrorCodeThatComparesWithItsName) {
    const std::error_code code = errc::seat_taken;
    EXPECT_TRUE(code == errc::seat_taken);
    EXPECT_TRUE(code != errc::bad_name);
    EXPECT_TRUE(code != std::errc::operation_not_permitted) << "the same number in another category";
    EXPECT_EQ(&code.category(), &error_category());
}

// ---- results ---------------------------------------------------------------------------------------------------------

struct Point {
    Point(int x_value, int y_value) : x(x_value), y(y_value) {}  // there is no default
    int x;
    int y;
};
struct alignas(128) Aligned {
    std::array<std::byte, 128> bytes;
};

TEST(ResultOfAValue, HoldsItsValue) {
    Result<int> result = 42;
    EXPECT_TRUE(result);
    EXPECT_TRUE(result.has_value());
    EXPECT_EQ(result.error(), Status::ok);
    EXPECT_EQ(*result, 42);
    *result = 43;
    EXPECT_EQ(std::as_const(result).value_or(7), 43);
    EXPECT_EQ(*std::move(result), 43);
}

TEST(ResultOfAValue, HoldsTheReasonWhyThereIsNone) {
    for (std::uint32_t number = 1; number != 12; ++number) {
        const Result<Point> result = static_cast<Status>(number);
        EXPECT_FALSE(result);
        EXPECT_FALSE(result.has_value());
        EXPECT_EQ(result.error(), static_cast<Status>(number));
        EXPECT_EQ(result.value_or(Point(1, 2)).y, 2);
    }
}

TEST(ResultOfAValue, IsFilledInPlaceOrNotAtAll) {
    void* place = nullptr;
    const Result<Point> filled(std::in_place, [&](void* to) {
        place = to;
        ::new (to) Point(3, 4);
        return Status::ok;
    });
    ASSERT_TRUE(filled);
    EXPECT_EQ(filled->x + filled->y, 7);
    EXPECT_EQ(static_cast<const void*>(&*filled), place);

    const Result<Point> refused(std::in_place, [](void*) { return Status::closed; });
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error(), Status::closed);
}

/// A ring may carry statuses as messages: which is the message and which the answer is never in doubt.
TEST(ResultOfAValue, MayBeAStatusWhichIsFilledInPlace) {
    const Result<Status> none = Status::empty;
    EXPECT_FALSE(none);
    EXPECT_EQ(none.error(), Status::empty);
    const Result<Status> some(std::in_place, [](void* place) {
        ::new (place) Status(Status::closed);
        return Status::ok;
    });
    ASSERT_TRUE(some);
    EXPECT_EQ(*some, Status::closed);
    EXPECT_EQ(some.error(), Status::ok);
}

TEST(ResultOfAValue, NeedsNoDestructorWhereItsValueNeedsNone) {
    static_assert(std::is_trivially_destructible_v<Result<Point>>);
    static_assert(!std::is_convertible_v<Result<Point>, bool>, "only where a condition stands");
    const Result<Point> first = Point(5, 6);
    const Result<Point> second =
        first;  // NOLINT(performance-unnecessary-copy-initialization): the copy is the test
    EXPECT_EQ(second->y, 6);
}

TEST(ResultOfAValue, KeepsTheAlignmentOfItsValue) {
    const Result<Aligned> result = Aligned{};
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(&*result) % alignof(Aligned), 0U);
}

TEST(ResultOfAValue, OwnsAValueThatMustBeDestroyed) {
    const auto counted = std::make_shared<int>(1);
    {
        Result<std::shared_ptr<int>> result = std::shared_ptr<int>(counted);
        EXPECT_EQ(counted.use_count(), 2);
        Result<std::shared_ptr<int>> moved = std::move(result);
        EXPECT_EQ(counted.use_count(), 2);
        EXPECT_EQ(**moved, 1);
        const Result<std::shared_ptr<int>> none = Status::empty;
        EXPECT_EQ(none.error(), Status::empty);
        EXPECT_EQ(none.value_or(counted), counted);
    }
    EXPECT_EQ(counted.use_count(), 1);

    Result<std::unique_ptr<int>> unique = std::make_unique<int>(9);
    const std::unique_ptr<int> taken = *std::move(unique);
    EXPECT_EQ(*taken, 9);
}

/// Its moves throw while it is told to.
struct Unmovable {
    Unmovable() = default;
    Unmovable(const Unmovable& other) : number(other.number) { complain(); }
    Unmovable& operator=(const Unmovable& other) {
        complain();
        number = other.number;
        return *this;
    }
    ~Unmovable() = default;
    static void complain() {
        if (complains) throw std::bad_alloc();
    }
    static inline bool complains = false;
    int number = 1;
};

TEST(ResultOfAValue, StaysWhatItWasWhenAnAssignmentThrows) {
    Result<Unmovable> none = Status::empty;
    Result<Unmovable> some = Unmovable();
    Result<Unmovable> other = Unmovable();
    other->number = 2;
    Unmovable::complains = true;
    EXPECT_THROW(none = other, std::bad_alloc);
    EXPECT_EQ(none.error(), Status::empty);
    EXPECT_THROW(none = std::move(other), std::bad_alloc);
    EXPECT_EQ(none.error(), Status::empty);
    EXPECT_THROW(some = other, std::bad_alloc);
    ASSERT_TRUE(some);
    EXPECT_EQ(some->number, 1);
    Unmovable::complains = false;
    none = other;
    ASSERT_TRUE(none);
    EXPECT_EQ(none->number, 2);
    some = Result<Unmovable>(Status::closed);
    EXPECT_EQ(some.error(), Status::closed);
}

TEST(ResultOfNothing, IsDoneOrSaysWhyNot) {
    const Result<void> done;
    EXPECT_TRUE(done);
    EXPECT_EQ(done.error(), Status::ok);
    const Result<void> done_by_status = Status::ok;
    EXPECT_TRUE(done_by_status.has_value());
    const Result<void> refused = Status::full;
    EXPECT_FALSE(refused);
    EXPECT_EQ(refused.error(), Status::full);
}

TEST(ResultDeathTest, ReadingAValueThatIsNotThereIsAProgrammersError) {
#ifdef NDEBUG
    GTEST_SKIP() << "needs assertions, which this build leaves out";
#else
    const Result<int> none = Status::empty;
    EXPECT_DEATH((void)*none, "has_value");
    EXPECT_DEATH((void)Result<int>(Status::ok), "Status::ok");
#endif
}

}  // namespace
}  // namespace shmring::test
