// One run of one transport: the stream of files in one direction, or messages there and back. The loops are
// written once, over any transport that is a template over its message with a Sender {send, finish} and a
// Receiver {receive}.
// SPDX-License-Identifier: MIT
#pragma once

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "demo/compare.hpp"
#include "demo/corrupt.hpp"
#include "demo/message.hpp"
#include "demo/pair.hpp"
#include "demo/shared.hpp"
#include "demo/tree.hpp"

namespace demo {

/// What all runs have in common.
struct Stage {
    const Tree& tree;
    Cpus cpus{};
    Corrupt corrupt = Corrupt::nothing;
    std::function<void()> tick{};
};

/// What one process did between its first and its last message.
struct Effort {
    std::int64_t begin_ns = 0;
    std::int64_t end_ns = 0;
    double cpu_s = 0;
    std::uint64_t checksum = 0;
};

struct StreamRun {
    Effort sender{};
    Effort receiver{};
    std::uint64_t blocks = 0;
    Comparison comparison{};

    [[nodiscard]] double seconds() const {
        return static_cast<double>(receiver.end_ns - sender.begin_ns) / 1e9;
    }
    [[nodiscard]] double bytes_per_s() const {
        return static_cast<double>(blocks * sizeof(Block)) / seconds();
    }
    [[nodiscard]] bool identical() const {
        return comparison.identical && sender.checksum == receiver.checksum;
    }
};

struct TripRun {
    std::uint64_t count = 0;
    double p50_ns = 0;
    double p99_ns = 0;
    double max_ns = 0;
};
[[nodiscard]] TripRun summarize(std::span<std::int64_t> trips_ns);

constexpr double kLongestRun_s = 25;  // the watchdog's

[[nodiscard]] inline std::int64_t now_ns() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

[[nodiscard]] inline double cpu_s_of_this_process() {
    timespec used{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

/// Runs `work` and writes down what it took.
template <class Work>
void measure(Effort& effort, Work&& work) {
    const double cpu_before_s = cpu_s_of_this_process();
    effort.begin_ns = now_ns();
    work();
    effort.end_ns = now_ns();
    effort.cpu_s = cpu_s_of_this_process() - cpu_before_s;
}

/// Sends the first `count` blocks of the tree. Loading, comparing and check sums are outside of the measured
/// time.
template <template <class> class Transport>
StreamRun stream(const Stage& stage, std::size_t count) {
    const Shared<StreamRun> run;
    run->blocks = count;
    std::optional<Transport<Block>> channel(std::in_place, kCapacity);
    Pair pair(stage.cpus);
    pair.start(Side::sender, [&](StartLine& start) {
        typename Transport<Block>::Sender sender(*channel);
        const std::span<const Block> blocks = stage.tree.blocks().first(count);
        run->sender.checksum = checksum(blocks);  // has touched every page, too
        start.wait();
        measure(run->sender, [&] {
            for (const Block& block : blocks) sender.send(block);
            sender.finish();
        });
    });
    pair.start(Side::receiver, [&](StartLine& start) {
        typename Transport<Block>::Receiver receiver(*channel);
        std::vector<Block> received(count +
                                    1);  // filled with zeros: its pages are there when the clock starts
        std::size_t have = 0;
        start.wait();
        measure(run->receiver, [&] {
            while (receiver.receive(received[have]))
                if (++have == received.size()) throw std::runtime_error("more messages came than were sent");
        });
        received.resize(have);
        const auto flip_for = [&](std::initializer_list<Corrupt> those) {
            if (have != 0 && std::ranges::find(those, stage.corrupt) != those.end())
                received[have / 2].bytes[sizeof(Block) / 2] ^= std::byte{1};
        };
        flip_for({Corrupt::stream, Corrupt::checksum});
        run->receiver.checksum = checksum(received);
        flip_for({Corrupt::checksum, Corrupt::comparison});  // of the check sum's: back again
        run->comparison = compare(stage.tree, count, received);
    });
    channel.reset();  // from here on only the two processes hold its ends
    pair.finish(kLongestRun_s, stage.tick);
    return *run;
}

/// Sends a message there and back until `limit_s` have passed or kMostTrips were made.
template <template <class> class Transport>
TripRun round_trips(const Stage& stage, double limit_s) {
    constexpr double kWarmUpShare = 0.1;  // of the time, for trips that do not count
    constexpr std::size_t kMostTrips = 100'000;
    using Sender = typename Transport<Ball>::Sender;
    using Receiver = typename Transport<Ball>::Receiver;
    const Shared<TripRun> run;
    std::optional<Transport<Ball>> there(std::in_place, kCapacity);
    std::optional<Transport<Ball>> back(std::in_place, kCapacity);
    Pair pair(stage.cpus);
    pair.start(Side::sender, [&](StartLine& start) {
        Sender sender(*there);
        Receiver receiver(*back);
        std::vector<std::int64_t> trips_ns(kMostTrips);
        std::size_t trips = 0;
        Ball sent{};
        Ball returned{};
        start.wait();
        std::int64_t left_ns = now_ns();
        const std::int64_t warm_ns = left_ns + static_cast<std::int64_t>(kWarmUpShare * limit_s * 1e9);
        const std::int64_t end_ns = left_ns + static_cast<std::int64_t>(limit_s * 1e9);
        for (std::size_t number = 1; trips != kMostTrips && (left_ns < end_ns || trips == 0); ++number) {
            std::memcpy(sent.bytes.data(), &number, sizeof number);
            sender.send(sent);
            if (!receiver.receive(returned)) throw std::runtime_error("the other side ended the round trips");
            const std::int64_t came_ns = now_ns();
            if (returned.bytes != sent.bytes)
                throw std::runtime_error("another message came back than was sent");
            if (left_ns >= warm_ns) trips_ns[trips++] = came_ns - left_ns;
            left_ns = came_ns;
        }
        sender.finish();
        *run = summarize(std::span(trips_ns).first(trips));
    });
    pair.start(Side::receiver, [&](StartLine& start) {
        Receiver receiver(*there);
        Sender sender(*back);
        Ball ball{};
        start.wait();
        while (receiver.receive(ball)) sender.send(ball);
        sender.finish();
    });
    there.reset();
    back.reset();
    pair.finish(kLongestRun_s, stage.tick);
    return *run;
}

}  // namespace demo
