// One small ring of many, in a given state, for tests that kill a process after each change that an operation makes to it. What they need
// of MpmcRing and of MpmcByteRing, in the same words.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"

namespace shmring::test {

struct Got {
    std::uint64_t number = 0;
    bool redelivered = false;
};

struct SteppedSlots {
    using Ring = MpmcRing<std::uint64_t>;

    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery delivery) {
        return Ring::anonymous({.capacity = capacity, .delivery = delivery, .participants = 6});
    }
    [[nodiscard]] static Status push(Ring::Producer& out, std::uint64_t number) {
        return out.try_push(number).error();
    }
    static void push_n(Ring::Producer& out, std::uint64_t first) {
        const std::array<std::uint64_t, 3> numbers{first, first + 1, first + 2};
        (void)out.try_push_n(numbers);
    }
    static void claim_and_commit(Ring::Producer& out, std::uint64_t number) {
        auto claim = out.try_claim();
        if (!claim) return;
        **claim = number;
        claim->commit();
    }
    static void claim_and_drop(Ring::Producer& out) { (void)out.try_claim(); }
    [[nodiscard]] static std::optional<Got> pop(Ring::Consumer& in) {
        const auto message = in.try_pop();
        if (!message) return std::nullopt;
        return Got{*message, in.redeliveries() != 0};
    }
    static void pop_n(Ring::Consumer& in) {
        std::array<std::uint64_t, 3> messages{};
        (void)in.try_pop_n(messages);
    }
    static void view(Ring::Consumer& in) { (void)in.try_next(); }
};

/// Numbers from kLarge on stand in messages of 108 bytes, which take two units.
struct SteppedBytes {
    using Ring = MpmcByteRing;
    static constexpr std::uint64_t kLarge = 1000;

    /// `capacity` units.
    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery delivery) {
        return Ring::anonymous({.capacity_bytes = 64 * capacity, .delivery = delivery, .participants = 6});
    }
    [[nodiscard]] static std::vector<std::byte> message(std::uint64_t number) {
        std::vector<std::byte> bytes(number < kLarge ? 8 : 108, std::byte(number % 251));
        std::memcpy(bytes.data(), &number, sizeof number);
        return bytes;
    }
    [[nodiscard]] static Status push(Ring::Producer& out, std::uint64_t number) {
        return out.try_push(message(number), static_cast<std::uint32_t>(number)).error();
    }
    static void push_n(Ring::Producer& out, std::uint64_t first) {
        const std::array<std::vector<std::byte>, 3> bytes{message(first), message(first + 1),
                                                          message(first + 2)};
        const std::array<Bytes, 3> messages{bytes[0], bytes[1], bytes[2]};
        (void)out.try_push_n(messages);
    }
    /// Claims more than it commits.
    static void claim_and_commit(Ring::Producer& out, std::uint64_t number) {
        const std::vector<std::byte> bytes = message(number);
        auto claim = out.try_claim(bytes.size() < 108 ? bytes.size() + 64 : bytes.size());
        if (!claim) return;
        std::memcpy(claim->bytes().data(), bytes.data(), bytes.size());
        claim->commit(bytes.size(), static_cast<std::uint32_t>(number));
    }
    static void claim_and_drop(Ring::Producer& out) { (void)out.try_claim(100); }
    [[nodiscard]] static std::optional<Got> pop(Ring::Consumer& in) {
        std::array<std::byte, 128> buffer;
        const auto got = in.try_pop(std::span<std::byte>(buffer));
        if (!got) return std::nullopt;
        std::uint64_t number = 0;
        std::memcpy(&number, buffer.data(), sizeof number);
        const std::vector<std::byte> expected = message(number);
        EXPECT_EQ(got->size, expected.size());
        EXPECT_EQ(std::memcmp(buffer.data(), expected.data(), expected.size()), 0) << "torn";
        return Got{number, in.redeliveries() != 0};
    }
    static void pop_n(Ring::Consumer& in) {
        std::array<std::byte, 512> buffer;
        std::array<std::span<std::byte>, 3> messages;
        (void)in.try_pop_n(buffer, messages);
    }
    static void view(Ring::Consumer& in) { (void)in.try_next(); }
};

}  // namespace shmring::test
