// Jobs that survive their workers: the first worker is killed with a job in its hand, the second one gets that job again, and the
// parent waits until every job is done.
// SPDX-License-Identifier: MIT
#include <chrono>
#include <csignal>
#include <cstdio>
#include <exception>
#include <thread>

#include <shmring/shmring.hpp>

#include "children.hpp"

namespace {

using Jobs = shmring::JoinableQueue<int>;

/// Takes a job and dies as hard as a process can: no destructor runs.
int die_at_work(Jobs& jobs) {
    const auto job = jobs.pop();
    if (job) ::raise(SIGKILL);
    return 1;
}
/// Works until the queue is closed and nothing is left in it.
int work(Jobs& jobs) {
    while (const auto job = jobs.pop()) {
        const bool again = job->redelivered();  // another worker may have done a part of it already
        std::printf("job %d done%s\n", **job, again ? ", after a worker died with it" : "");
        std::fflush(stdout);
    }  // here the task is done
    return 0;
}

}  // namespace

int main() try {
    auto jobs = Jobs::anonymous({.capacity = 8, .delivery = shmring::Delivery::at_least_once});
    for (int job = 1; job <= 5; ++job)
        if (!jobs.push(job)) return 1;

    Children unlucky;
    unlucky.start([&] { return die_at_work(jobs); });
    (void)unlucky.join();  // it was killed

    Children workers;
    workers.start([&] { return work(jobs); });
    auto done = jobs.join();
    while (done.error() == shmring::Status::peer_lost) {  // a job waits for a worker, and none has come yet
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        done = jobs.join();
    }
    if (!done) return 1;
    std::printf("%llu jobs unfinished\n", static_cast<unsigned long long>(jobs.unfinished()));
    jobs.close();
    return workers.join() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "crash_safe_jobs: %s\n", error.what());
    return 1;
}
