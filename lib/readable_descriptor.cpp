// The descriptors behind readable_fd().
#include "shmring/detail/readable_descriptor.hpp"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <utility>

#include "shmring/detail/setup_report.hpp"

namespace shmring::detail {

namespace {

[[nodiscard]] timespec time_of(std::uint64_t ns) noexcept {
    constexpr std::uint64_t kSecond_ns = 1'000'000'000;
    return {static_cast<time_t>(ns / kSecond_ns), static_cast<long>(ns % kSecond_ns)};
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
    epoll_event readable{};
    readable.events = EPOLLIN;
    if (!poll || ::epoll_ctl(poll.number(), EPOLL_CTL_ADD, made.bell_.descriptor(), &readable) != 0 ||
        ::epoll_ctl(poll.number(), EPOLL_CTL_ADD, made.timer_.number(), &readable) != 0) {
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
    kept_readable_ = false;
}

void ReadableDescriptor::keep_readable() noexcept {
    if (kept_readable_) return;
    bell_.strike();
    kept_readable_ = true;
}

void ReadableDescriptor::start_timer(std::uint64_t first_ns, std::uint64_t period_ns) noexcept {
    if (!timer_.still_ours()) return;
    const itimerspec times{.it_interval = time_of(period_ns), .it_value = time_of(first_ns)};
    (void)::timerfd_settime(timer_.number(), 0, &times, nullptr);  // times in range: cannot fail
}

bool ReadableDescriptor::take_expiry() noexcept {
    std::uint64_t expirations = 0;
    return timer_.still_ours() &&
           ::read(timer_.number(), &expirations, sizeof expirations) == sizeof expirations;
}

}  // namespace shmring::detail
