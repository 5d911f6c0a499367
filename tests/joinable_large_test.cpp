// JoinableQueue<T> of megabytes, on a thread with the stack that programs have: 8 MiB.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "shmring/joinable_queue.hpp"
#include "support/child_process.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kStack = std::size_t{8} << 20;

struct Frame {
    std::array<std::uint8_t, (std::size_t{3} << 20)> pixels;
};
using Queue = JoinableQueue<Frame>;
using Use = bool (*)(Queue&);

/// In a process of its own, on a thread with such a stack.
void expect_room_for(Use use) {
    struct Work {
        Queue queue;
        Use use;
        bool done = false;
    };
    ChildProcess child([&] {
        Work work{Queue::anonymous({.capacity = 2, .delivery = Delivery::at_least_once, .participants = 8}),
                  use};
        const auto frame = std::make_unique<Frame>();
        frame->pixels.fill(7);
        if (!work.queue.push(*frame)) return 3;
        pthread_attr_t with{};
        ::pthread_attr_init(&with);
        ::pthread_attr_setstacksize(&with, kStack);
        pthread_t thread{};
        const auto run = [](void* argument) -> void* {
            auto& mine = *static_cast<Work*>(argument);
            mine.done = mine.use(mine.queue);
            return nullptr;
        };
        if (::pthread_create(&thread, &with, run, &work) != 0) return 4;
        ::pthread_join(thread, nullptr);
        return work.done ? 0 : 5;
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST(JoinableOfFrames, PopLeavesRoomOnTheStack) {
    expect_room_for([](Queue& queue) { return (*queue.pop())->pixels[9] == 7; });
}
TEST(JoinableOfFrames, TryPopLeavesRoomOnTheStack) {
    expect_room_for([](Queue& queue) { return (*queue.try_pop())->pixels[9] == 7; });
}
TEST(JoinableOfFrames, ATimedPopLeavesRoomOnTheStack) {
    expect_room_for([](Queue& queue) { return (*queue.try_pop_for(20s))->pixels[9] == 7; });
}
TEST(JoinableOfFrames, GetLeavesRoomOnTheStack) {
    expect_room_for([](Queue& queue) { return queue.get()->pixels[9] == 7; });
}
TEST(JoinableOfFrames, AnAbandonedOneIsReadAgainInPlace) {
    expect_room_for([](Queue& queue) {
        queue.pop()->abandon();
        return (*queue.try_pop_for(20s))->pixels[9] == 7;
    });
}

}  // namespace
}  // namespace shmring::test
