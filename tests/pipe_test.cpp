// Pipe<T>: sending, receiving, directions, ends, as CPython's own tests pin them of Connection (docs/semantics.md, items 20 to 56).
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/pipe.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

/// One kind of pipe, and numbers as its values.
template <class T>
struct PipeKind;
template <>
struct PipeKind<std::uint64_t> {
    static PipeOptions options(bool duplex) {
        return {.capacity = 4, .duplex = duplex, .liveness_period = 2ms};
    }
    static std::uint64_t value(std::uint64_t number) { return number; }
};
template <>
struct PipeKind<std::string> {
    static PipeOptions options(bool duplex) {
        return {.capacity_bytes = 96, .duplex = duplex, .liveness_period = 2ms};
    }
    static std::string value(std::uint64_t number) { return "number " + std::to_string(number); }
};

template <class T>
class AnyPipe : public testing::Test {
 protected:
    static T value(std::uint64_t number) { return PipeKind<T>::value(number); }
    static std::pair<PipeEnd<T>, PipeEnd<T>> make(bool duplex = true) {
        return Pipe<T>::pair(PipeKind<T>::options(duplex));
    }
    /// Until there is no room.
    static std::uint64_t fill(PipeEnd<T>& end) {
        std::uint64_t count = 0;
        while (end.try_send(value(count))) ++count;
        return count;
    }

    std::pair<PipeEnd<T>, PipeEnd<T>> ends = make();
    PipeEnd<T>& here = ends.first;
    PipeEnd<T>& there = ends.second;
};
using Kinds = testing::Types<std::uint64_t, std::string>;
TYPED_TEST_SUITE(AnyPipe, Kinds);

TYPED_TEST(AnyPipe, CarriesValuesBothWaysInTheirOrder) {
    for (std::uint64_t i = 0; i != 3; ++i) {
        ASSERT_TRUE(this->here.send(this->value(i)));
        ASSERT_TRUE(this->there.send(this->value(100 + i)));
    }
    for (std::uint64_t i = 0; i != 3; ++i) {
        EXPECT_EQ(*this->there.recv(), this->value(i));
        EXPECT_EQ(*this->here.recv(), this->value(100 + i));
    }
}

TYPED_TEST(AnyPipe, EchoesFromAChild) {
    ChildProcess child([&] {
        this->here.close();
        while (auto value = this->there.recv())
            if (!this->there.send(*value)) return 1;
        return 0;
    });
    this->there.close();
    for (std::uint64_t i = 0; i != 100; ++i) {
        ASSERT_TRUE(this->here.send(this->value(i)));
        ASSERT_EQ(*this->here.recv(), this->value(i));
    }
    this->here.close();
    EXPECT_TRUE(child.join().exited_with(0));
}

TYPED_TEST(AnyPipe, FullAndEmptyAreValues) {
    EXPECT_EQ(this->there.try_recv().error(), Status::empty);
    EXPECT_GT(this->fill(this->here), 0U);
    EXPECT_EQ(this->here.try_send(this->value(0)).error(), Status::full);
    EXPECT_EQ(this->here.try_send_for(this->value(0), 1ms).error(), Status::timed_out);
    EXPECT_EQ(this->here.try_send_until(this->value(0), std::chrono::steady_clock::now()).error(),
              Status::timed_out);
    EXPECT_EQ(this->here.try_recv_for(-1s).error(), Status::timed_out);
    EXPECT_EQ(this->here.try_recv_until(std::chrono::system_clock::now() + 1ms).error(), Status::timed_out);
}

TYPED_TEST(AnyPipe, PollTellsWithoutTaking) {
    EXPECT_EQ(this->there.poll().error(), Status::empty);
    EXPECT_EQ(this->there.poll_for(-1s).error(), Status::timed_out);
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(this->there.poll_for(20ms).error(), Status::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
    ASSERT_TRUE(this->here.send(this->value(1)));
    for (int i = 0; i != 3; ++i) {
        EXPECT_TRUE(this->there.poll());
        EXPECT_TRUE(this->there.poll_for(20s));
        EXPECT_TRUE(this->there.poll_until(std::chrono::steady_clock::now() - 1s));
    }
    EXPECT_EQ(*this->there.recv(), this->value(1));
}

TYPED_TEST(AnyPipe, AfterTheOtherEndClosedOneDrainsAndThenGetsClosedForEver) {
    const std::uint64_t count = this->fill(this->here);
    this->here.close();
    EXPECT_FALSE(this->there.eof()) << "there is something to receive";
    for (std::uint64_t i = 0; i != count; ++i) ASSERT_EQ(*this->there.recv(), this->value(i));
    EXPECT_TRUE(this->there.eof());
    EXPECT_TRUE(this->there.poll()) << "an end of file is readable";
    EXPECT_TRUE(this->there.poll_for(20s));
    for (int i = 0; i != 2; ++i) {
        EXPECT_EQ(this->there.recv().error(), Status::closed);
        EXPECT_EQ(this->there.try_recv().error(), Status::closed);
        EXPECT_EQ(this->there.try_recv_for(20s).error(), Status::closed);
    }
    EXPECT_EQ(this->there.peer(), PeerState::left);
    EXPECT_TRUE(this->there.readable() && this->there.writable()) << "a direction is not a state";
}

TYPED_TEST(AnyPipe, SendingToAClosedEndIsABrokenPipe) {
    ASSERT_TRUE(this->here.send(this->value(0)));
    this->there.bind();
    this->there.close();
    EXPECT_EQ(this->here.send(this->value(1)).error(), Status::closed);
    EXPECT_EQ(this->here.try_send(this->value(1)).error(), Status::closed);
    EXPECT_EQ(this->here.try_send_for(this->value(1), 20s).error(), Status::closed);
}

TYPED_TEST(AnyPipe, ASendThatWaitsForRoomHearsOfTheClose) {
    (void)this->fill(this->here);
    (void)this->there.poll();  // binds it
    std::thread closes([this] {
        std::this_thread::sleep_for(5ms);
        this->there.close();
    });
    EXPECT_EQ(this->here.send(this->value(9)).error(), Status::closed);
    closes.join();
}

TYPED_TEST(AnyPipe, AReceiverThatSleepsHearsOfTheClose) {
    (void)this->here.poll();
    std::thread closes([this] {
        std::this_thread::sleep_for(5ms);
        this->here.close();
    });
    EXPECT_EQ(this->there.recv().error(), Status::closed);
    closes.join();
}

TYPED_TEST(AnyPipe, DestroyingAnEndClosesIt) {
    {
        PipeEnd<TypeParam> gone = std::move(this->here);
        ASSERT_TRUE(gone.send(this->value(5)));
    }
    EXPECT_EQ(*this->there.recv(), this->value(5));
    EXPECT_EQ(this->there.recv().error(), Status::closed);
    EXPECT_EQ(this->there.send(this->value(6)).error(), Status::closed);
}

TYPED_TEST(AnyPipe, AClosedEndAnswersClosedAndMayBeClosedTwice) {
    ASSERT_TRUE(this->there.send(this->value(1)));
    ASSERT_TRUE(this->here.poll());
    this->here.close();
    this->here.close();
    EXPECT_EQ(this->here.recv().error(), Status::closed);
    EXPECT_EQ(this->here.try_send(this->value(1)).error(), Status::closed);
    EXPECT_EQ(this->here.poll().error(), Status::closed);
    std::error_code code;
    this->here.bind(code);
    EXPECT_TRUE(code);
}

TYPED_TEST(AnyPipe, AOneWayPipeGoesFromTheSecondEndToTheFirst) {
    auto [reader, writer] = this->make(false);
    EXPECT_TRUE(reader.readable() && !reader.writable());
    EXPECT_TRUE(!writer.readable() && writer.writable());
    ASSERT_TRUE(writer.send(this->value(1)));
    EXPECT_EQ(*reader.recv(), this->value(1));
}

TYPED_TEST(AnyPipe, TheWrongDirectionOfAOneWayPipeIsInvalid) {
    auto [reader, writer] = this->make(false);
    EXPECT_EQ(reader.send(this->value(1)).error(), Status::invalid);
    EXPECT_EQ(reader.try_send(this->value(1)).error(), Status::invalid);
    EXPECT_EQ(reader.try_send_for(this->value(1), 20s).error(), Status::invalid);
    EXPECT_EQ(writer.recv().error(), Status::invalid);
    EXPECT_EQ(writer.try_recv().error(), Status::invalid);
    EXPECT_EQ(writer.try_recv_for(20s).error(), Status::invalid);
    EXPECT_EQ(writer.poll().error(), Status::invalid);
    EXPECT_EQ(writer.poll_for(20s).error(), Status::invalid);
    EXPECT_FALSE(writer.eof());
    EXPECT_THROW((void)writer.readable_fd(), std::system_error);
}

TYPED_TEST(AnyPipe, TheEndsOfAOneWayPipeHearOfEachOthersClose) {
    {
        auto [reader, writer] = this->make(false);
        ASSERT_TRUE(writer.send(this->value(1)));
        writer.close();
        EXPECT_EQ(*reader.recv(), this->value(1));
        EXPECT_EQ(reader.recv().error(), Status::closed);
    }
    auto [reader, writer] = this->make(false);
    ASSERT_FALSE(reader.poll());
    (void)this->fill(writer);
    reader.close();
    EXPECT_EQ(writer.send(this->value(1)).error(), Status::closed);
}

TYPED_TEST(AnyPipe, OneEndMaySendInOneThreadWhileItReceivesInAnother) {
    constexpr std::uint64_t kCount = 2'000;
    const auto stream = [this](PipeEnd<TypeParam>& end) {
        for (std::uint64_t i = 0; i != kCount; ++i) ASSERT_TRUE(end.send(this->value(i)));
    };
    const auto expect = [this](PipeEnd<TypeParam>& end) {
        for (std::uint64_t i = 0; i != kCount; ++i) ASSERT_EQ(*end.recv(), this->value(i));
    };
    std::vector<std::thread> threads;  // all of them find their ends unbound
    threads.emplace_back(stream, std::ref(this->here));
    threads.emplace_back(expect, std::ref(this->here));
    threads.emplace_back(stream, std::ref(this->there));
    threads.emplace_back(expect, std::ref(this->there));
    for (std::thread& thread : threads) thread.join();
}

TYPED_TEST(AnyPipe, AStopTokenEndsAWait) {
    std::stop_source stop;
    std::thread stops([&] {
        std::this_thread::sleep_for(5ms);
        stop.request_stop();
    });
    EXPECT_EQ(this->here.recv(stop.get_token()).error(), Status::interrupted);
    stops.join();
    EXPECT_EQ(this->here.poll_for(20s, stop.get_token()).error(), Status::interrupted);
    (void)this->fill(this->here);
    EXPECT_EQ(this->here.send(this->value(1), stop.get_token()).error(), Status::interrupted);
}

TYPED_TEST(AnyPipe, MovesWithItsEnds) {
    ASSERT_TRUE(this->here.send(this->value(1)));
    PipeEnd<TypeParam> moved = std::move(this->here);
    EXPECT_EQ(this->here.try_send(this->value(2)).error(), Status::closed) << "moved from";
    ASSERT_TRUE(moved.send(this->value(2)));
    moved = std::move(this->there);  // which closes what it was
    EXPECT_EQ(*moved.recv(), this->value(1));
    EXPECT_EQ(*moved.recv(), this->value(2));
    EXPECT_EQ(moved.recv().error(), Status::closed);
}

TEST(Pipe, AnEmptyEndHoldsNothing) {
    PipeEnd<int> none;
    EXPECT_EQ(none.peer(), PeerState::left);
    EXPECT_EQ(*wait_any(none), 0U) << "its calls need not wait";
    EXPECT_FALSE(none);
    EXPECT_EQ(none.try_send(1).error(), Status::closed);
    EXPECT_EQ(none.recv().error(), Status::closed);
    none.close();
    EXPECT_THROW((void)none.bind(), std::system_error);
    EXPECT_THROW((void)none.to_descriptor(), std::system_error);
    EXPECT_THROW((void)Pipe<int>{}.first(), std::system_error);
}

TEST(Pipe, HoldsExactlyItsCapacityEachWay) {
    auto [here, there] = Pipe<std::uint64_t>::pair({.capacity = 5});
    for (std::uint64_t i = 0; i != 5; ++i) {
        EXPECT_TRUE(here.try_send(i));
        EXPECT_TRUE(there.try_send(i));
    }
    EXPECT_EQ(here.try_send(5).error(), Status::full);
    EXPECT_EQ(there.try_send(5).error(), Status::full);
}

TEST(Pipe, NeedsACapacity) {
    EXPECT_THROW((void)Pipe<int>::pair({}), std::system_error);
    EXPECT_THROW((void)Pipe<std::string>::pair({.capacity = 4}), std::system_error);
    std::error_code code;
    const auto ends = Pipe<int>::pair({}, code);
    EXPECT_EQ(code, errc::bad_option);
    EXPECT_FALSE(ends.first || ends.second);
}

TEST(Pipe, AValueThatCanNeverFitIsTooLargeAtOnce) {
    auto [here, there] = Pipe<std::string>::pair({.capacity_bytes = 64});
    EXPECT_EQ(here.send(std::string(33, 'x')).error(), Status::too_large);
    EXPECT_TRUE(here.send("small"));
}

/// An end takes two records. When the second is not to be had the first is given back as if nothing had been.
TEST(Pipe, AnEndThatCouldNotBeBoundIsStillUnboundAndMayBeBoundLater) {
    auto [here, there] = Pipe<int>::pair({.capacity = 4, .liveness_period = 1ms});
    there.bind();
    std::vector<detail::Participant> crowd;
    std::error_code code;
    for (;;) {
        crowd.push_back(detail::Participant::attach(here.segment(), detail::Role::observer, code));
        if (code) break;
    }
    crowd.pop_back();  // who got none
    crowd.pop_back();  // room for one
    here.bind(code);
    EXPECT_EQ(code, errc::participants_exhausted);
    EXPECT_EQ(here.send(1).error(), Status::overflow);
    EXPECT_EQ(there.peer(), PeerState::never_came);
    EXPECT_EQ(there.try_recv_for(20ms).error(), Status::timed_out) << "nobody is missed";
    crowd.pop_back();
    ASSERT_TRUE(here.send(2));
    EXPECT_EQ(*there.recv(), 2);
}

static_assert(!std::is_copy_constructible_v<PipeEnd<int>> &&
              std::is_nothrow_move_constructible_v<PipeEnd<int>>);
static_assert(
    noexcept(std::declval<PipeEnd<int>&>().recv()) && noexcept(std::declval<PipeEnd<int>&>().send(1)));

}  // namespace
}  // namespace shmring::test
