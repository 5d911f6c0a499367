// Segments in memory that the caller provides: any shared mapping, a region of Boost.Interprocess, a file on a disk.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <string>

#if __has_include(<boost/interprocess/mapped_region.hpp>)
#define SHMRING_TEST_WITH_BOOST 1
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#endif

#include "support/child_process.hpp"
#include "support/raw_file.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using Memory = std::span<std::byte>;

[[nodiscard]] Outcome create_in(Memory memory, const SegmentOptions& options = {},
                                const detail::SegmentSpec& spec = test_spec()) {
    Outcome outcome;
    outcome.segment = Segment::create_in(memory, spec, options, outcome.error);
    return outcome;
}
[[nodiscard]] Outcome open_in(Memory memory, const SegmentOptions& options = {},
                              const detail::SegmentSpec& spec = opening_spec()) {
    Outcome outcome;
    outcome.segment = Segment::open_in(memory, spec, options, outcome.error);
    return outcome;
}
void expect_refusal(const Outcome& outcome, std::error_code code, const std::string& words) {
    EXPECT_FALSE(outcome.segment);
    EXPECT_EQ(outcome.error.code, code) << outcome;
    EXPECT_NE(outcome.text().find(words), std::string::npos) << outcome << "\nwithout: " << words;
}

/// Pages shared with children, and a file that can serve for liveness locks.
class SegmentInMemory : public testing::Test {
 protected:
    static constexpr std::size_t kSize = 64 * 1024;

    void SetUp() override {
        void* start = ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        ASSERT_NE(start, MAP_FAILED);
        memory = {static_cast<std::byte*>(start), kSize};
        file = ::memfd_create("liveness", MFD_CLOEXEC);
        ASSERT_GE(file, 0);
    }
    void TearDown() override {
        ::munmap(memory.data(), memory.size());
        ::close(file);
    }
    [[nodiscard]] SegmentOptions with_liveness(std::uint64_t offset = 0) const {
        return {.liveness_descriptor = file, .liveness_offset = offset};
    }

    Memory memory;
    int file = -1;
};

TEST_F(SegmentInMemory, WhatOneProcessWritesAnotherReads) {
    const Outcome made = create_in(memory);
    ASSERT_TRUE(made.segment) << made;
    ChildProcess child([&] {
        const Outcome opened = open_in(memory);
        EXPECT_TRUE(opened.segment) << opened;
        EXPECT_EQ(opened.segment.geometry(), made.segment.geometry());
        opened.segment.user_metadata()[0] = std::byte{42};
    });
    ASSERT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(made.segment.user_metadata()[0], std::byte{42});
    EXPECT_EQ(made.segment.at(0), memory.data());
    EXPECT_EQ(made.segment.name(), "");
}

TEST_F(SegmentInMemory, TheCallerKeepsTheMapping) {
    (void)create_in(memory).segment;
    memory.back() = std::byte{1};
    EXPECT_TRUE(open_in(memory).segment) << "the first one is gone, what it made is not";
}

TEST_F(SegmentInMemory, MoreMemoryThanNeededIsLeftAlone) {
    std::ranges::fill(memory, std::byte{0xee});
    const Outcome made = create_in(memory);
    ASSERT_TRUE(made.segment) << made;
    const std::size_t size = made.segment.geometry().segment_size;
    EXPECT_EQ(size, Segment::required_size(test_spec()));
    EXPECT_TRUE(std::ranges::all_of(memory.subspan(size), [](std::byte b) { return b == std::byte{0xee}; }));
}

TEST_F(SegmentInMemory, WhatTheMemoryHeldBeforeIsForgotten) {
    std::ranges::fill(memory, std::byte{0xee});
    const Outcome made = create_in(memory);
    ASSERT_TRUE(made.segment) << made;
    const auto rest = made.segment.bytes().subspan(sizeof(detail::SegmentHeader));
    EXPECT_TRUE(std::ranges::all_of(rest, [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_TRUE(
        std::ranges::all_of(made.segment.user_metadata(), [](std::byte b) { return b == std::byte{0}; }));
    EXPECT_FALSE(made.segment.retired());

    std::ranges::fill(rest, std::byte{7});
    const Outcome again = create_in(memory, {}, test_spec(10));
    ASSERT_TRUE(again.segment) << again;
    EXPECT_EQ(open_in(memory).segment.geometry().capacity, 10U);
    const auto new_rest = again.segment.bytes().subspan(sizeof(detail::SegmentHeader));
    EXPECT_TRUE(std::ranges::all_of(new_rest, [](std::byte b) { return b == std::byte{0}; }));
}

TEST_F(SegmentInMemory, ExactlyEnoughIsEnoughAndAByteLessIsNot) {
    const std::size_t needed = Segment::required_size(test_spec());
    EXPECT_TRUE(create_in(memory.first(needed)).segment);
    EXPECT_TRUE(open_in(memory.first(needed)).segment);
    const std::string sizes =
        std::to_string(needed - 1) + " bytes long, needed are " + std::to_string(needed);
    expect_refusal(create_in(memory.first(needed - 1)), errc::memory_too_small, sizes);
    expect_refusal(open_in(memory.first(needed - 1)), errc::memory_too_small,
                   std::to_string(needed - 1) + " bytes long, the segment in it " + std::to_string(needed));
    expect_refusal(open_in(memory.first(4095)), errc::memory_too_small, "4095 bytes long, needed are 4096");
    expect_refusal(create_in({}), errc::memory_too_small, "0 bytes long");
    expect_refusal(open_in({}), errc::memory_too_small, "0 bytes long");
}

TEST_F(SegmentInMemory, MemoryThatDoesNotStartOnAPageIsRefused) {
    for (const std::size_t offset : {8U, 64U, 4095U}) {
        const std::string words = std::to_string(offset) + " bytes behind a page boundary";
        expect_refusal(create_in(memory.subspan(offset)), errc::memory_misaligned, words);
        expect_refusal(open_in(memory.subspan(offset)), errc::memory_misaligned, words);
    }
}

TEST_F(SegmentInMemory, WhereNothingWasMadeNothingIsOpened) {
    expect_refusal(open_in(memory), errc::not_a_segment, "without the magic number");
    std::ranges::fill(memory, std::byte{0xee});
    expect_refusal(open_in(memory), errc::not_a_segment, "without the magic number");
}

TEST_F(SegmentInMemory, ASegmentWhoseMakerDiedBeforeTheEndIsNotOpened) {
    ASSERT_TRUE(create_in(memory).segment);
    std::memset(memory.data(), 0, 8);  // the last thing a maker stores
    expect_refusal(open_in(memory), errc::not_a_segment, "without the magic number");
}

TEST_F(SegmentInMemory, TheHeaderIsCheckedAsInAFile) {
    ASSERT_TRUE(create_in(memory).segment);
    detail::SegmentSpec spec = opening_spec();
    spec.element_size = 24;
    expect_refusal(open_in(memory, {}, spec), errc::wrong_type, "24 in this program");
    for (std::size_t offset = 0; offset != offsetof(detail::SegmentHeader, retired); ++offset) {
        memory[offset] ^= std::byte{0x10};
        EXPECT_FALSE(open_in(memory).segment) << "byte " << offset;
        memory[offset] ^= std::byte{0x10};
    }
    EXPECT_TRUE(open_in(memory).segment);
}

TEST_F(SegmentInMemory, OthersSeeAWholeSegmentOrNoneWhileOneIsMade) {
    ASSERT_TRUE(create_in(memory).segment);
    ChildProcess maker([&] {
        for (;;) {
            if (!create_in(memory, {.prefault = false}).segment) return 1;
            ::usleep(100);  // whole for a while, so that openers see both
        }
    });
    int opened = 0;
    int refused = 0;
    while (opened < 200 || refused < 200) {
        const Outcome outcome = open_in(memory, {.prefault = false});
        (outcome.segment ? opened : refused)++;
        if (outcome.segment) {
            ASSERT_EQ(outcome.segment.geometry().capacity, 96U);
        } else {
            ASSERT_TRUE(outcome.error.code == errc::not_a_segment ||
                        outcome.error.code == errc::corrupt_header)
                << outcome;
        }
    }
    maker.kill(SIGKILL);
    EXPECT_TRUE(maker.join().killed_by(SIGKILL));
}

// ---- liveness ------------------------------------------------------------------------------------------------------

TEST_F(SegmentInMemory, WithoutALivenessDescriptorThereIsNoCrashRecovery) {
    const Outcome made = create_in(memory);
    EXPECT_FALSE(made.segment.crash_recovery());
    EXPECT_EQ(made.segment.descriptor(), -1);
    EXPECT_EQ(made.segment.geometry().liveness_base, detail::kNoLiveness);
    EXPECT_FALSE(open_in(memory).segment.crash_recovery());
}

TEST_F(SegmentInMemory, ALivenessDescriptorIsDuplicatedAndItsOffsetRecorded) {
    const Outcome made = create_in(memory, with_liveness(12345));
    ASSERT_TRUE(made.segment) << made;
    EXPECT_TRUE(made.segment.crash_recovery());
    EXPECT_NE(made.segment.descriptor(), file);
    EXPECT_EQ(made.segment.geometry().liveness_base, 12345U);
    const Outcome opened = open_in(memory, with_liveness());
    ASSERT_TRUE(opened.segment) << opened;
    EXPECT_TRUE(opened.segment.crash_recovery());
    EXPECT_EQ(opened.segment.geometry().liveness_base, 12345U) << "the maker's";
}

/// Two mechanisms on one ring would take each other's living for dead.
TEST_F(SegmentInMemory, MakerAndOpenersMustAgreeOnTheLivenessFile) {
    ASSERT_TRUE(create_in(memory).segment);
    expect_refusal(open_in(memory, with_liveness()), errc::bad_option, "made without a liveness descriptor");
    ASSERT_TRUE(create_in(memory, with_liveness()).segment);
    expect_refusal(open_in(memory), errc::bad_option, "made with a liveness descriptor");
    const int other = ::memfd_create("another", MFD_CLOEXEC);
    expect_refusal(open_in(memory, {.liveness_descriptor = other}), errc::bad_option, "another file");
    ::close(other);
    EXPECT_TRUE(open_in(memory, with_liveness()).segment);
}

TEST_F(SegmentInMemory, ALivenessDescriptorThatCannotServeIsRefused) {
    const int device = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    expect_refusal(create_in(memory, {.liveness_descriptor = device}), errc::not_a_regular_file,
                   "no regular file");
    ::close(device);
    expect_refusal(create_in(memory, {.liveness_descriptor = 1'000'000}),
                   std::make_error_code(std::errc::bad_file_descriptor), "descriptor 1000000");
    expect_refusal(create_in(memory, with_liveness(detail::kMaxLivenessBase + 1)), errc::bad_option,
                   "liveness offset");
    EXPECT_TRUE(create_in(memory, with_liveness(detail::kMaxLivenessBase)).segment);
    EXPECT_TRUE(open_in(memory, with_liveness()).segment);
}

TEST(SegmentOwnFile, TakesNoLivenessDescriptor) {
    const UniqueName name;
    const SegmentOptions options{.liveness_descriptor = 0};
    expect_refusal(create(name, test_spec(), options), errc::bad_option, "liveness descriptor");
    expect_refusal(anonymous(test_spec(), options), errc::bad_option, "liveness descriptor");
}

// ---- where such memory comes from ----------------------------------------------------------------------------------

TEST(SegmentInMemoryOf, AFileThatOutlivesItsUsers) {
    const UniqueName name("-disk");
    const int file = ::open(name.path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    ASSERT_GE(file, 0);
    ASSERT_EQ(::ftruncate(file, 65536), 0);
    void* start = ::mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ASSERT_NE(start, MAP_FAILED);
    const Memory memory{static_cast<std::byte*>(start), 65536};
    const SegmentOptions options{.liveness_descriptor = file, .liveness_offset = detail::kOwnLivenessBase};
    EXPECT_TRUE(create_in(memory, options).segment);
    EXPECT_TRUE(open_in(memory, options).segment);
    memory[offsetof(detail::SegmentHeader, boot_id)] ^= std::byte{1};
    Bytes header(memory.begin(), memory.begin() + sizeof(detail::SegmentHeader));
    fix_checksum(header);
    std::ranges::copy(header, memory.begin());
    expect_refusal(open_in(memory, options), errc::corrupt_header, "before this machine's last boot");
    ::munmap(start, 65536);
    ::close(file);
}

#ifdef SHMRING_TEST_WITH_BOOST
TEST(SegmentInMemoryOf, BoostInterprocess) {
    namespace ipc = boost::interprocess;
    const UniqueName name("-boost");
    ipc::shared_memory_object object(ipc::create_only, name.name().c_str(), ipc::read_write);
    object.truncate(static_cast<ipc::offset_t>(Segment::required_size(test_spec())));
    const ipc::mapped_region region(object, ipc::read_write);
    const Memory memory{static_cast<std::byte*>(region.get_address()), region.get_size()};
    const int handle = object.get_mapping_handle().handle;
    const Outcome made =
        create_in(memory, {.liveness_descriptor = handle, .liveness_offset = detail::kOwnLivenessBase});
    ASSERT_TRUE(made.segment) << made;
    EXPECT_TRUE(made.segment.crash_recovery());
    ChildProcess child([&] {
        const ipc::shared_memory_object same(ipc::open_only, name.name().c_str(), ipc::read_write);
        const ipc::mapped_region other(same, ipc::read_write);
        const Memory seen{static_cast<std::byte*>(other.get_address()), other.get_size()};
        const Outcome opened = open_in(seen, {.liveness_descriptor = same.get_mapping_handle().handle});
        EXPECT_TRUE(opened.segment) << opened;
        opened.segment.user_metadata()[0] = std::byte{42};
    });
    ASSERT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(made.segment.user_metadata()[0], std::byte{42});
}
#else
TEST(SegmentInMemoryOf, BoostInterprocess) {
    GTEST_SKIP() << "Boost.Interprocess was not there when this was built";
}
#endif

}  // namespace
}  // namespace shmring::test
