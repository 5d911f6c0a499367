// MpmcRing's and MpmcByteRing's algorithm and recovery under every schedule, weak memory and every death: see docs/proof.md.

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "support/mpmc_kinds.hpp"
#include "support/mpmc_scene.hpp"
#include "support/playing.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

template <class Kind>
Findings play(const char* ring, CrowdPlan plan, const Plan& how = {}) {
    plan.is_weak = how.weak;
    CrowdScene<Kind> scene(plan);
    return expect_all_runs_right(std::string(ring) + (how.weak ? "" : ", sequential") + ", " + plan.name(), scene, how);
}
Part writer(Acts acts) { return {true, std::move(acts)}; }
Part reader(Acts acts) { return {false, std::move(acts)}; }

TEST(ScheduleMpmc, Try) {
    for (const Act w : {Act::try_one, Act::two, Act::in_place})
        for (const Act r : {Act::try_one, Act::two}) {
            report("fixed 2x2 " + text_of({w}, true) + text_of({r}, false), play<FixedKind>("MpmcRing", {.capacity = 2, .parts = {writer({w, Act::try_one}), reader({r, Act::try_one})}}));
            report("units 2x2 " + text_of({w}, true) + text_of({r}, false), play<UnitsKind>("MpmcByteRing", {.capacity = 3, .parts = {writer({w, Act::try_one}), reader({r, Act::try_one})}}));
        }
    report("fixed, two writers, reader", play<FixedKind>("MpmcRing", {.capacity = 1, .parts = {writer({Act::try_one}), writer({Act::try_one}), reader({Act::try_one})}}));
    report("fixed, death", play<FixedKind>("MpmcRing", {.capacity = 1, .parts = {writer({Act::try_one}), reader({Act::one})}}, {.mortals = only(0)}));
    report("fixed, death", play<FixedKind>("MpmcRing", {.capacity = 1, .parts = {writer({Act::one}), reader({Act::try_one})}}, {.mortals = only(1)}));
}

}  // namespace
}  // namespace shmring::test
