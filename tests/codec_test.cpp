// Values through a ByteRing: what the compiler finds a codec for arrives as it was, what is no such value is refused.
// SPDX-License-Identifier: MIT
#include "shmring/codec.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "shmring/byte_ring.hpp"

namespace shmring::test {

struct Order {
    std::uint32_t number = 0;
    std::string text;
};

}  // namespace shmring::test

template <>
struct shmring::Codec<shmring::test::Order> {
    using Order = test::Order;
    static std::size_t size(const Order& order) noexcept { return sizeof order.number + order.text.size(); }
    static void encode(const Order& order, std::span<std::byte> to) noexcept {
        Codec<std::uint32_t>::encode(order.number, to.first(sizeof order.number));
        Codec<std::string>::encode(order.text, to.subspan(sizeof order.number));
    }
    static bool decode(Bytes from, Order& order) {
        return from.size() >= sizeof order.number &&
               Codec<std::uint32_t>::decode(from.first(sizeof order.number), order.number) &&
               Codec<std::string>::decode(from.subspan(sizeof order.number), order.text);
    }
};

namespace shmring::test {
namespace {

static_assert(Encodable<int> && Decodable<int> && Encodable<std::string> && Encodable<std::string_view>);
static_assert(Decodable<std::vector<std::string>> && Decodable<std::vector<std::vector<int>>> &&
              Decodable<Order>);
static_assert(!Decodable<std::string_view> && !Encodable<int*> && !Encodable<std::vector<bool>>);

class Values : public testing::Test {
 protected:
    template <class T>
    T through(const T& sent) {
        T got{};
        EXPECT_TRUE(out_.push_value(sent, 4));
        const auto received = in_.pop_value(got);
        EXPECT_TRUE(received && received->tag == 4);
        return got;
    }
    ByteRing ring_ = ByteRing::anonymous({.capacity_bytes = 4096});
    ByteRing::Producer out_ = ring_.producer();
    ByteRing::Consumer in_ = ring_.consumer();
};

TEST_F(Values, ArriveAsTheyWereSent) {
    EXPECT_EQ(through(42), 42);
    EXPECT_EQ(through(std::string("text\0with zero", 14)), std::string("text\0with zero", 14));
    EXPECT_EQ(through(std::string()), "");
    EXPECT_EQ(through(std::vector<double>{1.5, -2}), (std::vector<double>{1.5, -2}));
    EXPECT_EQ(through(std::vector<int>{}), std::vector<int>{});
    const std::vector<std::string> words{"one", "", "three"};
    EXPECT_EQ(through(words), words);
    const std::vector<std::vector<int>> rows{{1, 2}, {}, {3}};
    EXPECT_EQ(through(rows), rows);
    const Order order = through(Order{7, "seven"});
    EXPECT_EQ(order.number, 7U);
    EXPECT_EQ(order.text, "seven");
}

TEST_F(Values, OfAnotherTypeAreCorruptAndStay) {
    ASSERT_TRUE(out_.push_value(std::string_view("abc")));
    int number = 0;
    EXPECT_EQ(in_.try_pop_value(number).error(), Status::corrupt);
    std::vector<std::string> words;
    EXPECT_EQ(in_.try_pop_value(words).error(), Status::corrupt);
    std::string text;
    ASSERT_TRUE(in_.try_pop_value(text));
    EXPECT_EQ(text, "abc");
}

TEST_F(Values, ThatAreTooLargeAreRefused) {
    EXPECT_EQ(out_.try_push_value(std::string(4096, 'x')).error(), Status::too_large);
    EXPECT_EQ(in_.try_next().error(), Status::empty);
}

/// A size inside a vector's bytes that points behind its end must not be followed.
TEST(VectorCodec, RefusesSizesThatRunOverTheEnd) {
    const std::vector<std::string> words{"ab", "cd"};
    std::vector<std::byte> bytes(Codec<std::vector<std::string>>::size(words));
    Codec<std::vector<std::string>>::encode(words, bytes);
    std::vector<std::string> got;
    ASSERT_TRUE(Codec<std::vector<std::string>>::decode(bytes, got));
    for (std::size_t cut = 1; cut != bytes.size(); ++cut) {
        if (cut == bytes.size() / 2) continue;  // between the two strings: a shorter vector
        EXPECT_FALSE(Codec<std::vector<std::string>>::decode(Bytes(bytes).first(cut), got)) << cut;
    }
    const std::uint32_t huge = 0xffffffff;
    std::memcpy(bytes.data(), &huge, sizeof huge);
    EXPECT_FALSE(Codec<std::vector<std::string>>::decode(bytes, got));
}

}  // namespace
}  // namespace shmring::test
