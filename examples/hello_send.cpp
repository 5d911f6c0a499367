// Hello, first half: three greetings into a ring with a name. Start hello_receive in another terminal, before
// or after.
// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <exception>

#include <shmring/shmring.hpp>

#include "greeting.hpp"

namespace {

int send(const char* name) {
    auto ring = shmring::SpscRing<Greeting>::open_or_create(name, {.capacity = 16});
    auto out = ring.producer();  // the only producer seat
    for (std::uint32_t number = 1; number <= 3; ++number) {
        Greeting greeting{.number = number, .sender = ::getpid(), .text = {}};
        std::snprintf(greeting.text, sizeof greeting.text, "hello number %u", number);
        if (auto sent = out.push(greeting); !sent) {  // waits while the ring is full
            std::fprintf(stderr, "hello_send: \"%s\" is %s; run hello_receive first\n", name,
                         to_string(sent.error()));
            return 1;
        }
    }
    out.close();  // the receiver reads what is left, then knows that this was all
    std::printf("sent 3 greetings into \"%s\"\n", name);
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    return send(argc > 1 ? argv[1] : "shmring-hello");
} catch (const std::exception& error) {
    std::fprintf(stderr, "hello_send: %s\n", error.what());
    return 1;
}
