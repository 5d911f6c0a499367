// Which types may be messages, what the others are told, and how types of one size are told apart.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <stdio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "shmring/message.hpp"
#include "shmring/segment.hpp"

namespace shmring::test {
namespace {

struct Tick {
    std::uint64_t sequence;
    double price;
};
struct WithConstants {
    const int number;
};
struct MoveOnlyBytes {
    MoveOnlyBytes(MoveOnlyBytes&&) = default;
    int number;
};
struct Empty {};
struct Virtual {
    virtual void act() {}
};
struct Cleaner {
    ~Cleaner() {}  // NOLINT(modernize-use-equals-default): one that is not trivial
};
struct alignas(4096) Page {};
struct alignas(8192) TwoPages {};
enum class Colour : std::uint8_t { red };

static_assert(Message<Tick> && Message<int> && Message<char> && Message<bool> && Message<double> &&
              Message<Colour>);
static_assert(Message<std::array<std::uint32_t, 1000>> && Message<Empty> && Message<Page>);
static_assert(Message<std::optional<int>> && Message<WithConstants> && Message<MoveOnlyBytes>);

static_assert(!Message<std::string> && !Message<std::vector<int>> && !Message<std::unique_ptr<int>>);
static_assert(!Message<int*> && !Message<const char*> && !Message<void (*)()> && !Message<int Tick::*>);
static_assert(!Message<int&> && !Message<int&&> && !Message<const int> && !Message<volatile int> &&
              !Message<int[4]>);
static_assert(!Message<Virtual> && !Message<Cleaner> && !Message<TwoPages> && !Message<void()>);

static_assert(detail::explain_message<Tick>() && detail::explain_message<Page>());

TEST(MessageDiagnostics, EachMistakeIsExplainedInOneSentence) {
    if (std::system("command -v c++ >/dev/null 2>&1") != 0)
        GTEST_SKIP() << "needs a compiler named c++";  // NOLINT
    const std::string command = "c++ -std=c++20 -fsyntax-only -fmax-errors=0 -I'" SHMRING_SOURCE_DIR
                                "/include' -x c++ - 2>&1 <<'END'\n"
                                R"(
        #include <string>
        #include "shmring/spsc_ring.hpp"
        struct alignas(8192) TwoPages {};
        template class shmring::SpscRing<std::string>;
        template class shmring::SpscRing<char*>;
        template class shmring::SpscRing<int[4]>;
        template class shmring::SpscRing<const int>;
        template class shmring::SpscRing<TwoPages>;
)"
                                "END\n";
    FILE* compiler = ::popen(command.c_str(), "r");  // NOLINT(cert-env33-c): a command of our own
    ASSERT_NE(compiler, nullptr);
    std::string said;
    std::array<char, 4096> part{};
    while (::fgets(part.data(), part.size(), compiler) != nullptr) said += part.data();
    EXPECT_NE(::pclose(compiler), 0) << "it compiled";
    for (const char* sentence :
         {"a std::string or std::vector owns memory that the other process does not have",
          "a pointer cannot be a message: its target does not exist in the other process",
          "an array cannot be a message by itself: use std::array", "a message type must not be const",
          "a message type must not ask for more than page alignment"})
        EXPECT_NE(said.find(sentence), std::string::npos) << sentence;
}

TEST(TypeFingerprint, TellsSizeAlignmentAndSchemaApart) {
    using Type = std::tuple<std::uint32_t, std::uint32_t, std::string_view>;
    const std::vector<Type> types = {
        {8, 8, ""},
        {16, 8, ""},
        {8, 4, ""},
        {4, 8, ""},
        {8, 8, "Tick/1"},
        {8, 8, "Tick/2"},
        {8, 8, "Tick/1 "},
        {8, 8, "tick/1"},
        {8, 8, std::string_view("\0", 1)},
        {8, 8, std::string_view("Tick/1\0", 7)},
        {264, 8, ""},
        {8, 264, ""},
        {0, 0, ""},
    };
    for (std::size_t one = 0; one != types.size(); ++one)
        for (std::size_t other = 0; other != types.size(); ++other) {
            const std::uint64_t first = std::apply(detail::type_fingerprint, types[one]);
            const std::uint64_t second = std::apply(detail::type_fingerprint, types[other]);
            EXPECT_EQ(first == second, one == other) << one << " and " << other;
        }
}

TEST(TypeFingerprint, ReadsTheSchemaWhereverItStandsAndAsFarAsItGoes) {
    const std::string elsewhere = "Tick/1";
    EXPECT_EQ(detail::type_fingerprint(8, 8, "Tick/1"), detail::type_fingerprint(8, 8, elsewhere));
    const std::string common(60, 'x');  // longer than what the header keeps for people
    EXPECT_NE(detail::type_fingerprint(8, 8, common + "1"), detail::type_fingerprint(8, 8, common + "2"));
}

}  // namespace
}  // namespace shmring::test

namespace {
struct Named {
    int number;
};
}  // namespace
template <>
inline constexpr std::string_view shmring::schema<Named> = "Named/1";
static_assert(shmring::schema<Named> == "Named/1" && shmring::schema<int>.empty());
