// Asks /proc, the kernel and the compiler.
// SPDX-License-Identifier: MIT
#include "demo/machine.hpp"

#include <sched.h>
#include <sys/utsname.h>

#include <fstream>

namespace demo {

namespace {

std::string cpu_model() {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const std::size_t colon = line.find(": ");
        if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
    }
    return "CPU without a name in /proc/cpuinfo";
}

std::string cpus() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    const bool known = ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
    const int count = known ? CPU_COUNT(&allowed) : 1;
    return std::to_string(count) + (count == 1 ? " CPU" : " CPUs");
}

std::string kernel() {
    utsname name{};
    ::uname(&name);
    return std::string(name.sysname) + " " + name.release + " " + name.machine;
}

std::string compiler() {
    const std::string version = __VERSION__;  // Clang's begins with its name, GCC's is the number alone
    return version.starts_with("Clang") || version.find("clang") != std::string::npos ? version
                                                                                      : "GCC " + version;
}

/// How many processes wanted to run lately: more than there are CPUs, and the figures are those of a busy
/// machine.
std::string load() {
    std::ifstream file("/proc/loadavg");
    std::string load;
    return file >> load ? "load " + load : "load unknown";
}

}  // namespace

std::string machine() {
    return cpu_model() + ", " + cpus() + ", " + kernel() + ", " + compiler() +
           ", " SHMRING_DEMO_BUILD " build, " + load();
}

}  // namespace demo
