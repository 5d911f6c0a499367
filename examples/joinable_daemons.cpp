// Several producers and daemon consumers: nobody tells the consumers to stop. The parent waits until every task is done, join(), and
// then needs them no more.
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>
#include <string>

#include <shmring/shmring.hpp>

#include "children.hpp"

namespace {

using Kitchen = shmring::JoinableQueue<std::string>;

int cook(Kitchen& kitchen, const std::string& what) {
    for (int i = 1; i <= 5; ++i)
        if (!kitchen.push(what + " " + std::to_string(i))) return 1;
    return kitchen.join() ? 0 : 1;  // Python's producers call q.join(), too
}
/// For ever: a daemon. A task is done at the end of its scope, also where the loop is left by `return`.
int eat(Kitchen& kitchen) {
    while (const auto dish = kitchen.pop()) {
        std::printf("ate %s\n", (*dish)->c_str());
        std::fflush(stdout);  // before the task is done: who joins may end us right after
    }
    return 0;
}

}  // namespace

int main() try {
    auto kitchen = Kitchen::anonymous({.capacity = 3, .capacity_bytes = 192});
    Children cooks;
    Children daemons;
    for (int i = 0; i != 2; ++i) daemons.start([&] { return eat(kitchen); });
    for (const char* what : {"bun", "bone", "broth"}) cooks.start([&, what] { return cook(kitchen, what); });
    const bool well = cooks.join() && kitchen.join();
    std::printf("%llu tasks unfinished\n", static_cast<unsigned long long>(kitchen.unfinished()));
    daemons.kill();
    return well ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "joinable_daemons: %s\n", error.what());
    return 1;
}
