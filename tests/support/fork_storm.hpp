// A storm of short-lived processes: each opens something by its name, puts a number into it or gets one out, and leaves in one of the
// ways in which processes leave. Afterwards nothing may be left of them, and nothing of what they put may be missing.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <concepts>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/segment.hpp"
#include "support/child_process.hpp"
#include "support/shared.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {

/// What visitors come to. Numbers are below kMostVisits.
template <class V>
concept Visited = requires(const std::string& name, typename V::Object& object, std::uint64_t number) {
    { V::create(name) } -> std::same_as<typename V::Object>;
    { V::open(name) } -> std::same_as<typename V::Object>;
    { V::put(object, number) } -> std::same_as<bool>;                  // acknowledged; does not wait for long
    { V::get(object) } -> std::same_as<std::optional<std::uint64_t>>;  // what was got; does not wait for long
    { V::detach(object) } -> std::same_as<void>;  // gives the records of this process back
    { V::segment(object) } -> std::same_as<Segment&>;
};

/// How a visitor leaves, each once in turn.
enum class Leaving { by_return, by_exit, by_quick_exit, by_sigkill, by_sigterm, killed_at_any_time };

template <Visited V>
class ForkStorm {
 public:
    static constexpr std::size_t kMostVisits = 10'000;
    static constexpr std::size_t kAtOnce = 6;

    explicit ForkStorm(std::uint64_t seed = 1) : random_(seed), object_(V::create(name_.name())) {}

    /// Visits one after the other, kAtOnce at a time, and then looks at what is left. Fails the test that runs it.
    void run(std::size_t visits) {
        ASSERT_LE(visits, kMostVisits);
        const Footprint before = footprint();
        for (std::size_t visit = 0; visit != visits && !testing::Test::HasFailure(); ++visit) {
            start(visit);
            while (present_.size() == kAtOnce) see_off();
        }
        while (!present_.empty()) see_off();
        if (testing::Test::HasFailure()) return;
        expect_nothing_lost(visits);
        expect_nothing_left(before);
        std::printf(
            "%zu visits: %llu put, %llu got by visitors, %llu still there, %llu visitors were killed in a "
            "get\n",
            visits, number(put_), number(got_), number(left_), number(missable_));
        EXPECT_GT(put_, visits / 4);
        EXPECT_GT(got_, visits / 8);
    }

 private:
    enum Doing : std::uint8_t { not_yet, in_put, in_get, finished };
    struct Board {
        std::array<std::atomic<std::uint8_t>, kMostVisits> doing{};  // by visit
        std::array<std::atomic<std::uint8_t>, kMostVisits> put{};    // by number: acknowledged
        std::array<std::atomic<std::uint8_t>, kMostVisits> got{};    // by number: how often
    };
    struct Visitor {
        ChildProcess process;
        std::size_t visit;
        Leaving leaving;
    };
    /// What this process has open and mapped, and what stands in /dev/shm under our name.
    struct Footprint {
        std::size_t descriptors = 0;
        std::size_t names = 0;
        std::size_t mappings = 0;
        friend bool operator==(const Footprint&, const Footprint&) = default;
    };

    [[nodiscard]] static unsigned long long number(std::uint64_t count) { return count; }
    [[nodiscard]] static std::size_t open_descriptors() {
        const std::filesystem::directory_iterator all("/proc/self/fd");
        return static_cast<std::size_t>(std::distance(begin(all), end(all)));
    }
    [[nodiscard]] Footprint footprint() const {
        Footprint found{.descriptors = open_descriptors()};
        for (const auto& entry : std::filesystem::directory_iterator("/dev/shm"))
            found.names += entry.path().filename().string().starts_with(name_.name()) ? 1 : 0;
        std::ifstream maps("/proc/self/maps");
        for (std::string line; std::getline(maps, line);)
            found.mappings += line.find("/dev/shm/") != std::string::npos ? 1 : 0;
        return found;
    }

    // ---- visits ------------------------------------------------------------------------------------------------------

    void start(std::size_t visit) {
        const auto leaving = static_cast<Leaving>(visit % 6);
        const bool puts = random_() % 2 == 0;
        present_.push_back({ChildProcess([this, visit, leaving, puts] {
                                const std::size_t had = open_descriptors();
                                const int code = call(visit, leaving, puts);
                                return code == 0 && open_descriptors() != had ? 3 : code;
                            }),
                            visit, leaving});
        if (leaving != Leaving::killed_at_any_time) return;
        std::this_thread::sleep_for(std::chrono::microseconds(random_() % 1500));
        present_.back().process.kill(SIGKILL);
    }
    int call(std::size_t visit, Leaving leaving, bool puts) {
        auto object = V::open(name_.name());
        Board& board = *board_;
        if (puts) {
            board.doing[visit] = in_put;
            if (V::put(object, visit)) board.put[visit] = 1;
        } else {
            board.doing[visit] = in_get;
            if (const std::optional<std::uint64_t> got = V::get(object)) {
                if (*got >= kMostVisits) return 2;
                ++board.got[*got];
            }
        }
        board.doing[visit] = finished;
        leave(leaving);
        return 0;
    }
    static void leave(Leaving leaving) {
        switch (leaving) {
            case Leaving::by_return:
            case Leaving::killed_at_any_time:
                return;
            case Leaving::by_exit:
                std::exit(0);
            case Leaving::by_quick_exit:
                ::_exit(0);
            case Leaving::by_sigkill:
                ::raise(SIGKILL);
                return;
            case Leaving::by_sigterm:
                ::raise(SIGTERM);
                return;
        }
    }
    void see_off() {
        Visitor visitor = std::move(present_.front());
        present_.pop_front();
        const Ended ended = visitor.process.join();
        const std::uint8_t doing = board_->doing[visitor.visit];
        bool as_it_should = ended.exited_with(0);
        if (visitor.leaving == Leaving::by_sigkill) as_it_should = ended.killed_by(SIGKILL);
        if (visitor.leaving == Leaving::by_sigterm) as_it_should = ended.killed_by(SIGTERM);
        if (visitor.leaving == Leaving::killed_at_any_time) as_it_should |= ended.killed_by(SIGKILL);
        EXPECT_TRUE(as_it_should) << "visit " << visitor.visit << " " << ended
                                  << " (3: it left a descriptor)";
        if (visitor.leaving != Leaving::killed_at_any_time) {
            EXPECT_EQ(doing, finished) << "visit " << visitor.visit;
        }
        if (doing == in_get) ++missable_;
        if (doing == in_put) board_->put[visitor.visit] |= 2;  // perhaps
    }

    // ---- what is left ------------------------------------------------------------------------------------------------

    void expect_nothing_lost(std::size_t visits) {
        for (std::size_t visit = 0; visit != visits; ++visit) {
            put_ += board_->put[visit] == 1 ? 1 : 0;
            got_ += board_->got[visit];
        }
        drain(visits);
        std::uint64_t missing = 0;
        for (std::size_t visit = 0; visit != visits; ++visit) {
            const unsigned put = board_->put[visit];
            const unsigned got = board_->got[visit];
            ASSERT_LE(got, put != 0 ? 1U : 0U) << "number " << visit;
            missing += put == 1 && got == 0 ? 1 : 0;
        }
        EXPECT_LE(missing, missable_) << "acknowledged, and taken by nobody who could have it";
    }
    /// What a killed visitor left in front of the others has to be noticed first; a slow machine has its time for that.
    void drain(std::size_t visits) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        for (;;) {
            if (const std::optional<std::uint64_t> rest = V::get(object_)) {
                ASSERT_LT(*rest, visits);
                ++board_->got[*rest];
                ++left_;
            } else if (got_ + left_ + missable_ >= put_ || std::chrono::steady_clock::now() > deadline) {
                return;
            }
        }
    }
    void expect_nothing_left(const Footprint& before) {
        Segment& segment = V::segment(object_);
        V::detach(object_);
        const Footprint after = footprint();
        EXPECT_EQ(after.descriptors, before.descriptors);
        EXPECT_EQ(after.names, before.names);
        EXPECT_EQ(after.mappings, before.mappings);
        // Every record can be taken again, all of them at once.
        std::vector<detail::Participant> all;
        std::error_code code;
        for (;;) {
            auto mine = detail::Participant::attach(segment, detail::Role::observer, code);
            if (code) break;
            all.push_back(std::move(mine));
        }
        EXPECT_EQ(code, errc::participants_exhausted);
        EXPECT_EQ(all.size(), segment.geometry().participant_count);
    }

    std::minstd_rand random_;
    UniqueName name_{};
    typename V::Object object_;
    Shared<Board> board_{};
    std::deque<Visitor> present_{};
    std::uint64_t put_ = 0;
    std::uint64_t got_ = 0;
    std::uint64_t left_ = 0;
    std::uint64_t missable_ = 0;
};

}  // namespace shmring::test
