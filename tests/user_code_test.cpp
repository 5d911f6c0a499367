// What code of the user's that throws does to a call: codecs, moves of values, clocks, containers. The exception reaches the caller of
// every shape of every call, and the message is where the documents say.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/shmring.hpp"
#include "support/mpmc_internals.hpp"

namespace shmring::test {

/// Its decoding does first what the test wants.
struct Note {
    std::string text;
    static inline std::function<void()> before_decoding{};
};

/// Can be made and assigned bytes, and nothing else: its moves throw.
struct Fragile {
    Fragile() = default;
    explicit Fragile(int the_number) : number(the_number) {}
    Fragile(const Fragile&) { throw std::runtime_error("a copy"); }
    Fragile& operator=(const Fragile&) { throw std::runtime_error("an assignment"); }
    ~Fragile() = default;
    int number = 0;
};

}  // namespace shmring::test

template <>
struct shmring::Codec<shmring::test::Note> {
    using Note = test::Note;
    static std::size_t size(const Note& note) noexcept { return note.text.size(); }
    static void encode(const Note& note, std::span<std::byte> to) noexcept {
        Codec<std::string>::encode(note.text, to);
    }
    static bool decode(Bytes from, Note& note) {
        if (Note::before_decoding) Note::before_decoding();
        return Codec<std::string>::decode(from, note.text);
    }
};

template <>
struct shmring::Codec<shmring::test::Fragile> {
    using Fragile = test::Fragile;
    static std::size_t size(const Fragile&) noexcept { return sizeof(int); }
    static void encode(const Fragile& from, std::span<std::byte> to) noexcept {
        Codec<int>::encode(from.number, to);
    }
    static bool decode(Bytes from, Fragile& to) { return Codec<int>::decode(from, to.number); }
};

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using SteadyClock = std::chrono::steady_clock;

class UserCode : public ::testing::Test {
 protected:
    UserCode() { ::alarm(60); }  // the watchdog of the calls that wait
    ~UserCode() override {
        Note::before_decoding = nullptr;
        ::alarm(0);
    }
    static void throw_for(int times) {
        Note::before_decoding = [times]() mutable {
            if (times-- > 0) throw std::bad_alloc();
        };
    }
    template <class Call>
    static void expect_thrown(const char* what, Call&& call) {
        throw_for(1);
        EXPECT_THROW((void)call(), std::bad_alloc) << what;
    }
    /// `pop` of a handle, in all shapes, each of which throws once.
    template <class End>
    static void expect_each_pop_throws(End& end) {
        expect_thrown("try_pop", [&] { return end.try_pop(); });
        expect_thrown("pop", [&] { return end.pop(); });
        expect_thrown("try_pop_for", [&] { return end.try_pop_for(20s); });
        expect_thrown("try_pop_until", [&] { return end.try_pop_until(SteadyClock::now() + 20s); });
    }
};

// ---- decoding --------------------------------------------------------------------------------------------------------

TEST_F(UserCode, ADecodingThatThrowsLeavesTheMessageInAByteRing) {
    auto ring = ByteRing::anonymous({.capacity_bytes = 4096});
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_TRUE(out.try_push_value(Note{"first"}));
    Note note;
    expect_thrown("try_pop_value", [&] { return in.try_pop_value(note); });
    expect_thrown("pop_value", [&] { return in.pop_value(note); });
    expect_thrown("for", [&] { return in.try_pop_value_for(note, 20s); });
    expect_thrown("until", [&] { return in.try_pop_value_until(note, SteadyClock::now() + 20s); });
    ASSERT_TRUE(in.try_pop_value(note));
    EXPECT_EQ(note.text, "first");
}

TEST_F(UserCode, ADecodingThatThrowsLeavesTheMessageInAPipe) {
    auto ends = Pipe<Note>::pair({.capacity = 4, .capacity_bytes = 4096});
    auto& there = ends.second;
    ASSERT_TRUE(ends.first.send(Note{"first"}));
    expect_thrown("try_recv", [&] { return there.try_recv(); });
    expect_thrown("recv", [&] { return there.recv(); });
    expect_thrown("try_recv_for", [&] { return there.try_recv_for(20s); });
    expect_thrown("try_recv_until", [&] { return there.try_recv_until(SteadyClock::now() + 20s); });
    EXPECT_EQ(there.try_recv()->text, "first");
}

TEST_F(UserCode, AValueWhoseDecodingThrowsIsDeliveredAgainWhereTheQueueDoesSo) {
    auto queue =
        Queue<Note>::anonymous({.capacity = 4, .capacity_bytes = 4096, .delivery = Delivery::at_least_once});
    ASSERT_TRUE(queue.push(Note{"first"}) && queue.push(Note{"second"}));
    expect_each_pop_throws(queue);
    EXPECT_EQ(queue.try_pop()->text, "first");
    EXPECT_EQ(queue.losses().redelivered, 4U);
    EXPECT_EQ(queue.try_pop()->text, "second");
    EXPECT_EQ(queue.losses().lost, 0U);
    EXPECT_EQ(queue.try_pop().error(), Status::empty);
    for (int i = 0; i != 4; ++i) EXPECT_TRUE(queue.try_push(Note{"room"})) << i;
}

TEST_F(UserCode, AValueWhoseDecodingNeverSucceedsIsGivenUpAndCounted) {
    auto queue =
        Queue<Note>::anonymous({.capacity = 4, .capacity_bytes = 4096, .delivery = Delivery::at_least_once});
    ASSERT_TRUE(queue.push(Note{"poison"}) && queue.push(Note{"good"}));
    throw_for(32);
    for (int i = 0; i != 32; ++i) EXPECT_THROW((void)queue.try_pop(), std::bad_alloc) << i;
    EXPECT_EQ(queue.losses().lost, 1U);
    EXPECT_EQ(queue.try_pop()->text, "good");
    EXPECT_EQ(queue.try_pop().error(), Status::empty);
}

TEST_F(UserCode, AValueWhoseDecodingThrowsIsLostAndCountedWhereItIsNotDeliveredAgain) {
    auto queue = Queue<Note>::anonymous({.capacity = 4, .capacity_bytes = 4096});
    for (const char* text : {"1", "2", "3", "4"}) ASSERT_TRUE(queue.push(Note{text}));
    expect_each_pop_throws(queue);
    EXPECT_EQ(queue.losses().lost, 4U);
    EXPECT_EQ(queue.try_pop().error(), Status::empty);
    for (int i = 0; i != 4; ++i) EXPECT_TRUE(queue.try_push(Note{"room"})) << i;
}

TEST_F(UserCode, ASleepingConsumerIsWokenForWhatAnotherCouldNotDecode) {
    auto ring = MpmcByteRing::anonymous(
        {.capacity_bytes = 4096, .delivery = Delivery::at_least_once, .liveness_period = 1h});
    auto out = ring.producer();
    auto in = ring.consumer();
    auto other = ring.consumer({.spin = 0ns});
    ASSERT_TRUE(out.try_push_value(Note{"first"}));
    std::jthread sleeper;
    Note note;
    std::string got;
    Note::before_decoding = [&] {
        if (sleeper.joinable()) return;
        sleeper = std::jthread([&] { EXPECT_TRUE(other.pop(got)); });
        while (sleepers(control_of(ring).readable) == 0) std::this_thread::yield();
        throw std::bad_alloc();
    };
    EXPECT_THROW((void)in.try_pop_value(note), std::bad_alloc);
    sleeper.join();
    EXPECT_EQ(got, "first");
    EXPECT_EQ(other.redeliveries(), 1U);
}

/// At at_least_once a batch of such values is one.
TEST_F(UserCode, ABatchThatADecodingEndsTellsWhatItTookBefore) {
    auto queue = Queue<Note>::anonymous({.capacity = 4, .capacity_bytes = 4096});
    for (const char* text : {"1", "2", "3", "4"}) ASSERT_TRUE(queue.push(Note{text}));
    Note::before_decoding = [count = 0]() mutable {
        if (++count == 3) throw std::bad_alloc();
    };
    std::array<Note, 4> notes;
    EXPECT_THROW((void)queue.try_pop_n(notes), std::bad_alloc);
    ASSERT_EQ(queue.taken(), 2U);
    EXPECT_EQ(notes[0].text + notes[1].text, "12");
    EXPECT_EQ(queue.losses().lost, 1U);
    EXPECT_EQ(queue.try_pop_n(std::span(notes).subspan(2)).value_or(0), 1U);
    EXPECT_EQ(queue.taken(), 1U);
    EXPECT_EQ(notes[2].text, "4");
}

TEST_F(UserCode, ATaskWhoseDecodingThrowsIsLeftToOthersByEveryCall) {
    auto queue = JoinableQueue<Note>::anonymous(
        {.capacity = 8, .capacity_bytes = 4096, .delivery = Delivery::at_least_once, .liveness_period = 1ms});
    ASSERT_TRUE(queue.push(Note{"task"}));
    expect_each_pop_throws(queue);
    expect_thrown("get", [&] { return queue.get(); });
    auto task = queue.pop();
    ASSERT_TRUE(task);
    EXPECT_EQ((*task)->text, "task");
    task->done();
    EXPECT_TRUE(queue.join_for(20s));
    EXPECT_EQ(queue.losses().lost, 0U);
}

// ---- moves -----------------------------------------------------------------------------------------------------------

TEST_F(UserCode, AValueWhoseMovesThrowArrivesWithoutOne) {
    auto queue = Queue<Fragile>::anonymous({.capacity = 8, .capacity_bytes = 4096});
    for (int i = 1; i != 8; ++i) ASSERT_TRUE(queue.push(Fragile(i)));
    EXPECT_EQ(queue.pop()->number, 1);
    EXPECT_EQ(queue.try_pop()->number, 2);
    EXPECT_EQ(queue.try_pop_for(20s)->number, 3);
    EXPECT_EQ(queue.try_pop_until(SteadyClock::now() + 20s)->number, 4);
    EXPECT_EQ(queue.get()->number, 5);
    int next = 6;
    for (const Fragile& value : queue.drain()) EXPECT_EQ(value.number, next++);
    EXPECT_EQ(next, 8);

    auto tasks = JoinableQueue<Fragile>::anonymous({.capacity = 8, .capacity_bytes = 4096});
    for (int i = 1; i != 4; ++i) ASSERT_TRUE(tasks.push(Fragile(i)));
    EXPECT_EQ((*tasks.pop())->number, 1);
    EXPECT_EQ((*tasks.try_pop_until(SteadyClock::now() + 20s))->number, 2);
    EXPECT_EQ(tasks.get()->number, 3);
    EXPECT_TRUE(tasks.task_done());
    EXPECT_TRUE(tasks.join_for(20s));

    auto [here, there] = Pipe<Fragile>::pair({.capacity = 4, .capacity_bytes = 4096});
    for (int i = 1; i != 4; ++i) ASSERT_TRUE(here.send(Fragile(i)));
    EXPECT_EQ(there.recv()->number, 1);
    EXPECT_EQ(there.try_recv()->number, 2);
    EXPECT_EQ(there.try_recv_until(SteadyClock::now() + 20s)->number, 3);
    here.close();
    EXPECT_EQ(there.try_recv().error(), Status::closed);
}

// ---- clocks ----------------------------------------------------------------------------------------------------------

/// Throws when it was read so many times.
struct BrokenClock {
    using rep = std::int64_t;
    using period = std::milli;
    using duration = std::chrono::duration<rep, period>;
    using time_point = std::chrono::time_point<BrokenClock>;
    [[maybe_unused]] static constexpr bool is_steady = false;
    static time_point now() {
        if (reads-- == 0) throw std::runtime_error("broken");
        return time_point();
    }
    static inline int reads = 0;
};

TEST_F(UserCode, AClockThatThrowsIsHeardAndTakesNothing) {
    const BrokenClock::time_point soon(BrokenClock::duration(1));
    const auto breaks = [](auto&& call) {
        for (int reads = 0; reads != 4; ++reads) {  // each of them: before the wait, and after it
            BrokenClock::reads = reads;
            try {
                if (call().error() != Status::timed_out) break;
            } catch (const std::runtime_error&) {
                continue;
            }
            ADD_FAILURE() << "after " << reads;
        }
    };
    auto queue = Queue<int>::anonymous({.capacity = 1});
    breaks([&] { return queue.try_pop_until(soon); });
    ASSERT_TRUE(queue.push(1));
    breaks([&] { return queue.try_push_until(2, soon); });
    EXPECT_EQ(queue.try_pop().value_or(0), 1);
    EXPECT_EQ(queue.try_pop().error(), Status::empty);
    breaks([&] { return wait_any_until(soon, queue); });

    auto ends = Pipe<int>::pair({.capacity = 1});
    auto& here = ends.first;
    breaks([&] { return here.try_recv_until(soon); });
    breaks([&] { return here.poll_until(soon); });
    auto byte_ends = BytePipe::pair({.capacity_bytes = 4096});
    auto& left = byte_ends.first;
    std::array<std::byte, 8> buffer{};
    breaks([&] { return left.try_recv_until(buffer, soon); });

    auto tasks = JoinableQueue<int>::anonymous({.capacity = 1});
    breaks([&] { return tasks.try_pop_until(soon); });
    ASSERT_TRUE(tasks.push(1));
    breaks([&] { return tasks.join_until(soon); });
    EXPECT_EQ(**tasks.try_pop(), 1);

    static_assert(noexcept(queue.try_pop_until(SteadyClock::now())));
    static_assert(!noexcept(queue.try_pop_until(soon)));
}

// ---- containers ------------------------------------------------------------------------------------------------------

/// Throws even where it has the room, when it was resized so many times; and tells nobody its capacity.
struct Moody {
    using value_type = std::byte;
    std::vector<std::byte> bytes = std::vector<std::byte>(64);
    int resizes = 0;
    void resize(std::size_t size) {
        if (resizes-- == 0) throw std::bad_alloc();
        bytes.resize(size);
    }
    std::byte* data() { return bytes.data(); }
    [[nodiscard]] std::size_t size() const { return bytes.size(); }
};

TEST_F(UserCode, AContainerThatThrowsLeavesTheHandleUsable) {
    auto ring = MpmcByteRing::anonymous({.capacity_bytes = 4096, .delivery = Delivery::at_least_once});
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_TRUE(out.try_push_value(std::string("short")));
    Moody moody;
    EXPECT_THROW((void)in.try_pop(moody), std::bad_alloc);
    moody.resizes = 1;
    ASSERT_TRUE(in.try_pop(moody));
    EXPECT_EQ(moody.size(), 5U);
    EXPECT_EQ(in.redeliveries(), 1U);
}

}  // namespace
}  // namespace shmring::test
