// What Python programs have: multiprocessing.Queue and multiprocessing.Pipe between two processes of CPython. A script measures
// and checks as the loops here do; its messages are bytes objects, which both pickle or frame as they do for everybody.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdio>
#include <map>
#include <stdexcept>
#include <string>

#include "harness/transport.hpp"

namespace bench {

/// Runs the script and reads what it found: lines of a name and a number, or one that begins with "fault".
inline Sample run_python(const char* channel, const Job& job) {
    std::string command = BENCH_PYTHON " -B " BENCH_SCRIPTS "/cpython.py ";
    command.append(channel).append(" ").append(name_of(job.mode));
    for (const auto number : {job.size, ring_slots(job.size)})
        command.append(" ").append(std::to_string(number));
    command.append(" ").append(std::to_string(job.seconds));
    for (const std::size_t side : {0, 1}) command.append(" ").append(std::to_string(job.cpu_of(side)));

    std::FILE* output = ::popen(command.c_str(), "re");
    if (output == nullptr) throw std::runtime_error("python3 could not be started");
    Sample sample;
    std::map<std::string, double> found;
    char line[256];
    while (std::fgets(line, sizeof line, output) != nullptr) {
        char name[32];
        double value = 0;
        if (std::sscanf(line, "%31s %lf", name, &value) == 2)
            found[name] = value;
        else
            sample.fault += std::string(line, std::string_view(line).find_last_not_of('\n') + 1);
    }
    if (::pclose(output) != 0 && sample.fault.empty()) sample.fault = "the Python program failed";
    if (!sample.fault.empty()) return sample;
    sample.messages = static_cast<std::uint64_t>(found.at("messages"));
    sample.seconds = found.at("seconds");
    sample.cpu_s = found.at("cpu_s");
    sample.sleeps = static_cast<std::uint64_t>(found.at("sleeps"));
    if (is_latency(job.mode))
        sample.latency = Latency{found.at("p50"),   found.at("p90"), found.at("p99"), found.at("p999"),
                                 found.at("p9999"), found.at("max"), sample.messages};
    else
        sample.msgs_per_s = found.at("messages") / sample.seconds;
    return sample;
}

template <bool kQueue>
struct Cpython {
    static constexpr Traits kTraits{
        .name = kQueue ? "cpython-queue" : "cpython-pipe",
        .about = kQueue ? "multiprocessing.Queue(maxsize), put and get of bytes, in CPython"
                        : "multiprocessing.Pipe(), send_bytes and recv_bytes, in CPython",
        .blocks = true,
        .own_way = true,
        .regimes = false,
        .slow = true};

    static Sample run(const Job& job) { return run_python(kQueue ? "queue" : "pipe", job); }
};

using CpythonQueue = Cpython<true>;
using CpythonPipe = Cpython<false>;

}  // namespace bench
