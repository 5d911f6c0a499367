// Segments without a name: inherited over fork, passed as a descriptor, and sealed, so that nobody can take the memory away.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "support/child_process.hpp"
#include "support/descriptor_passing.hpp"
#include "support/raw_file.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

void expect_refusal(const Outcome& outcome, std::error_code code, const std::string& words) {
    EXPECT_FALSE(outcome.segment);
    EXPECT_EQ(outcome.error.code, code) << outcome;
    EXPECT_NE(outcome.text().find(words), std::string::npos) << outcome << "\nwithout: " << words;
}

/// A memfd with a good segment's bytes in it and these seals.
[[nodiscard]] int memfd_with(const Bytes& bytes, int seals, unsigned flags = MFD_ALLOW_SEALING) {
    const int file = ::memfd_create("test", MFD_CLOEXEC | flags);
    EXPECT_GE(file, 0);
    EXPECT_EQ(::write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    if (seals != 0) {
        EXPECT_EQ(::fcntl(file, F_ADD_SEALS, seals), 0);
    }
    return file;
}

[[nodiscard]] Bytes good_bytes() {
    const Outcome made = anonymous();
    return {made.segment.bytes().begin(), made.segment.bytes().end()};
}

TEST(SegmentAnonymous, HasNoNameAndKnowsItsGeometry) {
    const Outcome made = anonymous(test_spec(7));
    ASSERT_TRUE(made.segment) << made;
    EXPECT_EQ(made.segment.name(), "");
    EXPECT_EQ(made.segment.geometry().capacity, 7U);
    EXPECT_TRUE(made.segment.crash_recovery());
    EXPECT_FALSE(made.segment.retired());
}

TEST(SegmentAnonymous, IsInheritedOverFork) {
    const Outcome made = anonymous();
    ASSERT_TRUE(made.segment) << made;
    ChildProcess child([&] {
        EXPECT_EQ(made.segment.user_metadata()[0], std::byte{0});
        made.segment.user_metadata()[0] = std::byte{42};
    });
    ASSERT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(made.segment.user_metadata()[0], std::byte{42});
}

TEST(SegmentAnonymous, AChildThatDestroysItsCopyTakesNothingFromTheParent) {
    Outcome made = anonymous();
    ChildProcess child([&] { made.segment = Segment{}; });
    ASSERT_TRUE(child.join().exited_with(0));
    made.segment.user_metadata()[0] = std::byte{1};
    EXPECT_TRUE(from_descriptor(made.segment.descriptor()).segment);
}

TEST(SegmentAnonymous, WorksInAProcessThatWasHandedItsDescriptor) {
    const DescriptorSocket socket;
    ChildProcess receiver([&] {  // forked before there is a segment: it comes over the socket or not at all
        const int descriptor = socket.receive();
        const Outcome opened = from_descriptor(descriptor);
        EXPECT_TRUE(opened.segment) << opened;
        EXPECT_NE(opened.segment.descriptor(), descriptor) << "a duplicate: the caller keeps its own";
        EXPECT_EQ(::close(descriptor), 0);
        EXPECT_EQ(opened.segment.user_metadata()[1], std::byte{5});
        opened.segment.user_metadata()[0] = std::byte{43};
    });
    const Outcome made = anonymous();
    ASSERT_TRUE(made.segment) << made;
    made.segment.user_metadata()[1] = std::byte{5};
    EXPECT_TRUE(socket.send(made.segment.descriptor()));
    ASSERT_TRUE(receiver.join().exited_with(0));
    EXPECT_EQ(made.segment.user_metadata()[0], std::byte{43});
}

TEST(SegmentAnonymous, NobodyCanShrinkGrowOrUnsealIt) {
    const Outcome made = anonymous();
    ASSERT_TRUE(made.segment) << made;
    const int file = made.segment.descriptor();
    const auto size = static_cast<off_t>(made.segment.geometry().segment_size);
    EXPECT_EQ(::ftruncate(file, size - 1), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(::ftruncate(file, size + 1), -1);
    EXPECT_EQ(errno, EPERM);
    EXPECT_EQ(::fcntl(file, F_ADD_SEALS, F_SEAL_WRITE), -1);
    EXPECT_EQ(errno, EPERM);
    struct stat status {};
    EXPECT_EQ(::fstat(file, &status), 0);
    EXPECT_GE(status.st_blocks * 512, size) << "all of it was allocated";
}

TEST(SegmentAnonymous, AMemfdThatIsNotSealedIsRefused) {
    const Bytes bytes = good_bytes();
    for (const int seals : {0, F_SEAL_SHRINK, F_SEAL_GROW | F_SEAL_SEAL, F_SEAL_SHRINK | F_SEAL_SEAL,
                            F_SEAL_SHRINK | F_SEAL_GROW}) {
        const int file = memfd_with(bytes, seals);
        expect_refusal(from_descriptor(file), errc::unsealed, "not sealed against shrinking and growing");
        ::close(file);
    }
    const int unsealable = memfd_with(bytes, 0, 0);
    expect_refusal(from_descriptor(unsealable), errc::unsealed, "not sealed");
    ::close(unsealable);
    const int sealed = memfd_with(bytes, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    EXPECT_TRUE(from_descriptor(sealed).segment) << "or the refusals above say nothing";
    ::close(sealed);
}

TEST(SegmentAnonymous, ASealedMemfdIsCheckedLikeAnyOther) {
    constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    Bytes bytes = good_bytes();
    bytes.pop_back();
    const int shorter = memfd_with(bytes, kSeals);
    expect_refusal(from_descriptor(shorter), errc::wrong_size, "its header says");
    ::close(shorter);
    const int foreign = memfd_with(Bytes(8192, std::byte{9}), kSeals);
    expect_refusal(from_descriptor(foreign), errc::not_a_segment, "without the magic number");
    ::close(foreign);
    const Outcome made = anonymous();
    detail::SegmentSpec spec = opening_spec();
    spec.element_size = 24;
    expect_refusal(from_descriptor(made.segment.descriptor(), spec), errc::wrong_type, "24 in this program");
}

TEST(SegmentAnonymous, AMemfdThatMayNotBeWrittenIsAnError) {
    const int file = memfd_with(good_bytes(), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    expect_refusal(from_descriptor(file), std::make_error_code(std::errc::operation_not_permitted),
                   "cannot map");
    ::close(file);
}

TEST(SegmentAnonymous, ADescriptorForReadingOnlyIsAnError) {
    const Outcome made = anonymous();
    const std::string path = "/proc/self/fd/" + std::to_string(made.segment.descriptor());
    const int reading = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    ASSERT_GE(reading, 0);
    expect_refusal(from_descriptor(reading), std::make_error_code(std::errc::permission_denied),
                   "not open for reading and writing");
    ::close(reading);
}

TEST(SegmentAnonymous, ADescriptorOfSomethingElseIsAnError) {
    expect_refusal(from_descriptor(-1), std::make_error_code(std::errc::bad_file_descriptor),
                   "descriptor -1");
    expect_refusal(from_descriptor(1'000'000), std::make_error_code(std::errc::bad_file_descriptor),
                   "descriptor 1000000");
    for (const char* path : {"/dev/null", "/dev/shm"}) {
        const int other = ::open(path, O_RDONLY | O_CLOEXEC);
        expect_refusal(from_descriptor(other), errc::not_a_regular_file, "no regular file or memfd");
        ::close(other);
    }
}

TEST(SegmentAnonymous, ADescriptorOfANamedSegmentIsCheckedAsItsNameIs) {
    const UniqueName name;
    const Outcome made = create(name);
    ASSERT_TRUE(made.segment) << made;
    const int file = made.segment.descriptor();
    const Outcome joined = from_descriptor(file);
    ASSERT_TRUE(joined.segment) << joined;
    EXPECT_EQ(joined.segment.geometry(), made.segment.geometry());

    ASSERT_EQ(::fchmod(file, 0620), 0);
    expect_refusal(from_descriptor(file), errc::untrusted_mode, "mode is 0620");
    ASSERT_EQ(::fchmod(file, 0600), 0);
    const UniqueName second("-link");
    ASSERT_EQ(::link(name.path().c_str(), second.path().c_str()), 0);
    expect_refusal(from_descriptor(file), errc::not_a_regular_file, "2 names");
    ASSERT_EQ(::unlink(second.path().c_str()), 0);
    ASSERT_FALSE(Segment::remove(name));
    expect_refusal(from_descriptor(file), errc::unsealed, "no name and is not sealed");
}

TEST(SegmentAnonymous, ARetiredSegmentCanStillBeHandedOn) {
    const Outcome made = anonymous();
    made.segment.header().retired.store(1, std::memory_order_relaxed);
    const Outcome joined = from_descriptor(made.segment.descriptor());
    ASSERT_TRUE(joined.segment) << joined;
    EXPECT_TRUE(joined.segment.retired());
}

TEST(SegmentAnonymous, EachMakerGetsMemoryOfItsOwn) {
    const Outcome one = anonymous();
    const Outcome two = anonymous();
    EXPECT_NE(one.segment.geometry().generation, two.segment.geometry().generation);
    one.segment.user_metadata()[0] = std::byte{1};
    EXPECT_EQ(two.segment.user_metadata()[0], std::byte{0});
}

}  // namespace
}  // namespace shmring::test
