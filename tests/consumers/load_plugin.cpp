// Loads a plug-in, uses it and unloads it, many times.
// SPDX-License-Identifier: MIT
#include <dlfcn.h>

#include <cstdio>

int main(int, char** arguments) {
    for (int round = 0; round != 50; ++round) {
        void* const plugin = ::dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
        if (plugin == nullptr) return std::puts(::dlerror()), 1;
        const auto use = reinterpret_cast<int (*)()>(::dlsym(plugin, "use"));
        if (use == nullptr || use() != 0) return std::puts("the plug-in failed"), 1;
        ::dlclose(plugin);
    }
}
