// Named segments: files in /dev/shm that appear whole or not at all, and are looked at before they are trusted.
//
// What the death of a creator leaves behind, by the moment it comes: before the link, nothing (the kernel frees a file without
// a name and a descriptor); after it, a whole segment.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <thread>

#include "shmring/detail/segment_file.hpp"

namespace shmring::detail {

namespace {

constexpr const char* kFolder = "/dev/shm";
constexpr unsigned kPermissions = 07777;

class Path {
 public:
    explicit Path(std::string_view plain) noexcept {
        (void)std::snprintf(text_.data(), text_.size(), "%s/%.*s", kFolder, static_cast<int>(plain.size()),
                            plain.data());
    }
    [[nodiscard]] const char* text() const noexcept { return text_.data(); }

 private:
    std::array<char, 9 + kMaxNameSize + 1> text_{};
};

[[nodiscard]] std::error_code errno_code(int number) noexcept { return {number, std::generic_category()}; }

[[nodiscard]] const char* type_name(mode_t mode) noexcept {
    if (S_ISDIR(mode)) return "a directory";
    if (S_ISLNK(mode)) return "a symbolic link";
    if (S_ISFIFO(mode)) return "a FIFO";
    if (S_ISSOCK(mode)) return "a socket";
    if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
    return "no regular file";
}

[[nodiscard]] bool refuse_missing(SetupReport& report) noexcept {
    return report.refuse_errno(ENOENT, "there is no segment of this name in %s", kFolder);
}

[[nodiscard]] bool check_named_file(const struct stat& status, const SegmentOptions& options,
                                    SetupReport& report) noexcept {
    if (!S_ISREG(status.st_mode))
        return report.refuse(errc::not_a_regular_file, "it is %s, not a regular file",
                             type_name(status.st_mode));
    if (status.st_nlink == 0) return refuse_missing(report);  // removed since it was opened
    if (!check_owner_and_mode(status, options, report)) return false;
    if (status.st_nlink > 1)
        return report.refuse(errc::not_a_regular_file, "the file has %ju names (hard links), a segment has 1",
                             static_cast<std::uintmax_t>(status.st_nlink));
    return true;
}

/// What the failed open of an existing name means. What the file is says more than why the kernel did not open it.
[[nodiscard]] bool explain_failed_open(int number, const Path& path, const SegmentOptions& options,
                                       SetupReport& report) noexcept {
    struct stat status {};
    if (number == ENOENT || ::lstat(path.text(), &status) != 0) {
        if (number == ENOENT) return refuse_missing(report);
        return report.refuse_errno(number, "cannot open it");
    }
    if (!check_named_file(status, options, report)) return false;
    return report.refuse_errno(number, "cannot open it for reading and writing (mode %04o, owner %u)",
                               status.st_mode & kPermissions, status.st_uid);
}

[[nodiscard]] bool refuse_no_space(const Descriptor& file, std::uint64_t size, SetupReport& report) noexcept {
    struct statvfs folder {};
    if (::fstatvfs(file.number(), &folder) != 0) folder = {};
    return report.refuse_errno(
        ENOSPC,
        "%" PRIu64 " bytes of %s are needed and %" PRIu64
        " are free; remove something there, make it larger (mount -o remount,size=..., or "
        "docker run --shm-size=...), or ask for less",
        size, kFolder, std::uint64_t{folder.f_bavail} * folder.f_frsize);
}

/// Lets the kernel write the mark into a mapping, from the magic number at the file's start, since any number but 0 will do. A store
/// of ours would raise SIGBUS in a file that shrinks under us, and pwrite() SIGXFSZ under RLIMIT_FSIZE; this answers EFAULT at worst.
void mark_retired(const Descriptor& file) noexcept {
    HeaderCopy copy;
    read_header(file, copy);
    const SegmentHeader& header = copy.fields();
    if (copy.size < HeaderCopy::kSize || header.magic != kMagic || header.layout_version != kLayoutVersion)
        return;
    void* const page = ::mmap(nullptr, kPageSize, PROT_READ | PROT_WRITE, MAP_SHARED, file.number(), 0);
    if (page == MAP_FAILED) return;
    (void)::pread(file.number(), static_cast<std::byte*>(page) + offsetof(SegmentHeader, retired),
                  sizeof header.retired, offsetof(SegmentHeader, magic));
    ::munmap(page, kPageSize);
}

[[nodiscard]] platform::FileIdentity identity_of(const struct stat& status) noexcept {
    return {status.st_dev, status.st_ino};
}

[[nodiscard]] bool has_no_name_at_all(int number, const platform::FileIdentity& file) noexcept {
    struct stat status {};
    return ::fstat(number, &status) == 0 && status.st_nlink == 0 && identity_of(status) == file;
}

/// Held by whoever takes the name of a file away. Not held by anybody: `code` says why, resource_unavailable_try_again where another
/// had it all the time. A process that is stopped with it in hand must not stop others for good.
[[nodiscard]] platform::LivenessLock right_to_remove(const Descriptor& file, const struct stat& status,
                                                     std::error_code& code) noexcept {
    constexpr int kAttempts = 1000;
    constexpr auto kPause = std::chrono::milliseconds(1);
    for (int attempt = 0;; ++attempt) {
        code.clear();
        auto right = platform::LivenessLock::take(file.number(), identity_of(status),
                                                  kOwnLivenessBase + kRemovalByte, code);
        if (right.held() || code != std::errc::resource_unavailable_try_again || attempt == kAttempts)
            return right;
        std::this_thread::sleep_for(kPause);
    }
}

}  // namespace

std::string_view plain_name(std::string_view name) noexcept {
    if (name.starts_with('/')) name.remove_prefix(1);
    const bool is_name = !name.empty() && name.size() <= kMaxNameSize && name != "." && name != ".." &&
                         std::ranges::none_of(name, [](char c) { return c == '/' || c == '\0'; });
    return is_name ? name : std::string_view{};
}

bool name_is_taken(std::string_view plain) noexcept {
    struct stat status {};
    return ::lstat(Path{plain}.text(), &status) == 0;
}

Descriptor make_unnamed_file(std::uint64_t size, unsigned mode, SetupReport& report) noexcept {
    Descriptor file{::open(kFolder, O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR)};
    if (!file) {
        const int number = errno;
        if (number == EOPNOTSUPP || number == EISDIR)
            (void)report.refuse_errno(number, "%s cannot hold a file without a name (O_TMPFILE); a tmpfs can",
                                      kFolder);
        else if (number == ENOSPC)
            (void)report.refuse_errno(number, "%s has no room for another file", kFolder);
        else
            (void)report.refuse_errno(number, "cannot make a file in %s", kFolder);
        return {};
    }
    if (::fchmod(file.number(), mode) != 0) {  // exactly this mode, whatever the umask took away
        (void)report.refuse_errno(errno, "cannot set mode %04o", mode);
        return {};
    }
    const int number = allocate(file, size);
    if (number == 0) return file;
    if (number == ENOSPC)
        (void)refuse_no_space(file, size, report);
    else
        (void)refuse_allocation(number, size, report);
    return {};
}

bool publish(const Descriptor& file, std::string_view plain, SetupReport& report) noexcept {
    // Through /proc, because linking the bare descriptor takes a capability before Linux 6.10; and the thread's own entry,
    // because that of a process whose main thread has ended is empty.
    std::array<char, 48> link{};
    (void)std::snprintf(link.data(), link.size(), "/proc/thread-self/fd/%d", file.number());
    if (::linkat(AT_FDCWD, link.data(), AT_FDCWD, Path{plain}.text(), AT_SYMLINK_FOLLOW) == 0) return true;
    const int number = errno;
    if (number == EEXIST)
        return report.refuse_errno(number, "the name is taken; open it, or remove it first");
    if (number == ENOENT)
        return report.refuse_errno(number, "cannot name the file through /proc, is that mounted?");
    return report.refuse_errno(number, "cannot name the file");
}

Descriptor open_named_file(std::string_view plain, const SegmentOptions& options, std::uint64_t& size,
                           SetupReport& report) noexcept {
    const Path path{plain};
    // O_NONBLOCK: a FIFO or a lease put there by somebody must not make us wait.
    Descriptor file{::open(path.text(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};
    if (!file) {
        (void)explain_failed_open(errno, path, options, report);
        return {};
    }
    struct stat status {};
    if (::fstat(file.number(), &status) != 0) {
        (void)report.refuse_errno(errno, "cannot look at it");
        return {};
    }
    if (!check_named_file(status, options, report)) return {};
    size = static_cast<std::uint64_t>(status.st_size);
    return file;
}

bool has_a_name(const Descriptor& file) noexcept {
    struct stat status {};
    return ::fstat(file.number(), &status) == 0 && status.st_nlink != 0;
}

platform::FileIdentity identity_of_folder() noexcept {
    struct stat status {};
    return ::stat(kFolder, &status) == 0 ? identity_of(status) : platform::FileIdentity{};
}

bool has_lost_its_name(int number, const platform::FileIdentity& file, std::string_view plain,
                       const platform::FileIdentity& folder) noexcept {
    struct stat status {};
    if (plain.empty()) return has_no_name_at_all(number, file);
    if (::lstat(Path{plain}.text(), &status) == 0) {
        if (identity_of(status) == file) return false;
    } else if (errno != ENOENT) {
        return has_no_name_at_all(number, file);
    }
    // It leads elsewhere or nowhere; but perhaps in a folder that another mount or root has put in the place of ours.
    return identity_of_folder() == folder || has_no_name_at_all(number, file);
}

bool refuse_retired(const Descriptor& file, SetupReport& report) noexcept {
    struct stat status {};
    if (::fstat(file.number(), &status) == 0 && status.st_nlink == 0) return refuse_missing(report);
    return report.refuse(errc::retired,
                         "it is marked as removed and has its name nevertheless; remove it once more");
}

std::error_code remove_named_file(std::string_view plain, const platform::FileIdentity* only) noexcept {
    const Path path{plain};
    struct stat status {};
    if (::lstat(path.text(), &status) != 0) return errno_code(errno);
    const platform::FileIdentity found = identity_of(status);
    if (only != nullptr && found != *only) return errno_code(ENOENT);
    if (!S_ISREG(status.st_mode)) return errc::not_a_regular_file;
    if (status.st_uid != effective_user() && effective_user() != 0) return errc::untrusted_owner;

    // First the name, then the mark: whoever dies in between leaves a ring whose users do not notice, as rm does. The other
    // order would leave a name whose ring nobody may join.
    const Descriptor file{::open(path.text(), O_RDWR | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)};

    // Two may be at it at once, and behind the first one's back a successor may get the name: it is not the second one's to delete. So
    // who deletes the name holds a lock of the file, and looks whether the name still leads there. That holds among users of this
    // library (the kernel deletes names, not files); rm asks nobody. Where the lock cannot be had for another reason than that
    // somebody has it, the name is deleted without it; not by a renewal, which nobody asked for.
    std::error_code code;
    const auto right = file ? right_to_remove(file, status, code) : platform::LivenessLock{};
    if (code == std::errc::resource_unavailable_try_again) return code;
    if (::lstat(path.text(), &status) != 0) return errno_code(errno);
    if (identity_of(status) != found) return errno_code(ENOENT);
    if (only != nullptr && !right.held()) return code ? code : errno_code(EACCES);

    const Bells bells = remove_bell_files(plain);  // before the name is free: later it might be a successor's
    if (::unlink(path.text()) != 0) return errno_code(errno);
    const bool was_the_last_name = file && ::fstat(file.number(), &status) == 0 && status.st_nlink == 0;
    if (was_the_last_name && S_ISREG(status.st_mode)) mark_retired(file);
    // Event loops hear of the mark, and from here on listen for those who never opened the bell and cannot find it any more.
    constexpr std::uint64_t kOneStroke = 1;
    for (const Descriptor& bell : bells) {
        if (bell) (void)::write(bell.number(), &kOneStroke, sizeof kOneStroke);  // full: it is readable
    }
    return {};
}

}  // namespace shmring::detail
