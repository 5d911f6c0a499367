// Ten processes put ten numbers each into a queue of three, ten others take them out: each number arrives exactly once.
// SPDX-License-Identifier: MIT
#include <atomic>
#include <cstdio>
#include <exception>
#include <vector>

#include <shmring/shmring.hpp>

#include "children.hpp"

int main() try {
    constexpr int kEach = 10;
    constexpr int kAll = 10 * kEach;
    auto numbers = shmring::Queue<int>::anonymous({.capacity = 3});
    auto received = shmring::Queue<int>::anonymous({.capacity = kAll});

    Children writers;
    Children readers;
    for (int process = 0; process != 10; ++process) {
        writers.start([&, process] {
            for (int i = 0; i != kEach; ++i)
                if (!numbers.push(process * kEach + i)) return 1;
            return 0;
        });
        readers.start([&] {
            for (const int number : numbers)
                if (!received.push(number)) return 1;
            return numbers.error() == shmring::Status::closed ? 0 : 1;
        });
    }
    const bool written = writers.join();
    numbers.close();
    const bool read = readers.join();

    std::vector<int> count(kAll);
    for (const int number : received.drain()) ++count[static_cast<std::size_t>(number)];
    int once = 0;
    for (const int times : count) once += times == 1 ? 1 : 0;
    std::printf("%d of %d numbers arrived exactly once\n", once, kAll);
    return written && read && once == kAll ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "ten_writers_ten_readers: %s\n", error.what());
    return 1;
}
