// What has the name but is not the ring that was asked for: each case has its own error code, and a text with the facts.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <random>
#include <string>

#include "support/child_process.hpp"
#include "support/raw_file.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

constexpr unsigned kNobody = 65534;

/// A refusal has this code and these words, and gives no segment.
void expect_refusal(const Outcome& outcome, std::error_code code, std::initializer_list<std::string> words) {
    EXPECT_FALSE(outcome.segment);
    EXPECT_EQ(outcome.error.code, code) << outcome;
    for (const std::string& word : words)
        EXPECT_NE(outcome.text().find(word), std::string::npos) << outcome << "\nwithout: " << word;
}

class SegmentRefusal : public testing::Test {
 protected:
    /// A good segment's bytes under the name, for a test to spoil.
    void SetUp() override { ASSERT_TRUE(create(name).segment); }
    [[nodiscard]] Bytes bytes() const { return read_bytes(name.path()); }
    void replace_with(const Bytes& bytes) const { write_bytes(name.path(), bytes); }
    void remove() const { std::filesystem::remove(name.path()); }

    const UniqueName name;
};

TEST_F(SegmentRefusal, AGoodOneIsNotRefused) {
    replace_with(bytes());
    EXPECT_TRUE(open(name).segment) << "the tests below change one thing each";
}

TEST_F(SegmentRefusal, ATruncatedFile) {
    const Bytes whole = bytes();
    for (const std::size_t size : {whole.size() - 1, whole.size() - 4096, std::size_t{4096}}) {
        replace_with({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
        expect_refusal(open(name), errc::wrong_size,
                       {"is " + std::to_string(size) + " bytes", "says " + std::to_string(whole.size())});
    }
    for (const std::size_t size : {4095U, 512U, 447U, 8U}) {
        replace_with({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
        expect_refusal(open(name), errc::wrong_size,
                       {"is " + std::to_string(size) + " bytes", "header alone takes 4096"});
    }
    for (const std::size_t size : {7U, 1U, 0U}) {
        replace_with({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size)});
        expect_refusal(open(name), errc::not_a_segment,
                       {std::to_string(size) + " bytes without the magic number"});
    }
}

TEST_F(SegmentRefusal, AGrownFile) {
    for (const std::size_t more : {1U, 4096U}) {
        Bytes grown = bytes();
        const std::size_t size = grown.size();
        grown.resize(size + more);
        replace_with(grown);
        expect_refusal(open(name), errc::wrong_size,
                       {std::to_string(size + more), "says " + std::to_string(size)});
        grown.resize(size);
        replace_with(grown);
    }
}

TEST_F(SegmentRefusal, ForeignContent) {
    std::mt19937_64 random(42);
    for (const std::size_t size : {1U, 100U, 4096U, 40960U}) {
        Bytes foreign(size);
        std::ranges::generate(foreign, [&] { return static_cast<std::byte>(random()); });
        replace_with(foreign);
        expect_refusal(open(name), errc::not_a_segment, {"without the magic number"});
        std::ranges::fill(foreign, std::byte{0});
        replace_with(foreign);
        expect_refusal(open(name), errc::not_a_segment, {"without the magic number"});
    }
}

TEST_F(SegmentRefusal, AMachineOfTheOtherByteOrder) {
    Bytes other = bytes();
    std::reverse(other.begin(), other.begin() + 8);
    replace_with(other);
    expect_refusal(open(name), errc::wrong_layout_version, {"byte order"});
}

TEST_F(SegmentRefusal, AnotherLayoutVersion) {
    for (const std::uint32_t version : {0U, 1U, 3U}) {
        Bytes other = bytes();
        set_field(other, offsetof(detail::SegmentHeader, layout_version),
                  version);  // another version may sum otherwise
        replace_with(other);
        expect_refusal(open(name), errc::wrong_layout_version,
                       {"layout " + std::to_string(version) + ", this program speaks 2"});
    }
}

TEST_F(SegmentRefusal, AnUnknownRequiredFeature) {
    Bytes other = bytes();
    set_field(other, offsetof(detail::SegmentHeader, required_features),
              std::uint64_t{0x8000'0000'0000'0002});
    fix_checksum(other);
    replace_with(other);
    expect_refusal(open(name), errc::unsupported_feature, {"0x8000000000000002"});
    set_field(other, offsetof(detail::SegmentHeader, required_features),
              detail::kFeatureEndsWithLastProducer);
    fix_checksum(other);
    replace_with(other);
    expect_refusal(open(name), errc::unsupported_feature, {"0x1", "does not know"});  // rings of many do
}

TEST_F(SegmentRefusal, AnUnknownOptionalFeatureIsIgnored) {
    Bytes other = bytes();
    set_field(other, offsetof(detail::SegmentHeader, optional_features), ~std::uint64_t{0});
    fix_checksum(other);
    replace_with(other);
    EXPECT_TRUE(open(name).segment);
}

TEST_F(SegmentRefusal, AnotherKindOfRing) {
    detail::SegmentSpec spec = opening_spec();
    spec.kind = detail::RingKind::mpmc;
    expect_refusal(open(name, spec), errc::wrong_kind,
                   {"holds an SPSC ring (kind 1)", "asked for an MPMC ring"});
    Bytes other = bytes();
    set_field(other, offsetof(detail::SegmentHeader, kind), 77U);
    fix_checksum(other);
    replace_with(other);
    expect_refusal(open(name), errc::wrong_kind, {"kind 77", "asked for an SPSC ring"});
}

TEST_F(SegmentRefusal, AnotherMessageType) {
    detail::SegmentSpec spec = opening_spec();
    spec.element_size = 24;
    expect_refusal(open(name, spec), errc::wrong_type,
                   {"message is 16 bytes in the segment, 24 in this program"});
    spec = opening_spec();
    spec.element_alignment = 16;
    expect_refusal(open(name, spec), errc::wrong_type, {"alignment is 8 in the segment, 16 in this program"});
}

TEST_F(SegmentRefusal, AnotherSchema) {
    detail::SegmentSpec spec = opening_spec();
    for (const std::string schema : {"Test/2", "", "Test/1 "}) {
        spec.schema = schema;
        expect_refusal(open(name, spec), errc::wrong_type,
                       {"schema is \"Test/1\" in the segment, \"" + schema + "\" in this program"});
    }
}

TEST_F(SegmentRefusal, SchemasThatDifferBehindWhatTheSegmentKeepsForPeople) {
    const std::string common(60, 's');
    detail::SegmentSpec spec = test_spec();
    spec.schema = common;
    remove();
    ASSERT_TRUE(create(name, spec).segment);
    EXPECT_TRUE(open(name, spec).segment);
    const std::string other = common + "2";
    spec.schema = other;
    expect_refusal(open(name, spec), errc::wrong_type, {std::string(47, 's') + "\" in the segment"});
}

TEST_F(SegmentRefusal, AnotherCapacityThanTheOneAskedFor) {
    expect_refusal(open_or_create(name, test_spec(97)), errc::wrong_capacity,
                   {"capacity is 96", "asked for 97"});
    expect_refusal(open(name, test_spec(95)), errc::wrong_capacity, {"capacity is 96", "asked for 95"});
    EXPECT_TRUE(open_or_create(name, test_spec(96)).segment);
}

TEST_F(SegmentRefusal, OpenOrCreateDoesNotReplaceWhatItCannotOpen) {
    detail::SegmentSpec spec = test_spec();
    spec.element_size = 24;
    expect_refusal(open_or_create(name, spec), errc::wrong_type, {"24 in this program"});
    replace_with({});
    expect_refusal(open_or_create(name), errc::not_a_segment, {});
    EXPECT_EQ(bytes().size(), 0U);
}

TEST_F(SegmentRefusal, ABuildWithOtherConstants) {
    detail::SegmentSpec spec = opening_spec();
    spec.block[0] = 4;
    expect_refusal(open(name, spec), errc::wrong_layout_version,
                   {"messages per block is 3 in the segment, 4"});
    spec = opening_spec();
    spec.block[1] = 128;
    expect_refusal(open(name, spec), errc::wrong_layout_version, {"block stride is 64 in the segment, 128"});
    spec = opening_spec();
    spec.block[2] = 8;
    expect_refusal(open(name, spec), errc::wrong_layout_version, {"payload offset is 16 in the segment, 8"});
    spec = opening_spec();
    spec.control_size = 512;
    expect_refusal(open(name, spec), errc::wrong_layout_version,
                   {"control section is 640 bytes in the segment, 512"});
    spec = opening_spec();
    spec.data_size_for = [](std::uint64_t) noexcept { return std::uint64_t{64}; };
    expect_refusal(open(name, spec), errc::corrupt_header, {"capacity 96 takes 64 bytes of data"});

    Bytes other = bytes();
    set_field(other, offsetof(detail::SegmentHeader, constants), 128U);
    fix_checksum(other);
    replace_with(other);
    expect_refusal(open(name), errc::wrong_layout_version, {"cache line is 128 in the segment, 64"});
    set_field(other, offsetof(detail::SegmentHeader, constants), 64U);
    set_field(other, offsetof(detail::SegmentHeader, constants) + 4, 256U);
    fix_checksum(other);
    replace_with(other);
    expect_refusal(open(name), errc::wrong_layout_version, {"distance of lines is 256 in the segment, 128"});
}

TEST_F(SegmentRefusal, ModesThatLetOthersIn) {
    const struct {
        unsigned found;
        unsigned allowed;
    } wider[] = {{0622, 0600}, {0602, 0600},  {0620, 0600},  {0660, 0600}, {0640, 0600},
                 {0604, 0600}, {0666, 0600},  {0666, 0660},  {0662, 0660}, {0664, 0660},
                 {0670, 0660}, {04600, 0600}, {02600, 0600}, {01600, 0777}};
    for (const auto& [found, allowed] : wider) {
        ASSERT_EQ(::chmod(name.path().c_str(), found), 0);
        char words[64];
        std::snprintf(words, sizeof words, "mode is %04o, allowed is at most %04o", found, allowed);
        expect_refusal(open(name, opening_spec(), {.mode = allowed}), errc::untrusted_mode, {words});
    }
    for (const auto& [found, allowed] : {std::pair{0600U, 0600U},
                                         {0700U, 0600U},
                                         {0600U, 0666U},
                                         {0660U, 0660U},
                                         {0640U, 0660U},
                                         {0666U, 0666U}}) {
        ASSERT_EQ(::chmod(name.path().c_str(), found), 0);
        EXPECT_TRUE(open(name, opening_spec(), {.mode = allowed}).segment)
            << std::oct << found << " " << allowed;
    }
}

TEST_F(SegmentRefusal, AModeThatLocksUsOut) {
    ChildProcess child([] {
        if (!drop_root()) return 3;  // root is never locked out
        const UniqueName ours("-locked");
        EXPECT_TRUE(create(ours).segment);
        EXPECT_EQ(::chmod(ours.path().c_str(), 0400), 0);
        expect_refusal(open(ours), std::make_error_code(std::errc::permission_denied), {"mode 0400"});
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_F(SegmentRefusal, AnotherOwner) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(::chown(name.path().c_str(), kNobody, kNobody), 0);
    expect_refusal(open(name), errc::untrusted_owner, {"belongs to user 65534", "we are 0"});
    expect_refusal(open(name, opening_spec(), {.trusted_owner = 1}), errc::untrusted_owner, {"trust 1"});
    EXPECT_TRUE(open(name, opening_spec(), {.trusted_owner = kNobody}).segment);
}

TEST_F(SegmentRefusal, AnotherOwnerWhoseFileWeMayNotOpen) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    ChildProcess child([&] {
        if (!drop_root()) return 3;
        expect_refusal(open(name), errc::untrusted_owner, {"belongs to user 0; we are 65534"});
        expect_refusal(open(name, opening_spec(), {.trusted_owner = 0}),
                       std::make_error_code(std::errc::permission_denied), {"mode 0600, owner 0"});
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    ASSERT_EQ(::chmod(name.path().c_str(), 0666), 0);
    ChildProcess invited([&] {
        if (!drop_root()) return 3;
        expect_refusal(open(name, opening_spec(), {.mode = 0666}), errc::untrusted_owner,
                       {"belongs to user 0"});
        EXPECT_TRUE(open(name, opening_spec(), {.mode = 0666, .trusted_owner = 0}).segment);
        EXPECT_EQ(Segment::remove(name), errc::untrusted_owner);
        return 0;
    });
    EXPECT_TRUE(invited.join().exited_with(0));
}

TEST_F(SegmentRefusal, OurOwnSegmentIsTrustedBesideTheNamedOwner) {
    EXPECT_TRUE(open(name, opening_spec(), {.trusted_owner = kNobody}).segment);
}

TEST_F(SegmentRefusal, AFileWithTwoNames) {
    const UniqueName second("-link");
    ASSERT_EQ(::link(name.path().c_str(), second.path().c_str()), 0);
    expect_refusal(open(name), errc::not_a_regular_file, {"2 names (hard links)"});
    expect_refusal(open(second), errc::not_a_regular_file, {"2 names (hard links)"});
}

TEST_F(SegmentRefusal, RemovingOneOfTwoNamesMakesTheOtherGoodAgain) {
    const UniqueName second("-link");
    ASSERT_EQ(::link(name.path().c_str(), second.path().c_str()), 0);
    EXPECT_FALSE(Segment::remove(second));
    const Outcome opened = open(name);
    EXPECT_TRUE(opened.segment) << opened;
}

TEST_F(SegmentRefusal, ASymbolicLinkEvenToAGoodSegment) {
    const UniqueName link("-link");
    ASSERT_EQ(::symlink(name.path().c_str(), link.path().c_str()), 0);
    expect_refusal(open(link), errc::not_a_regular_file, {"a symbolic link"});
    expect_refusal(open_or_create(link), errc::not_a_regular_file, {"a symbolic link"});
    expect_refusal(create(link), std::make_error_code(std::errc::file_exists), {"the name is taken"});
    EXPECT_EQ(Segment::remove(link), errc::not_a_regular_file);
    const UniqueName dangling("-dangling");
    ASSERT_EQ(::symlink("/nowhere/at/all", dangling.path().c_str()), 0);
    expect_refusal(open_or_create(dangling), errc::not_a_regular_file, {"a symbolic link"});
}

TEST_F(SegmentRefusal, ADirectory) {
    remove();
    ASSERT_EQ(::mkdir(name.path().c_str(), 0700), 0);
    expect_refusal(open(name), errc::not_a_regular_file, {"a directory"});
    expect_refusal(create(name), std::make_error_code(std::errc::file_exists), {});
    EXPECT_EQ(Segment::remove(name), errc::not_a_regular_file);
    EXPECT_TRUE(std::filesystem::is_directory(name.path()));
}

TEST_F(SegmentRefusal, AFifoAndWithoutWaitingForIt) {
    remove();
    ASSERT_EQ(::mkfifo(name.path().c_str(), 0600), 0);
    ChildProcess child([&] { expect_refusal(open(name), errc::not_a_regular_file, {"a FIFO"}); },
                       std::chrono::seconds(10));
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(Segment::remove(name), errc::not_a_regular_file);
}

TEST_F(SegmentRefusal, ASocket) {
    remove();
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::snprintf(address.sun_path, sizeof address.sun_path, "%s", name.path().c_str());
    ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    expect_refusal(open(name), errc::not_a_regular_file, {"a socket"});
    ::close(socket);
}

TEST_F(SegmentRefusal, ADevice) {
    remove();
    if (::mknod(name.path().c_str(), S_IFCHR | 0600, ::makedev(1, 3)) != 0)
        GTEST_SKIP() << "needs root, and a kernel that lets it make device nodes";
    expect_refusal(open(name), errc::not_a_regular_file, {"a device"});
}

TEST_F(SegmentRefusal, AMarkWithoutARemoval) {
    Bytes marked = bytes();
    set_field(marked, offsetof(detail::SegmentHeader, retired), std::uint64_t{1});
    replace_with(marked);
    expect_refusal(open(name), errc::retired, {"marked as removed"});
    EXPECT_FALSE(Segment::remove(name));
    EXPECT_TRUE(open_or_create(name).segment);
}

TEST_F(SegmentRefusal, RemoveTakesAwayARegularFileOfOursWhateverIsInIt) {
    for (const Bytes& content : {Bytes{}, Bytes(100), Bytes(100'000, std::byte{0xee})}) {
        replace_with(content);
        EXPECT_FALSE(Segment::remove(name));
        EXPECT_FALSE(std::filesystem::exists(name.path()));
    }
    replace_with(Bytes(5));
    ASSERT_EQ(::chmod(name.path().c_str(), 0), 0);
    EXPECT_FALSE(Segment::remove(name));
}

TEST_F(SegmentRefusal, RemoveDoesNotMarkWhatIsNoSegment) {
    const Bytes foreign(8192, std::byte{0xee});
    replace_with(foreign);
    const int file = ::open(name.path().c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_FALSE(Segment::remove(name));
    EXPECT_EQ(read_bytes("/proc/self/fd/" + std::to_string(file)), foreign);
    ::close(file);
}

TEST(SegmentName, OnlyPathComponentsAreNames) {
    const std::string too_long(251, 'n');
    const std::string far_too_long(100'000, 'n');
    const std::string with_zero("a\0b", 3);
    for (const std::string& bad :
         {std::string(), std::string("/"), std::string("."), std::string(".."), std::string("/.."),
          std::string("a/b"), std::string("//a"), std::string("../etc/passwd"), std::string("a/"), with_zero,
          too_long, "/" + too_long, far_too_long}) {
        for (const Outcome& outcome : {create(bad), open(bad), open_or_create(bad)})
            expect_refusal(outcome, errc::bad_name, {"one path component of 1 to 250 bytes"});
        EXPECT_EQ(Segment::remove(bad), errc::bad_name);
    }
    expect_refusal(create(std::string_view{}), errc::bad_name, {});
}

TEST(SegmentName, TheLongestNameWorks) {
    const UniqueName base;
    const std::string longest = base.name() + std::string(250 - base.name().size(), '~');
    const Outcome made = create(longest);
    EXPECT_TRUE(made.segment) << made;
    EXPECT_EQ(made.segment.name(), longest);
    EXPECT_TRUE(open("/" + longest).segment);
    const Outcome again = create(longest);
    EXPECT_NE(again.text().find("the name is taken"), std::string::npos) << "no room is left for the facts";
    EXPECT_FALSE(Segment::remove(longest));
}

}  // namespace
}  // namespace shmring::test
