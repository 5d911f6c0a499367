// A program with a copy of the library inside hands its queue to a plug-in, as often as there are more records to lose.
// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <cstdio>
#include <shmring/shmring.hpp>

int main(int, char** arguments) {
    void* const plugin = ::dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    if (plugin == nullptr) return std::puts(::dlerror()), 1;
    const auto use_yours = reinterpret_cast<int (*)(shmring::Queue<int>&)>(::dlsym(plugin, "use_yours"));
    auto queue = shmring::Queue<int>::anonymous({.capacity = 8, .participants = 4});
    for (int round = 0; round != 20; ++round) {
        if (const auto pushed = queue.try_push(round); !pushed)
            return std::printf("round %d: push: %s\n", round, to_string(pushed.error())), 1;
        if (const int status = use_yours(queue); status != 0)
            return std::printf("round %d: the plug-in: status %d\n", round, status), 1;
        if (const auto popped = queue.try_pop(); !popped)
            return std::printf("round %d: pop: %s\n", round, to_string(popped.error())), 1;
    }
}
