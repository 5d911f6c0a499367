// How many executions the scenes of the scheduler are played in, and what their tests promise: 10^6 in tools/dev check, 10^7 in the long
// form (SHMRING_SOAK=1). How many there are does not depend on the machine; the promises leave room for some fewer.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <span>
#include <string>
#include <string_view>

#include "support/soak.hpp"

namespace shmring::test {

/// Numbers of runs.
struct Executions {
    std::uint64_t quick = 0;
    std::uint64_t lasting = 0;
};
/// What each program promises.
inline constexpr Executions kOfSpscRing{800'000, 5'000'000};
inline constexpr Executions kOfByteRing{95'000, 480'000};
inline constexpr Executions kOfRingsOfMany{800'000, 4'600'000};
static_assert(kOfSpscRing.quick + kOfByteRing.quick + kOfRingsOfMany.quick >= 1'000'000 &&
              kOfSpscRing.lasting + kOfByteRing.lasting + kOfRingsOfMany.lasting >= 10'000'000);

/// What one test plays at least.
struct Promise {
    std::string_view test;
    Executions least;
};
/// Whether the tests of a program promise together what it does.
template <std::size_t kCount>
[[nodiscard]] constexpr bool keep(const std::array<Promise, kCount>& promises, const Executions& whole) {
    Executions sum;
    for (const Promise& each : promises) {
        sum.quick += each.least.quick;
        sum.lasting += each.least.lasting;
    }
    return sum.quick >= whole.quick && sum.lasting >= whole.lasting;
}

/// A test that counts what it reports.
class CountedExecutions : public ::testing::Test {
 public:
    static void count(const std::string& what, std::uint64_t runs) {
        counted_ += runs;
        // tools/dev torture collects the lines of all tests there.
        const char* file = std::getenv("SHMRING_EXECUTIONS_REPORT");
        if (file != nullptr)
            std::ofstream(file, std::ios::app)
                << std::left << std::setw(100)
                << ::testing::UnitTest::GetInstance()->current_test_info()->test_suite_name() + (": " + what)
                << std::right << std::setw(12) << runs << '\n';
    }

 protected:
    explicit CountedExecutions(std::span<const Promise> promises) : promises_(promises) { counted_ = 0; }
    void TearDown() override {
        const std::string_view name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
        for (const Promise& each : promises_) {
            if (each.test != name) continue;
            std::cout << counted_ << " executions, promised are " << least_of(each) << "\n";
            EXPECT_GE(counted_, least_of(each)) << "fewer executions than promised";
            return;
        }
        ADD_FAILURE() << name << " promises no number of executions";
    }

 private:
    [[nodiscard]] static std::uint64_t least_of(const Promise& promise) {
        return is_soak() ? promise.least.lasting : promise.least.quick;
    }

    std::span<const Promise> promises_;
    static inline std::uint64_t counted_ = 0;
};

}  // namespace shmring::test
