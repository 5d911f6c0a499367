// The header as input: whatever stands in it, and whoever changes it meanwhile, opening gives an error or the true geometry.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cstring>
#include <random>
#include <set>
#include <string>

#include "support/child_process.hpp"
#include "support/raw_file.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using detail::check_header;
using detail::HeaderCopy;
using detail::Room;
using detail::SectionKind;
using detail::SegmentHeader;
using detail::SetupError;
using detail::SetupReport;

/// A range of header bytes that may hold anything, because it informs people or is reserved for later.
struct Free {
    std::size_t offset;
    std::size_t size;
};
constexpr std::size_t kSections = offsetof(SegmentHeader, sections);
constexpr std::array kFree = {
    Free{offsetof(SegmentHeader, optional_features), 8},
    Free{offsetof(SegmentHeader, generation), 8},
    Free{offsetof(SegmentHeader, creator), sizeof(detail::CreatorIdentity)},
    Free{offsetof(SegmentHeader, schema), 48},
    Free{kSections + 4, 4},
    Free{kSections + 24 + 4, 4},
    Free{kSections + 48 + 4, 4},
    Free{offsetof(SegmentHeader, liveness_file), 16},
};
[[nodiscard]] bool is_free(std::size_t offset) {
    for (const Free& range : kFree)
        if (offset >= range.offset && offset < range.offset + range.size) return true;
    return offset >= kSections + 72 && offset < kSections + 168 && (offset - kSections) % 24 >= 4 &&
           (offset - kSections) % 24 < 8;  // the reserved word of sections that are not there
}

class SegmentHeaderAsInput : public testing::Test {
 protected:
    void SetUp() override {
        const Outcome made = create(name);
        ASSERT_TRUE(made.segment) << made;
        geometry = made.segment.geometry();
        good = read_bytes(name.path());
    }

    /// Checks a header that was never a file.
    [[nodiscard]] Outcome check(const Bytes& bytes) {
        HeaderCopy copy;
        std::memcpy(copy.data(), bytes.data(), HeaderCopy::kSize);
        copy.size = HeaderCopy::kSize;
        Outcome outcome;
        SetupReport report(outcome.error, "open", "bytes");
        found = {};
        const bool passed =
            check_header(copy, {good.size(), Room::Rule::exactly}, opening_spec(), report, found);
        EXPECT_EQ(passed, !outcome.error.code);
        EXPECT_EQ(passed, outcome.text().empty());
        return outcome;
    }
    template <class Field>
    [[nodiscard]] Outcome check_with(std::size_t offset, Field value) {
        Bytes bytes = good;
        set_field(bytes, offset, value);
        fix_checksum(bytes);
        return check(bytes);
    }
    void expect_corrupt(const Outcome& outcome, const std::string& words) {
        EXPECT_EQ(outcome.error.code, errc::corrupt_header) << outcome;
        EXPECT_NE(outcome.text().find(words), std::string::npos) << outcome << "\nwithout: " << words;
    }

    const UniqueName name;
    Bytes good;
    SegmentGeometry geometry;
    SegmentGeometry found;
};

TEST_F(SegmentHeaderAsInput, TheGoodOneGivesItsGeometry) {
    EXPECT_FALSE(check(good).error.code);
    EXPECT_EQ(found, geometry);
}

TEST_F(SegmentHeaderAsInput, EachByteChangedInTheFileIsAnError) {
    for (std::size_t offset = 0; offset != offsetof(SegmentHeader, retired); ++offset) {
        for (const std::byte bits : {std::byte{0x01}, std::byte{0xff}}) {
            Bytes bytes = good;
            bytes[offset] ^= bits;
            write_bytes(name.path(), bytes);
            const Outcome outcome = open(name);
            EXPECT_FALSE(outcome.segment) << "byte " << offset;
            EXPECT_EQ(&outcome.error.code.category(), &error_category())
                << "byte " << offset << ": " << outcome;
        }
    }
}

TEST_F(SegmentHeaderAsInput, LiveBytesChangeNothing) {
    for (std::size_t offset = offsetof(SegmentHeader, user_metadata); offset != sizeof(SegmentHeader);
         ++offset) {
        for (const std::byte bits : {std::byte{0x01}, std::byte{0xff}}) {
            Bytes bytes = good;
            bytes[offset] ^= bits;
            write_bytes(name.path(), bytes);
            const Outcome outcome = open(name);
            ASSERT_TRUE(outcome.segment) << outcome;
            EXPECT_EQ(outcome.segment.geometry(), geometry);
        }
    }
}

/// The same with a forger's checksum: now each field has to stand for itself.
TEST_F(SegmentHeaderAsInput, EachByteChangedAndSummedAgainIsAnErrorUnlessItIsThereForPeople) {
    std::set<std::string> said;
    for (std::size_t offset = 0; offset != offsetof(SegmentHeader, checksum); ++offset) {
        for (int pattern = 1; pattern != 256; ++pattern) {
            Bytes bytes = good;
            bytes[offset] ^= static_cast<std::byte>(pattern);
            fix_checksum(bytes);
            const Outcome outcome = check(bytes);
            if (!outcome.error.code) {
                SegmentGeometry expected = geometry;
                expected.generation = found.generation;
                // These say something about the ring that any value in their range may say.
                expected.liveness_period_ns = found.liveness_period_ns;
                expected.liveness_base = found.liveness_base;
                expected.capacity = found.capacity;  // 95 and 97 messages take as many blocks
                EXPECT_EQ(opening_spec().data_size_for(found.capacity), found.data_size);
                EXPECT_EQ(found, expected) << "byte " << offset;
            }
            const bool any_value_in_range = (offset >= offsetof(SegmentHeader, liveness_period_ns) &&
                                             offset < offsetof(SegmentHeader, constants)) ||
                                            offset == offsetof(SegmentHeader, capacity);
            EXPECT_TRUE(any_value_in_range || !outcome.error.code == is_free(offset))
                << "byte " << offset << ": " << outcome;
            said.insert(outcome.text());
        }
    }
    EXPECT_GT(said.size(), 1000U) << "errors name the values they found";
}

TEST_F(SegmentHeaderAsInput, FieldsOutOfRange) {
    for (const std::uint64_t capacity : {std::uint64_t{0}, detail::kMaxCapacity + 1, ~std::uint64_t{0}})
        expect_corrupt(check_with(offsetof(SegmentHeader, capacity), capacity),
                       "capacity is " + std::to_string(capacity));
    for (const std::uint32_t count : {0U, 4096U, ~0U})
        expect_corrupt(check_with(offsetof(SegmentHeader, participant_count), count),
                       "participant count is " + std::to_string(count));
    for (const std::uint64_t period :
         {std::uint64_t{0}, std::uint64_t{99'999}, std::uint64_t{3'600'000'000'001}})
        expect_corrupt(check_with(offsetof(SegmentHeader, liveness_period_ns), period),
                       "liveness period is ");
    for (const std::uint64_t base : {detail::kMaxLivenessBase + 1, ~std::uint64_t{1}})
        expect_corrupt(check_with(offsetof(SegmentHeader, liveness_base), base), "liveness base is ");
    expect_corrupt(check_with(offsetof(SegmentHeader, header_size), 8192U), "header size is 8192");
    expect_corrupt(check_with(offsetof(SegmentHeader, participant_count), 17U),
                   "17 participants take 4352 bytes");
    expect_corrupt(check_with(offsetof(SegmentHeader, capacity), std::uint64_t{99}),
                   "capacity 99 takes 2176 bytes of data");
    expect_corrupt(check_with(offsetof(SegmentHeader, capacity), detail::kMaxCapacity),
                   "capacity 1099511627776 takes");
    EXPECT_EQ(check_with(offsetof(SegmentHeader, segment_size), ~std::uint64_t{0}).error.code,
              errc::wrong_size);
}

TEST_F(SegmentHeaderAsInput, CapacitiesWhoseBlocksWouldOverflowAreNotMultiplied) {
    detail::SegmentSpec spec = opening_spec();
    spec.block = {1, 0xffff'ffff, 64};
    EXPECT_EQ(detail::data_size_of(spec, detail::kMaxCapacity), 0U);
    spec.block = {1, 64, 64};
    spec.data_size_for = [](std::uint64_t capacity) noexcept { return capacity * 64; };
    EXPECT_EQ(detail::data_size_of(spec, detail::kMaxCapacity), detail::kMaxCapacity * 64)
        << "exactly as much as there may be";
    EXPECT_EQ(detail::data_size_of(spec, detail::kMaxCapacity + 1), 0U);
}

TEST_F(SegmentHeaderAsInput, SectionsThatContradictTheSegmentOrEachOther) {
    const auto section = [](unsigned index, std::size_t field) { return kSections + index * 24 + field; };
    constexpr std::size_t kKind = 0;
    constexpr std::size_t kOffset = 8;
    constexpr std::size_t kSize = 16;
    using U64 = std::uint64_t;
    expect_corrupt(check_with(section(0, kOffset), U64{0}),
                   "section 0 is 4096 bytes at 0");  // over the header
    expect_corrupt(check_with(section(0, kOffset), U64{4097}), "section 0 is 4096 bytes at 4097");  // no page
    expect_corrupt(check_with(section(1, kOffset), U64{4096}),
                   "section 1 is 640 bytes at 4096");                               // over section 0
    expect_corrupt(check_with(section(1, kOffset), U64{12288}), "section 2 is");    // 2 over 1
    expect_corrupt(check_with(section(2, kOffset), U64{16384}), "section 2 is");    // past the end
    expect_corrupt(check_with(section(2, kOffset), U64{1} << 40), "section 2 is");  // far past it
    expect_corrupt(check_with(section(2, kOffset), ~U64{4095}), "section 2 is");    // sum overflows
    expect_corrupt(check_with(section(2, kSize), ~U64{0}),
                   "section 2 is 18446744073709551615 bytes");  // sum overflows
    expect_corrupt(check_with(section(2, kSize), U64{0}), "section 2 is 0 bytes");
    expect_corrupt(check_with(section(1, kSize), U64{0}), "section 1 is 0 bytes");
    expect_corrupt(check_with(section(1, kKind), SectionKind::data), "section 2 is there twice");
    expect_corrupt(check_with(section(1, kKind), SectionKind::none), "section 1 has a place but no kind");
    expect_corrupt(check_with(section(1, kKind), SectionKind::user),
                   "a section for participants, control or data is missing");
    expect_corrupt(check_with(section(4, kKind), SectionKind::user), "section 4 comes behind the last one");
    expect_corrupt(check_with(section(4, kOffset), U64{4096}), "section 4 has a place but no kind");
}

TEST_F(SegmentHeaderAsInput, AGapBeforeASectionIsNoMatter) {
    Bytes bytes = good;
    bytes.resize(bytes.size() + 4096);
    set_field(bytes, kSections + 48 + 8, geometry.data_offset + 4096);
    set_field(bytes, offsetof(SegmentHeader, segment_size), std::uint64_t{bytes.size()});
    fix_checksum(bytes);
    write_bytes(name.path(), bytes);
    const Outcome outcome = open(name);
    ASSERT_TRUE(outcome.segment) << outcome;
    EXPECT_EQ(outcome.segment.geometry().data_offset, geometry.data_offset + 4096);
    outcome.segment.bytes().back() = std::byte{1};
}

TEST_F(SegmentHeaderAsInput, ASectionOfALaterVersionIsPassedOver) {
    Bytes bytes = good;
    bytes.resize(bytes.size() + 4096);
    const detail::Section later{static_cast<SectionKind>(99), 0, good.size(), 4096};
    set_field(bytes, kSections + 72, later);
    set_field(bytes, offsetof(SegmentHeader, segment_size), std::uint64_t{bytes.size()});
    fix_checksum(bytes);
    write_bytes(name.path(), bytes);
    EXPECT_TRUE(open(name).segment);
}

/// Random damage, many bytes at a time, with a forger's checksum: never a crash (asan), never a geometry out of bounds.
TEST_F(SegmentHeaderAsInput, RandomDamageNeverGivesAGeometryOutOfBounds) {
    std::mt19937_64 random(7);
    for (int round = 0; round != 50'000; ++round) {
        Bytes bytes(good.begin(), good.begin() + sizeof(SegmentHeader));
        for (auto damages = random() % 4 + 1; damages != 0; --damages) {
            const std::size_t offset = 8 + random() % (offsetof(SegmentHeader, checksum) - 16);
            set_field(bytes, offset & ~std::size_t{7}, random() >> (random() % 64));
        }
        fix_checksum(bytes);
        if (check(bytes).error.code) continue;
        EXPECT_LE(found.segment_size, good.size());
        EXPECT_LE(found.data_offset + found.data_size, good.size());
        EXPECT_LE(found.control_offset + found.control_size, good.size());
        EXPECT_LE(found.participants_offset + found.participant_count * 256, good.size());
    }
}

/// A peer that scribbles on the header while others open: what was checked is what is used.
TEST_F(SegmentHeaderAsInput, AChangeDuringTheCheckIsAnErrorOrHasNoEffect) {
    const Outcome victim = open(name);
    ASSERT_TRUE(victim.segment) << victim;
    ChildProcess scribbler([&] {
        auto* words = reinterpret_cast<std::atomic<std::uint64_t>*>(victim.segment.at(0));
        constexpr std::size_t kWords = offsetof(SegmentHeader, retired) / 8;
        std::mt19937_64 random(11);
        for (;;) {
            auto& word = words[random() % kWords];
            const std::uint64_t true_value = word.load(std::memory_order_relaxed);
            word.store(true_value ^ (std::uint64_t{1} << (random() % 64)), std::memory_order_relaxed);
            word.store(true_value, std::memory_order_relaxed);
        }
    });
    int opened = 0;
    for (int round = 0; round != 5'000; ++round) {
        const Outcome outcome = open(name, opening_spec(), {.prefault = false});
        if (!outcome.segment) continue;
        ++opened;
        ASSERT_EQ(outcome.segment.geometry(), geometry);
    }
    EXPECT_GT(opened, 0);
    scribbler.kill(SIGKILL);
    EXPECT_TRUE(scribbler.join().killed_by(SIGKILL));
}

}  // namespace
}  // namespace shmring::test
