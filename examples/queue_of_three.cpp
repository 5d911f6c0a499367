// A queue with room for three: what put and get answer when it is full and when it is empty. Nothing is thrown, nobody blocks.
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>

#include <shmring/shmring.hpp>

int main() try {
    using namespace std::chrono_literals;
    auto queue = shmring::Queue<int>::anonymous({.capacity = 3});

    for (int value = 1; value <= 4; ++value)
        std::printf("try_push(%d): %s\n", value, to_string(queue.try_push(value).error()));
    std::printf("try_push_for(4, 10 ms): %s\n", to_string(queue.try_push_for(4, 10ms).error()));

    for (int i = 0; i != 3; ++i) {
        if (auto value = queue.pop()) std::printf("pop(): %d\n", *value);
    }
    std::printf("try_pop(): %s\n", to_string(queue.try_pop().error()));
    std::printf("try_pop_for(10 ms): %s\n", to_string(queue.try_pop_for(10ms).error()));

    if (!queue.push(5)) return 1;
    queue.close();
    std::printf("closed with one value inside; try_push(6): %s\n", to_string(queue.try_push(6).error()));
    for (const int value : queue) std::printf("still there: %d\n", value);
    std::printf("then: %s\n", to_string(queue.error()));
    return 0;
} catch (const std::exception& error) {
    std::fprintf(stderr, "queue_of_three: %s\n", error.what());
    return 1;
}
