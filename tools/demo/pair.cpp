// Forking, pinning and watching.
// SPDX-License-Identifier: MIT
#include "demo/pair.hpp"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <system_error>

namespace demo {

namespace {

constexpr const char* kNames[] = {"the sending process", "the receiving process"};

void pin(int cpu) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(static_cast<std::size_t>(cpu), &cpus);
    if (::sched_setaffinity(0, sizeof cpus, &cpus) != 0) fail("pin a process to a CPU");
}

}  // namespace

Cpus choose_cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return {};
    Cpus cpus;
    std::size_t found = 0;
    for (int cpu = 0; cpu != CPU_SETSIZE && found != cpus.of.size(); ++cpu)
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) cpus.of[found++] = cpu;
    cpus.pinned = found == cpus.of.size();
    return cpus;
}

void StartLine::build() {
    pthread_barrierattr_t attributes;
    ::pthread_barrierattr_init(&attributes);
    ::pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    const int error = ::pthread_barrier_init(&barrier_, &attributes, 2);
    ::pthread_barrierattr_destroy(&attributes);
    if (error != 0) throw std::system_error(error, std::generic_category(), "build the start line");
}

bool Pair::fork_side(Side side) {
    std::fflush(nullptr);
    const pid_t parent = ::getpid();
    const pid_t process = ::fork();
    if (process < 0) fail("fork a process");
    if (process == 0) {
        // A killed parent must not leave processes behind that spin for ever.
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (::getppid() != parent) ::_exit(1);
        return false;
    }
    Member& member = members_[static_cast<std::size_t>(side)];
    member.process = process;
    member.handle = Descriptor(static_cast<int>(::syscall(SYS_pidfd_open, process, 0)), "watch a process");
    return true;
}

void Pair::act(Side side, const std::function<void()>& role) {
    const auto index = static_cast<std::size_t>(side);
    try {
        if (cpus_.pinned) pin(cpus_.of[index]);
        role();
    } catch (const std::exception& error) {
        auto& text = common_->faults[index];
        std::strncpy(text.data(), error.what(), text.size() - 1);
        ::_exit(1);
    }
    ::_exit(0);
}

void Pair::finish(double limit_s, const std::function<void()>& tick) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::duration<double>(limit_s);
    while (any_left()) {
        std::array<pollfd, 2> ends{};  // poll ignores the descriptor -1 of a process that is gone
        for (std::size_t side = 0; side != ends.size(); ++side)
            ends[side] = {members_[side].handle.number(), POLLIN, 0};
        constexpr int kTick_ms = 100;
        if (::poll(ends.data(), ends.size(), kTick_ms) < 0 && errno != EINTR)
            fail("wait for the two processes");
        tick();
        std::string faults;
        for (std::size_t side = 0; side != ends.size(); ++side) {
            if (ends[side].revents == 0) continue;
            const std::string fault = reap(side);
            if (!fault.empty()) faults += (faults.empty() ? "" : "; ") + fault;
        }
        if (!faults.empty()) throw std::runtime_error(faults);
        if (std::chrono::steady_clock::now() > limit) throw std::runtime_error("the two processes hang");
    }
}

bool Pair::any_left() const {
    return std::ranges::any_of(members_, [](const Member& member) { return member.process != 0; });
}

std::string Pair::reap(std::size_t side) {
    int status = 0;
    while (::waitpid(members_[side].process, &status, 0) < 0)
        if (errno != EINTR) fail("reap a process");
    members_[side].process = 0;
    members_[side].handle.close();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    const std::string name = kNames[side];
    if (common_->faults[side][0] != '\0') return name + ": " + common_->faults[side].data();
    if (WIFSIGNALED(status)) return name + " was killed by signal " + std::to_string(WTERMSIG(status));
    return name + " ended with status " + std::to_string(WEXITSTATUS(status));
}

void Pair::end_all() {
    for (Member& member : members_) {
        if (member.process == 0) continue;
        ::kill(member.process, SIGKILL);
        while (::waitpid(member.process, nullptr, 0) < 0 && errno == EINTR) {
        }
        member.process = 0;
    }
}

}  // namespace demo
