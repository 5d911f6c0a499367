// A plug-in with a copy of the library inside uses the queue of the program that loads it, and lets go of it.
// SPDX-License-Identifier: MIT
#include <shmring/shmring.hpp>

extern "C" int use_yours(shmring::Queue<int>& queue) {
    if (const auto pushed = queue.try_push(1); !pushed) return static_cast<int>(pushed.error());
    if (const auto popped = queue.try_pop(); !popped) return static_cast<int>(popped.error());
    queue.detach();  // gives the records back, whoever took them
    return 0;
}
