// Measuring a short prefix, planning, and running the rounds.
// SPDX-License-Identifier: MIT
#include "demo/contest.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace demo {

namespace {

constexpr std::size_t kProbeBlocks = 1024;
constexpr double kAroundRun_s = 0.2;  // forking, touching memory and comparing, roughly

double seconds_since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Says whose fault it was.
template <class Call>
auto blame(const Transport& transport, Call&& call) {
    try {
        return call();
    } catch (const std::exception& error) {
        throw std::runtime_error(std::string(transport.name) + ": " + error.what());
    }
}

/// Sends a prefix to see how much of the stream this transport can carry in the time that it gets. A short
/// run is easily disturbed, so one that says "not all of it" is repeated before it is believed.
Entrant probe(const Transport& transport, const Stage& stage, const Pace& pace) {
    constexpr int kTries = 3;
    const std::size_t all = stage.tree.blocks().size();
    Entrant entrant{.transport = &transport};
    for (int tries = 0; tries != kTries && entrant.blocks != all; ++tries) {
        const StreamRun run =
            blame(transport, [&] { return transport.stream(stage, std::min(all, kProbeBlocks)); });
        entrant.blocks_per_s =
            std::max(entrant.blocks_per_s, static_cast<double>(run.blocks) / run.seconds());
        const double affordable = std::max(entrant.blocks_per_s * pace.stream_s, 1.0);
        entrant.blocks = affordable < static_cast<double>(all) ? static_cast<std::size_t>(affordable) : all;
    }
    return entrant;
}

double expected_stream_s(const Entrant& entrant) {
    return static_cast<double>(entrant.blocks) / entrant.blocks_per_s + kAroundRun_s;
}

}  // namespace

Entrants compete(const Stage& stage, const Pace& pace, Progress& progress) {
    progress.phase("measuring how much each transport carries");
    Entrants entrants;
    double round_s = 0;
    for (std::size_t i = 0; i != entrants.size(); ++i) {
        entrants[i] = probe(transports[i], stage, pace);
        round_s += expected_stream_s(entrants[i]) + pace.trips_s;
    }
    progress.expect(round_s * static_cast<double>(pace.rounds));
    for (std::size_t round = 0; round != pace.rounds; ++round) {
        if (round != 0 && seconds_since(pace.start) + round_s > pace.whole_demo_s) break;
        const auto start = std::chrono::steady_clock::now();
        progress.phase("round " + std::to_string(round + 1) + " of " + std::to_string(pace.rounds));
        for (std::size_t turn = 0; turn != entrants.size(); ++turn) {
            Entrant& entrant = entrants[(turn + round) % entrants.size()];
            const Transport& transport = *entrant.transport;
            progress.step("files through the " + std::string(transport.name), expected_stream_s(entrant));
            entrant.streams.push_back(
                blame(transport, [&] { return transport.stream(stage, entrant.blocks); }));
            progress.step("round trips through the " + std::string(transport.name), pace.trips_s);
            entrant.trips.push_back(
                blame(transport, [&] { return transport.round_trips(stage, pace.trips_s); }));
        }
        round_s = seconds_since(start);
    }
    progress.clear();
    return entrants;
}

}  // namespace demo
