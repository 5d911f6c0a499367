// Tries every mutant of the shipped code on the same scenes, one after the other, until one of them notices.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <set>
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
        laboratory.survey(true);
        for (Case& each : cases_) {
            const Findings findings = scheduler.explore(*each.scene, each.plan);
            EXPECT_EQ(findings.fault, "") << "without a mutant: " << each.name << ": " << findings.schedule;
            runs_ += findings.runs;
        }
        laboratory.survey(false);
        for (const Site& site : laboratory.sites())
            for (const Mutant& mutant : mutants_of(site)) mutants_.push_back(mutant);
        std::cout << cases_.size() << " scenes, " << runs_ << " runs, " << laboratory.sites().size()
                  << " operations, " << mutants_.size() << " mutants\n";
    }
    /// Tries every `step`th mutant.
    void run(std::size_t step) {
        for (std::size_t i = 0; i < mutants_.size(); i += step) {
            const std::string name = describe(mutants_[i]);
            laboratory.breed(mutants_[i]);
            const std::string how = catch_it();
            laboratory.stop();
            ++tried_;
            if (how.empty()) survivors_.insert(name);
            std::cout << name << ": " << (how.empty() ? "SURVIVED" : how) << std::endl;
        }
        std::cout << tried_ - survivors_.size() << " of " << tried_ << " mutants caught, " << runs_
                  << " runs\n";
    }
    [[nodiscard]] std::size_t tried() const { return tried_; }
    [[nodiscard]] const std::set<std::string>& survivors() const { return survivors_; }

 private:
    struct Case {
        std::string name;
        std::unique_ptr<Scene> scene;
        Plan plan;
    };
    [[nodiscard]] std::string catch_it() {
        std::uint64_t runs = 0;
        for (Case& each : cases_) {
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
    std::set<std::string> survivors_{};
    std::size_t tried_ = 0;
    std::uint64_t runs_ = 0;
};

}  // namespace shmring::test
