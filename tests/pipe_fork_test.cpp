// Pipes and fork(): ends made before it, tethers, who owns what, and who is missed when nobody is left.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <system_error>
#include <thread>
#include <utility>

#include "shmring/pipe.hpp"
#include "support/child_process.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Numbers = Pipe<std::uint64_t>;
using NumberEnd = PipeEnd<std::uint64_t>;

class PipeFork : public testing::Test {
 protected:
    /// The peer's end is gone for this one: received nothing but the end, sends are refused.
    static void expect_gone(NumberEnd& end) {
        EXPECT_EQ(end.recv().error(), Status::closed);
        EXPECT_EQ(end.send(1).error(), Status::closed);
    }
    /// The peer's end is only unbound: there is nothing yet, for many liveness periods.
    static void expect_waiting(NumberEnd& end) {
        EXPECT_EQ(end.try_recv_for(30ms).error(), Status::timed_out);
        EXPECT_EQ(end.peer(), PeerState::never_came);
    }

    std::pair<NumberEnd, NumberEnd> ends = Numbers::pair({.capacity = 4, .liveness_period = 2ms});
    NumberEnd& here = ends.first;
    NumberEnd& there = ends.second;
    Turnstile go{};
    Turnstile done{};
};

TEST_F(PipeFork, TheParentMayCloseItsCopyOfTheChildsEndRightAfterTheFork) {
    ChildProcess child([&] {
        if (!go.pass()) return 1;
        return there.send(7) ? 0 : 2;
    });
    there.close();
    expect_waiting(here);
    go.let_through();
    EXPECT_EQ(*here.recv(), 7U);
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_F(PipeFork, AnEndThatWasBoundBeforeTheForkAnswersNotOwnerInTheChild) {
    ASSERT_TRUE(here.send(1));
    ChildProcess child([&] {
        EXPECT_EQ(here.send(2).error(), Status::not_owner);
        EXPECT_EQ(here.try_recv().error(), Status::not_owner);
        EXPECT_EQ(here.recv().error(), Status::not_owner);
        EXPECT_EQ(here.poll().error(), Status::not_owner);
        EXPECT_EQ(here.poll_for(20s).error(), Status::not_owner);
        here.close();  // does nothing
        EXPECT_THROW((void)here.readable_fd(), std::system_error);
        NumberEnd(std::move(here));  // and its destructor does nothing
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(*there.recv(), 1U);
    ASSERT_TRUE(here.send(3)) << "still ours";
    EXPECT_EQ(*there.recv(), 3U);
}

TEST_F(PipeFork, WhoComesSecondToAnEndIsToldThatItIsTaken) {
    ChildProcess child([&] {
        there.bind();
        done.let_through();
        (void)go.pass();
    });
    ASSERT_TRUE(done.pass());
    EXPECT_EQ(there.send(1).error(), Status::not_owner);
    EXPECT_EQ(there.recv().error(), Status::not_owner);
    std::error_code code;
    there.bind(code);
    EXPECT_EQ(code, errc::seat_taken);
    EXPECT_EQ(here.peer(), PeerState::here);
    go.let_through();
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_F(PipeFork, AChildThatDiesBeforeItsFirstUseIsMissedOnceTheParentClosedItsCopy) {
    ChildProcess child([&] { (void)go.pass(); });
    there.close();
    expect_waiting(here);
    child.kill(SIGKILL);
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    expect_gone(here);
    EXPECT_EQ(here.peer(), PeerState::dead);
}

TEST_F(PipeFork, AChildThatExitsWithoutEverUsingItsEndIsMissed) {
    ChildProcess child([&] { return 0; });
    there.close();
    expect_gone(here);
    EXPECT_TRUE(child.join().exited_with(0));
}

TEST_F(PipeFork, AnEndIsNotMissedWhileTheParentKeepsItsCopy) {
    ChildProcess child([&] { return 0; });
    EXPECT_TRUE(child.join().exited_with(0));
    expect_waiting(here);
    ASSERT_TRUE(there.send(4)) << "and may be used by the parent still";
    EXPECT_EQ(*here.recv(), 4U);
}

TEST_F(PipeFork, TheLastCopyThatIsClosedEndsThePipeAtOnce) {
    auto slow = Numbers::pair({.capacity = 4, .liveness_period = 1h});
    while (slow.first.try_recv_for(1ms)) {  // asks at first, and then in an hour
    }
    for (int i = 0; i != 20; ++i) (void)slow.first.try_recv();
    slow.second.close();
    expect_gone(slow.first);
}

TEST_F(PipeFork, AChildClosingItsCopyClosesNobodyElses) {
    ChildProcess child([&] {
        there.close();
        here.close();
    });
    EXPECT_TRUE(child.join().exited_with(0));
    expect_waiting(here);
    ASSERT_TRUE(here.send(5));
    EXPECT_EQ(*there.recv(), 5U);
}

TEST_F(PipeFork, AGrandchildKeepsAnUnusedEndAlive) {
    Shared<std::atomic<int>> grandchild;
    ChildProcess child([&] {
        const pid_t pid = ::fork();
        if (pid == 0) {
            (void)go.pass();
            ::_exit(there.send(6) ? 0 : 1);
        }
        grandchild->store(pid);
        return 0;
    });
    there.close();
    EXPECT_TRUE(child.join().exited_with(0));
    expect_waiting(here);
    go.let_through();
    EXPECT_EQ(*here.recv(), 6U);
    EXPECT_EQ(here.recv().error(), Status::closed) << "bound, and gone with its process";
}

TEST_F(PipeFork, AnEndIsMissedWhenTheLastOfAFamilyDies) {
    Shared<std::atomic<int>> grandchild;
    ChildProcess child([&] {
        const pid_t pid = ::fork();
        if (pid == 0) {
            (void)go.pass();
            ::_exit(0);
        }
        grandchild->store(pid);
        return 0;
    });
    there.close();
    EXPECT_TRUE(child.join().exited_with(0));
    expect_waiting(here);
    ::kill(grandchild->load(), SIGKILL);
    expect_gone(here);
}

TEST_F(PipeFork, AChildHearsOfAParentThatDiesBeforeItUsedItsEnd) {
    Shared<std::atomic<int>> heard;
    ChildProcess parent([&] {
        const pid_t pid = ::fork();
        if (pid == 0) {
            here.close();
            heard->store(there.recv().error() == Status::closed ? 1 : 2);
            ::_exit(0);
        }
        there.close();
        done.let_through();
        (void)go.pass();
    });
    here.close();
    there.close();
    ASSERT_TRUE(done.pass());
    parent.kill(SIGKILL);
    EXPECT_TRUE(parent.join().killed_by(SIGKILL));
    for (int ms = 0; ms != 20'000 && heard->load() == 0; ++ms) ::usleep(1000);
    EXPECT_EQ(heard->load(), 1);
}

TEST_F(PipeFork, ABoundEndThatDiesIsMissedWhateverCopiesThereAre) {
    for (const bool sends : {true, false}) {
        auto pipe = Numbers::pair({.capacity = 4, .liveness_period = 2ms});
        ChildProcess child([&] {
            if (sends)
                (void)pipe.second.send(8);
            else
                (void)pipe.second.poll();
            ::raise(SIGKILL);
        });
        EXPECT_TRUE(child.join().killed_by(SIGKILL));
        if (sends) {
            EXPECT_EQ(*pipe.first.recv(), 8U) << "what was acknowledged";
        }
        expect_gone(pipe.first);
        EXPECT_EQ(pipe.first.peer(), PeerState::dead);
        EXPECT_EQ(pipe.second.send(1).error(), Status::closed) << "our unbound copy comes too late";
        std::error_code code;
        pipe.second.bind(code);
        EXPECT_EQ(code, errc::pipe_ended);
    }
}

TEST_F(PipeFork, AStoppedPeerIsAlive) {
    ChildProcess child([&] {
        EXPECT_TRUE(there.send(1));
        return *there.recv() == 2 ? 0 : 1;
    });
    EXPECT_EQ(*here.recv(), 1U);
    child.kill(SIGSTOP);
    EXPECT_EQ(here.try_recv_for(50ms).error(), Status::timed_out);
    EXPECT_EQ(here.peer(), PeerState::here);
    ASSERT_TRUE(here.send(2));
    child.kill(SIGCONT);
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(here.recv().error(), Status::closed);
}

TEST_F(PipeFork, ASenderWithRoomHearsOfADeathWithinAFewCalls) {
    ChildProcess child([&] {
        there.bind();
        done.let_through();
        (void)go.pass();
    });
    ASSERT_TRUE(done.pass());
    ASSERT_TRUE(here.send(1));
    child.kill(SIGKILL);
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    ::usleep(20'000);
    EXPECT_EQ(here.try_send(2).error(), Status::closed) << "the first call after a liveness period";
}

TEST_F(PipeFork, ASenderInHasteHearsOfADeathWithinSixtyFourCalls) {
    auto pipe = Numbers::pair({.capacity = 100'000, .liveness_period = 50ms});
    ChildProcess child([&] {
        pipe.second.bind();
        done.let_through();
        (void)go.pass();
    });
    ASSERT_TRUE(done.pass());
    for (std::uint64_t i = 0; i != 10'000; ++i) ASSERT_TRUE(pipe.first.try_send(i));
    child.kill(SIGKILL);
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    ::usleep(120'000);
    int calls = 0;
    while (pipe.first.try_send(1)) ++calls;
    EXPECT_LE(calls, 64);
}

TEST_F(PipeFork, AThreadThatForksWhileAnotherBindsLeavesTheChildNoTrap) {
    for (int round = 0; round != 50; ++round) {
        auto pipe = Numbers::pair({.capacity = 4, .liveness_period = 2ms});
        std::thread binds([&] {
            std::error_code code;  // the child may be quicker: then the end is the child's, and gone with it
            pipe.first.bind(code);
        });
        ChildProcess child([&] {
            const Status status = pipe.first.try_send(1).error();
            return status == Status::ok || status == Status::not_owner ? 0 : 1;
        });
        EXPECT_TRUE(child.join().exited_with(0));
        binds.join();
    }
}

TEST_F(PipeFork, ClosingAllDescriptorsLeavesTheTetherInPlace) {
    ChildProcess child([&] {
        ::close_range(3, ~0U, 0);
        ::pause();
    });
    there.close();
    expect_waiting(here);
    child.kill(SIGKILL);
    EXPECT_TRUE(child.join().killed_by(SIGKILL));
    expect_gone(here);
}

TEST_F(PipeFork, AnUnusedEndGoesAtExec) {
    ChildProcess child([&] {
        done.let_through();
        ::execl("/bin/sleep", "sleep", "30", nullptr);
        return 1;
    });
    there.close();
    ASSERT_TRUE(done.pass());
    expect_gone(here);
    child.kill(SIGKILL);
    (void)child.join();
}

}  // namespace
}  // namespace shmring::test
