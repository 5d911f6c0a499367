// Whether a stream's explicit producers have all left, against a list of participants that changes while it is looked through.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>

#include "shmring/detail/env.hpp"
#include "shmring/detail/last_producer.hpp"

namespace shmring::test {
namespace {

class LastProducer : public testing::Test {
 protected:
    static constexpr std::uint32_t kRecords = 4;

    /// Asks what happens before it answers about each record.
    struct Roll {
        const LastProducer& test;
        [[nodiscard]] static std::uint32_t count() { return kRecords; }
        [[nodiscard]] bool is_explicit_producer(std::uint32_t index) const {
            if (test.before_look) test.before_look(index);
            return test.is_there[index];
        }
    };
    void bind(std::uint32_t index) {
        is_there[index] = true;
        control.bound.fetch_add(1, std::memory_order_release);
    }
    [[nodiscard]] bool all_left() const { return detail::is_deserted(control, Roll{*this}); }

    detail::MpmcControl<detail::ShippedEnv> control{};
    std::array<bool, kRecords> is_there{};
    std::function<void(std::uint32_t)> before_look{};
};

TEST_F(LastProducer, NobodyHasBeenThere) {
    EXPECT_FALSE(all_left());
    is_there[2] = true;
    is_there[2] = false;  // died before it was counted
    EXPECT_FALSE(all_left());
}

TEST_F(LastProducer, OneIsThereAndThenIsNot) {
    for (std::uint32_t index = 0; index != kRecords; ++index) {
        bind(index);
        EXPECT_FALSE(all_left());
        is_there[index] = false;
        EXPECT_TRUE(all_left());
    }
}

TEST_F(LastProducer, OneWithoutACountIsThereAllTheSame) {
    bind(1);
    is_there[1] = false;
    is_there[3] = true;  // between its role and its count
    EXPECT_FALSE(all_left());
}

TEST_F(LastProducer, OneThatCameBeforeTheOtherLeftIsNotOverlooked) {
    bind(3);
    before_look = [this](std::uint32_t index) {
        if (index != 2 || is_there[0]) return;
        bind(0);  // behind our back, and before the one ahead of us leaves
        is_there[3] = false;
    };
    EXPECT_FALSE(all_left());
    before_look = {};
    EXPECT_FALSE(all_left());
    is_there[0] = false;
    EXPECT_TRUE(all_left());
}

}  // namespace
}  // namespace shmring::test
