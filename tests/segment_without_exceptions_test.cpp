// The public headers in a program without exceptions and without run-time type information: tests/CMakeLists.txt compiles
// this file so. The noexcept forms of set-up are made for such programs.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <system_error>

#include "shmring/shmring.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
TEST(SegmentWithoutExceptions, ThisFileIsCompiledWithoutThem) {
    FAIL() << "tests/CMakeLists.txt does not give this file -fno-exceptions -fno-rtti";
}
#else
TEST(SegmentWithoutExceptions, ThisFileIsCompiledWithoutThem) {}
#endif

TEST(SegmentWithoutExceptions, ARingIsMadeAndUsed) {
    const UniqueName name;
    std::error_code code;
    auto ring = SpscRing<int>::create(name, {.capacity = 4}, code);
    ASSERT_FALSE(code) << code.value();
    auto out = ring.producer({}, code);
    ASSERT_FALSE(code);
    auto in = SpscRing<int>::open(name, {}, code).consumer({}, code);
    ASSERT_FALSE(code);
    EXPECT_TRUE(out.try_push(7).has_value());
    auto got = in.try_pop();
    ASSERT_TRUE(got);
    EXPECT_EQ(*got, 7);
    EXPECT_EQ(in.try_pop().error(), Status::empty);
}

TEST(SegmentWithoutExceptions, AFailureIsAnErrorCode) {
    const UniqueName name;
    std::error_code code;
    const auto missing = SpscRing<int>::open(name, {}, code);
    EXPECT_EQ(code, std::errc::no_such_file_or_directory);
    const auto empty = SpscRing<int>::create(name, {.capacity = 0}, code);
    EXPECT_EQ(code, errc::bad_option);
}

}  // namespace
}  // namespace shmring::test
