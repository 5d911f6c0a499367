// Striking and silencing a bell.
#include "shmring/detail/bell.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "shmring/detail/segment_file.hpp"
#include "shmring/detail/setup_report.hpp"

namespace shmring::detail {

namespace {

[[nodiscard]] Descriptor duplicate_bell(const Segment& segment, std::size_t lane,
                                        SetupReport& report) noexcept {
    if (segment.bell_descriptor(lane) < 0) {
        (void)report.refuse(errc::no_bell,
                            "a ring without a name has one only if it was made with SegmentOptions::bell, or "
                            "joined with bell_descriptor");
        return {};
    }
    Descriptor copy{::fcntl(segment.bell_descriptor(lane), F_DUPFD_CLOEXEC, 0)};
    if (!copy) (void)report.refuse_errno(errno, "cannot duplicate its bell");
    return copy;
}

}  // namespace

GuardedDescriptor::GuardedDescriptor(int number) noexcept : number_(number) {
    if (number < 0) return;   // and leave errno to who failed to open it
    std::error_code ignored;  // zeros, which are no file's identity
    file_ = platform::file_identity(number, ignored);
}

GuardedDescriptor::GuardedDescriptor(GuardedDescriptor&& other) noexcept
    : number_(std::exchange(other.number_, -1)), file_(other.file_) {}

GuardedDescriptor& GuardedDescriptor::operator=(GuardedDescriptor&& other) noexcept {
    if (this == &other) return *this;
    close_if_still(number_, file_);
    number_ = std::exchange(other.number_, -1);
    file_ = other.file_;
    return *this;
}

GuardedDescriptor::~GuardedDescriptor() { close_if_still(number_, file_); }

bool GuardedDescriptor::still_ours() const noexcept {
    std::error_code error;
    return number_ >= 0 && platform::file_identity(number_, error) == file_ && !error;
}

Bell Bell::of(const Segment& segment, std::size_t lane, bool make, SetupError& error) noexcept {
    SetupReport report(error, "wait by descriptor on", segment.name());
    Bell bell;
    bell.is_fifo_ = !segment.name().empty();
    Descriptor file = bell.is_fifo_
                          ? open_bell_file(segment.name(), lane, segment.file_identity(), make, report)
                          : duplicate_bell(segment, lane, report);
    if (file) bell.file_ = GuardedDescriptor(file.release());
    return bell;
}

void Bell::strike() const noexcept {
    if (!file_.still_ours()) return;
    const std::uint64_t one = 1;
    while (::write(file_.number(), &one, sizeof one) < 0 && errno == EINTR) {
    }  // full: it is readable already
}

void Bell::silence() const noexcept {
    if (!file_.still_ours()) return;
    // A FIFO full of strokes is 64 KiB. Bounded, for somebody who strikes without end must not hold us here.
    constexpr int kMostReads = 32;
    std::array<std::uint64_t, 512> strokes;
    for (int i = 0; i != kMostReads; ++i) {
        const ssize_t size = ::read(file_.number(), strokes.data(), sizeof strokes);
        if (size < 0 && errno == EINTR) continue;
        if (size < static_cast<ssize_t>(sizeof strokes)) return;  // all of them; an eventfd gives one number
    }
}

bool Bell::current() const noexcept {
    struct stat status {};
    return file_.still_ours() &&
           (!is_fifo_ || (::fstat(file_.number(), &status) == 0 && status.st_nlink != 0));
}

}  // namespace shmring::detail
