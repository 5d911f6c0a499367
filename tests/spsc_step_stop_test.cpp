// Stopped after every single instruction of every operation, while the other side does all it can: nobody reads what is not
// whole, nobody writes over what is being read, and when the stopped one goes on, nothing is missing.
// With kills in place of stops: spsc_step_kill_test.cpp.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <type_traits>

#include "shmring/spsc_ring.hpp"
#include "support/numbered_message.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

constexpr std::uint64_t kSender = 1;
constexpr std::uint64_t kCapacity = 5;

template <std::size_t kSize>
class Stream {
 public:
    using Message = NumberedMessage<kSize>;
    using Ring = SpscRing<Message>;
    using Producer = typename Ring::Producer;
    using Consumer = typename Ring::Consumer;

    /// `before` messages have come and gone, `inside` are in the ring.
    Stream(std::uint64_t before, std::uint64_t inside) : ring(Ring::anonymous({.capacity = kCapacity})) {
        Producer out = ring.producer();
        Consumer in = ring.consumer();
        while (sent != before) {
            EXPECT_TRUE(out.push(next()));
            expect_next(in);
        }
        while (sent != before + inside) EXPECT_TRUE(out.push(next()));
    }

    [[nodiscard]] Message next() {
        Message message{};
        message.write({kSender, sent++});
        return message;
    }
    [[nodiscard]] bool accept(const Message& message) {
        return message.is_whole() && message.number() == Number{kSender, received++};
    }
    void expect_next(Consumer& in) {
        const auto message = in.try_pop();
        ASSERT_TRUE(message);
        EXPECT_TRUE(accept(*message)) << "message " << received - 1;
    }
    void drain(Consumer& in) {
        while (const auto message = in.try_pop()) EXPECT_TRUE(accept(*message)) << "message " << received - 1;
    }
    void fill(Producer& out) {
        while (out.try_push(next())) {
        }
        --sent;  // the last one did not fit
    }

    Ring ring;
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
};

class StepStop : public testing::Test {
 protected:
    void SetUp() override { ::alarm(is_soak() ? 1700 : 110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    template <class StopAndCheck>
    static void at_every_instruction(const char* name, StopAndCheck&& stop_and_check) {
        for (std::uint64_t instructions = 0;; ++instructions) {
            SCOPED_TRACE(std::string(name) + ", stopped after " + std::to_string(instructions) +
                         " instructions");
            const SteppedChild::End end = stop_and_check(instructions);
            if (end == SteppedChild::End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
            ASSERT_NE(end, SteppedChild::End::failed) << "what the stopped one did was wrong";
            ASSERT_FALSE(testing::Test::HasFailure());
            if (end != SteppedChild::End::finished) continue;
            std::printf("%s: %llu instructions\n", name, static_cast<unsigned long long>(instructions));
            return;
        }
    }

    /// `pop(consumer, accept)` takes `most` messages between two marks and answers whether they were right. Meanwhile the producer fills
    /// whatever room it sees.
    template <std::size_t kSize, class Pop>
    static void stop_consumer(const char* name, std::uint64_t most, Pop&& pop) {
        at_every_instruction(name, [&](std::uint64_t instructions) {
            Stream<kSize> stream(6, kCapacity);
            auto out = stream.ring.producer();
            const SteppedChild::End end = SteppedChild::stop_after(
                instructions,
                [&] {
                    auto in = stream.ring.consumer();
                    const bool right = pop(in, [&](const auto& message) { return stream.accept(message); });
                    if (!right || stream.received != 6 + most) ::_exit(3);
                },
                [&] { stream.fill(out); });
            stream.fill(out);
            EXPECT_EQ(stream.sent, 6 + most + kCapacity) << "what was taken made room, exactly";
            stream.received = 6 + most;
            auto in = stream.ring.consumer();
            stream.drain(in);
            EXPECT_EQ(stream.received, stream.sent);
            return end;
        });
    }

    /// `push(producer, stream)` sends `most` messages between two marks. Meanwhile the consumer takes whatever it sees.
    template <std::size_t kSize, class Push>
    static void stop_producer(const char* name, std::uint64_t most, Push&& push) {
        at_every_instruction(name, [&](std::uint64_t instructions) {
            Stream<kSize> stream(5, 2);
            auto in = stream.ring.consumer();
            const SteppedChild::End end = SteppedChild::stop_after(
                instructions,
                [&] {
                    auto out = stream.ring.producer();
                    if (!push(out, stream)) ::_exit(3);
                },
                [&] { stream.drain(in); });
            stream.drain(in);
            EXPECT_EQ(stream.received, 7 + most);
            return end;
        });
    }
};

// ---- consumers -----------------------------------------------------------------------------------------------------

const auto kPop = [](auto& in, auto&& accept) {
    mark_for_stepping();
    const auto message = in.pop();
    mark_for_stepping();
    return message && accept(*message);
};
const auto kPopThree = [](auto& in, auto&& accept) {
    std::array<typename std::decay_t<decltype(*in.try_pop())>, 3> messages;
    mark_for_stepping();
    const auto count = in.try_pop_n(messages);
    mark_for_stepping();
    return count && *count == 3 && accept(messages[0]) && accept(messages[1]) && accept(messages[2]);
};
const auto kView = [](auto& in, auto&& accept) {
    mark_for_stepping();
    auto view = in.try_next();
    const bool right = view && accept(**view);
    if (view) view->hand_back();
    mark_for_stepping();
    return right;
};

TEST_F(StepStop, APopOf8BytesIsNotWrittenOver) { stop_consumer<8>("pop, 8 bytes", 1, kPop); }
TEST_F(StepStop, APopOf200BytesIsNotWrittenOver) { stop_consumer<200>("pop, 200 bytes", 1, kPop); }
TEST_F(StepStop, ABatchOfPopsIsNotWrittenOver) { stop_consumer<24>("three pops, 24 bytes", 3, kPopThree); }
TEST_F(StepStop, AViewIsNotWrittenOver) { stop_consumer<64>("view, 64 bytes", 1, kView); }

// ---- producers -----------------------------------------------------------------------------------------------------

const auto kPush = [](auto& out, auto& stream) {
    const auto message = stream.next();
    mark_for_stepping();
    const auto pushed = out.push(message);
    mark_for_stepping();
    return static_cast<bool>(pushed);
};
const auto kPushThree = [](auto& out, auto& stream) {
    const std::array messages{stream.next(), stream.next(), stream.next()};
    mark_for_stepping();
    const auto count = out.try_push_n(messages);
    mark_for_stepping();
    return count.value_or(0) == 3;
};
const auto kClaim = [](auto& out, auto& stream) {
    const auto message = stream.next();
    mark_for_stepping();
    auto claim = out.try_claim();
    if (claim) {
        **claim = message;
        claim->commit();
    }
    mark_for_stepping();
    return static_cast<bool>(claim);
};

TEST_F(StepStop, APushOf8BytesIsSeenWholeOrNotAtAll) { stop_producer<8>("push, 8 bytes", 1, kPush); }
TEST_F(StepStop, APushOf200BytesIsSeenWholeOrNotAtAll) { stop_producer<200>("push, 200 bytes", 1, kPush); }
TEST_F(StepStop, ABatchIsSeenMessageByWholeMessage) {
    stop_producer<24>("three pushes, 24 bytes", 3, kPushThree);
}
TEST_F(StepStop, AClaimIsSeenWholeOrNotAtAll) { stop_producer<64>("claim and commit, 64 bytes", 1, kClaim); }

}  // namespace
}  // namespace shmring::test
