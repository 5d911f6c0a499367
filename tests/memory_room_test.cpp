// A ring that the memory cgroup has no room for is refused: trying would have the kernel kill somebody. Of trees of our own making, in
// the form of both versions; and, where mounts of one's own are allowed, of a ring.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#include "shmring/byte_ring.hpp"
#include "shmring/detail/memory_room.hpp"
#include "support/child_process.hpp"
#include "support/private_shm.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using detail::CgroupRoom;
using detail::kUnlimited;

void write(const std::filesystem::path& file, const std::string& text) {
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
}

/// A tree of cgroups, and the list of those a process is in.
class CgroupTree : public testing::Test {
 protected:
    ~CgroupTree() override { std::filesystem::remove_all(root_); }
    void member_of(const std::string& lines) const { write(root_ / "membership", lines); }
    void set(const std::string& file, const std::string& text) const {
        write(root_ / "mount" / file, text + "\n");
    }
    [[nodiscard]] CgroupRoom without_room_for(std::uint64_t needed) const {
        return detail::cgroup_without_room_for(needed, (root_ / "membership").c_str(),
                                               (root_ / "mount").c_str());
    }
    void expect_room_is(std::uint64_t free, std::uint64_t limit, const std::string& file) const {
        EXPECT_EQ(without_room_for(free).limit, kUnlimited) << "just fits";
        const CgroupRoom room = without_room_for(free + 1);
        EXPECT_EQ(room.free, free);
        EXPECT_EQ(room.limit, limit);
        EXPECT_EQ(std::string(room.limit_file.data()), (root_ / "mount" / file).string());
    }

 private:
    std::filesystem::path root_ =
        std::filesystem::temp_directory_path() / ("shmring-cgroups-" + std::to_string(::getpid()));
};

TEST_F(CgroupTree, WhatIsNotThereLimitsNothing) {
    EXPECT_EQ(without_room_for(kUnlimited).limit, kUnlimited) << "not even a list";
    member_of("0::/a\n4:memory:/b\nnonsense\n");
    EXPECT_EQ(without_room_for(kUnlimited).limit, kUnlimited);
}

TEST_F(CgroupTree, OfVersion2TheRoomIsTheLimitLessTheUsage) {
    member_of("0::/a/b\n");
    set("a/b/memory.max", "1000");
    set("a/b/memory.current", "300");
    set("a/b/memory.swap.max", "0");
    expect_room_is(700, 1000, "a/b/memory.max");
    set("a/b/memory.max", "max");
    EXPECT_EQ(without_room_for(kUnlimited).limit, kUnlimited);
}

TEST_F(CgroupTree, AnAncestorLimitsAsWell) {
    member_of("1:cpu,memory:/a/b\n0::/a/b\n");
    set("a/b/memory.max", "5000");
    set("a/memory.max", "1000");
    set("a/memory.current", "1");
    set("a/memory.swap.max", "0");
    expect_room_is(999, 1000, "a/memory.max");
}

/// A container's list may name a path that only the host sees; what it sees at the mount is its own.
TEST_F(CgroupTree, AContainersOwnLimitStandsAtTheMount) {
    for (const char* path : {"0::/\n", "0::/not/to/be/seen\n", "0::/../elsewhere\n"}) {
        member_of(path);
        set("memory.max", "1000");
        set("memory.swap.max", "0");
        expect_room_is(1000, 1000, "memory.max");
    }
}

TEST_F(CgroupTree, CachedFilesAreRoomBecauseTheKernelDropsThem) {
    member_of("0::/a\n");
    set("a/memory.max", "1000");
    set("a/memory.current", "990");
    set("a/memory.swap.max", "0");
    set("a/memory.stat", "anon 500\nfile 490\nactive_file 40\ninactive_file 60\nworkingset_active_file 7");
    expect_room_is(110, 1000, "a/memory.max");
}

TEST_F(CgroupTree, SoIsWhatTheKernelKeepsOfNamesAndInodes) {
    member_of("0::/a\n");
    set("a/memory.max", "1000");
    set("a/memory.current", "990");
    set("a/memory.swap.max", "0");
    set("a/memory.stat", "anon 400\ninactive_file 10\nslab_reclaimable 500\nslab_unreclaimable 30\nslab 530");
    expect_room_is(520, 1000, "a/memory.max");
}

TEST_F(CgroupTree, OfVersion1AllOfItCountsLikewise) {
    member_of("9:name=systemd:/\n4:cpu,memory:/a\n");
    set("memory/a/memory.limit_in_bytes", "1000");
    set("memory/a/memory.usage_in_bytes", "600");
    set("memory/a/memory.memsw.limit_in_bytes", "1000");
    set("memory/a/memory.memsw.usage_in_bytes", "600");
    set("memory/a/memory.stat", "inactive_file 1\ntotal_inactive_file 30\ntotal_active_file 20");
    expect_room_is(450, 1000, "memory/a/memory.limit_in_bytes");
    set("memory/a/memory.limit_in_bytes", "9223372036854771712");
    set("memory/a/memory.memsw.limit_in_bytes", "9223372036854771712");
    EXPECT_EQ(without_room_for(std::uint64_t{1} << 62).limit, kUnlimited);
}

TEST(MemoryRoom, ARingLargerThanTheCgroupPermitsIsRefusedWithItsLimit) {
    const UniqueName name;
    ChildProcess child([&] {
        if (!enter_private_mounts() || ::mount("none", "/sys/fs/cgroup", "tmpfs", 0, nullptr) != 0)
            return kCannotBeTriedHere;
        std::ifstream list("/proc/self/cgroup");
        if (!list.good()) return kCannotBeTriedHere;
        for (const char* folder :
             {"/sys/fs/cgroup/", "/sys/fs/cgroup/memory/"}) {  // whichever version this is
            write(std::string(folder) + "memory.max", "8388608");
            write(std::string(folder) + "memory.swap.max", "0");
            write(std::string(folder) + "memory.limit_in_bytes", "8388608");
            write(std::string(folder) + "memory.memsw.limit_in_bytes", "8388608");
        }
        for (const bool named : {true, false}) {
            const ByteRingOptions options{.capacity_bytes = 16 << 20};
            try {
                (void)(named ? ByteRing::create(name, options) : ByteRing::anonymous(options));
                ADD_FAILURE() << "no error";
            } catch (const std::system_error& error) {
                EXPECT_EQ(error.code(), std::errc::not_enough_memory) << error.what();
                const std::string text = error.what();
                EXPECT_NE(text.find("this process's cgroup has room for 8388608: its limit is 8388608"),
                          std::string::npos)
                    << text;
            }
        }
        std::error_code code;
        EXPECT_TRUE(ByteRing::anonymous({.capacity_bytes = 1 << 20}, code)) << code.message();
        return 0;
    });
    const Ended ended = child.join();
    if (ended.exited_with(kCannotBeTriedHere))
        GTEST_SKIP() << "needs user and mount namespaces, refused here";
    EXPECT_TRUE(ended.exited_with(0)) << ended;
}

}  // namespace
}  // namespace shmring::test
