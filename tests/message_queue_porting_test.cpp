// What docs/porting-from-message-queues.md says of Boost's and POSIX message queues and what stands for them here: row by row.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <poll.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "shmring/joinable_queue.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/queue.hpp"
#include "shmring/wait_any.hpp"
#include "support/child_process.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMaxMessages = 10;
constexpr std::uint64_t kMaxSize = 100;
constexpr std::uint64_t kShare = (kMaxSize + 63) / 64 * 64;

MpmcByteRingOptions options() {
    return {.capacity_bytes = kMaxMessages * kShare, .capacity_messages = kMaxMessages};
}
std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

class FromMessageQueues : public ::testing::Test {
 protected:
    UniqueName name_{};
    MpmcByteRing queue_ = MpmcByteRing::create(name_, options());
    MpmcByteRing::Producer out_ = queue_.producer();
    MpmcByteRing::Consumer in_ = queue_.consumer();
};

TEST_F(FromMessageQueues, TheFormulaGivesRoomForExactlyThatManyOfThatSize) {
    EXPECT_EQ(queue_.capacity_messages(), kMaxMessages);
    EXPECT_TRUE(queue_.was_empty());
    for (std::uint64_t i = 0; i != kMaxMessages; ++i)
        ASSERT_TRUE(out_.try_push(bytes_of(std::string(kMaxSize, 'x'))));
    EXPECT_EQ(out_.try_push({}).error(), Status::full);
    EXPECT_EQ(queue_.count_approx(), kMaxMessages);
    EXPECT_TRUE(queue_.was_full());
}
TEST_F(FromMessageQueues, ALargerMessageIsTakenAsLongAsItIsNotLargerThanHalf) {
    EXPECT_GE(queue_.max_message_bytes(), kMaxMessages * kShare / 2);
    EXPECT_TRUE(out_.try_push(bytes_of(std::string(queue_.max_message_bytes(), 'x'))));
    EXPECT_EQ(out_.try_push(bytes_of(std::string(queue_.max_message_bytes() + 1, 'x'))).error(),
              Status::too_large);
}
TEST_F(FromMessageQueues, ABufferTooSmallLeavesTheMessageAndTellsItsSize) {
    ASSERT_TRUE(out_.try_push(bytes_of("twelve bytes")));
    std::array<std::byte, 4> small{};
    EXPECT_EQ(in_.try_pop(small).error(), Status::too_large);
    EXPECT_EQ(in_.needed_bytes(), 12U);
    std::string text;
    EXPECT_TRUE(in_.try_pop(text));
    EXPECT_EQ(text, "twelve bytes");
}
TEST_F(FromMessageQueues, CreatingTwiceOpeningNothingAndRemovingSaySo) {
    std::error_code code;
    (void)MpmcByteRing::create(name_, options(), code);
    EXPECT_EQ(code, std::errc::file_exists);
    EXPECT_TRUE(MpmcByteRing::open(name_));
    EXPECT_TRUE(MpmcByteRing::open_or_create(name_, options()));
    EXPECT_FALSE(MpmcByteRing::remove(name_));
    EXPECT_EQ(MpmcByteRing::remove(name_), std::errc::no_such_file_or_directory);
    (void)MpmcByteRing::open(name_, {}, code);
    EXPECT_EQ(code, std::errc::no_such_file_or_directory);
    EXPECT_TRUE(out_.try_push({})) << "who has it open keeps it";
}
TEST_F(FromMessageQueues, TryAndTimedCallsAnswerStatuses) {
    std::array<std::byte, kMaxSize> room{};
    EXPECT_EQ(in_.try_pop(room).error(), Status::empty);
    EXPECT_EQ(in_.try_pop_until(room, std::chrono::system_clock::now() + 5ms).error(), Status::timed_out);
    while (out_.try_push({})) {
    }
    EXPECT_EQ(out_.try_push_until({}, std::chrono::system_clock::now() + 5ms).error(), Status::timed_out);
}
TEST_F(FromMessageQueues, TheKindOfAMessageTravelsAsItsTag) {
    ASSERT_TRUE(out_.try_push(bytes_of("urgent"), 7));
    std::string text;
    EXPECT_EQ(in_.try_pop(text)->tag, 7U);
}
TEST_F(FromMessageQueues, PrioritiesAreSeveralRingsOfWhichTheFirstIsLookedAtFirst) {
    const auto urgent = MpmcByteRing::anonymous(options());
    auto urgent_out = urgent.producer();
    auto urgent_in = urgent.consumer();
    ASSERT_TRUE(out_.push(bytes_of("later")));
    ASSERT_TRUE(urgent_out.push(bytes_of("now")));
    std::vector<std::string> got;
    for (int i = 0; i != 2; ++i) {
        ASSERT_TRUE(wait_any(urgent_in, in_));
        std::string text;
        if (!urgent_in.try_pop(text)) {
            ASSERT_TRUE(in_.try_pop(text));
        }
        got.push_back(text);
    }
    EXPECT_EQ(got, (std::vector<std::string>{"now", "later"}));
}
TEST_F(FromMessageQueues, APollLoopIsToldInsteadOfANotification) {
    const int descriptor = in_.readable_fd();
    std::string text;
    while (in_.try_pop(text).error() != Status::empty) {
    }
    pollfd watched{descriptor, POLLIN, 0};
    ASSERT_TRUE(out_.push(bytes_of("news")));
    EXPECT_EQ(::poll(&watched, 1, 10'000), 1);
    EXPECT_TRUE(in_.try_pop(text));
}

// ---- sizes of queues -----------------------------------------------------------------------------------------------------

TEST(SizesOfQueues, TheFormulaHoldsForTextsAndVectors) {
    constexpr std::uint64_t kValues = 50;
    constexpr std::uint64_t kLargest = 300;
    const QueueOptions sized{.capacity = kValues, .capacity_bytes = kValues * ((kLargest + 63) / 64 * 64)};
    auto texts = Queue<std::string>::anonymous(sized);
    auto numbers = Queue<std::vector<int>>::anonymous(sized);
    for (std::uint64_t i = 0; i != kValues; ++i) {
        ASSERT_TRUE(texts.try_push(std::string(kLargest, 'x')));
        ASSERT_TRUE(numbers.try_push(std::vector<int>(kLargest / sizeof(int))));
    }
    EXPECT_EQ(texts.try_push("").error(), Status::full);
    EXPECT_EQ(numbers.try_push({}).error(), Status::full);
}
TEST(SizesOfQueues, ATaskThatIsDeliveredAgainIsAsLargeAsMaxTaskBytesOrItsShare) {
    JoinableQueueOptions kept{.capacity = 8, .capacity_bytes = 8 * 256, .delivery = Delivery::at_least_once};
    auto by_share = JoinableQueue<std::string>::anonymous(kept);
    EXPECT_TRUE(by_share.try_push(std::string(256, 'x')));
    EXPECT_EQ(by_share.try_push(std::string(257, 'x')).error(), Status::too_large);
    kept.max_task_bytes = 1024;
    auto by_option = JoinableQueue<std::string>::anonymous(kept);
    EXPECT_TRUE(by_option.try_push(std::string(1024, 'x')));
    EXPECT_EQ(by_option.try_push(std::string(1025, 'x')).error(), Status::too_large);
    const std::uint64_t more = JoinableQueue<std::string>::required_bytes(kept);
    kept.max_task_bytes = 0;
    const std::uint64_t less = JoinableQueue<std::string>::required_bytes(kept);
    EXPECT_GE(more - less, 256 * (1024 - 256)) << "so much is kept for each of 256 participants";
    kept.delivery = Delivery::at_most_once;
    auto lost_with_workers = JoinableQueue<std::string>::anonymous(kept);
    EXPECT_TRUE(lost_with_workers.try_push(std::string(1024, 'x'))) << "up to half of capacity_bytes";
}

}  // namespace
}  // namespace shmring::test
