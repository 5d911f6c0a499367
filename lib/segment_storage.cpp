// Memory without a name: allocating a file's pages, memfds and their seals, descriptors that came from elsewhere.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <utility>

#include "shmring/detail/memory_room.hpp"
#include "shmring/detail/segment_file.hpp"

namespace shmring::detail {

namespace {

static_assert(sizeof(off_t) == sizeof(std::uint64_t), "lock bytes lie beyond the end of 32-bit file offsets");

constexpr int kWhatMustBeSealed = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
constexpr unsigned kPermissions = 07777;

// Not in the headers of Debian 12 (Linux 6.3): a memfd that can never become a program. Its absence is fine.
constexpr unsigned kMfdNoexecSeal = 8;

[[nodiscard]] bool is_sealed(const Descriptor& file) noexcept {
    const int seals = ::fcntl(file.number(), F_GET_SEALS);
    return seals >= 0 && (seals & kWhatMustBeSealed) == kWhatMustBeSealed;
}

[[nodiscard]] Descriptor duplicate(int number, struct stat& status, SetupReport& report) noexcept {
    Descriptor copy{::fcntl(number, F_DUPFD_CLOEXEC, 0)};
    if (!copy || ::fstat(copy.number(), &status) != 0) {
        (void)report.refuse_errno(errno, "cannot duplicate descriptor %d", number);
        return {};
    }
    if (S_ISREG(status.st_mode)) return copy;
    (void)report.refuse(errc::not_a_regular_file, "descriptor %d is no regular file or memfd", number);
    return {};
}

/// Liveness is probed through our descriptor, and a probe is blind to locks of its own description, which the sender of this one
/// may have taken (a pipe's tether is one). Where opening anew is refused the duplicate has to do.
[[nodiscard]] Descriptor fresh_description(Descriptor file) noexcept {
    std::array<char, 48> path{};
    (void)std::snprintf(path.data(), path.size(), "/proc/thread-self/fd/%d", file.number());
    Descriptor fresh{::open(path.data(), O_RDWR | O_CLOEXEC)};
    return fresh ? std::move(fresh) : std::move(file);
}

/// A file that anybody could truncate under us is no place for a ring: either that is sealed, or the file is as trustworthy as
/// one that open() would take.
[[nodiscard]] bool is_safe_to_map(const Descriptor& file, const struct stat& status,
                                  const SegmentOptions& options, SetupReport& report) noexcept {
    if (is_sealed(file)) return true;
    if (status.st_nlink == 0)
        return report.refuse(
            errc::unsealed,
            "it has no name and is not sealed against shrinking and growing (seals %#x, needed %#x)",
            static_cast<unsigned>(std::max(::fcntl(file.number(), F_GET_SEALS), 0)),
            static_cast<unsigned>(kWhatMustBeSealed));
    if (!check_owner_and_mode(status, options, report)) return false;
    if (status.st_nlink > 1)
        return report.refuse(errc::not_a_regular_file, "the file has %ju names (hard links), a segment has 1",
                             static_cast<std::uintmax_t>(status.st_nlink));
    return true;
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
    if (this == &other) return *this;
    if (number_ >= 0) ::close(number_);
    number_ = other.release();
    return *this;
}

Descriptor::~Descriptor() {
    if (number_ >= 0) ::close(number_);
}

std::uint32_t effective_user() noexcept { return ::geteuid(); }

bool may_outlive_boots(const Descriptor& file) noexcept {
    struct statfs system {};
    if (::fstatfs(file.number(), &system) != 0) return true;
    const auto kind = static_cast<std::uint64_t>(system.f_type);
    return kind != TMPFS_MAGIC && kind != RAMFS_MAGIC && kind != HUGETLBFS_MAGIC;
}

platform::FileIdentity identity_of(const Descriptor& file) noexcept {
    std::error_code ignored;  // zeros, which are no file's identity
    return platform::file_identity(file.number(), ignored);
}

void close_if_still(int number, const platform::FileIdentity& file) noexcept {
    if (number < 0) return;
    std::error_code error;
    if (platform::file_identity(number, error) == file && !error) ::close(number);
}

int allocate(const Descriptor& file, std::uint64_t size) noexcept {
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < size)
        return EFBIG;
    // What cannot succeed must not be tried: it would take all memory first, and the kernel kills processes to get it back.
    struct statvfs folder {};
    if (::fstatvfs(file.number(), &folder) == 0 && folder.f_blocks != 0 &&
        size > std::uint64_t{folder.f_bavail} * folder.f_frsize)
        return ENOSPC;
    if (size > available_memory() || cgroup_without_room_for(size).limit != kUnlimited) return ENOMEM;

    // In pieces, because tmpfs gives back everything when a signal comes: with a profiler's timer running, a large segment
    // would never be done. What was allocated in an earlier piece stays.
    constexpr std::uint64_t kLargestPiece = std::uint64_t{64} << 20;
    constexpr std::uint64_t kSmallestPiece = std::uint64_t{64} << 10;
    std::uint64_t piece = kLargestPiece;
    for (std::uint64_t done = 0; done < size;) {
        const std::uint64_t step = std::min(piece, size - done);
        const int number =
            ::posix_fallocate(file.number(), static_cast<off_t>(done), static_cast<off_t>(step));
        if (number == 0) {
            done += step;
        } else if (number == EINTR) {
            piece = std::max(piece / 2, kSmallestPiece);
        } else {
            return number;
        }
    }
    return 0;
}

bool refuse_allocation(int number, std::uint64_t size, SetupReport& report) noexcept {
    if (number == EFBIG)
        return report.refuse_errno(
            number, "%" PRIu64 " bytes are more than this process may write (ulimit -f)", size);
    const CgroupRoom cgroup = number == ENOMEM ? cgroup_without_room_for(size) : CgroupRoom{};
    if (cgroup.limit != kUnlimited)
        return report.refuse_errno(
            number,
            "%" PRIu64 " bytes are needed, and this process's cgroup has room for %" PRIu64
            ": its limit is %" PRIu64 " (%s; docker run --memory=...); raise that, or ask for less",
            size, cgroup.free, cgroup.limit, cgroup.limit_file.data());
    if (number == ENOMEM)
        return report.refuse_errno(number,
                                   "%" PRIu64 " bytes are needed and %" PRIu64 " are free in memory and swap",
                                   size, available_memory());
    return report.refuse_errno(number, "cannot allocate %" PRIu64 " bytes", size);
}

bool check_owner_and_mode(const struct stat& status, const SegmentOptions& options,
                          SetupReport& report) noexcept {
    const std::uint32_t ourselves = effective_user();
    const std::uint32_t other = options.trusted_owner.value_or(ourselves);
    if (status.st_uid != ourselves && status.st_uid != other)
        return report.refuse(errc::untrusted_owner, "it belongs to user %u; we are %u and trust %u",
                             status.st_uid, ourselves, other);
    const unsigned mode = status.st_mode & kPermissions;
    const unsigned owners = S_IRWXU;
    if ((mode & ~options.mode & ~owners) != 0)
        return report.refuse(errc::untrusted_mode, "its mode is %04o, allowed is at most %04o", mode,
                             options.mode);
    return true;
}

Descriptor make_memfd(std::uint64_t size, SetupReport& report) noexcept {
    constexpr const char* kShownInProc = "shmring";
    Descriptor file{::memfd_create(kShownInProc, MFD_CLOEXEC | MFD_ALLOW_SEALING | kMfdNoexecSeal)};
    if (!file && errno == EINVAL)
        file = Descriptor{::memfd_create(kShownInProc, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
    if (!file) {
        (void)report.refuse_errno(errno, "cannot make a memfd");
        return {};
    }
    const int number = allocate(file, size);
    if (number == 0) return file;
    (void)refuse_allocation(number, size, report);
    return {};
}

bool seal(const Descriptor& memfd, SetupReport& report) noexcept {
    if (::fcntl(memfd.number(), F_ADD_SEALS, kWhatMustBeSealed) == 0) return true;
    return report.refuse_errno(errno, "cannot seal the memfd");
}

Descriptor adopt_descriptor(int number, const SegmentOptions& options, std::uint64_t& size,
                            SetupReport& report) noexcept {
    struct stat status {};
    Descriptor file = duplicate(number, status, report);
    if (!file) return {};
    if ((::fcntl(file.number(), F_GETFL) & O_ACCMODE) != O_RDWR) {
        (void)report.refuse_errno(EACCES, "descriptor %d is not open for reading and writing", number);
        return {};
    }
    if (!is_safe_to_map(file, status, options, report)) return {};
    size = static_cast<std::uint64_t>(status.st_size);
    return fresh_description(std::move(file));
}

Descriptor adopt_liveness_descriptor(int number, platform::FileIdentity& file, SetupReport& report) noexcept {
    struct stat status {};
    Descriptor copy = duplicate(number, status, report);
    if (copy) file = {status.st_dev, status.st_ino};
    return copy;
}

void read_header(const Descriptor& file, HeaderCopy& copy) noexcept {
    while (copy.size < HeaderCopy::kSize) {
        const ssize_t got = ::pread(file.number(), copy.data() + copy.size, HeaderCopy::kSize - copy.size,
                                    static_cast<off_t>(copy.size));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return;
        copy.size += static_cast<std::size_t>(got);
    }
}

}  // namespace shmring::detail
