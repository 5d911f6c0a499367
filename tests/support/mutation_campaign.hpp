// Tries every mutant of the shipped code on the same scenes, one after the other, until one of them notices.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <memory>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "support/mutation.hpp"
#include "support/playing.hpp"
#include "support/scheduler.hpp"

namespace shmring::test {

class MutationCampaign {
 public:
    /// `files`: the ring's own, where every operation is to be come to.
    MutationCampaign(std::string ring, std::vector<std::string> files)
        : ring_(std::move(ring)), files_(std::move(files)) {}

    void add(std::string name, std::unique_ptr<Scene> scene, const Plan& plan) {
        cases_.push_back({std::move(name), std::move(scene), plan});
    }

    /// Plays every scene unchanged, and notes every operation of the shipped code that it comes to.
    void survey() {
        SiteMap all;
        std::uint64_t runs = 0;
        for (Case& each : cases_) {
            laboratory.begin_survey();
            const Findings findings = scheduler.explore(*each.scene, each.plan);
            each.sites = laboratory.end_survey();
            EXPECT_EQ(findings.fault, "") << "without a mutant: " << each.name << ": " << findings.schedule;
            all.insert(each.sites.begin(), each.sites.end());
            runs += findings.runs;
        }
        for (const auto& [place, site] : all)
            for (const Mutant& mutant : mutants_of(site)) mutants_.push_back(mutant);
        std::cout << ring_ << ": " << cases_.size() << " scenes, " << runs << " runs without a mutant, "
                  << all.size() << " operations, " << mutants_.size() << " mutants\n";
        for (const std::string& line : lines_not_reached(all))
            std::cout << "no scene comes to " << line << "\n";
    }
    /// A mutant that nobody can notice: `what` happens to the line of `file` that reads like this. Why: docs/proof.md.
    struct Explained {
        std::string file;
        std::string line;
        std::string what;
    };
    /// Tries every mutant. One that survives and is not explained is a failure.
    void run(const std::vector<Explained>& explained) {
        for (const Mutant& mutant : mutants_) {
            const std::string name = describe(mutant);
            if (!is_asked_for(name)) continue;
            laboratory.breed(mutant);
            const std::string how = catch_it(mutant.site);
            laboratory.stop();
            ++tried_;
            const bool is_explained = std::ranges::any_of(
                explained, [&](const Explained& reason) { return is_about(reason, mutant); });
            if (how.empty()) ++survivors_;
            EXPECT_TRUE(!how.empty() || is_explained) << name << " survived:\n" << line_of(mutant.site);
            std::cout << name << ": "
                      << (!how.empty()   ? how
                          : is_explained ? "survived, explained"
                                         : "SURVIVED")
                      << std::endl;
        }
        std::cout << ring_ << ": " << tried_ - survivors_ << " of " << tried_ << " mutants caught, " << runs_
                  << " runs\n";
    }
    [[nodiscard]] std::size_t tried() const { return tried_; }
    [[nodiscard]] double caught_percent() const {
        return tried_ == 0 ? 0
                           : 100.0 * static_cast<double>(tried_ - survivors_) / static_cast<double>(tried_);
    }

 private:
    struct Case {
        std::string name;
        std::unique_ptr<Scene> scene;
        Plan plan;
        SiteMap sites{};
        std::size_t catches = 0;
    };

    /// SHMRING_MUTANTS=<text>: only those whose names have it.
    [[nodiscard]] static bool is_asked_for(const std::string& name) {
        const char* text = std::getenv("SHMRING_MUTANTS");
        return text == nullptr || name.find(text) != std::string::npos;
    }
    [[nodiscard]] static bool is_about(const Explained& reason, const Mutant& mutant) {
        const std::string name = describe(mutant);
        return name.starts_with(reason.file + ":") && name.ends_with(" " + reason.what) &&
               line_of(mutant.site).find(reason.line) != std::string::npos;
    }
    /// The source text where an operation stands.
    [[nodiscard]] static std::string line_of(const Site& site) {
        const std::size_t begin = site.file.find("include/shmring/");
        std::ifstream in(std::string(SHMRING_SOURCE_DIR) + "/" + site.file.substr(begin));
        std::string line;
        for (unsigned number = 0; number != site.line; ++number) std::getline(in, line);
        return line;
    }
    /// The atomic operations in the ring's own files that no scene comes to.
    [[nodiscard]] std::vector<std::string> lines_not_reached(const SiteMap& reached) const {
        static const std::regex operation(R"((\.|->)(load|store|fetch_\w+|compare_exchange_\w+)\()");
        std::vector<std::string> lines;
        std::string last;
        for (const auto& [place, site] : reached) {
            if (std::exchange(last, site.file) == site.file) continue;
            const std::string name = site.file.substr(site.file.find("include/shmring/"));
            if (std::ranges::find(files_, name.substr(name.rfind('/') + 1)) == files_.end()) continue;
            std::ifstream in(std::string(SHMRING_SOURCE_DIR) + "/" + name);
            std::string line;
            for (unsigned number = 1; std::getline(in, line); ++number) {
                const std::string code = line.substr(0, line.find("//"));
                const bool is_reached = std::ranges::any_of(reached, [&](const auto& each) {
                    return each.second.file == site.file && each.second.line == number;
                });
                if (!is_reached && std::regex_search(code, operation))
                    lines.push_back(name + ":" + std::to_string(number) + ": " +
                                    line.substr(line.find_first_not_of(' ')));
            }
        }
        return lines;
    }
    /// Those that have caught the most come first, and of each scene a few runs before all of any.
    [[nodiscard]] std::string catch_it(const Site& site) {
        std::vector<Case*> cases;
        for (Case& each : cases_)
            if (each.sites.contains(site.place())) cases.push_back(&each);
        std::ranges::stable_sort(cases, std::ranges::greater{}, &Case::catches);
        std::uint64_t runs = 0;
        for (const std::uint64_t most : {kGlance, ~std::uint64_t{0}}) {
            std::vector<Case*> left;
            for (Case* each : cases) {
                Plan plan = each->plan;
                plan.strategy.most_runs = std::min(plan.strategy.most_runs, most);
                const Findings findings = scheduler.explore(*each->scene, plan);
                runs += findings.runs;
                if (findings.fault.empty()) {
                    if (!findings.is_complete) left.push_back(each);
                    continue;
                }
                ++each->catches;
                runs_ += runs;
                return findings.fault + " (" + each->name + ", run " + std::to_string(runs) + ")";
            }
            cases = std::move(left);
        }
        runs_ += runs;
        return {};
    }

    static constexpr std::uint64_t kGlance = 400;

    std::string ring_;
    std::vector<std::string> files_;
    std::vector<Case> cases_{};
    std::vector<Mutant> mutants_{};
    std::size_t survivors_ = 0;
    std::size_t tried_ = 0;
    std::uint64_t runs_ = 0;
};

}  // namespace shmring::test
