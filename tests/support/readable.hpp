// Waiting for descriptors in tests: bounded always, and told apart from waiting for nothing.
// SPDX-License-Identifier: MIT
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace shmring::test {

/// Longer than anything takes that works.
inline constexpr int kWatchdog_ms = 20'000;

[[nodiscard]] inline bool becomes_readable(int descriptor, int timeout_ms = kWatchdog_ms) {
    pollfd target{descriptor, POLLIN, 0};
    int ready = 0;
    while ((ready = ::poll(&target, 1, timeout_ms)) < 0 && errno == EINTR) {
    }
    return ready == 1 && (target.revents & POLLIN) != 0;
}
[[nodiscard]] inline bool is_readable(int descriptor) { return becomes_readable(descriptor, 0); }

/// Calls `look` until the ring behind `descriptor` was found empty and the timer of a fresh arming (1 ms) has come and gone, now or
/// before, so that from here on only the bell speaks, or a timer once per liveness period. False: that did not come about.
template <class Look>
[[nodiscard]] bool settle(int descriptor, Look&& look) {
    constexpr int kMoreThanTheTimer_ms = 20;
    look();
    if (becomes_readable(descriptor, kMoreThanTheTimer_ms)) look();
    return !is_readable(descriptor);
}

/// An event loop's set, level-triggered.
class EpollSet {
 public:
    EpollSet() : set_(::epoll_create1(EPOLL_CLOEXEC)) {}
    EpollSet(const EpollSet&) = delete;
    EpollSet& operator=(const EpollSet&) = delete;
    ~EpollSet() { ::close(set_); }

    [[nodiscard]] bool add(int descriptor, std::uint64_t name) const {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = name;
        return ::epoll_ctl(set_, EPOLL_CTL_ADD, descriptor, &event) == 0;
    }
    /// The names of those that are readable; none when the watchdog barked.
    [[nodiscard]] std::vector<std::uint64_t> wait() const {
        std::array<epoll_event, 16> events;
        int count = 0;
        while ((count = ::epoll_wait(set_, events.data(), events.size(), kWatchdog_ms)) < 0 &&
               errno == EINTR) {
        }
        std::vector<std::uint64_t> names;
        names.reserve(events.size());
        for (int i = 0; i < count; ++i) names.push_back(events[static_cast<std::size_t>(i)].data.u64);
        return names;
    }

 private:
    int set_;
};

}  // namespace shmring::test
