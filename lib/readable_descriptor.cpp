// The descriptors behind readable_fd().
// SPDX-License-Identifier: MIT
#include "shmring/detail/readable_descriptor.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <ctime>
#include <utility>

#include "shmring/detail/setup_report.hpp"

namespace shmring::detail {

namespace {

[[nodiscard]] timespec time_of(std::uint64_t ns) noexcept {
    constexpr std::uint64_t kSecond_ns = 1'000'000'000;
    return {static_cast<time_t>(ns / kSecond_ns), static_cast<long>(ns % kSecond_ns)};
}

[[nodiscard]] bool join(const GuardedDescriptor& poll, int added) noexcept {
    epoll_event readable{};
    readable.events = EPOLLIN;
    return ::epoll_ctl(poll.number(), EPOLL_CTL_ADD, added, &readable) == 0;
}

}  // namespace

ReadableDescriptor ReadableDescriptor::open(const Segment& segment, std::size_t lane,
                                            SetupError& error) noexcept {
    ReadableDescriptor made;
    made.bell_ = Bell::of(segment, lane, true, error);
    if (error.code) return made;
    SetupReport report(error, "wait by descriptor on", segment.name());
    made.timer_ = GuardedDescriptor(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
    if (!made.timer_) {
        (void)report.refuse_errno(errno, "cannot make a timer");
        return made;
    }
    GuardedDescriptor poll(::epoll_create1(EPOLL_CLOEXEC));
    if (!poll || !join(poll, made.bell_.descriptor()) || !join(poll, made.timer_.number())) {
        (void)report.refuse_errno(errno, "cannot join its bell and a timer");
        return made;
    }
    made.poll_ = std::move(poll);
    const std::uint64_t period_ns = segment.geometry().liveness_period_ns;
    made.start_timer(period_ns, period_ns);  // a stranger could take even our own stroke away
    made.keep_readable();
    return made;
}

void ReadableDescriptor::silence() noexcept {
    bell_.silence();
    if (knocks_) take_knocks();
    kept_readable_ = false;
}

/// The same knock again is not queued a second time, so these are few.
void ReadableDescriptor::take_knocks() const noexcept {
    std::array<std::byte, 4096> told;
    if (knocks_.still_ours()) (void)::read(knocks_.number(), told.data(), told.size());
}

void ReadableDescriptor::mend(const Segment& segment, std::size_t lane) noexcept {
    if (!poll_.still_ours()) return;
    SetupError unused;
    if (!bell_.current()) {
        Bell found = Bell::of(segment, lane, true, unused);
        // The old one leaves the set as it is closed; but a forked child may have it open still, and then it would stay.
        if (found && join(poll_, found.descriptor())) {
            (void)::epoll_ctl(poll_.number(), EPOLL_CTL_DEL, bell_.descriptor(), nullptr);
            bell_ = std::move(found);
        }
    }
    if (knocks_) return;
    GuardedDescriptor knocks = hear_knocks(segment);
    if (knocks && join(poll_, knocks.number())) knocks_ = std::move(knocks);
}

void ReadableDescriptor::keep_readable() noexcept {
    if (kept_readable_) return;
    bell_.strike();
    kept_readable_ = true;
}

void ReadableDescriptor::start_timer(std::uint64_t first_ns, std::uint64_t period_ns) noexcept {
    next_ns_ = period_ns;
    set_timer(first_ns);
}

void ReadableDescriptor::go_on(bool idle, std::uint64_t period_ns) noexcept {
    set_timer(next_ns_);
    const std::uint64_t longest_ns = kLongest * period_ns;  // a period is a day at most
    if (!idle)
        next_ns_ = period_ns;
    else if (next_ns_ < longest_ns)
        next_ns_ = std::min(2 * next_ns_, longest_ns);
}

void ReadableDescriptor::set_timer(std::uint64_t ns) noexcept {
    if (!timer_.still_ours()) return;
    const itimerspec times{.it_interval = {}, .it_value = time_of(ns)};
    (void)::timerfd_settime(timer_.number(), 0, &times, nullptr);  // times in range: cannot fail
}

bool ReadableDescriptor::take_expiry() noexcept {
    std::uint64_t expirations = 0;
    return timer_.still_ours() &&
           ::read(timer_.number(), &expirations, sizeof expirations) == sizeof expirations;
}

}  // namespace shmring::detail
