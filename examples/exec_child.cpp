// A child that is another program, and a queue without a name: the child inherits a copy of the queue's descriptor, whose number it is told.
// The queue's own descriptor is closed by exec; a copy made by dup() is not.
// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>

#include <shmring/shmring.hpp>

#include "children.hpp"

namespace {

using Texts = shmring::Queue<std::string>;

/// What the other program does.
int send(int descriptor) {
    auto texts = Texts::from_descriptor(descriptor);  // makes a copy of its own
    ::close(descriptor);
    if (!texts.push("hello from another program")) return 1;
    texts.close();
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    if (argc == 2) return send(std::atoi(argv[1]));

    auto texts = Texts::anonymous({.capacity = 8, .capacity_bytes = 8 * 64});
    const int inherited = ::dup(texts.segment().descriptor());
    Children children;
    children.start([&] {
        const std::string number = std::to_string(inherited);
        ::execl("/proc/self/exe", "exec_child", number.c_str(), static_cast<char*>(nullptr));
        return 1;
    });
    ::close(inherited);

    for (const std::string& text : texts) std::printf("%s\n", text.c_str());
    std::printf("the queue is %s\n", to_string(texts.error()));
    return children.join() ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "exec_child: %s\n", error.what());
    return 1;
}
