// Where a ring's bell comes from: a FIFO beside a named segment, looked at before it is trusted; an eventfd for the others.
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

#include "shmring/detail/segment_file.hpp"

namespace shmring::detail {

namespace {

constexpr unsigned kPermissions = 07777;
constexpr unsigned kRoot = 0;
constexpr std::array<const char*, 2> kEndings = {".bell", ".bel2"};  // by lane

/// The longest name and this ending are together just as long as a file's name may be.
class Path {
 public:
    Path(std::string_view plain, const char* ending) noexcept {
        (void)std::snprintf(text_.data(), text_.size(), "/dev/shm/%.*s%s", static_cast<int>(plain.size()),
                            plain.data(), ending);
    }
    [[nodiscard]] const char* text() const noexcept { return text_.data(); }

 private:
    std::array<char, 9 + kMaxNameSize + 5 + 1> text_{};
};

[[nodiscard]] bool check_bell(const struct stat& bell, const struct stat& ring,
                              SetupReport& report) noexcept {
    if (!S_ISFIFO(bell.st_mode))
        return report.refuse(errc::untrusted_bell,
                             "what stands beside it as its bell (its name and .bell) is no FIFO");
    if (bell.st_uid != ring.st_uid)
        return report.refuse(errc::untrusted_bell, "its bell belongs to user %u, the ring to user %u",
                             bell.st_uid, ring.st_uid);
    const unsigned mode = bell.st_mode & kPermissions;
    if ((mode & ~(ring.st_mode & kPermissions)) != 0)
        return report.refuse(errc::untrusted_bell, "its bell has mode %04o, the ring %04o", mode,
                             ring.st_mode & kPermissions);
    return true;
}

/// For reading and writing on both sides: a FIFO without a reader would raise SIGPIPE, and one without a writer looks ended.
[[nodiscard]] Descriptor open_fifo(const Path& path) noexcept {
    return Descriptor{::open(path.text(), O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)};
}

/// The failed open of something that is there: what it is says more than why the kernel did not open it.
[[nodiscard]] bool explain_failed_open(int number, const Path& path, const struct stat& ring,
                                       SetupReport& report) noexcept {
    struct stat status {};
    if (::lstat(path.text(), &status) == 0 && !check_bell(status, ring, report)) return false;
    return report.refuse_errno(number, "cannot open its bell");
}

/// Whoever may open the ring may open the bell, whatever the umask took away when it was made.
[[nodiscard]] bool open_up(const Descriptor& fifo, const struct stat& bell, const struct stat& ring,
                           SetupReport& report) noexcept {
    if ((bell.st_mode & kPermissions) == (ring.st_mode & kPermissions)) return true;
    if (::fchmod(fifo.number(), ring.st_mode & kPermissions) == 0) return true;
    return report.refuse_errno(errno, "cannot give its bell the ring's mode %04o",
                               ring.st_mode & kPermissions);
}

/// Not open to anybody else yet: open_up() does that.
[[nodiscard]] bool make_fifo(const Path& path, const struct stat& ring, SetupReport& report) noexcept {
    if (ring.st_uid != effective_user() && effective_user() != kRoot)
        return report.refuse(errc::no_bell, "the ring belongs to user %u, and only they can make its bell",
                             ring.st_uid);
    if (::mkfifo(path.text(), S_IRUSR | S_IWUSR) != 0)
        return errno == EEXIST || report.refuse_errno(errno, "cannot make its bell");
    if (::lchown(path.text(), ring.st_uid, ring.st_gid) == 0) return true;
    const int number = errno;
    ::unlink(path.text());
    return report.refuse_errno(number, "cannot give its bell to user %u, group %u", ring.st_uid, ring.st_gid);
}

/// A duplicate of the caller's eventfd.
[[nodiscard]] Descriptor adopt_bell(int number, SetupReport& report) noexcept {
    Descriptor bell{::fcntl(number, F_DUPFD_CLOEXEC, 0)};
    if (!bell) {
        (void)report.refuse_errno(errno, "cannot duplicate its bell %d", number);
        return {};
    }
    std::array<char, 48> link{};
    std::array<char, 32> target{};
    (void)std::snprintf(link.data(), link.size(), "/proc/thread-self/fd/%d", bell.number());
    const ssize_t size = ::readlink(link.data(), target.data(), target.size());
    const std::string_view kind(target.data(), static_cast<std::size_t>(size < 0 ? 0 : size));
    if (kind != "anon_inode:[eventfd]") {
        (void)report.refuse(errc::bad_option, "bell descriptor %d is no eventfd", number);
        return {};
    }
    if ((::fcntl(bell.number(), F_GETFL) & O_NONBLOCK) == 0) {
        (void)report.refuse(errc::bad_option, "bell descriptor %d is not non-blocking (EFD_NONBLOCK)",
                            number);
        return {};
    }
    return bell;
}

}  // namespace

Descriptor open_bell_file(std::string_view plain, std::size_t lane, const platform::FileIdentity& ring,
                          bool make, SetupReport& report) noexcept {
    struct stat segment {};
    const bool is_there = ::lstat(Path{plain, ""}.text(), &segment) == 0;
    if (!is_there || platform::FileIdentity{segment.st_dev, segment.st_ino} != ring) {
        (void)report.refuse(errc::retired, "its name was removed: nobody would find its bell");
        return {};
    }
    const Path path{plain, kEndings[lane]};
    Descriptor fifo = open_fifo(path);
    if (!fifo && errno == ENOENT && make) {
        if (!make_fifo(path, segment, report)) return {};
        fifo = open_fifo(path);
    }
    struct stat bell {};
    if (!fifo) {
        (void)explain_failed_open(errno, path, segment, report);
        return {};
    }
    if (::fstat(fifo.number(), &bell) != 0) {
        (void)report.refuse_errno(errno, "cannot look at its bell");
        return {};
    }
    if (!check_bell(bell, segment, report)) return {};
    if (make && !open_up(fifo, bell, segment, report)) return {};
    return fifo;
}

Bells remove_bell_files(std::string_view plain) noexcept {
    Bells removed;
    for (std::size_t lane = 0; lane != kEndings.size(); ++lane) {
        const Path path{plain, kEndings[lane]};
        struct stat status {};
        const bool is_ours = ::lstat(path.text(), &status) == 0 && S_ISFIFO(status.st_mode) &&
                             (status.st_uid == effective_user() || effective_user() == kRoot);
        if (!is_ours) continue;
        Descriptor bell = open_fifo(path);
        ::unlink(path.text());
        // Looked at again: what we open to write to must be no file that took its place.
        if (bell && ::fstat(bell.number(), &status) == 0 && S_ISFIFO(status.st_mode))
            removed[lane] = std::move(bell);
    }
    return removed;
}

bool check_joining_options(const SegmentOptions& options, SetupReport& report) noexcept {
    if (!options.bell) return true;
    return report.refuse(errc::bad_option,
                         "only who makes a ring makes its bell; join with the descriptor of that one");
}

bool prepare_bells(const SegmentOptions& options, std::uint32_t pipe_shape, Bells& bells,
                   SetupReport& report) noexcept {
    const std::array<int, 2> given = {options.bell_descriptor, options.second_bell_descriptor};
    const std::size_t lanes = (pipe_shape & kPipeDuplex) != 0 ? 2 : 1;
    if (options.bell && (given[0] >= 0 || given[1] >= 0))
        return report.refuse(errc::bad_option, "a bell was asked for, and one was given");
    if (given[1] >= 0 && lanes == 1)
        return report.refuse(errc::bad_option, "a second bell is for duplex pipes");
    for (std::size_t lane = 0; lane != lanes; ++lane) {
        if (options.bell) {
            bells[lane] = Descriptor{::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
            if (!bells[lane]) return report.refuse_errno(errno, "cannot make its bell");
        } else if (given[lane] >= 0) {
            bells[lane] = adopt_bell(given[lane], report);
            if (!bells[lane]) return false;
        }
    }
    return true;
}

}  // namespace shmring::detail
