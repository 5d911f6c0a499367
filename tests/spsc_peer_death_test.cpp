// What the survivor of a stream gets when its peer goes, by whatever way it goes, in each state of the ring, whether it
// waits or not. What successors find: spsc_successor_test.cpp. Storms of random kills: spsc_kill_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <thread>

#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/peer_death.hpp"
#include "support/ring_internals.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Ring = SpscRing<std::uint64_t>;
constexpr std::uint64_t kCapacity = 5;
constexpr auto kPeriod = 2ms;  // how often the survivor asks after its peer

enum class Going {
    closes,
    is_killed,
    exits_without_a_word,
    becomes_another_program,
    detaches,
    exits_properly,
    never_comes
};

struct Departure {
    const char* name;
    Going going;
    Status leads_to;  ///< what the survivor's calls answer when there is nothing more to do; ok: they wait
};
constexpr std::array<Departure, 7> kDepartures = {{
    {"Closes", Going::closes, Status::closed},
    {"IsKilled", Going::is_killed, Status::peer_lost},
    {"ExitsWithoutAWord", Going::exits_without_a_word, Status::peer_lost},
    {"BecomesAnotherProgram", Going::becomes_another_program, Status::peer_lost},
    {"Detaches", Going::detaches, Status::ok},
    {"ExitsProperly", Going::exits_properly, Status::ok},
    {"NeverComes", Going::never_comes, Status::ok},
}};
std::ostream& operator<<(std::ostream& out, const Departure& departure) { return out << departure.name; }

/// One ring, a survivor in this process, and its peer in another.
class Departing : public testing::TestWithParam<Departure> {
 protected:
    void SetUp() override { ::alarm(60); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    struct Scene {
        std::uint64_t messages;  ///< in the ring when the peer goes
        bool survivor_waits;  ///< asleep in a call when the peer goes; else the peer is gone before the call
        Ring ring = Ring::anonymous({.capacity = kCapacity, .liveness_period = kPeriod});
        Shared<Steps> peer{};
        Shared<Steps> survivor{};
        std::optional<ChildProcess> process{};
    };

    /// The peer's life once it has its seat and has done its part.
    template <class Side>
    static int depart(Scene& scene, Side& side, const Line& survivor_sleeps_at) {
        scene.peer->reach(1);
        if (!scene.survivor->await(1)) return 4;
        if (scene.survivor_waits) await_sleeper(survivor_sleeps_at);
        switch (GetParam().going) {
            case Going::closes:
                side.close();
                scene.peer->reach(2);
                return scene.survivor->await(2) ? 0 : 4;  // alive and seated all the time
            case Going::is_killed:
                ::raise(SIGKILL);
                break;
            case Going::exits_without_a_word:
                ::_exit(0);
            case Going::becomes_another_program:
                ::execl("/bin/sleep", "sleep", "60", static_cast<char*>(nullptr));
                break;
            case Going::detaches:
                side.detach();
                scene.peer->reach(2);
                return scene.survivor->await(2) ? 0 : 4;
            case Going::exits_properly:
            case Going::never_comes:
                return 0;
        }
        return 6;
    }
    /// The survivor's view of it: `waiting_call` is made when the peer goes or after it went, as the scene says.
    template <class Call>
    static Status call_while_it_goes(Scene& scene, Call&& waiting_call) {
        scene.survivor->reach(1);
        const Going going = GetParam().going;
        if (!scene.survivor_waits) {
            if (going == Going::closes || going == Going::detaches) {
                EXPECT_TRUE(scene.peer->await(2));
            } else if (going == Going::is_killed) {
                EXPECT_TRUE(scene.process->join().killed_by(SIGKILL));
            } else if (going == Going::exits_without_a_word || going == Going::exits_properly) {
                EXPECT_TRUE(scene.process->join().exited_with(0));
            }
        }
        return waiting_call();
    }
    [[nodiscard]] static bool waits() { return GetParam().leads_to == Status::ok; }

    template <class Check>
    static void in_every_state(Check&& check) {
        for (const std::uint64_t messages : {std::uint64_t{0}, std::uint64_t{2}, kCapacity})
            for (const bool survivor_waits : {false, true}) {
                SCOPED_TRACE(std::to_string(messages) + " messages, the survivor " +
                             (survivor_waits ? "waits" : "comes later"));
                Scene scene{messages, survivor_waits};
                check(scene);
                if (testing::Test::HasFatalFailure()) return;
            }
    }
};

INSTANTIATE_TEST_SUITE_P(WhenThePeer, Departing, testing::ValuesIn(kDepartures),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

// ---- the survivor reads --------------------------------------------------------------------------------------------

void expect_from_each_read(Ring::Consumer& in, Status status) {
    std::array<std::uint64_t, 2> batch{};
    for (int repetition = 0; repetition != 2; ++repetition) {
        EXPECT_EQ(in.pop().error(), status);
        EXPECT_EQ(in.try_pop().error(), status);
        EXPECT_EQ(in.try_pop_for(1h).error(), status);
        EXPECT_EQ(in.try_pop_n(batch).error(), status);
        EXPECT_EQ(in.try_next().error(), status);
        EXPECT_EQ(in.next().error(), status);
    }
}

TEST_P(Departing, TheConsumerDrainsAndThenLearnsIt) {
    in_every_state([](Scene& scene) {
        Ring::Consumer in = scene.ring.consumer();
        if (GetParam().going != Going::never_comes) {
            scene.process.emplace([&] {
                Ring::Producer out = scene.ring.producer();
                for (std::uint64_t i = 0; i != scene.messages; ++i)
                    if (!out.push(i)) return 3;
                return depart(scene, out, control_of(scene.ring).readable);
            });
            ASSERT_TRUE(scene.peer->await(1));
        } else {
            scene.messages = 0;  // nobody has sent any
        }
        const auto drain = [&] {
            for (std::uint64_t i = 0; i != scene.messages; ++i) EXPECT_EQ(in.pop().value_or(~0U), i);
        };
        if (scene.survivor_waits) drain();
        const Status seen = call_while_it_goes(scene, [&]() -> Status {
            if (!scene.survivor_waits) drain();
            return waits() ? in.try_pop_for(20ms).error() : in.pop().error();
        });

        if (waits()) {
            EXPECT_EQ(seen, Status::timed_out);
            EXPECT_EQ(in.try_pop().error(), Status::empty);
            EXPECT_EQ(in.try_next().error(), Status::empty);
        } else {
            EXPECT_EQ(seen, GetParam().leads_to);
            expect_from_each_read(in, GetParam().leads_to);
        }

        scene.survivor->reach(2);  // what still lives of the peer ends
        if (GetParam().going == Going::closes) {
            EXPECT_TRUE(scene.process->join().exited_with(0));
        }
        Ring::Producer successor = scene.ring.producer();
        if (GetParam().going == Going::closes) {
            EXPECT_EQ(successor.push(77).error(), Status::closed) << "closed is for good";
            expect_from_each_read(in, Status::closed);
        } else {
            EXPECT_EQ(in.try_pop().error(), Status::empty) << "with a successor nobody is lost any more";
            EXPECT_TRUE(successor.push(77));
            EXPECT_EQ(in.pop().value_or(0), 77U);
        }
    });
}

// ---- the survivor writes -------------------------------------------------------------------------------------------

void expect_from_each_write(Ring::Producer& out, Status status) {
    const std::array<std::uint64_t, 2> batch{};
    for (int repetition = 0; repetition != 2; ++repetition) {
        EXPECT_EQ(out.push(0).error(), status);
        EXPECT_EQ(out.try_push(0).error(), status);
        EXPECT_EQ(out.try_push_for(0, 1h).error(), status);
        EXPECT_EQ(out.try_push_n(batch).error(), status);
        EXPECT_EQ(out.try_claim().error(), status);
        EXPECT_EQ(out.claim().error(), status);
        EXPECT_EQ(out.try_emplace(0U).error(), status);
    }
}

TEST_P(Departing, TheProducerFillsTheRingAndThenLearnsIt) {
    in_every_state([](Scene& scene) {
        Ring::Producer out = scene.ring.producer();
        std::uint64_t sent = 0;
        while (sent != scene.messages) ASSERT_TRUE(out.push(sent++));
        if (GetParam().going != Going::never_comes) {
            scene.process.emplace([&] {
                Ring::Consumer in = scene.ring.consumer();
                return depart(scene, in, control_of(scene.ring).writable);
            });
            ASSERT_TRUE(scene.peer->await(1));
        }
        const auto fill = [&] {
            while (sent != kCapacity) ASSERT_TRUE(out.push(sent++));
        };
        if (scene.survivor_waits) fill();
        const Status seen = call_while_it_goes(scene, [&]() -> Status {
            if (!scene.survivor_waits && GetParam().going != Going::closes) fill();
            return waits() ? out.try_push_for(99, 20ms).error() : out.push(99).error();
        });

        if (waits()) {
            EXPECT_EQ(seen, Status::timed_out);
            EXPECT_EQ(out.try_push(99).error(), Status::full);
            EXPECT_EQ(out.try_claim().error(), Status::full);
        } else {
            EXPECT_EQ(seen, GetParam().leads_to);
            expect_from_each_write(out, GetParam().leads_to);
        }

        scene.survivor->reach(2);
        if (GetParam().going == Going::closes) {
            EXPECT_TRUE(scene.process->join().exited_with(0));
        }
        Ring::Consumer successor = scene.ring.consumer();
        if (!waits() && GetParam().going != Going::closes) {
            EXPECT_EQ(out.try_push(99).error(), Status::full) << "with a successor nobody is lost any more";
        }
        for (std::uint64_t i = 0; i != sent; ++i) EXPECT_EQ(successor.pop().value_or(~0U), i);
        if (GetParam().going == Going::closes) {
            EXPECT_EQ(successor.pop().error(), Status::closed);
            expect_from_each_write(out, Status::closed);
        } else {
            EXPECT_TRUE(out.push(77));
            EXPECT_EQ(successor.pop().value_or(0), 77U);
        }
    });
}

// ---- learning of a death -------------------------------------------------------------------------------------------

TEST_F(PeerDeath, TryPopLearnsOfItWithoutEverWaiting) {
    Ring::Consumer in = ring.consumer();
    producer_dies_after(1);
    EXPECT_EQ(in.try_pop().value_or(~0U), 0U);
    while (in.try_pop().error() == Status::empty) {
    }
    EXPECT_EQ(in.try_pop().error(), Status::peer_lost);
}

TEST_F(PeerDeath, TryPushLearnsOfItWithoutEverWaiting) {
    Ring::Producer out = ring.producer();
    consumer_dies_after(0);
    for (std::uint64_t i = 0; i != kCapacity; ++i) EXPECT_TRUE(out.try_push(i));
    while (out.try_push(99).error() == Status::full) {
    }
    EXPECT_EQ(out.try_push(99).error(), Status::peer_lost);
}

/// A caller that waits in pieces shorter than the liveness period, to look after something else in between, waits long enough
/// in the end: ten periods are enough for one question.
TEST_F(PeerDeath, ManyShortWaitsLearnOfItLikeALongOne) {
    Ring patient = Ring::anonymous({.capacity = kCapacity, .liveness_period = 20ms});
    Ring::Consumer in = patient.consumer({.spin = 0ns});
    live_and_die([&] {
        Ring::Producer out = patient.producer();
        ::raise(SIGKILL);
    });
    int waits = 0;
    Status seen = Status::timed_out;
    for (; waits != 20 && seen == Status::timed_out; ++waits) seen = in.try_pop_for(10ms).error();
    EXPECT_EQ(seen, Status::peer_lost) << "after " << waits << " waits of half a period";
}

TEST_F(PeerDeath, ManyShortWaitsForRoomLearnOfItLikeALongOne) {
    Ring patient = Ring::anonymous({.capacity = 1, .liveness_period = 20ms});
    Ring::Producer out = patient.producer({.spin = 0ns});
    ASSERT_TRUE(out.push(0));
    live_and_die([&] {
        Ring::Consumer in = patient.consumer();
        ::raise(SIGKILL);
    });
    int waits = 0;
    Status seen = Status::timed_out;
    for (; waits != 20 && seen == Status::timed_out; ++waits) seen = out.try_push_for(1, 10ms).error();
    EXPECT_EQ(seen, Status::peer_lost) << "after " << waits << " waits of half a period";
}

/// A program that looks in now and then, between other work, whatever it did before: the first look after a period learns of it.
TEST_F(PeerDeath, TheFirstLookAfterAPeriodLearnsOfIt) {
    constexpr auto kLonger = 20ms;  // than the coarse clock's steps
    for (const int looks_before : {1, 7, 1000}) {
        Ring patient = Ring::anonymous({.capacity = 1, .liveness_period = kLonger});
        Ring::Consumer in = patient.consumer();
        Ring::Producer out = patient.producer();
        ASSERT_TRUE(out.try_push(0));
        out.detach();
        ASSERT_TRUE(in.try_pop());
        for (int i = 0; i != looks_before; ++i) EXPECT_EQ(in.try_pop().error(), Status::empty);
        live_and_die([&] {
            Ring::Producer another = patient.producer();
            ::raise(SIGKILL);
        });
        std::this_thread::sleep_for(2 * kLonger);
        EXPECT_EQ(in.try_pop().error(), Status::peer_lost) << "after " << looks_before;
    }
    for (const int looks_before : {1, 7, 1000}) {
        Ring patient = Ring::anonymous({.capacity = 1, .liveness_period = kLonger});
        Ring::Producer out = patient.producer();
        ASSERT_TRUE(out.try_push(0));
        for (int i = 0; i != looks_before; ++i) EXPECT_EQ(out.try_push(1).error(), Status::full);
        live_and_die([&] {
            Ring::Consumer another = patient.consumer();
            ::raise(SIGKILL);
        });
        std::this_thread::sleep_for(2 * kLonger);
        EXPECT_EQ(out.try_push(1).error(), Status::peer_lost) << "after " << looks_before;
    }
}

/// The dead one's own end says nothing about a survivor that never met it.
TEST_F(PeerDeath, IsLearntByOneWhoCameAfterIt) {
    producer_dies_after(2);
    Ring::Consumer in = ring.consumer();
    EXPECT_EQ(in.pop().value_or(~0U), 0U);
    EXPECT_EQ(in.pop().value_or(~0U), 1U);
    EXPECT_EQ(in.pop().error(), Status::peer_lost);
}

}  // namespace
}  // namespace shmring::test
