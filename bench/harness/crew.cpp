// Forking, pinning and watching. The parent sleeps while its children measure: it must not take their CPUs.
// SPDX-License-Identifier: MIT
#include "harness/crew.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <vector>

namespace bench {

namespace {

[[noreturn]] void fail(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

}  // namespace

Crew::~Crew() { kill_all(); }

pid_t Crew::fork_side(std::size_t side) {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t pid = ::fork();
    if (pid < 0) fail("fork a side of the benchmark");
    if (pid == 0) {
        // A killed parent must not leave two processes behind that spin on both CPUs for ever.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        return 0;
    }
    members_[side].pid = pid;
    members_[side].handle = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (members_[side].handle < 0) fail("open a handle of a side of the benchmark");
    return pid;
}

void Crew::pin(int cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<std::size_t>(cpu), &cpus);
    if (::sched_setaffinity(0, sizeof cpus, &cpus) != 0) fail(("pin to CPU " + std::to_string(cpu)).c_str());
}

void Crew::leave(std::size_t side, const char* fault) {
    if (fault == nullptr) ::_exit(0);
    std::array<char, 256>& text = control_.sides[side].fault;
    std::strncpy(text.data(), fault, text.size() - 1);
    ::_exit(1);
}

std::string Crew::reap(std::size_t side) {
    Member& member = members_[side];
    int status = 0;
    while (::waitpid(member.pid, &status, 0) < 0 && errno == EINTR) {
    }
    ::close(member.handle);
    member = Member{};
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const char* text = control_.sides[side].fault.data();
    if (text[0] != '\0') return text;
    const std::string end = WIFSIGNALED(status) ? "was killed by signal " + std::to_string(WTERMSIG(status))
                                                : "ended with status " + std::to_string(WEXITSTATUS(status));
    return name_of_side(side) + " " + end;
}

std::string Crew::name_of_side(std::size_t side) const {
    const bool sends = side < crowd_.producers;
    std::string name = sends ? "the sending side" : "the receiving side";
    if (crowd_ == kPair) return name;
    return name + " " + std::to_string(sends ? side : side - crowd_.producers);
}

void Crew::kill_all() {
    for (std::size_t side = 0; side != members_.size(); ++side) {
        if (members_[side].pid == 0) continue;
        ::kill(members_[side].pid, SIGKILL);
        (void)reap(side);
    }
}

std::string Crew::finish(double limit_seconds) {
    const std::int64_t deadline_ns = now_ns() + static_cast<std::int64_t>(limit_seconds * 1e9);
    for (;;) {
        std::vector<pollfd> waiting;
        for (const Member& member : members_)
            if (member.pid != 0) waiting.push_back({member.handle, POLLIN, 0});
        if (waiting.empty()) return {};

        const std::int64_t left_ms = std::max<std::int64_t>((deadline_ns - now_ns()) / 1'000'000, 0);
        const int ready = ::poll(waiting.data(), waiting.size(), static_cast<int>(left_ms));
        if (ready < 0 && errno != EINTR) fail("wait for the sides of the benchmark");
        if (ready == 0) {
            kill_all();
            return "hung: no end after " + std::to_string(static_cast<int>(limit_seconds)) +
                   " s; a lost message looks so, too";
        }
        std::string faults;
        for (std::size_t side = 0; side != members_.size() && ready > 0; ++side) {
            const auto entry = std::find_if(waiting.begin(), waiting.end(), [&](const pollfd& wait) {
                return wait.fd == members_[side].handle;
            });
            if (entry == waiting.end() || entry->revents == 0) continue;
            const std::string fault = reap(side);
            const bool said = faults.find(fault) != std::string::npos;  // many fail for one reason
            if (!fault.empty() && !said) faults.append(faults.empty() ? "" : "; ").append(fault);
        }
        if (!faults.empty()) {
            kill_all();
            return faults;
        }
    }
}

}  // namespace bench
