// More processes than CPUs on one ring of many, for a time: each sender's numbers come once and in its order to each receiver, and all of
// them come. No kills: what is looked for is a hang, and a message that is lost, where nobody gets to run when it would like to.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <vector>

#include "shmring/mpmc_ring.hpp"
#include "support/child_process.hpp"
#include "support/shared.hpp"

namespace shmring::test {

class CrowdedRing {
 public:
    static constexpr std::uint64_t kMost = 16;  // on each side

    CrowdedRing(MpmcRing<std::uint64_t> ring, std::uint64_t side) : ring_(std::move(ring)), side_(side) {}

    /// `each()` runs in every process first; `meanwhile()` in ours, which ends the senders when it returns. How many messages came.
    std::uint64_t run(
        const std::function<void()>& meanwhile, const std::function<void()>& each = [] {}) {
        std::vector<ChildProcess> senders;
        std::vector<ChildProcess> receivers;
        for (std::uint64_t i = 0; i != side_; ++i) {
            senders.emplace_back([&, i] { return each(), send(i); }, kWatchdog);
            receivers.emplace_back([&, i] { return each(), receive(i); }, kWatchdog);
        }
        meanwhile();
        board_->stop.store(1, std::memory_order_relaxed);
        for (ChildProcess& sender : senders) EXPECT_TRUE(sender.join().exited_with(0)) << "a sender";
        ring_.producer().close();
        for (ChildProcess& receiver : receivers) EXPECT_TRUE(receiver.join().exited_with(0)) << "a receiver";
        std::uint64_t all = 0;
        for (std::uint64_t i = 0; i != side_; ++i) {
            std::uint64_t came = 0;
            std::uint64_t sum = 0;
            for (const auto& receiver : board_->received) {
                came += receiver[i].count;
                sum += receiver[i].sum;
            }
            const std::uint64_t sent = board_->sent[i];
            EXPECT_EQ(came, sent) << "of sender " << i;
            EXPECT_EQ(sum, sent * (sent - 1) / 2) << "of sender " << i;  // modulo 2^64, for 0 as well
            all += came;
        }
        EXPECT_GT(all, 0U);
        return all;
    }

 private:
    static constexpr std::chrono::seconds kWatchdog{
        36'000};  // what hangs is caught by the test's own time limit
    static constexpr int kNumberBits = 48;

    struct Tally {
        std::uint64_t count;
        std::uint64_t sum;
        std::uint64_t next;  // at least
    };
    struct Board {
        std::atomic<std::uint32_t> stop{0};
        std::array<std::uint64_t, kMost> sent{};  // each by its sender, read when it has ended
        std::array<std::array<Tally, kMost>, kMost> received{};
    };

    int send(std::uint64_t me) {
        auto out = ring_.producer();
        std::uint64_t number = 0;
        for (; board_->stop.load(std::memory_order_relaxed) == 0; ++number)
            if (!out.push(me << kNumberBits | number)) return 3;
        board_->sent[me] = number;
        return 0;
    }
    int receive(std::uint64_t me) {
        auto in = ring_.consumer();
        while (const auto message = in.pop()) {
            const std::uint64_t sender = *message >> kNumberBits;
            const std::uint64_t number = *message & ((std::uint64_t{1} << kNumberBits) - 1);
            if (sender >= side_) return 4;
            Tally& tally = board_->received[me][sender];
            if (number < tally.next) return 5;  // twice, or out of order
            tally.next = number + 1;
            ++tally.count;
            tally.sum += number;
        }
        return 0;
    }

    MpmcRing<std::uint64_t> ring_;
    std::uint64_t side_;
    Shared<Board> board_{};
};

}  // namespace shmring::test
