// SIGKILL at random moments to either end of a pipe, in every state that an end can be in: the other one hears of it, loses nothing
// that was acknowledged, and never hangs. What the two do: support/pipe_storm.hpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include "support/kill_campaign.hpp"
#include "support/pipe_storm.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

template <class Traffic>
void storm(std::uint64_t seed, const char* title) {
    PipeStorm<Traffic> storm(seed);
    storm.run(is_soak() ? 10'000 : 1'600 / kSlowness);
    storm.print(title);
}

TEST(PipeKill, TheSurvivorOfAPipeOfMessagesHearsAndLosesNothing) {
    storm<FixedPipeTraffic>(1, "messages of 48 bytes");
}
TEST(PipeKill, TheSurvivorOfAPipeOfAnySizesHearsAndLosesNothing) {
    storm<BytePipeTraffic>(2, "messages of 24 to 168 bytes");
}

}  // namespace
}  // namespace shmring::test
