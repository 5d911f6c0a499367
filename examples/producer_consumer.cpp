// Producers, consumers, and four ways to say that there is no more:
//
//   producer_consumer marker     one of each; the producer sends an end marker
//   producer_consumer markers    two of each; one marker for each consumer, sent when all producers are done
//   producer_consumer close      two of each; close(): nobody has to count consumers
//   producer_consumer leave      two of each; the queue ends when the last producer has left, however it did
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>
#include <string>

#include <shmring/shmring.hpp>

#include "children.hpp"

namespace {

using Food = shmring::Queue<std::string>;

int produce(Food& food, const std::string& what, bool sends_marker) {
    food.bind_producer();  // counts among those of whom the last one may end the queue
    for (int i = 1; i <= 4; ++i)
        if (!food.push(what + " " + std::to_string(i))) return 1;
    return !sends_marker || food.push("") ? 0 : 1;
}
/// Until the end marker, an empty text, or the end of the queue.
int consume(Food& food) {
    for (const std::string& eaten : food) {
        if (eaten.empty()) return 0;
        std::printf("ate %s\n", eaten.c_str());
    }
    return food.error() == shmring::Status::closed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) try {
    const std::string how = argc == 2 ? argv[1] : "";
    const int each = how == "marker" ? 1 : 2;
    if (how != "marker" && how != "markers" && how != "close" && how != "leave")
        return std::fprintf(stderr, "usage: producer_consumer marker|markers|close|leave\n"), 2;
    auto food =
        Food::anonymous({.capacity = 3, .capacity_bytes = 192, .ends_with_last_producer = how == "leave"});
    // Producers come one after the other, and the first may be done before the second has come: we stay until all have been here.
    Food keeper = food.attach();
    if (how == "leave") keeper.bind_producer();
    Children producers;
    Children consumers;
    for (int i = 0; i != each; ++i) {
        producers.start([&, i] { return produce(food, i == 0 ? "bun" : "bone", how == "marker"); });
        consumers.start([&] { return consume(food); });
    }
    bool well = producers.join();
    keeper.detach();
    for (int i = 0; how == "markers" && i != each; ++i) well = food.push("") && well;
    if (how == "close") food.close();
    return consumers.join() && well ? 0 : 1;
} catch (const std::exception& error) {
    return std::fprintf(stderr, "producer_consumer: %s\n", error.what()), 1;
}
