// Asks the kernel, /proc, /sys and the build about the circumstances of a run.
// SPDX-License-Identifier: MIT
#include "harness/environment.hpp"

#include <sched.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iostream>
#include <limits>

#include "harness/arena.hpp"
#include "harness/build_facts.hpp"
#include "harness/clock.hpp"
#include "harness/dispatch.hpp"
#include "harness/table.hpp"

namespace bench {

namespace {

std::string first_line(const std::string& path, const std::string& otherwise) {
    std::ifstream file(path);
    std::string line;
    return std::getline(file, line) && !line.empty() ? line : otherwise;
}

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
    }
    return "not told by /proc/cpuinfo";
}

std::vector<int> allowed_cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    ::sched_getaffinity(0, sizeof allowed, &allowed);
    std::vector<int> cpus;
    for (int cpu = 0; cpu != CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<std::size_t>(cpu), &allowed)) cpus.push_back(cpu);
    return cpus;
}

std::string kernel() {
    utsname name{};
    ::uname(&name);
    return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

/// Whether the rings' pages get locked, tried with as many bytes as a run has.
std::string memory_locking() {
    const bool locked = Arena(kArenaBytes).prefault();
    rlimit limit{};
    ::getrlimit(RLIMIT_MEMLOCK, &limit);
    const std::string bound =
        limit.rlim_cur == RLIM_INFINITY ? "none" : std::to_string(limit.rlim_cur / 1024) + " KiB";
    return std::string(locked ? "got" : "denied") + " (limit: " + bound + ")";
}

/// What reading the clock costs, and its smallest step: latencies below some steps are interpolated.
std::string clock_quality() {
    constexpr int kReadings = 10'000;
    std::int64_t least_step_ns = std::numeric_limits<std::int64_t>::max();
    const std::int64_t begin_ns = now_ns();
    std::int64_t last_ns = begin_ns;
    for (int reading = 0; reading != kReadings; ++reading) {
        const std::int64_t next_ns = now_ns();
        if (next_ns != last_ns) least_step_ns = std::min(least_step_ns, next_ns - last_ns);
        last_ns = next_ns;
    }
    return in_words(static_cast<double>(last_ns - begin_ns) / kReadings) + " ns per reading, steps of " +
           std::to_string(least_step_ns) + " ns";
}

std::string today() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

std::string pinning(const std::vector<int>& cpus) {
    const Job job{.cpus = cpus};
    std::string text = "sender on CPU " + std::to_string(job.cpu_of(0)) + ", receiver on CPU " +
                       std::to_string(job.cpu_of(1));
    if (job.on_one_cpu()) text += " (one CPU: spinning there measures the scheduler)";
    text += "; of many, senders first, then receivers, in turn on CPUs";
    for (const int cpu : cpus) text.append(" ").append(std::to_string(cpu));
    return text;
}

}  // namespace

std::vector<int> choose_cpus(const Options& options) {
    std::vector<int> allowed = allowed_cpus();
    if (!options.cpus) return allowed;
    for (const int cpu : *options.cpus)
        if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
            throw UsageError("this process may not use CPU " + std::to_string(cpu));
    return *options.cpus;
}

Environment read_environment(const Options& options, const std::vector<int>& cpus) {
    const std::string governor_file =
        "/sys/devices/system/cpu/cpu" + std::to_string(cpus[0]) + "/cpufreq/scaling_governor";
    Environment environment;
    environment.cpus = cpus;
    environment.facts = {
        {"date", today()},
        {"command", options.command},
        {"cpu_model", cpu_model()},
        {"cpus", std::to_string(allowed_cpus().size()) + " usable"},
        {"kernel", kernel()},
        {"governor", first_line(governor_file, "not readable")},
        {"compiler", std::string(kCompiler)},
        {"flags", std::string(kFlags)},
        {"revision", std::string(kRevision)},
        {"pinning", pinning(cpus)},
        {"mlock", memory_locking()},
        {"huge_pages", "not asked for; shared memory here: " +
                           first_line("/sys/kernel/mm/transparent_hugepage/shmem_enabled", "not readable")},
        {"clock", clock_quality()},
        {"load", first_line("/proc/loadavg", "not readable") + " (before the run)"},
        {"ring", std::to_string(kRingBytes / 1024) + " KiB of payload in every ring and buffer, or " +
                     std::to_string(kFewestSlots) + " messages if that is more"},
    };
    return environment;
}

void print_environment(std::ostream& out, const Environment& environment, const Registry& registry) {
    std::vector<std::vector<std::string>> lines;
    for (const auto& [key, value] : environment.facts) lines.push_back({key, value});
    const Spread& floor = environment.floor_ns;
    lines.push_back({"floor", in_words(floor.median) + " ns per cache-line ping-pong lap, " +
                                  in_words(floor.min) + ".." + in_words(floor.max)});
    if (const UsualDistance& distance = environment.distance; distance.of != 0)
        lines.push_back({"distance", in_words(distance.lap_ns) + " ns a lap between the CPUs in " +
                                         std::to_string(distance.seen) + " of " +
                                         std::to_string(distance.of) +
                                         " trials; samples at another distance do not count"});
    for (const Absent& absent : registry.absent)
        lines.push_back({"absent", absent.name + ": " + absent.reason});
    print_columns(out, lines, 2);
    if (environment.facts.empty()) return;
    out << "  Two CPUs cannot show how spinning scales beyond two processes. Virtual CPUs move: compare "
           "ratios, not "
           "rates.\n";
    out.flush();
}

}  // namespace bench
