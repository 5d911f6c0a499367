// Two producers, two consumers, and two ways to say that there is no more:
//
//   producer_consumer marker    one end marker per consumer, sent when all producers are done
//   producer_consumer close     close(): nobody has to count consumers
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>

#include <shmring/shmring.hpp>

#include "children.hpp"

namespace {

using Food = shmring::Queue<std::string>;
constexpr int kConsumers = 2;

int produce(Food& food, const std::string& what) {
    for (int i = 1; i <= 4; ++i)
        if (!food.push(what + " " + std::to_string(i))) return 1;
    return 0;
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
    const bool marks = argc == 2 && std::strcmp(argv[1], "marker") == 0;
    if (!marks && !(argc == 2 && std::strcmp(argv[1], "close") == 0)) {
        std::fprintf(stderr, "usage: producer_consumer marker|close\n");
        return 2;
    }
    auto food = Food::anonymous({.capacity = 3, .capacity_bytes = 3 * 64});
    Children producers;
    Children consumers;
    for (const char* what : {"bun", "bone"}) producers.start([&, what] { return produce(food, what); });
    for (int i = 0; i != kConsumers; ++i) consumers.start([&] { return consume(food); });
    bool well = producers.join();
    for (int i = 0; marks && i != kConsumers; ++i) well = food.push("") && well;
    if (!marks) well = food.close() && well;
    return consumers.join() && well ? 0 : 1;
} catch (const std::exception& error) {
    std::fprintf(stderr, "producer_consumer: %s\n", error.what());
    return 1;
}
