// A process that binds or closes an end of a pipe, killed after every change that it makes to the segment, and every so many
// instructions between: the other end hears of it, having received all that was acknowledged.

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <string>

#include "shmring/pipe.hpp"
#include "support/segment_changes.hpp"
#include "support/single_step.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using End = SteppedChild::End;

using Numbers = Pipe<std::uint64_t>;
using NumberEnd = PipeEnd<std::uint64_t>;

class PipeStepKill : public testing::Test {
 protected:
    void SetUp() override { ::alarm(is_soak() ? 3'000 : 110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    struct Round {
        std::pair<NumberEnd, NumberEnd> ends;
        std::uint64_t sent = 0;  ///< by the victim, before its operation
    };
    [[nodiscard]] static Round make(bool duplex) {
        return {Numbers::pair({.capacity = 4, .duplex = duplex, .liveness_period = 1ms})};
    }
    /// Nothing more comes, nothing more goes.
    static void expect_gone(NumberEnd& ours, std::uint64_t sent, bool may_send_more) {
        if (ours.readable()) {
            for (std::uint64_t i = 0; i != sent; ++i) EXPECT_EQ(*ours.recv(), i);
            auto last = ours.recv();
            if (may_send_more && last) last = ours.recv();
            EXPECT_EQ(last.error(), Status::closed);
        }
        if (ours.writable()) {
            Status status = Status::ok;
            while (status == Status::ok) status = ours.send(9).error();
            EXPECT_EQ(status, Status::closed);
        }
        EXPECT_TRUE(ours.peer() == EndState::dead || ours.peer() == EndState::closed);
    }
    /// Kills in `operation(end)` by the victim, after `prepare(end)`: after each change, then every `stride` instructions.
    template <class Prepare, class Operation>
    static void kill_everywhere(const char* name, bool duplex, bool victim_is_first, std::uint64_t stride,
                                Prepare&& prepare, Operation&& operation) {
        const auto victim_of = [&](Round& round) -> NumberEnd& {
            return victim_is_first ? round.ends.first : round.ends.second;
        };
        const auto survivor_of = [&](Round& round) -> NumberEnd& {
            return victim_is_first ? round.ends.second : round.ends.first;
        };
        const auto kill = [&](auto&& how) {
            Round round = make(duplex);
            NumberEnd& theirs = victim_of(round);
            NumberEnd& ours = survivor_of(round);
            ours.bind();
            const auto body = [&] {
                prepare(theirs);
                mark_for_stepping();
                operation(theirs);
                mark_for_stepping();
                ::pause();
            };
            const End end = how(ours, body);
            if (end != End::on_the_way && end != End::finished) return end;
            EXPECT_TRUE(theirs.close());  // our copy
            expect_gone(ours, theirs_sent, true);
            return end;
        };
        std::uint64_t changes = 0;
        for (End end = End::on_the_way; end == End::on_the_way; ++changes) {
            SCOPED_TRACE(std::string(name) + ", killed after change " + std::to_string(changes));
            end = kill([&](NumberEnd& ours, const auto& body) {
                SegmentChanges watched(ours.segment());
                return SteppedChild::kill_when([&] { return watched.count() > changes; }, body);
            });
            if (end == End::cannot_be_traced) GTEST_SKIP() << "ptrace is not permitted here";
            ASSERT_NE(end, End::failed);
            ASSERT_FALSE(testing::Test::HasFailure());
        }
        std::uint64_t instructions = 0;
        for (End end = End::on_the_way; end == End::on_the_way; instructions += stride) {
            SCOPED_TRACE(std::string(name) + ", killed after " + std::to_string(instructions) +
                         " instructions");
            end = kill(
                [&](NumberEnd&, const auto& body) { return SteppedChild::kill_after(instructions, body); });
            ASSERT_NE(end, End::failed);
            ASSERT_FALSE(testing::Test::HasFailure());
        }
        std::printf("%s: %llu changes of the segment, done within %llu instructions\n", name,
                    static_cast<unsigned long long>(changes), static_cast<unsigned long long>(instructions));
    }
    static inline std::uint64_t theirs_sent = 0;
};

/// Single-stepping costs some 10 us an instruction, so the quick form takes larger steps and fewer cases.
TEST_F(PipeStepKill, TheOtherEndHearsOfOneThatDiedWhileItWasBound) {
    theirs_sent = 0;
    const std::uint64_t stride = is_soak() ? 97 : 1'499;
    const auto nothing = [](NumberEnd&) {};
    const auto bind = [](NumberEnd& end) {
        std::error_code code;
        end.bind(code);
    };
    kill_everywhere("binding the first end", true, true, stride, nothing, bind);
    if (!is_soak()) return;
    kill_everywhere("binding the second end", true, false, stride, nothing, bind);
    kill_everywhere("binding a one-way end", false, false, stride, nothing, bind);
}

TEST_F(PipeStepKill, TheOtherEndHearsOfOneThatDiedInItsClose) {
    theirs_sent = 2;
    const std::uint64_t stride = is_soak() ? 7 : 149;
    const auto send_two = [](NumberEnd& end) {
        (void)end.send(0);
        (void)end.send(1);
    };
    const auto close = [](NumberEnd& end) { (void)end.close(); };
    kill_everywhere("closing the first end", true, true, stride, send_two, close);
    kill_everywhere("closing a one-way end", false, false, stride, send_two, close);
}

TEST_F(PipeStepKill, TheOtherEndHearsOfOneThatDiedWhileItClosedAnUnusedEnd) {
    theirs_sent = 0;
    kill_everywhere(
        "closing an unused end", true, true, is_soak() ? 7 : 149, [](NumberEnd&) {},
        [](NumberEnd& end) { (void)end.close(); });
}

}  // namespace
}  // namespace shmring::test
