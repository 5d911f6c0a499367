// One event loop over two rings: each consumer gives a descriptor for epoll, beside whatever else a program waits for.
// SPDX-License-Identifier: MIT
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <exception>

#include <shmring/shmring.hpp>

namespace {

using Numbers = shmring::SpscRing<std::uint64_t>;

/// The child sends 1 to 1000, odd and even numbers apart; the parent adds them up.
int send(const Numbers& odd, const Numbers& even) {
    std::array<Numbers::Producer, 2> out{even.producer(), odd.producer()};
    for (std::uint64_t number = 1; number <= 1000; ++number)
        if (!out[number % 2].push(number)) return 1;
    out[0].close();
    out[1].close();
    return 0;
}

int receive(const Numbers& odd, const Numbers& even) {
    std::array<Numbers::Consumer, 2> in{even.consumer(), odd.consumer()};
    const int set = ::epoll_create1(EPOLL_CLOEXEC);
    for (std::uint32_t which = 0; which != in.size(); ++which) {
        epoll_event event{.events = EPOLLIN, .data = {.u32 = which}};
        if (::epoll_ctl(set, EPOLL_CTL_ADD, in[which].readable_fd(), &event) != 0) return 1;
    }
    std::uint64_t sum = 0;
    for (int open = 2; open != 0;) {
        epoll_event event{};
        if (::epoll_wait(set, &event, 1, -1) != 1) continue;  // a signal
        auto& ring = in[event.data.u32];
        auto number = ring.try_pop();
        for (; number; number = ring.try_pop()) sum += *number;  // up to `empty`, which makes it unreadable
        if (number.error() == shmring::Status::empty) continue;
        ring.detach();  // closed, or peer_lost: closes the descriptor, and so takes it out of the set
        --open;
    }
    std::printf("1 + 2 + ... + 1000 = %ju\n", std::uintmax_t{sum});
    return sum == 500500 ? 0 : 1;
}

}  // namespace

int main() try {
    const Numbers odd = Numbers::anonymous({.capacity = 16, .segment = {.bell = true}});
    const Numbers even = Numbers::anonymous({.capacity = 16, .segment = {.bell = true}});
    const pid_t child = ::fork();
    if (child == 0) ::_exit(send(odd, even));
    const int received = child > 0 ? receive(odd, even) : 1;
    int status = 0;
    return ::waitpid(child, &status, 0) == child && status == 0 ? received : 1;
} catch (const std::exception& error) {
    return std::fprintf(stderr, "epoll_consumer: %s\n", error.what()), 1;
}
