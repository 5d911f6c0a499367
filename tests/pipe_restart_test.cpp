// Named pipes whose processes were killed and started again: when both ends are gone, who comes gets a new pipe, the same for all.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <span>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/byte_pipe.hpp"
#include "shmring/detail/pipe_layout.hpp"
#include "shmring/detail/platform.hpp"
#include "shmring/pipe.hpp"
#include "support/child_process.hpp"
#include "support/shared.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Numbers = Pipe<int>;
constexpr PipeOptions kOptions = {.capacity = 4, .liveness_period = 2ms};

[[nodiscard]] std::uint64_t generation_of(const Numbers& pipe) {
    return pipe.segment().geometry().generation;
}

TEST(PipeRestart, APipeWhoseEndsAreBothClosedIsMadeAnew) {
    const UniqueName name;
    const auto old = Numbers::create(name, kOptions);
    {
        auto here = old.first();
        auto there = old.second();
        ASSERT_TRUE(here.send(1));
        ASSERT_TRUE(there.send(2));
    }
    const auto fresh = Numbers::open_or_create(name, kOptions);
    EXPECT_NE(generation_of(fresh), generation_of(old));
    EXPECT_TRUE(old.segment().retired());
    auto here = fresh.first();
    auto there = fresh.second();
    ASSERT_TRUE(here.send(3));
    EXPECT_EQ(*there.recv(), 3);
    std::error_code code;
    EXPECT_EQ(generation_of(Numbers::open_or_create(name, kOptions, code)), generation_of(fresh)) << "in use";
}

TEST(PipeRestart, WhatTheOtherEndHasYetToReceiveIsKept) {
    const UniqueName name;
    {
        auto here = Numbers::create(name, kOptions).first();
        ASSERT_TRUE(here.send(7));
    }
    auto there = Numbers::open_or_create(name, kOptions).second();
    EXPECT_EQ(*there.recv(), 7);
    EXPECT_EQ(there.recv().error(), Status::closed);
}

TEST(PipeRestart, WhileOneEndLivesTheOtherIsToldThatItsEndIsOver) {
    const UniqueName name;
    const auto pipe = Numbers::create(name, kOptions);
    auto here = pipe.first();
    here.bind();
    ChildProcess([&] {
        auto there = pipe.second();
        there.bind();
        return ::raise(SIGKILL);
    }).join();
    const auto again = Numbers::open_or_create(name, kOptions);
    EXPECT_EQ(generation_of(again), generation_of(pipe));
    std::error_code code;
    again.second().bind(code);
    EXPECT_EQ(code, errc::pipe_ended);
    EXPECT_EQ(here.recv().error(), Status::closed);
    here.close();
    EXPECT_NE(generation_of(Numbers::open_or_create(name, kOptions)), generation_of(pipe));
}

TEST(PipeRestart, ManyWhoComeAtOnceGetOneNewPipe) {
    const UniqueName name;
    for (int round = 0; round != 30; ++round) {
        {
            const auto old = Numbers::open_or_create(name, kOptions);
            auto here = old.first();
            auto there = old.second();
            here.bind();
            there.bind();
        }
        constexpr std::size_t kComers = 4;
        Shared<std::array<std::atomic<std::uint64_t>, kComers>> got;
        std::vector<ChildProcess> comers;
        for (std::size_t i = 0; i != kComers; ++i)
            comers.emplace_back([&, i] {
                (*got)[i].store(generation_of(Numbers::open_or_create(name, kOptions)),
                                std::memory_order_relaxed);
            });
        for (ChildProcess& comer : comers) EXPECT_TRUE(comer.join().exited_with(0));
        for (std::size_t i = 1; i != kComers; ++i)
            ASSERT_EQ((*got)[i].load(std::memory_order_relaxed), (*got)[0].load(std::memory_order_relaxed));
    }
}

TEST(PipeRestart, WhoDiesWhileItTakesTheNameAwayHoldsUpNobody) {
    const UniqueName name;
    const auto old = Numbers::create(name, kOptions);
    old.first().bind();  // and closed at once
    old.second().bind();
    Turnstile begun;
    ChildProcess renewer([&] {
        std::error_code code;
        const auto lock = detail::platform::LivenessLock::take(
            old.segment().descriptor(), old.segment().file_identity(),
            old.segment().geometry().liveness_base + detail::kRemovalByte, code);
        begun.let_through();
        ::pause();
        return lock.held() ? 0 : 1;
    });
    ASSERT_TRUE(begun.pass());
    std::atomic<bool> got{false};
    std::thread comer([&] {
        EXPECT_NE(generation_of(Numbers::open_or_create(name, kOptions)), generation_of(old));
        got.store(true, std::memory_order_relaxed);
    });
    std::this_thread::sleep_for(20ms);
    EXPECT_FALSE(got.load(std::memory_order_relaxed)) << "somebody is at it";
    renewer.kill(SIGKILL);
    EXPECT_TRUE(renewer.join().killed_by(SIGKILL));
    comer.join();
}

/// The recipe of docs/semantics.md.
[[nodiscard]] PipeEnd<int> meet(const UniqueName& name, bool first) {
    for (;; std::this_thread::sleep_for(1ms)) {
        const auto pipe = Numbers::open_or_create(name, kOptions);
        auto end = first ? pipe.first() : pipe.second();
        std::error_code code;
        end.bind(code);
        if (!code) return end;
        if (code != errc::pipe_ended && code != errc::seat_taken) throw std::system_error(code);
    }
}

TEST(PipeRestart, TwoDaemonsThatAreBothKilledMeetAgainEachTime) {
    const UniqueName name;
    for (int round = 0; round != 30; ++round) {
        Turnstile met;
        std::vector<ChildProcess> daemons;
        for (const bool first : {true, false})
            daemons.emplace_back([&, first] {
                auto end =
                    Numbers::open_or_create(name, kOptions);  // as the examples do: it is nobody's, or ours
                auto mine = first ? end.first() : end.second();
                if (!mine.send(round)) return 1;
                if (const auto heard = mine.recv(); !heard || *heard != round) return 2;
                met.let_through();
                ::pause();
                return 3;
            });
        ASSERT_TRUE(met.pass() && met.pass()) << "round " << round;
        for (ChildProcess& daemon : daemons) daemon.kill(SIGKILL);
        for (ChildProcess& daemon : daemons) EXPECT_TRUE(daemon.join().killed_by(SIGKILL));
    }
}

TEST(PipeRestart, OneDaemonThatIsKilledMeetsTheOtherAgain) {
    const UniqueName name;
    Shared<std::atomic<int>> conversations;
    // Serves for ever: when a conversation has ended it lets go, and begins the next.
    ChildProcess server([&] {
        for (;;) {
            auto end = meet(name, true);
            while (const auto number = end.recv()) (void)end.send(*number + 1);
        }
        return 0;
    });
    for (int round = 0; round != 20; ++round) {
        ChildProcess client([&] {
            for (;;) {
                auto end = meet(name, false);
                if (!end.send(round)) continue;  // the server let go of an older one
                const auto answer = end.recv();
                if (!answer) continue;
                if (*answer != round + 1) return 1;
                conversations->fetch_add(1, std::memory_order_relaxed);
                return ::raise(SIGKILL);
            }
        });
        EXPECT_TRUE(client.join().killed_by(SIGKILL));
    }
    EXPECT_EQ(conversations->load(std::memory_order_relaxed), 20);
}

TEST(PipeRestart, APipeOfBytesIsMadeAnewToo) {
    const UniqueName name;
    const PipeOptions options = {.capacity_bytes = 1024, .duplex = false, .liveness_period = 2ms};
    for (int round = 0; round != 3; ++round) {
        const auto pipe = BytePipe::open_or_create(name, options);
        auto reader = pipe.first();
        auto writer = pipe.second();
        reader.bind();
        ASSERT_TRUE(writer.send(std::as_bytes(std::span("round"))));
    }
}

}  // namespace
}  // namespace shmring::test
