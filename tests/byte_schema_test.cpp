// What the bytes of a ring mean where no type says it: a schema named when the ring is made, and again by whoever opens it.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <span>
#include <string>
#include <system_error>

#include "shmring/byte_pipe.hpp"
#include "shmring/byte_ring.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

template <class RingType, class OptionsType>
struct Kind {
    using Ring = RingType;
    using Options = OptionsType;
};
using Kinds = ::testing::Types<Kind<ByteRing, ByteRingOptions>, Kind<MpmcByteRing, MpmcByteRingOptions>,
                               Kind<BytePipe, PipeOptions>>;

template <class Kind>
class SchemaOf : public ::testing::Test {
 protected:
    using Tested = typename Kind::Ring;
    using ItsOptions = typename Kind::Options;

    [[nodiscard]] static ItsOptions options() { return {.capacity_bytes = 4096, .schema = "frames/1"}; }
    static void expect_refused(const std::string& segment, const std::string& program, auto&& open) {
        try {
            (void)open();
            ADD_FAILURE() << "opened";
        } catch (const std::system_error& error) {
            EXPECT_EQ(error.code(), errc::wrong_type);
            EXPECT_NE(std::string(error.what()).find(segment), std::string::npos) << error.what();
            EXPECT_NE(std::string(error.what()).find(program), std::string::npos) << error.what();
        }
    }
    /// All ways to open, each naming `schema`.
    void expect_openings(const std::string& schema, auto&& expect) {
        const Tested made = Tested::create(name_, options());
        expect([&] { return Tested::open(name_, {.schema = schema}); });
        expect([&] { return Tested::from_descriptor(made.segment().descriptor(), {.schema = schema}); });
        const Tested anonymous = Tested::anonymous(options());
        expect([&] { return Tested::from_descriptor(anonymous.segment().descriptor(), {.schema = schema}); });

        const std::size_t size = Tested::required_bytes(options());
        void* const mapped = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(mapped, MAP_FAILED);
        {
            const std::span<std::byte> memory(static_cast<std::byte*>(mapped), size);
            const Tested inside = Tested::create_in(memory, options());
            expect([&] { return Tested::open_in(memory, {.schema = schema}); });
        }
        ::munmap(mapped, size);
    }

    UniqueName name_{};
};
TYPED_TEST_SUITE(SchemaOf, Kinds);

TYPED_TEST(SchemaOf, IsNamedByWhoOpensARingInWhateverWay) {
    int opened = 0;
    this->expect_openings("frames/1", [&](auto&& open) { opened += open() ? 1 : 0; });
    EXPECT_EQ(opened, 4);
}

TYPED_TEST(SchemaOf, RefusesWhoNamesAnotherOne) {
    this->expect_openings("frames/2",
                          [&](auto&& open) { this->expect_refused("\"frames/1\"", "\"frames/2\"", open); });
}

TYPED_TEST(SchemaOf, RefusesWhoNamesNoneAndSaysHowToNameIt) {
    this->expect_openings(
        "", [&](auto&& open) { this->expect_refused("\"frames/1\"", "SegmentOptions::schema", open); });
}

TYPED_TEST(SchemaOf, IsComparedByOpenOrCreateToo) {
    using Ring = typename TypeParam::Ring;
    auto options = this->options();
    EXPECT_TRUE(Ring::open_or_create(this->name_, options));
    EXPECT_TRUE(Ring::open_or_create(this->name_, options));
    options.schema = "frames/2";
    this->expect_refused("\"frames/1\"", "\"frames/2\"",
                         [&] { return Ring::open_or_create(this->name_, options); });
}

TYPED_TEST(SchemaOf, ANamedOneIsNotThatOfARingWithout) {
    using Ring = typename TypeParam::Ring;
    const Ring made = Ring::create(this->name_, {.capacity_bytes = 4096});
    EXPECT_TRUE(Ring::open(this->name_));
    this->expect_refused("\"\"", "\"frames/1\"",
                         [&] { return Ring::open(this->name_, {.schema = "frames/1"}); });
}

TYPED_TEST(SchemaOf, IsRefusedAmongTheSegmentsOptionsWhenARingIsMade) {
    using Ring = typename TypeParam::Ring;
    std::error_code code;
    EXPECT_FALSE(Ring::anonymous({.capacity_bytes = 4096, .segment = {.schema = "frames/1"}}, code));
    EXPECT_EQ(code, errc::bad_option);
}

TEST(SchemaOfATypedRing, IsItsTypesAndCannotBeNamed) {
    const UniqueName name;
    std::error_code code;
    const auto made = SpscRing<int>::create(name, {.capacity = 4});
    EXPECT_FALSE(SpscRing<int>::open(name, {.schema = "frames/1"}, code));
    EXPECT_EQ(code, errc::bad_option);
    const auto texts = Queue<std::string>::anonymous({.capacity = 4, .capacity_bytes = 4096});
    EXPECT_FALSE(
        Queue<std::string>::from_descriptor(texts.segment().descriptor(), {.schema = "frames/1"}, code));
    EXPECT_EQ(code, errc::bad_option);
    (void)Pipe<int>::pair({.capacity = 4, .schema = "frames/1"}, code);
    EXPECT_EQ(code, errc::bad_option);
    (void)Pipe<std::string>::pair({.capacity_bytes = 4096, .schema = "frames/1"}, code);
    EXPECT_EQ(code, errc::bad_option);
}

}  // namespace
}  // namespace shmring::test
