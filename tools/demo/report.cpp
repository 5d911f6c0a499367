// Medians over the rounds, set in columns. Ratios are taken within a round first, as the machine was the same
// to both then.
// SPDX-License-Identifier: MIT
#include "demo/report.hpp"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <ostream>
#include <vector>

#include "demo/columns.hpp"
#include "demo/machine.hpp"
#include "demo/pipe.hpp"

namespace demo {

namespace {

constexpr double kMB = 1e6;

double median(std::vector<double> values) {
    std::ranges::sort(values);
    const std::size_t middle = values.size() / 2;
    return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

/// The median over the rounds of what `value(round)` says.
template <class Value>
double median_of(const Entrant& entrant, Value&& value) {
    std::vector<double> values;
    for (std::size_t round = 0; round != entrant.streams.size(); ++round) values.push_back(value(round));
    return median(std::move(values));
}

double speed_ratio(const Entrant& one, const Entrant& other) {
    return median_of(
        one, [&](std::size_t r) { return one.streams[r].bytes_per_s() / other.streams[r].bytes_per_s(); });
}
double trip_ratio(const Entrant& one, const Entrant& other) {
    return median_of(one, [&](std::size_t r) { return one.trips[r].p50_ns / other.trips[r].p50_ns; });
}

double megabytes(std::size_t blocks) { return static_cast<double>(blocks * sizeof(Block)) / kMB; }

bool identical(const Entrant& entrant) {
    return std::ranges::all_of(entrant.streams, [](const StreamRun& run) { return run.identical(); });
}

std::vector<std::string> cells(const Entrant& entrant, const Entrants& all) {
    const double bytes_per_s =
        median_of(entrant, [&](std::size_t r) { return entrant.streams[r].bytes_per_s(); });
    const auto trip_us = [&](double TripRun::*figure) {
        return short_number(median_of(entrant, [&](std::size_t r) { return entrant.trips[r].*figure; }) /
                            1e3);
    };
    double longest_ns = 0;
    double trips = 0;
    for (const TripRun& run : entrant.trips) {
        longest_ns = std::max(longest_ns, run.max_ns);
        trips += static_cast<double>(run.count);
    }
    return {entrant.transport->name,
            number(megabytes(entrant.blocks), 1),
            short_number(bytes_per_s / kMB),
            number(bytes_per_s / sizeof(Block)),
            short_number(speed_ratio(entrant, all[kPipe])),
            short_number(speed_ratio(entrant, all[kMailbox])),
            number(median_of(entrant, [&](std::size_t r) { return entrant.streams[r].sender.cpu_s; }), 3),
            number(median_of(entrant, [&](std::size_t r) { return entrant.streams[r].receiver.cpu_s; }), 3),
            trip_us(&TripRun::p50_ns),
            trip_us(&TripRun::p99_ns),
            short_number(longest_ns / 1e3),
            number(trips),
            identical(entrant) ? "identical" : "DIFFERENT"};
}

std::string hexadecimal(std::uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof text, "%016" PRIx64, value);
    return text;
}

void print_proof(std::ostream& out, const Entrant& entrant, const Stage& stage) {
    const StreamRun& run = entrant.streams.back();
    out << "  " << entrant.transport->name << ": " << counted(entrant.blocks, "message");
    if (entrant.blocks < stage.tree.blocks().size()) out << " (a part: all would take too long)";
    out << ", checksum sent " << hexadecimal(run.sender.checksum) << ", received "
        << hexadecimal(run.receiver.checksum) << "; compared with "
        << counted(run.comparison.files_read_again, "file") << " on disk";
    if (run.comparison.files_not_the_same != 0)
        out << " and, changed there meanwhile, with " << run.comparison.files_not_the_same
            << " as they were loaded";
    out << '\n';
    for (const StreamRun& each : entrant.streams)
        if (!each.identical())
            out << "    DIFFERENT: "
                << (each.comparison.identical ? "the checksums" : each.comparison.where.data()) << '\n';
}

void print_files(std::ostream& out, const TreeProof& proof, const Stage& stage) {
    const FileRun& run = proof.run;
    const double mb = static_cast<double>(run.content_bytes) / kMB;
    out << "\nByteRing  " << counted(run.files_sent, "file");
    if (run.files_sent < stage.tree.files().size())
        out << " (a part: all would take too long, or too much room)";
    out << " as " << counted(run.messages, "message")
        << ", one each, read from the disk into the ring and written from the ring\n"
           "          to the disk, in place; a file of more than "
        << number(static_cast<double>(run.largest_message) / kMB, 1) << " MB in pieces. " << number(mb, 1)
        << " MB in " << number(run.seconds(), 3) << " s: " << short_number(mb / run.seconds())
        << " MB/s,\n          most of it the file system's work. diff -r of the files and the rebuilt ones: "
        << (proof.identical() ? "identical" : "DIFFERENT");
    if (proof.files_as_loaded != 0)
        out << " (" << proof.files_as_loaded << " as loaded: changed since, or sent in part)";
    out << '\n';
    if (run.files_rebuilt != run.files_sent)
        out << "    DIFFERENT: " << counted(run.files_rebuilt, "file") << " rebuilt\n";
    if (!proof.differences.empty()) out << "    DIFFERENT: " << quoted(proof.differences) << '\n';
}

void print_skipped(std::ostream& out, const Tree::Skipped& skipped) {
    const auto count = [](std::uint64_t n) { return number(static_cast<double>(n)); };
    out << "skipped   " << count(skipped.not_regular) << " not regular (links, devices, sockets), "
        << count(skipped.unreadable) << " unreadable, " << count(skipped.changed)
        << " changed while being read\n";
    if (!skipped.why_stopped.empty())
        out << "part      the rest of the input is left out: " << skipped.why_stopped << '\n';
}

}  // namespace

void print_circumstances(std::ostream& out, const Options& options, const Stage& stage) {
    std::string input;
    for (const std::string& path : options.paths) input += (input.empty() ? "" : ", ") + quoted(path);
    out << "machine   " << machine() << '\n'
        << "input     " << input << ": " << counted(stage.tree.files().size(), "file") << " of "
        << number(static_cast<double>(stage.tree.content_bytes()) / kMB, 1)
        << " MB; with their names and sizes " << counted(stage.tree.blocks().size(), "message")
        << " of 4 KiB\n";
    print_skipped(out, stage.tree.skipped());
    out << "clock     runs from the first message sent to the last one stored by the receiver. Not in it: "
           "the sender reads\n"
           "          the files into memory before, the receiver reads them again and compares every byte "
           "after\n"
        << "buffers   " << kCapacity << " messages in a ring and in the file, " << PipeEnds().size() / 1024
        << " KiB in a pipe; the file lies in " << quoted(std::filesystem::temp_directory_path().string())
        << " and is not forced to the disk\n";
    if (stage.cpus.pinned) {
        out << "CPUs      sender on CPU " << stage.cpus.of[0] << ", receiver on CPU " << stage.cpus.of[1]
            << '\n';
    } else {
        out << "CPUs      only one: the two processes take turns, and spinning measures the scheduler\n";
    }
    if (stage.tree.bytes().size() < 1 << 24) out << "note      a small input: the rates below say little\n";
    out << std::endl;
}

void print_results(std::ostream& out, const Entrants& entrants, const TreeProof& proof, const Stage& stage) {
    std::vector<std::vector<std::string>> rows{
        {"", "", "", "", "times", "times", "CPU s", "CPU s", "trip", "trip", "trip", "round", ""},
        {"transport", "MB", "MB/s", "messages/s", "pipe", "file+lock", "sender", "receiver", "p50 us",
         "p99 us", "max us", "trips", "verdict"}};
    for (const Entrant& entrant : entrants) rows.push_back(cells(entrant, entrants));
    print_columns(out, rows);
    const std::size_t rounds = entrants.front().streams.size();
    out << "Medians of " << rounds
        << (rounds == 1 ? " round" : " rounds in turn; max and trips over all of them")
        << ". Round trips: 64 bytes there and back.\n\n";
    for (const Entrant& entrant : entrants) print_proof(out, entrant, stage);

    print_files(out, proof, stage);

    const Entrant& ring = entrants[kBlockingRing];
    out << "\nThe blocking ring carries " << short_number(speed_ratio(ring, entrants[kPipe]))
        << " times as much as the pipe and " << short_number(speed_ratio(ring, entrants[kMailbox]))
        << " times as much as the file plus lock; its round trip takes 1/"
        << short_number(1 / trip_ratio(ring, entrants[kPipe])) << " and 1/"
        << short_number(1 / trip_ratio(ring, entrants[kMailbox])) << " of theirs.\n"
        << (all_identical(entrants) && proof.identical() ? "Every byte arrived as it was sent.\n"
                                                         : "NOT every byte arrived as it was sent.\n");
}

bool all_identical(const Entrants& entrants) { return std::ranges::all_of(entrants, identical); }

}  // namespace demo
