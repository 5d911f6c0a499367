// BytePipe: what CPython's own tests pin of Connection.send_bytes, recv_bytes_into and poll (docs/semantics.md, items 22 to 39).
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "shmring/byte_pipe.hpp"
#include "support/child_process.hpp"
#include "support/signals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

class BytePipeTest : public testing::Test {
 protected:
    static Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }
    [[nodiscard]] Result<void> send(std::string_view text) { return ends.first.send(bytes_of(text)); }
    [[nodiscard]] std::string recv() {
        std::string text;
        const auto received = ends.second.recv(text);
        return received ? text : to_string(received.error());
    }

    std::pair<BytePipeEnd, BytePipeEnd> ends =
        BytePipe::pair({.capacity_bytes = 4096, .liveness_period = 2ms});
};

TEST_F(BytePipeTest, EchoesBytesBothWays) {
    BytePipeEnd& here = ends.first;
    BytePipeEnd& there = ends.second;
    ASSERT_TRUE(here.send(bytes_of("hello world")));
    std::array<std::byte, 64> buffer;
    const auto size = there.recv(buffer);
    ASSERT_TRUE(size);
    ASSERT_EQ(*size, 11U);
    ASSERT_TRUE(there.send({buffer, 0, 11}));
    std::string echo;
    EXPECT_EQ(*here.recv(echo), 11U);
    EXPECT_EQ(echo, "hello world");
}

TEST(BytePipeOfAnySize, CarriesSixteenMebibytesInOneMessage) {
    constexpr std::size_t kSize = std::size_t{16} << 20;
    auto ends = BytePipe::pair({.capacity_bytes = 2 * (kSize + 64)});
    std::vector<std::byte> sent(kSize);
    for (std::size_t i = 0; i != kSize; ++i) sent[i] = static_cast<std::byte>(i * 2654435761U >> 13);
    ChildProcess child([&] {
        std::vector<std::byte> received;
        if (!ends.second.recv(received)) return 1;
        return ends.second.send(received) ? 0 : 2;
    });
    ASSERT_GE(ends.first.max_message_bytes(), kSize);
    ASSERT_TRUE(ends.first.send(sent));
    std::vector<std::byte> echo;
    ASSERT_EQ(*ends.first.recv(echo), kSize);
    EXPECT_EQ(echo, sent);
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_F(BytePipeTest, RecvIntoABufferLeavesItsTailAlone) {
    ASSERT_TRUE(send("hello"));
    std::array<char, 10> buffer{};
    buffer.fill('x');
    EXPECT_EQ(*ends.second.recv(std::as_writable_bytes(std::span(buffer))), 5U);
    EXPECT_EQ(std::string_view(buffer.data(), buffer.size()), "helloxxxxx");
}

TEST_F(BytePipeTest, RecvAtAnOffsetLeavesAloneWhatStandsBeforeAndBehind) {
    ASSERT_TRUE(send("hello"));
    std::array<char, 10> buffer{};
    buffer.fill('x');
    EXPECT_EQ(*ends.second.recv({std::as_writable_bytes(std::span(buffer)), 3}), 5U);
    EXPECT_EQ(std::string_view(buffer.data(), buffer.size()), "xxxhelloxx");
}

TEST_F(BytePipeTest, ABufferThatIsTooSmallLeavesTheMessageAndTellsItsSize) {
    ASSERT_TRUE(send("twelve bytes"));
    ASSERT_TRUE(send("next"));
    std::array<std::byte, 11> small;
    EXPECT_EQ(ends.second.recv(small).error(), Status::too_large);
    EXPECT_EQ(ends.second.needed_bytes(), 12U);
    EXPECT_EQ(ends.second.try_recv({small, 11}).error(), Status::too_large);
    EXPECT_EQ(recv(), "twelve bytes");
    EXPECT_EQ(recv(), "next");
}

TEST_F(BytePipeTest, RoomOutsideItsBufferIsInvalidAndTakesNothing) {
    ASSERT_TRUE(send("here"));
    std::array<std::byte, 8> buffer;
    EXPECT_EQ(ends.second.recv({buffer, 9}).error(), Status::invalid);
    EXPECT_EQ(ends.second.recv({buffer, -1}).error(), Status::invalid);
    EXPECT_EQ(recv(), "here");
}

TEST_F(BytePipeTest, SendsPartsOfABufferByOffsetAndSize) {
    const std::string_view alphabet = "abcdefghijklmnopqrstuvwxyz";
    const Bytes all = bytes_of(alphabet);
    ASSERT_TRUE(ends.first.send({all, 5}));
    EXPECT_EQ(recv(), alphabet.substr(5));
    ASSERT_TRUE(ends.first.send({all, 7, 8}));
    EXPECT_EQ(recv(), alphabet.substr(7, 8));
    ASSERT_TRUE(ends.first.send({all, 26}));
    EXPECT_EQ(recv(), "");
    ASSERT_TRUE(ends.first.send({all, 26, 0}));
    EXPECT_EQ(recv(), "");
}

TEST_F(BytePipeTest, APartOutsideItsBufferIsInvalidAndSendsNothing) {
    const Bytes all = bytes_of("abcdefghijklmnopqrstuvwxyz");
    for (const Part& part :
         {Part{all, 27}, Part{all, 22, 5}, Part{all, 26, 1}, Part{all, -1}, Part{all, 4, -1}}) {
        EXPECT_EQ(ends.first.send(part).error(), Status::invalid);
        EXPECT_EQ(ends.first.try_send(part).error(), Status::invalid);
        EXPECT_EQ(ends.first.try_send_for(part, 1ms).error(), Status::invalid);
    }
    EXPECT_EQ(ends.second.poll().error(), Status::empty);
}

TEST_F(BytePipeTest, AnEmptyMessageIsAMessage) {
    ASSERT_TRUE(send(""));
    EXPECT_TRUE(ends.second.poll());
    EXPECT_TRUE(ends.second.poll()) << "poll does not consume";
    std::array<std::byte, 1> buffer;
    EXPECT_EQ(*ends.second.recv(buffer), 0U);
    EXPECT_FALSE(ends.second.poll());
}

TEST_F(BytePipeTest, PollFindsEachOfASequenceOfFullAndEmptyMessages) {
    const std::vector<std::string> texts = {"a", "", "b", "", "", "c", "longer than the others", ""};
    for (const std::string& text : texts) ASSERT_TRUE(send(text));
    for (const std::string& text : texts) {
        ASSERT_TRUE(ends.second.poll_for(10ms));
        EXPECT_EQ(recv(), text);
    }
    EXPECT_EQ(ends.second.poll_for(1ms).error(), Status::timed_out);
}

TEST_F(BytePipeTest, MessagesAreNeverMergedHoweverOftenOnePolls) {
    for (const char* text : {"a", "b", "cd"}) ASSERT_TRUE(send(text));
    for (const char* text : {"a", "b", "cd"}) {
        for (int i = 0; i != 3; ++i) EXPECT_TRUE(ends.second.poll());
        EXPECT_EQ(recv(), text);
    }
    EXPECT_FALSE(ends.second.poll());
}

TEST_F(BytePipeTest, AProcessThatPolledAndDiedHasTakenNoPartOfAMessage) {
    ASSERT_TRUE(send("whole"));
    ChildProcess polls([&] {
        EXPECT_TRUE(ends.second.poll_for(20s));
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(polls.join().killed_by(SIGKILL));
    // An end has no successor: nobody else gets the message, and its sender hears that nobody will, within a liveness period.
    Status status = Status::ok;
    while (status == Status::ok) status = ends.first.try_send_for(bytes_of("more"), 20s).error();
    EXPECT_EQ(status, Status::closed);
    EXPECT_EQ(ends.first.peer(), PeerState::dead);
}

TEST_F(BytePipeTest, AMessageLargerThanHalfThePipeIsTooLargeAtOnce) {
    const std::vector<std::byte> large(ends.first.max_message_bytes() + 1);
    EXPECT_EQ(ends.first.send(large).error(), Status::too_large);
    EXPECT_TRUE(ends.first.send({large, 1}));
}

TEST_F(BytePipeTest, AStringOrVectorGrowsToTheMessage) {
    ASSERT_TRUE(send(std::string(300, 'x')));
    ASSERT_TRUE(send("y"));
    std::vector<std::byte> vector;
    EXPECT_EQ(*ends.second.try_recv(vector), 300U);
    EXPECT_EQ(vector.size(), 300U);
    EXPECT_EQ(*ends.second.try_recv_for(vector, 1s), 1U);
    EXPECT_EQ(vector.size(), 1U);
    EXPECT_EQ(ends.second.try_recv(vector).error(), Status::empty);
}

TEST_F(BytePipeTest, TimedCallsAnswerWhatTheyFindOrTimedOut) {
    std::array<std::byte, 8> buffer;
    const auto deadline = [] { return std::chrono::system_clock::now() + 1ms; };
    EXPECT_EQ(ends.second.try_recv_for(buffer, 1ms).error(), Status::timed_out);
    EXPECT_EQ(ends.second.try_recv_until(buffer, deadline()).error(), Status::timed_out);
    const std::vector<std::byte> half(ends.first.max_message_bytes());
    while (ends.first.try_send(half)) {
    }
    EXPECT_EQ(ends.first.try_send(half).error(), Status::full);
    EXPECT_EQ(ends.first.try_send_for(half, 1ms).error(), Status::timed_out);
    EXPECT_EQ(ends.first.try_send_until(half, deadline()).error(), Status::timed_out);
}

/// As CPython's TestIgnoreEINTR: a signal whose handler ran must not end a call.
TEST_F(BytePipeTest, SignalsDoNotEndABlockedCall) {
    const HarmlessSignal signal;
    const std::vector<std::byte> half(ends.first.max_message_bytes());
    const pthread_t self = ::pthread_self();
    std::thread other([&] {
        for (int i = 0; i != 50; ++i) {
            ::pthread_kill(self, SIGUSR1);
            std::this_thread::sleep_for(200us);
        }
        std::vector<std::byte> buffer;
        while (*ends.second.recv(buffer) != 1) {
        }
        for (int i = 0; i != 50; ++i) {
            ::pthread_kill(self, SIGUSR1);
            std::this_thread::sleep_for(200us);
        }
        EXPECT_TRUE(ends.second.send({half, 0, 3}));
    });
    for (int i = 0; i != 6; ++i) EXPECT_TRUE(ends.first.send(half));
    EXPECT_TRUE(ends.first.send({half, 0, 1}));
    std::array<std::byte, 8> answer;
    EXPECT_EQ(*ends.first.recv(answer), 3U);
    other.join();
}

}  // namespace
}  // namespace shmring::test
