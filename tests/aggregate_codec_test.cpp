// Structs without a codec of their own: their fields travel one behind the other, and what is no such struct is refused.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "shmring/codec.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"

namespace shmring::test {
/// A type without a codec, and vectors of such and their users' own codecs below.
template <class T>
concept Nameable = requires(const T& value) {
    { value.name() } -> std::same_as<char>;
};
class Shape {
 public:
    Shape() = default;
    explicit Shape(char name) : name_(name) {}
    virtual ~Shape() = default;
    [[nodiscard]] char name() const { return name_; }

 private:
    char name_ = '?';
};
struct Blob {
    std::vector<std::string> words;
};
}  // namespace shmring::test
template <class T>
requires shmring::test::Nameable<T>
struct shmring::Codec<std::vector<T>> {
    static std::size_t size(const std::vector<T>& values) noexcept { return values.size(); }
    static void encode(const std::vector<T>& values, std::span<std::byte> to) noexcept {
        for (std::size_t i = 0; i != values.size(); ++i) to[i] = static_cast<std::byte>(values[i].name());
    }
    static bool decode(shmring::Bytes from, std::vector<T>& values) {
        values.clear();
        for (const std::byte byte : from) values.emplace_back(static_cast<char>(byte));
        return true;
    }
};
template <std::same_as<std::vector<shmring::test::Blob>> Blobs>
struct shmring::Codec<Blobs> {
    static std::size_t size(const Blobs&) noexcept { return 1; }
    static void encode(const Blobs& blobs, std::span<std::byte> to) noexcept {
        to[0] = static_cast<std::byte>(blobs.size());
    }
    static bool decode(shmring::Bytes from, Blobs& blobs) {
        blobs.resize(static_cast<std::size_t>(from[0]));
        return true;
    }
};

namespace shmring::test {
namespace {

struct Leg {
    std::string venue;
    std::int64_t quantity = 0;
    bool operator==(const Leg&) const = default;
};
struct Trade {
    std::string name;
    std::vector<double> prices;
    int id = 0;
    std::array<char, 4> side{};
    Leg first;
    std::vector<Leg> others;
    std::vector<std::string> words;
    bool is_final = false;
    bool operator==(const Trade&) const = default;
};
struct One {
    std::string text;
};
struct Sixteen {
    std::string a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p;
};
struct Seventeen {
    std::string a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q;
};
struct WithArray {
    std::string text;
    int numbers[3];
};
struct Base {
    int number = 0;
};
struct Derived : Base {
    std::string text;
};
struct WithPointer {
    std::string text;
    int* pointer = nullptr;
};
class Private {
    [[maybe_unused]] std::string text_;
};
struct WithBitField {
    std::string text;
    unsigned flags : 3;
};
struct BitFields {  // a Message
    unsigned low : 3;
    unsigned high : 5;
};
struct WithMessageOfBitFields {
    std::string text;
    BitFields bits;
};
struct Tree {
    std::string name;
    std::vector<Tree> children;
};
struct There;
struct Here {
    std::string name;
    std::vector<There> others;
};
struct There {
    std::string name;
    std::vector<std::vector<Here>> others;
};
struct WithTree {
    std::string name;
    Tree tree;
};
struct TwoOfAKind {
    Leg first;
    Leg second;
    std::vector<Leg> more;
};
static_assert(Encodable<Trade> && Decodable<Trade> && Encodable<One> && Decodable<Sixteen>);
static_assert(Decodable<std::vector<Trade>>);
static_assert(!Encodable<Seventeen> && !Encodable<WithArray> && !Encodable<Derived> && !Encodable<Private>);
static_assert(!Encodable<WithPointer> && !Encodable<std::vector<WithPointer>>);
static_assert(!Encodable<WithBitField> && !Encodable<std::vector<WithBitField>> &&
              Decodable<WithMessageOfBitFields>);
static_assert(!Encodable<Tree> && !Decodable<Tree> && !Encodable<std::vector<Tree>> && !Encodable<WithTree>);
static_assert(!Encodable<Here> && !Encodable<There> && !Decodable<std::vector<There>>);
static_assert(Encodable<TwoOfAKind> && Decodable<TwoOfAKind>, "one type twice is no recursion");

Trade trade(int id) {
    return {"name of " + std::to_string(id), {1.5, -2, id * 0.25}, id,  {'b', 'u', 'y', ' '}, {"here", 7},
            {{"there", 8}, {"", -1}},        {"one", "", "three"}, true};
}
template <class T>
std::vector<std::byte> bytes_of(const T& value) {
    std::vector<std::byte> bytes(Codec<T>::size(value));
    Codec<T>::encode(value, bytes);
    return bytes;
}

TEST(AggregateCodec, CarriesAStructThroughAQueueAndAPipe) {
    auto queue = Queue<Trade>::anonymous({.capacity = 4, .capacity_bytes = 64 * 1024});
    ASSERT_TRUE(queue.push(trade(1)) && queue.push(Trade{}));
    EXPECT_EQ(*queue.pop(), trade(1));
    EXPECT_EQ(*queue.pop(), Trade{});
    auto ends = Pipe<std::vector<Trade>>::pair({.capacity = 4, .capacity_bytes = 64 * 1024});
    const std::vector<Trade> many{trade(2), {}, trade(3)};
    ASSERT_TRUE(ends.first.send(many));
    EXPECT_EQ(*ends.second.recv(), many);
}

TEST(AggregateCodec, KeepsEachOfSixteenFields) {
    Sixteen sent;
    sent.a = "first";
    sent.p = "last";
    Sixteen got;
    ASSERT_TRUE(Codec<Sixteen>::decode(bytes_of(sent), got));
    EXPECT_EQ(got.a + got.b + got.p, "firstlast");
}

TEST(AggregateCodec, LaysMessagesBareAndOthersBehindTheirSize) {
    EXPECT_EQ(bytes_of(Leg{"ab", 1}).size(), 4U + 2U + 8U);
    EXPECT_EQ(bytes_of(One{}).size(), 4U);
}

TEST(AggregateCodec, RefusesBytesThatAreTooFewOrTooMany) {
    std::vector<std::byte> bytes = bytes_of(trade(1));
    Trade got;
    for (std::size_t size = 0; size != bytes.size(); ++size)
        EXPECT_FALSE(Codec<Trade>::decode(Bytes(bytes).first(size), got)) << size;
    ASSERT_TRUE(Codec<Trade>::decode(bytes, got));
    EXPECT_EQ(got, trade(1));
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(Codec<Trade>::decode(bytes, got));
}

TEST(AggregateCodec, RefusesASizeThatRunsOverTheEnd) {
    std::vector<std::byte> bytes = bytes_of(One{"text"});
    One got;
    for (const std::uint32_t size : {5U, 0xffff'ffffU}) {
        std::memcpy(bytes.data(), &size, sizeof size);
        EXPECT_FALSE(Codec<One>::decode(bytes, got)) << size;
    }
}

TEST(AggregateCodec, RefusesAByteThatIsNoBool) {
    std::vector<std::byte> bytes = bytes_of(trade(1));
    bytes.back() = std::byte{2};
    Trade got;
    EXPECT_FALSE(Codec<Trade>::decode(bytes, got));
    bool flag = false;
    EXPECT_FALSE(Codec<bool>::decode(Bytes(bytes).last(1), flag));
}

TEST(AggregateCodec, ATruncatedMessageIsCorruptToItsReader) {
    auto ring = ByteRing::anonymous({.capacity_bytes = 4096});
    auto out = ring.producer();
    auto in = ring.consumer();
    const std::vector<std::byte> bytes = bytes_of(trade(1));
    ASSERT_TRUE(out.try_push(Bytes(bytes).first(bytes.size() - 1)));
    Trade got;
    EXPECT_EQ(in.try_pop_value(got).error(), Status::corrupt);
}

/// As deep as its own codec allows.
struct Branch {
    std::string name;
    std::vector<Branch> children;
};
/// What one field cannot say, the struct cannot.
struct Mute {
    std::string text;
};
/// A Message with a codec of its own, which is shorter.
struct Terse {
    std::int32_t number = 0;
    std::int32_t digit = 0;
    bool operator==(const Terse&) const = default;
};
}  // namespace
}  // namespace shmring::test

template <>
struct shmring::Codec<shmring::test::Terse> {
    static std::size_t size(const test::Terse&) noexcept { return 5; }
    static void encode(const test::Terse& value, std::span<std::byte> to) noexcept {
        std::memcpy(to.data(), &value.number, 4);
        to[4] = static_cast<std::byte>(value.digit);
    }
    static bool decode(Bytes from, test::Terse& value) {
        if (from.size() != 5) return false;
        std::memcpy(&value.number, from.data(), 4);
        value.digit = static_cast<std::int32_t>(from[4]);
        return value.digit < 10;
    }
};

template <>
struct shmring::Codec<shmring::test::Branch> {  // the name alone
    static std::size_t size(const test::Branch& value) noexcept { return value.name.size(); }
    static void encode(const test::Branch& value, std::span<std::byte> to) noexcept {
        Codec<std::string>::encode(value.name, to);
    }
    static bool decode(Bytes from, test::Branch& value) {
        value.children.clear();
        return Codec<std::string>::decode(from, value.name);
    }
};

template <>
struct shmring::Codec<shmring::test::Mute> {
    static std::size_t size(const test::Mute&) noexcept { return kNotEncodable; }
    static void encode(const test::Mute&, std::span<std::byte>) noexcept {}
    static bool decode(Bytes, test::Mute&) { return false; }
};

namespace shmring::test {
namespace {

struct Speaker {
    std::string name;
    Mute mute;
    std::string more;
};

struct Letter {
    std::string text;
    Terse terse;
    std::string more;
    bool operator==(const Letter&) const = default;
};

TEST(AggregateCodec, AMessageWithACodecOfItsOwnTravelsByThatOne) {
    auto queue = Queue<Letter>::anonymous({.capacity = 2, .capacity_bytes = 4096});
    const Letter letter{"dear", {1000, 7}, "yours"};
    ASSERT_TRUE(queue.push(letter));
    EXPECT_EQ(*queue.pop(), letter);
    ASSERT_TRUE(queue.push({"dear", {1, 10}, "yours"}));
    EXPECT_EQ(queue.pop().error(), Status::corrupt) << "as its codec says";
}

struct Garden {
    std::string place;
    Branch branch;
    std::vector<Branch> more;
};

TEST(AggregateCodec, AUsersOwnCodecOfVectorsOrOfAConceptGoesBeforeThatOfElements) {
    const std::vector<Shape> shapes{Shape('a'), Shape('b')};
    std::vector<Shape> got;
    ASSERT_TRUE(Codec<std::vector<Shape>>::decode(Bytes(bytes_of(shapes)), got));
    EXPECT_EQ(got[1].name(), 'b');
    EXPECT_EQ(bytes_of(std::vector<Blob>(3)).size(), 1U);
    EXPECT_TRUE(Encodable<std::vector<std::string>>);
    EXPECT_FALSE(Encodable<Shape>);
}
TEST(AggregateCodec, ATypeThatHoldsItselfTravelsByACodecOfItsOwn) {
    static_assert(Encodable<Branch> && Decodable<Garden>);
    Garden got;
    ASSERT_TRUE(
        Codec<Garden>::decode(bytes_of(Garden{"here", {"first", {{"twig", {}}}}, {{"second", {}}}}), got));
    EXPECT_EQ(got.place + got.branch.name, "herefirst");
    EXPECT_TRUE(got.branch.children.empty());
    ASSERT_EQ(got.more.size(), 1U);
    EXPECT_EQ(got.more[0].name, "second");
}

TEST(AggregateCodec, WithAFieldThatCannotBeSentIsTooLarge) {
    auto queue = Queue<Speaker>::anonymous({.capacity = 1, .capacity_bytes = 4096});
    EXPECT_EQ(queue.try_push({"name", {}, "more"}).error(), Status::too_large);
}

}  // namespace
}  // namespace shmring::test
