// Waiting for several ends of pipes: wait_any, WaitSet and epoll, beside other things, and when ends are closed or die.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <deque>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/byte_pipe.hpp"
#include "shmring/pipe.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"
#include "support/signals.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Numbers = Pipe<std::uint64_t>;
using NumberEnd = PipeEnd<std::uint64_t>;

[[nodiscard]] PipeOptions options(std::chrono::nanoseconds period = 2ms) {
    return {.capacity = 16, .liveness_period = period, .segment = {.bell = true}};
}

TEST(PipeWait, WaitAnyAnswersOnlyWhatCanBeReceived) {
    auto one = Numbers::pair(options());
    auto two = BytePipe::pair({.capacity_bytes = 256, .liveness_period = 2ms});
    const auto start = std::chrono::steady_clock::now();
    EXPECT_EQ(wait_any_for(20ms, one.first, two.first).error(), Status::timed_out);
    EXPECT_GE(std::chrono::steady_clock::now() - start, 20ms);
    EXPECT_EQ(wait_any_for(-1s, one.first, two.first).error(), Status::timed_out);
    ASSERT_TRUE(two.second.send(Bytes{}));
    EXPECT_EQ(*wait_any(one.first, two.first), 1U);
    ASSERT_TRUE(one.second.send(1));
    std::string text;
    ASSERT_TRUE(two.first.recv(text));
    EXPECT_EQ(*wait_any_for(20s, one.first, two.first), 0U);
}

TEST(PipeWait, AnEndOfFileIsReady) {
    auto one = Numbers::pair(options());
    auto two = Numbers::pair(options());
    two.second.close();
    EXPECT_EQ(*wait_any(one.first, two.first), 1U);
    EXPECT_EQ(two.first.recv().error(), Status::closed);
}

TEST(PipeWait, AnEndThatCannotBeReceivedFromIsReadySoThatItsCallSaysWhy) {
    auto [reader, writer] = Numbers::pair({.capacity = 4, .duplex = false});
    EXPECT_EQ(*wait_any(reader, writer), 1U);
    EXPECT_EQ(writer.recv().error(), Status::invalid);
    reader.close();
    EXPECT_EQ(*wait_any(reader), 0U);
}

TEST(PipeWait, ASignalEndsAReceiveWhereThatWasAskedForOfABoundEnd) {
    auto one = Numbers::pair(options());
    EXPECT_EQ(one.first.try_recv().error(), Status::empty);
    one.first.set_wait_policy({.spin = 0ns, .return_on_signal = true});
    const HarmlessSignal signal;
    under_signals([&] { EXPECT_EQ(one.first.recv().error(), Status::interrupted); });
}

/// CPython's TestWait: four writers that end on their own, one reader that waits for all of them.
TEST(PipeWait, AllMessagesOfFourChildrenAndTheirEndsAreHeardOf) {
    constexpr std::uint64_t kMessages = 10;
    std::deque<NumberEnd> readers;
    std::vector<ChildProcess> writers;
    for (std::uint64_t child = 0; child != 4; ++child) {
        PipeOptions one_way = options();
        one_way.duplex = false;
        auto [reader, writer] = Numbers::pair(one_way);
        NumberEnd& out = writer;
        writers.emplace_back([&out, child] {
            for (std::uint64_t i = 0; i != kMessages; ++i) {
                ::usleep(static_cast<useconds_t>(child * 300));
                if (!out.send(100 * child + i)) return 1;
            }
            return 0;  // by _exit: its end dies with it
        });
        readers.push_back(std::move(reader));
    }
    std::vector<std::uint64_t> received(4, 0);
    std::vector<bool> ended(4, false);
    for (std::size_t open = 4; open != 0;) {
        WaitSet set;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i != 4; ++i) {
            if (ended[i]) continue;
            set.add(readers[i]);
            places.push_back(i);
        }
        const auto ready = set.wait_for(20s);
        ASSERT_TRUE(ready);
        const std::size_t who = places[*ready];
        const auto number = readers[who].try_recv();
        if (number) {
            EXPECT_EQ(*number, 100 * who + received[who]++);
        } else {
            EXPECT_EQ(number.error(), Status::closed);
            ended[who] = true;
            --open;
        }
    }
    EXPECT_EQ(received, std::vector<std::uint64_t>(4, kMessages));
    for (ChildProcess& writer : writers) EXPECT_TRUE(writer.join().exited_with(0));
}

// ---- epoll ---------------------------------------------------------------------------------------------------------

/// Ends by every road, each with an end of its own in this thread. An hour's period: only the bell can be in time.
struct WithEventfds {
    std::pair<NumberEnd, NumberEnd> make() { return Numbers::pair(options(1h)); }
};
struct WithFifos {
    std::pair<NumberEnd, NumberEnd> make() {
        const auto pipe = Numbers::create(name, {.capacity = 16, .liveness_period = 1h});
        return {pipe.first(), pipe.second()};
    }
    UniqueName name{};
};
template <class Road>
class PipeInEpoll : public testing::Test {
 protected:
    Road road{};
    std::pair<NumberEnd, NumberEnd> ends = road.make();

    [[nodiscard]] static auto draining(NumberEnd& end) {
        return [&end] {
            while (end.try_recv()) {
            }
        };
    }
};
using Roads = testing::Types<WithEventfds, WithFifos>;
TYPED_TEST_SUITE(PipeInEpoll, Roads);

TYPED_TEST(PipeInEpoll, BothEndsWaitAtOnceAndEachHearsItsOwnMessages) {
    auto& [here, there] = this->ends;
    const int at_here = here.readable_fd();
    const int at_there = there.readable_fd();
    for (std::uint64_t i = 0; i != 20; ++i) {
        // From here on only the bells speak: the first timers have come, and the next ones come in an hour.
        ASSERT_TRUE(settle(at_here, this->draining(here)));
        ASSERT_TRUE(settle(at_there, this->draining(there)));
        ASSERT_TRUE(here.send(i));
        ASSERT_TRUE(becomes_readable(at_there));
        ASSERT_FALSE(is_readable(at_here));
        ASSERT_TRUE(there.send(i));
        ASSERT_TRUE(becomes_readable(at_here));
        this->draining(here)();
        ASSERT_TRUE(is_readable(at_there)) << "silencing one must not take away what was told to the other";
        ASSERT_EQ(*there.try_recv(), i);
    }
}

TYPED_TEST(PipeInEpoll, AClosedPeerIsHeardOfAtOnce) {
    auto& [here, there] = this->ends;
    const int at_here = here.readable_fd();
    there.bind();
    ASSERT_TRUE(settle(at_here, this->draining(here)));
    there.close();
    ASSERT_TRUE(becomes_readable(at_here));
    EXPECT_EQ(here.try_recv().error(), Status::closed);
    EXPECT_TRUE(is_readable(at_here)) << "an end of file stays readable";
}

TEST(PipeInALoop, ADeadPeerAndADeadProcessAreHeardOfBesideAPipe) {
    auto one = Numbers::pair(options());
    auto two = Numbers::pair(options());
    ChildProcess child([&] {
        (void)two.second.send(1);
        ::pause();
    });
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, child.pid(), 0));
    ASSERT_GE(process, 0);
    const EpollSet set;
    ASSERT_TRUE(set.add(one.first.readable_fd(), 1) && set.add(two.first.readable_fd(), 2) &&
                set.add(process, 3));
    EXPECT_EQ(*two.first.recv(), 1U);
    child.kill(SIGKILL);
    bool pipe_told = false;
    bool process_told = false;
    while (!pipe_told || !process_told) {
        const auto names = set.wait();
        ASSERT_FALSE(names.empty());
        for (const std::uint64_t name : names) {
            if (name == 1) {
                ASSERT_EQ(one.first.try_recv().error(), Status::empty);
            }
            if (name == 2) pipe_told = two.first.try_recv().error() == Status::closed;
            if (name == 3) process_told = true;
        }
    }
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    ASSERT_TRUE(one.second.send(5));
    const std::size_t turn = *wait_any(one.first, two.first);
    EXPECT_NE(*wait_any(one.first, two.first), turn) << "both are ready and take turns";
    ::close(process);
}

TEST(PipeInALoop, AnAnonymousPipeWithoutABellSaysSo) {
    auto [here, there] = Numbers::pair({.capacity = 4});
    std::error_code code;
    EXPECT_EQ(here.readable_fd(code), -1);
    EXPECT_EQ(code, errc::no_bell);
}

TEST(PipeInALoop, RemovingANamedPipeRemovesBothBells) {
    const UniqueName name;
    auto pipe = Numbers::create(name, {.capacity = 4});
    auto here = pipe.first();
    auto there = pipe.second();
    ASSERT_GE(here.readable_fd(), 0);
    ASSERT_GE(there.readable_fd(), 0);
    EXPECT_EQ(::access((name.path() + ".bell").c_str(), F_OK), 0);
    EXPECT_EQ(::access((name.path() + ".bel2").c_str(), F_OK), 0);
    EXPECT_FALSE(Numbers::remove(name));
    EXPECT_NE(::access((name.path() + ".bell").c_str(), F_OK), 0);
    EXPECT_NE(::access((name.path() + ".bel2").c_str(), F_OK), 0);
}

TEST(PipeInALoop, ABellHandedOverServesTheOtherProcess) {
    auto ends = Numbers::pair(options(1h));
    const int descriptor = ends.second.to_descriptor();
    SegmentOptions joining;
    joining.bell_descriptor = ends.second.segment().bell_descriptor(0);
    joining.second_bell_descriptor = ends.second.segment().bell_descriptor(1);
    auto there = Numbers::from_descriptor(descriptor, joining).second();
    ::close(descriptor);
    const int at_there = there.readable_fd();
    ASSERT_TRUE(settle(at_there, [&] { (void)there.try_recv(); }));
    ASSERT_TRUE(ends.first.send(1));
    EXPECT_TRUE(becomes_readable(at_there));
}

}  // namespace
}  // namespace shmring::test
