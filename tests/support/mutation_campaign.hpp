// Tries every mutant of the shipped code on the same scenes, one after the other, until one of them notices.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "support/mutation.hpp"
#include "support/playing.hpp"
#include "support/scheduler.hpp"

namespace shmring::test {

class MutationCampaign {
 public:
    /// Small ones first: each mutant is tried on all of them, in this order.
    void add(std::string name, std::unique_ptr<Scene> scene, const Plan& plan) {
        cases_.push_back({std::move(name), std::move(scene), plan});
    }

    /// Plays every scene unchanged, and notes every operation of the shipped code that it comes to.
    void survey() {
        SiteMap all;
        for (Case& each : cases_) {
            laboratory.begin_survey();
            const Findings findings = scheduler.explore(*each.scene, each.plan);
            each.sites = laboratory.end_survey();
            EXPECT_EQ(findings.fault, "") << "without a mutant: " << each.name << ": " << findings.schedule;
            all.insert(each.sites.begin(), each.sites.end());
            runs_ += findings.runs;
        }
        for (const auto& [place, site] : all)
            for (const Mutant& mutant : mutants_of(site)) mutants_.push_back(mutant);
        std::cout << cases_.size() << " scenes, " << runs_ << " runs, " << all.size() << " operations, "
                  << mutants_.size() << " mutants\n";
    }
    /// A mutant that nobody can notice: `what` happens to the line of `file` that reads like this. Why: docs/proof.md.
    struct Explained {
        std::string file;
        std::string line;
        std::string what;
    };
    /// Tries every `step`th mutant. One that survives and is not explained is a failure.
    void run(std::size_t step, const std::vector<Explained>& explained) {
        for (std::size_t i = 0; i < mutants_.size(); i += step) {
            const std::string name = describe(mutants_[i]);
            laboratory.breed(mutants_[i]);
            const std::string how = catch_it(mutants_[i].site);
            laboratory.stop();
            ++tried_;
            const bool is_explained = std::ranges::any_of(explained, [&](const Explained& each) {
                return name.starts_with(each.file + ":") && name.ends_with(each.what) &&
                       line_of(mutants_[i].site).find(each.line) != std::string::npos;
            });
            if (how.empty()) ++survivors_;
            EXPECT_TRUE(!how.empty() || is_explained) << name << " survived:\n" << line_of(mutants_[i].site);
            std::cout << name << ": "
                      << (!how.empty()   ? how
                          : is_explained ? "survived, explained"
                                         : "SURVIVED")
                      << std::endl;
        }
        std::cout << tried_ - survivors_ << " of " << tried_ << " mutants caught, " << runs_ << " runs\n";
    }
    [[nodiscard]] std::size_t tried() const { return tried_; }
    [[nodiscard]] std::size_t survivors() const { return survivors_; }

 private:
    struct Case {
        std::string name;
        std::unique_ptr<Scene> scene;
        Plan plan;
        SiteMap sites{};
    };
    /// The source text where an operation stands.
    [[nodiscard]] static std::string line_of(const Site& site) {
        const std::size_t begin = site.file.find("include/shmring/");
        std::ifstream in(std::string(SHMRING_SOURCE_DIR) + "/" + site.file.substr(begin));
        std::string line;
        for (unsigned number = 0; number != site.line; ++number) std::getline(in, line);
        return line;
    }
    [[nodiscard]] std::string catch_it(const Site& site) {
        std::uint64_t runs = 0;
        for (Case& each : cases_) {
            if (!each.sites.contains(site.place())) continue;
            const Findings findings = scheduler.explore(*each.scene, each.plan);
            runs += findings.runs;
            if (findings.fault.empty()) continue;
            runs_ += runs;
            return findings.fault + " (" + each.name + ", run " + std::to_string(runs) + ")";
        }
        runs_ += runs;
        return {};
    }

    std::vector<Case> cases_{};
    std::vector<Mutant> mutants_{};
    std::size_t survivors_ = 0;
    std::size_t tried_ = 0;
    std::uint64_t runs_ = 0;
};

}  // namespace shmring::test
