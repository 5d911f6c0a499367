// Plays scenes for tests: reports how many runs there were, and of the first that fails its schedule and every operation.
//
// A failing run is repeated by SHMRING_SCHEDULE='<scene>: <schedule>' in the environment, as the failure prints it.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>

#include "support/executions.hpp"
#include "support/scheduler.hpp"
#include "support/scheduler_env.hpp"

namespace shmring::test {

/// The schedule that was asked for, if it is of the scene of that name.
[[nodiscard]] inline std::string asked_schedule(const std::string& name) {
    const char* text = std::getenv("SHMRING_SCHEDULE");
    const std::string asked = text != nullptr ? text : "";
    return asked.starts_with(name + ": ") ? asked.substr(name.size() + 2) : "";
}

/// Plays the scene in every way of the plan. A run that fails is a failure of the test.
inline Findings expect_all_runs_right(const std::string& name, Scene& scene, const Plan& plan) {
    std::string trace;
    if (const std::string schedule = asked_schedule(name); !schedule.empty()) {
        const std::string fault = scheduler.replay(scene, plan, schedule, trace);
        std::cout << trace << "-> " << (fault.empty() ? "no fault" : fault) << "\n";
    }
    Findings findings = scheduler.explore(scene, plan);
    if (!findings.fault.empty()) {
        (void)scheduler.replay(scene, plan, findings.schedule, trace);
        ADD_FAILURE() << findings.fault << "\nSHMRING_SCHEDULE='" << name << ": " << findings.schedule
                      << "'\n"
                      << trace;
    }
    return findings;
}

inline void PrintTo(const Findings& findings, std::ostream* out) {
    *out << findings.runs << " runs";
    if (!findings.is_complete) *out << ", not all there are";
    if (findings.redundant != 0) *out << ", " << findings.redundant << " given up";
    if (findings.deaths != 0) *out << ", " << findings.deaths << " with a death";
    if (findings.overslept != 0) *out << ", " << findings.overslept << " with a time-out";
}
inline void report(const std::string& what, const Findings& findings) {
    std::cout << what << ": ";
    PrintTo(findings, &std::cout);
    std::cout << std::endl;
    CountedExecutions::count(what, findings.runs);
}

}  // namespace shmring::test
