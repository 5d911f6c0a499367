// Striking and silencing a bell.
// SPDX-License-Identifier: MIT
#include "shmring/detail/bell.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "shmring/detail/event_count.hpp"
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

/// Changes nothing, and needs no more than the descriptor that we hold as long as the ring.
void knock(const Segment& segment) noexcept {
    std::error_code error;
    if (platform::file_identity(segment.descriptor(), error) != segment.file_identity() || error) return;
    std::byte unused{};
    (void)::pread(segment.descriptor(), &unused, sizeof unused, 0);
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

bool Bell::strike() const noexcept {
    if (!file_.still_ours()) return false;
    const std::uint64_t one = 1;
    while (::write(file_.number(), &one, sizeof one) < 0 && errno == EINTR) {
    }  // full: it is readable already
    return true;
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

void strike_or_knock(Bell& bell, const Segment& segment, std::size_t lane,
                     EventLine<ShippedEnv>& line) noexcept {
    if (!bell.current()) {
        SetupError unused;
        Bell found = Bell::of(segment, lane, false, unused);
        if (found) bell = std::move(found);
    }
    const bool heard = bell.current();
    bell.strike();  // also one whose name is gone: the reader may have the same
    if (heard) return;
    // Said first: a reader that does not listen for knocks yet finds it at its next look, and does from then on.
    EventCount<ShippedEnv>::tell_unheard(line);
    knock(segment);
}

void call_everybody(const Segment& segment, std::size_t lane, EventLine<ShippedEnv>& line) noexcept {
    EventCount<ShippedEnv>::notify_all(line);
    if (!EventCount<ShippedEnv>::disarm(line)) return;
    Bell bell;
    strike_or_knock(bell, segment, lane, line);
}

GuardedDescriptor hear_knocks(const Segment& segment) noexcept {
    if (segment.name().empty()) return {};  // a memfd: it could be watched, but the kernel would tell nothing
    std::array<char, 48> link{};
    (void)std::snprintf(link.data(), link.size(), "/proc/thread-self/fd/%d", segment.descriptor());
    GuardedDescriptor knocks(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!knocks || ::inotify_add_watch(knocks.number(), link.data(), IN_ACCESS) < 0) return {};
    return knocks;
}

}  // namespace shmring::detail
