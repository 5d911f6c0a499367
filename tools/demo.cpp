// demo: real files from one process to another, through a ring, a pipe and a file plus lock side by side,
// then file by file through a ring for messages of any size.
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>
#include <string>

#include "demo/columns.hpp"
#include "demo/contest.hpp"
#include "demo/options.hpp"
#include "demo/progress.hpp"
#include "demo/rebuilt_tree.hpp"
#include "demo/report.hpp"

namespace {

constexpr int kIdentical = 0;
constexpr int kFailed = 1;
constexpr int kBadUsage = 2;
constexpr double kLongestTree_s = 6;  // of sending files one by one; comparing takes about as long again

demo::Tree load(const demo::Options& options, demo::Progress& progress) {
    demo::LoadLimits limits = demo::sensible_limits();
    if (options.most_mib) limits.bytes = *options.most_mib << 20;
    progress.phase("reading the files");
    return demo::Tree(options.paths, limits, [&](const demo::Tree& tree) {
        progress.step(demo::number(static_cast<double>(tree.files().size())) + " files", 0);
    });
}

int run(const demo::Options& options) {
    demo::Pace pace;
    if (options.quick) pace = {.rounds = 1, .trips_s = 0.05, .stream_s = 1};
    demo::Progress progress;
    const demo::Tree tree = load(options, progress);
    const demo::Stage stage{
        .tree = tree, .cpus = demo::choose_cpus(), .corrupt = options.corrupt, .tick = [&] {
            progress.tick();
        }};
    progress.clear();
    demo::print_circumstances(std::cout, options, stage);
    const demo::Entrants entrants = demo::compete(stage, pace, progress);
    progress.phase("one message per file through the ByteRing");
    const demo::TreeProof proof = demo::rebuild_and_compare(stage, kLongestTree_s);
    progress.clear();
    demo::print_results(std::cout, entrants, proof, stage);
    return demo::all_identical(entrants) && proof.identical() ? kIdentical : kFailed;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const demo::Options options = demo::parse(argc, argv);
        if (options.help) {
            std::cout << demo::kUsage << demo::kHelp;
            return kIdentical;
        }
        return run(options);
    } catch (const demo::UsageError& error) {
        std::cerr << "demo: " << error.what() << '\n' << demo::kUsage;
        return kBadUsage;
    } catch (const std::invalid_argument& error) {
        std::cerr << "demo: " << error.what() << '\n';
        return kBadUsage;
    } catch (const std::exception& error) {
        std::cerr << "demo: " << error.what() << '\n';
        return kFailed;
    }
}
