// Two bounded queues that feed each other. Who pushes all jobs before it takes a result stops for ever as soon as both queues are full: it
// waits for room among the jobs, its workers for room among the results. So what does not fit now stays in a backlog of our own.
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <deque>
#include <exception>
#include <numeric>

#include <shmring/shmring.hpp>

#include "children.hpp"

namespace {

using Jobs = shmring::Queue<int>;
using Results = shmring::Queue<int>;

int work(Jobs& jobs, Results& results) {
    while (const auto job = jobs.pop())
        if (!results.push(*job * *job)) return 1;
    return 0;
}

}  // namespace

int main() try {
    auto jobs = Jobs::anonymous({.capacity = 4});
    auto results = Results::anonymous({.capacity = 2});
    Children workers;
    for (int i = 0; i != 2; ++i) workers.start([&] { return work(jobs, results); });

    std::deque<int> backlog(100);
    std::iota(backlog.begin(), backlog.end(), 1);
    int out = 0;  // jobs that were sent and have not come back
    int sum = 0;
    while (!backlog.empty() || out != 0) {
        if (!backlog.empty()) {
            const auto sent = jobs.try_push(backlog.front());
            if (sent) {
                backlog.pop_front();
                ++out;
                continue;
            }
            if (sent.error() != shmring::Status::full) return 1;
        }
        const auto result = results.pop();  // there is at least one on its way: taking it makes room
        if (!result) return 1;
        sum += *result;
        --out;
    }
    jobs.close();
    std::printf("1 + 4 + 9 + ... + 10000 = %d\n", sum);
    return workers.join() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "two_queues: %s\n", error.what());
    return 1;
}
