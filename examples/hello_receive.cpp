// Hello, second half: prints what hello_send sends, in whichever order the two were started, and removes the
// ring.
// SPDX-License-Identifier: MIT
#include <cstdint>
#include <cstdio>
#include <exception>
#include <system_error>

#include <shmring/shmring.hpp>

#include "greeting.hpp"

namespace {

int receive(const char* name) {
    using Ring = shmring::SpscRing<Greeting>;
    auto in = Ring::open_or_create(name, {.capacity = 16}).consumer();  // holds the ring open
    std::uint32_t expected = 1;
    for (;;) {
        auto greeting = in.pop();  // waits while the ring is empty
        if (!greeting) {
            if (auto error = Ring::remove(name)) throw std::system_error(error, name);
            if (greeting.error() == shmring::Status::closed) break;
            std::fprintf(stderr, "hello_receive: %s\n",
                         to_string(greeting.error()));  // peer_lost: the sender died
            return 1;
        }
        if (greeting->number != expected++) {  // a killed sender and its successor: both count from 1
            std::fprintf(stderr, "hello_receive: greeting %u came out of turn\n", greeting->number);
            return 1;
        }
        std::printf("process %d says: %s\n", greeting->sender, greeting->text);
    }
    std::printf("received %u greetings\n", expected - 1);
    return 0;
}

}  // namespace

int main(int argc, char** argv) try {
    return receive(argc > 1 ? argv[1] : "shmring-hello");
} catch (const std::exception& error) {
    std::fprintf(stderr, "hello_receive: %s\n", error.what());
    return 1;
}
