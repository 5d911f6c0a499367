// A child sends texts of any length to its parent, which reads until the child has closed the queue.
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>
#include <string>

#include <shmring/shmring.hpp>

#include "children.hpp"

int main() try {
    auto queue = shmring::Queue<std::string>::anonymous({.capacity = 8, .capacity_bytes = 4096});
    Children children;
    children.start([&] {
        for (const char* text : {"hello from the child", "", "a second line, somewhat longer than the first"})
            if (!queue.push(text)) return 1;
        queue.close();
        return 0;
    });

    for (const std::string& text : queue) std::printf("%zu bytes: \"%s\"\n", text.size(), text.c_str());
    std::printf("the queue is %s\n", to_string(queue.error()));
    return children.join() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "child_to_parent: %s\n", error.what());
    return 1;
}
