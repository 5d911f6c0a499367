// The boot id of a segment's maker: it counts where memory can outlive a boot of the machine, on a disk, and nowhere else, because a
// container may have one of its own.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/private_shm.hpp"
#include "support/raw_file.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

constexpr std::size_t kBootId = offsetof(detail::SegmentHeader, boot_id);

TEST(SegmentBoot, InASharedMemoryFileAForeignIdIsNoReasonToRefuse) {
    const UniqueName name;
    ASSERT_TRUE(create(name).segment);
    Bytes other = read_bytes(name.path());
    other[kBootId] ^= std::byte{1};
    fix_checksum(other);
    write_bytes(name.path(), other);
    const Outcome opened = open(name);
    EXPECT_TRUE(opened.segment) << opened;
}

TEST(SegmentBoot, OnADiskAForeignIdIsRefusedAndBothItsReasonsAreSaid) {
    const std::string path =
        (std::filesystem::temp_directory_path() / ("shmring-boot-" + std::to_string(::getpid()))).string();
    const UniqueName name;
    ASSERT_TRUE(create(name).segment);
    Bytes other = read_bytes(name.path());
    const auto open_written = [&]() -> Outcome {
        fix_checksum(other);
        write_bytes(path, other);
        const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
        Outcome outcome = from_descriptor(file);
        ::close(file);
        return outcome;
    };
    const Outcome same = open_written();
    EXPECT_TRUE(same.segment) << same;
    struct statfs system {};
    ASSERT_EQ(::statfs(path.c_str(), &system), 0);
    const bool on_disk = system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC;

    other[kBootId] ^= std::byte{1};
    const Outcome torn = open_written();
    std::fill_n(other.begin() + kBootId, 16, std::byte{0});
    const Outcome unknown = open_written();
    std::filesystem::remove(path);
    if (!on_disk) GTEST_SKIP() << "the folder for temporary files is memory";
    EXPECT_EQ(torn.error.code, errc::corrupt_header) << torn;
    EXPECT_NE(torn.text().find("before this machine's last boot"), std::string::npos) << torn;
    EXPECT_NE(torn.text().find("or in a container with a boot id of its own"), std::string::npos) << torn;
    EXPECT_TRUE(unknown.segment) << unknown << ": its maker could not tell";
}

TEST(SegmentBoot, AContainerWithAnIdOfItsOwnOpensTheHostsRing) {
    const UniqueName name;
    auto ring = SpscRing<int>::create(name, {.capacity = 4});
    auto out = ring.producer();
    ChildProcess container([&] {
        if (!enter_private_mounts()) return kCannotBeTriedHere;
        const UniqueName id("-boot-id");
        std::ofstream(id.path()) << "01234567-89ab-cdef-0123-456789abcdef\n";
        if (::mount(id.path().c_str(), "/proc/sys/kernel/random/boot_id", nullptr, MS_BIND, nullptr) != 0)
            return kCannotBeTriedHere;
        auto in = SpscRing<int>::open(name).consumer();
        EXPECT_EQ(*in.pop(), 7);
        return 0;
    });
    ASSERT_TRUE(out.push(7));
    const Ended ended = container.join();
    if (ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "needs user and mount namespaces, refused here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

}  // namespace
}  // namespace shmring::test
