// What may be asked of a segment, what is granted, and what set-up costs the process: ranges, grants, descriptors.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "shmring/detail/segment_memory.hpp"
#include "support/child_process.hpp"
#include "support/raw_file.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

void expect_bad_option(const detail::SegmentSpec& spec, const std::string& words,
                       const SegmentOptions& options = {}) {
    const UniqueName name;
    for (const Outcome& outcome :
         {create(name, spec, options), open_or_create(name, spec, options), anonymous(spec, options)}) {
        EXPECT_FALSE(outcome.segment);
        EXPECT_EQ(outcome.error.code, errc::bad_option) << outcome;
        EXPECT_NE(outcome.text().find(words), std::string::npos) << outcome << "\nwithout: " << words;
    }
    EXPECT_FALSE(std::filesystem::exists(name.path()));
}

// ---- ranges --------------------------------------------------------------------------------------------------------

TEST(SegmentOptions, ACapacityOutOfRangeIsRefused) {
    for (const std::uint64_t capacity : {std::uint64_t{0}, detail::kMaxCapacity + 1, ~std::uint64_t{0}}) {
        const detail::SegmentSpec spec = test_spec(capacity);
        expect_bad_option(spec,
                          "capacity is " + std::to_string(capacity) + ", it must be 1 to 1099511627776");
        EXPECT_EQ(Segment::required_size(spec), 0U);
    }
}

TEST(SegmentOptions, ACapacityWhoseBytesWouldOverflowIsRefusedAndNotMultiplied) {
    detail::SegmentSpec spec = test_spec(detail::kMaxCapacity);
    spec.block = {1, std::uint32_t{1} << 31, 64};
    spec.data_size_for = [](std::uint64_t) noexcept -> std::uint64_t { std::abort(); };
    expect_bad_option(spec, "more than 70368744177664 bytes");
    spec = test_spec();
    spec.data_size_for = [](std::uint64_t) noexcept { return std::numeric_limits<std::uint64_t>::max(); };
    expect_bad_option(spec, "more than 70368744177664 bytes");
}

TEST(SegmentOptions, OtherFieldsOutOfRangeAreRefused) {
    for (const std::uint32_t participants : {0U, 4096U}) {
        detail::SegmentSpec spec = test_spec();
        spec.participants = participants;
        expect_bad_option(spec, "participants is " + std::to_string(participants) + ", it must be 1 to 4095");
    }
    for (const std::uint64_t period :
         {std::uint64_t{0}, std::uint64_t{99'999}, std::uint64_t{3'600'000'000'001}}) {
        detail::SegmentSpec spec = test_spec();
        spec.liveness_period_ns = period;
        expect_bad_option(spec, "liveness period is " + std::to_string(period) + " ns");
    }
    detail::SegmentSpec backwards = test_spec();
    backwards.liveness_period_ns =
        static_cast<std::uint64_t>(std::int64_t{-5});  // as the rings pass theirs on
    expect_bad_option(backwards, "liveness period is -5 ns, it must be 100000 to");
    detail::SegmentSpec spec = test_spec();
    spec.kind = detail::RingKind::none;
    expect_bad_option(spec, "no kind of ring");
    spec = test_spec();
    spec.control_size = 0;
    expect_bad_option(spec, "how large its sections are");
    for (const unsigned mode : {0U, 0400U, 0200U, 0066U, 0477U, 01600U, 04700U, 010600U})
        expect_bad_option(test_spec(), "it must be 0600 to 0777", {.mode = mode});
}

TEST(SegmentOptions, ABadOptionIsRefusedAlsoWhereThereIsARingAlready) {
    const UniqueName name;
    ASSERT_TRUE(create(name).segment);
    const Outcome either = open_or_create(name, test_spec(0));
    EXPECT_EQ(either.error.code, errc::bad_option) << "or it would depend on who comes first: " << either;
}

TEST(SegmentOptions, TheEndsOfTheRangesAreIn) {
    detail::SegmentSpec spec = test_spec(1);
    spec.participants = 1;
    spec.liveness_period_ns = detail::kMinLivenessPeriodNs;
    EXPECT_TRUE(anonymous(spec).segment);
    EXPECT_EQ(Segment::required_size(spec), 4U * 4096);
    spec.participants = 4095;
    spec.liveness_period_ns = detail::kMaxLivenessPeriodNs;
    const Outcome largest = anonymous(spec);
    EXPECT_TRUE(largest.segment) << largest;
    EXPECT_TRUE(from_descriptor(largest.segment.descriptor()).segment);
}

// ---- grants --------------------------------------------------------------------------------------------------------

/// A line of /proc/self/smaps for the mapping at `base`, in kB.
[[nodiscard]] long mapped_kb(const std::byte* base, const std::string& field) {
    std::ifstream maps("/proc/self/smaps");
    char start[32];
    std::snprintf(start, sizeof start, "%lx-", reinterpret_cast<unsigned long>(base));
    bool ours = false;
    for (std::string line; std::getline(maps, line);) {
        if (line.find('-') != std::string::npos && line.find(':') > line.find(' '))
            ours = line.starts_with(start);
        if (ours && line.starts_with(field + ":")) return std::atol(line.c_str() + field.size() + 1);
    }
    return -1;
}

TEST(SegmentGrants, PrefaultMakesEveryPagePresent) {
    const detail::SegmentSpec spec = test_spec(30'000);
    const Outcome made = anonymous(spec);
    ASSERT_TRUE(made.segment) << made;
    EXPECT_FALSE(made.segment.grants().prefault);
    const long size_kb = static_cast<long>(made.segment.geometry().segment_size / 1024);
    EXPECT_EQ(mapped_kb(made.segment.at(0), "Rss"), size_kb);
    const Outcome lazy = anonymous(spec, {.prefault = false});
    EXPECT_LT(mapped_kb(lazy.segment.at(0), "Rss"), size_kb);
    const Outcome opened = from_descriptor(lazy.segment.descriptor());
    EXPECT_EQ(mapped_kb(opened.segment.at(0), "Rss"), size_kb) << "each process has page tables of its own";
}

TEST(SegmentGrants, TouchingPagesMakesThemPresentAndChangesNothing) {
    const Outcome made = anonymous(test_spec(30'000), {.prefault = false});
    ASSERT_TRUE(made.segment) << made;
    auto* word = reinterpret_cast<std::atomic<std::uint64_t>*>(made.segment.at(8192));
    std::atomic<bool> stop{false};
    std::thread other([&] {  // somebody uses the ring meanwhile: no store of theirs may be lost
        std::uint64_t count = 0;
        while (!stop.load(std::memory_order_relaxed)) {
            word->store(++count, std::memory_order_relaxed);
            if (word->load(std::memory_order_relaxed) != count) std::abort();
        }
    });
    const auto behind = made.segment.bytes().subspan(3 * 4096);
    for (std::byte& byte : behind) byte = std::byte{0x5a};
    for (int round = 0; round != 100; ++round) detail::touch_pages(made.segment.bytes());
    stop.store(true, std::memory_order_relaxed);
    other.join();
    EXPECT_EQ(mapped_kb(made.segment.at(0), "Rss"),
              static_cast<long>(made.segment.geometry().segment_size / 1024));
    for (const std::byte byte : behind) ASSERT_EQ(byte, std::byte{0x5a});
}

/// Sanitizers replace mlock by a function that does nothing and succeeds.
[[nodiscard]] bool mlock_is_real() {
    void* page = ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const bool refused = ::mlock(page, 4096) != 0;
    const bool real = refused || mapped_kb(static_cast<std::byte*>(page), "Locked") > 0;
    ::munmap(page, 4096);
    return real;
}

TEST(SegmentGrants, LockedPagesAreLocked) {
    if (!mlock_is_real()) GTEST_SKIP() << "mlock does nothing in this build";
    const Outcome made = anonymous(test_spec(), {.lock_memory = true});
    ASSERT_TRUE(made.segment) << made;
    if (made.segment.grants().lock_memory) GTEST_SKIP() << "this process may lock no memory (ulimit -l)";
    EXPECT_EQ(mapped_kb(made.segment.at(0), "Locked"), 16);
}

TEST(SegmentGrants, AMlockThatIsDeniedIsReportedAndNotFatal) {
    if (!mlock_is_real()) GTEST_SKIP() << "mlock does nothing in this build";
    ChildProcess child([] {
        const rlimit none{0, 0};
        if (!drop_root() || ::setrlimit(RLIMIT_MEMLOCK, &none) != 0) return 3;
        const Outcome made = anonymous(test_spec(), {.lock_memory = true});
        EXPECT_TRUE(made.segment) << made;
        EXPECT_FALSE(made.error.code) << made;
        EXPECT_TRUE(made.segment.grants().lock_memory);
        EXPECT_FALSE(made.segment.grants().prefault);
        EXPECT_FALSE(made.segment.grants().huge_pages) << "not asked for";
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST(SegmentGrants, HugePagesAreGrantedWhereThereAreSomeAndOtherwiseReported) {
    const Outcome made = anonymous(test_spec(300'000), {.huge_pages = true});  // 6.4 MB
    ASSERT_TRUE(made.segment) << made;
    const long huge_kb = mapped_kb(made.segment.at(0), "ShmemPmdMapped");
    if (made.segment.grants().huge_pages)
        EXPECT_EQ(huge_kb, 0) << made.segment.grants().huge_pages.message();
    else
        EXPECT_GE(huge_kb, 3 * 2048);
}

TEST(SegmentGrants, HugePagesForASmallSegmentAreReportedAsNotGranted) {
    const Outcome made = anonymous(test_spec(), {.huge_pages = true});
    ASSERT_TRUE(made.segment) << made;
    EXPECT_TRUE(made.segment.grants().huge_pages);
}

// ---- descriptors and mappings --------------------------------------------------------------------------------------

[[nodiscard]] int count_entries(const char* path) {
    int count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(path)) ++count;
    return count;
}
[[nodiscard]] int count_mappings() {
    std::ifstream maps("/proc/self/maps");
    int count = 0;
    for (std::string line; std::getline(maps, line);) count += line.find("shm") != std::string::npos ? 1 : 0;
    return count;
}

TEST(SegmentResources, NoPathLeavesADescriptorOrAMappingBehind) {
    const UniqueName name;
    const UniqueName folder("-folder");
    ASSERT_EQ(::mkdir(folder.path().c_str(), 0700), 0);
    detail::SegmentSpec other_type = test_spec();
    other_type.element_size = 24;
    const int unsealed = ::memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    alignas(4096) static std::array<std::byte, 65536> memory;
    const auto every_path = [&] {
        (void)create(name);
        (void)create(name);
        (void)open(name);
        (void)open(name, other_type);
        (void)open(folder);
        (void)open("missing-" + name.name());
        (void)create(folder);
        (void)create("", test_spec());
        (void)create(name.name() + "3", test_spec(300'000), {.lock_memory = true, .huge_pages = true});
        (void)Segment::remove(name.name() + "3");
        (void)open_or_create(name);
        (void)open_or_create(name, other_type);
        (void)anonymous();
        (void)from_descriptor(unsealed);
        (void)from_descriptor(-1);
        {
            const Outcome made = anonymous();
            (void)from_descriptor(made.segment.descriptor());
            (void)from_descriptor(made.segment.descriptor(), other_type);
        }
        {
            Outcome one = create(name.name() + "4");
            Outcome two = anonymous();
            one.segment = std::move(two.segment);
            (void)Segment::remove(name.name() + "4");
        }
        detail::SetupError error;
        const SegmentOptions with_liveness{.liveness_descriptor = unsealed};
        (void)Segment::create_in(memory, test_spec(), with_liveness, error);
        (void)Segment::open_in(memory, opening_spec(), with_liveness, error);
        (void)Segment::open_in(memory, opening_spec(), {}, error);
        (void)Segment::open_in(memory, other_type, with_liveness, error);
        (void)Segment::remove(folder);
        (void)Segment::remove(name);
        (void)Segment::remove(name);
    };
    every_path();  // what is loaded or opened once and for all
    const int descriptors = count_entries("/proc/self/fd");
    const int mappings = count_mappings();
    for (int round = 0; round != 10; ++round) every_path();
    EXPECT_EQ(count_entries("/proc/self/fd"), descriptors);
    EXPECT_EQ(count_mappings(), mappings);
    ::close(unsealed);
}

TEST(SegmentResources, WithoutAFreeDescriptorSetUpFailsCleanly) {
    const UniqueName name;
    ASSERT_TRUE(create(name).segment);
    ChildProcess child([&] {
        const Outcome source = anonymous();
        const rlimit no_more{3, 3};
        EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &no_more), 0);
        for (const Outcome& outcome :
             {create(name.name() + "2"), open(name), open_or_create(name), anonymous()}) {
            EXPECT_FALSE(outcome.segment);
            EXPECT_EQ(outcome.error.code, std::errc::too_many_files_open) << outcome;
        }
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST(SegmentResources, WithoutAddressSpaceSetUpFailsCleanly) {
    ChildProcess child([] {
        const rlimit none{1, 1};
        EXPECT_EQ(::setrlimit(RLIMIT_AS, &none), 0);
        for (const bool huge : {false, true}) {
            const Outcome made = anonymous(test_spec(300'000), {.huge_pages = huge});
            EXPECT_FALSE(made.segment);
            EXPECT_EQ(made.error.code, std::errc::not_enough_memory);
            EXPECT_NE(std::strstr(made.error.text, "cannot map"), nullptr) << made.error.text;
        }
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

// ---- before main() -------------------------------------------------------------------------------------------------

struct MadeBeforeMain {
    UniqueName name{"-static"};
    Outcome named = create(name);
    Outcome nameless = anonymous();
    Outcome missing = open("never-made-by-anybody");
    std::string message = missing.error.code.message();
};
const MadeBeforeMain made_before_main;

TEST(SegmentStatic, SegmentsCanBeMadeBeforeMain) {
    EXPECT_TRUE(made_before_main.named.segment) << made_before_main.named;
    EXPECT_TRUE(made_before_main.nameless.segment) << made_before_main.nameless;
    EXPECT_EQ(made_before_main.missing.error.code, std::errc::no_such_file_or_directory);
    EXPECT_TRUE(open(made_before_main.name).segment);
}

}  // namespace
}  // namespace shmring::test
