// ByteRing's two ends in threads over one mapping, as the thread sanitizer sees them best: a million messages of every sort of size,
// by every verb, waiting in every way, each judged by the oracle of the kill tests. SHMRING_SOAK=1 sends ten times as many.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <thread>
#include <tuple>

#include "shmring/byte_ring.hpp"
#include "support/byte_traffic.hpp"
#include "support/journal.hpp"
#include "support/soak.hpp"
#include "support/stream_roles.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMessagesInAll = 1'000'000;
constexpr std::array<std::uint64_t, 3> kCapacities = {200, 4096, 65536};
constexpr std::array<Style, 3> kStyles = {Style::single, Style::batch, Style::in_place};
constexpr std::array<Waiting, 2> kWaits = {Waiting::spin, Waiting::block};
constexpr std::uint64_t kStreams = kCapacities.size() * kStyles.size() * kWaits.size();

class ByteStress : public testing::TestWithParam<std::tuple<std::uint64_t, Style, Waiting>> {};

TEST_P(ByteStress, EveryMessageArrivesOnceInOrderAndWhole) {
    const auto& [capacity, style, waiting] = GetParam();
    const std::uint64_t count = kMessagesInAll / kStreams * (is_soak() ? 10 : 1) + 1;
    const ByteRing ring = ByteTraffic::make(capacity, 100ms);
    std::array<SenderJournal, 2> sent{};  // [0] is nobody
    std::array<ReceiverJournal, 2> received{};
    std::atomic<std::uint32_t> stop{0};
    int sender_end = -1;
    int receiver_end = -1;
    {
        const std::jthread sending([&, style = style, waiting = waiting] {
            sender_end = SendingRole<ByteTraffic>(style, waiting, {.seed = 1}, sent[1], 1)
                             .run(ring, {.spin = 5us}, stop);
        });
        const std::jthread receiving([&, style = style, waiting = waiting] {
            receiver_end = ReceivingRole<ByteTraffic>(style, waiting, {.seed = 2}, received, sent)
                               .run(ring, {.spin = 5us});
            // What was wrong must end the sender, too, which may be waiting for room.
            if (receiver_end == kDone) return;
            std::error_code code;
            ring.consumer({}, code).close();
        });
        while (sent[1].sent.load(std::memory_order_acquire) < count && !ring.was_closed())
            std::this_thread::sleep_for(1ms);
        stop.store(1, std::memory_order_relaxed);
    }
    EXPECT_EQ(sender_end, kDone);
    EXPECT_EQ(receiver_end, kDone);
    EXPECT_EQ(received[1].fault.load(std::memory_order_relaxed), 0U);
    EXPECT_GE(received[1].received.load(std::memory_order_relaxed), count);
    EXPECT_EQ(received[1].received.load(std::memory_order_relaxed),
              sent[1].sent.load(std::memory_order_relaxed));
}

std::string name_of(const testing::TestParamInfo<ByteStress::ParamType>& stress) {
    static constexpr std::array<const char*, 3> kStyleNames = {"Single", "Batch", "InPlace"};
    static constexpr std::array<const char*, 2> kWaitingNames = {"Spinning", "Blocking"};
    const auto& [capacity, style, waiting] = stress.param;
    return std::to_string(capacity) + "Bytes" + kStyleNames.at(static_cast<std::size_t>(style)) +
           kWaitingNames.at(static_cast<std::size_t>(waiting));
}
INSTANTIATE_TEST_SUITE_P(Of, ByteStress,
                         testing::Combine(testing::ValuesIn(kCapacities), testing::ValuesIn(kStyles),
                                          testing::ValuesIn(kWaits)),
                         name_of);

}  // namespace
}  // namespace shmring::test
