// Every operation of an end of a pipe, killed after every instruction that changed the segment or was a system call: the other end gets
// what was acknowledged, and hears of the end. What is looked at after each death: support/pipe_torture.hpp. The quick form kills after
// some of these instructions, tools/dev torture after all of them.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <string>
#include <system_error>

#include "support/child_process.hpp"
#include "support/pipe_torture.hpp"
#include "support/soak.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

template <class T>
class PipeStepKill : public testing::Test {
 protected:
    using End = PipeEnd<T>;
    using Path = PipePath<T>;
    using Got = std::function<void(std::uint64_t)>;
    static constexpr std::uint64_t kFull = Path::kFull;
    /// After so many the next one lies at the end of the lane's memory, or does not fit there any more.
    static constexpr std::uint64_t kToWrap = Message<T> ? 3 : 6;

    void SetUp() override { ::alarm(is_soak() ? 1'700 : 110); }  // the watchdog of the calls in this process
    void TearDown() override { ::alarm(0); }

    static void kill(const Path& path) { PipeTorture<T>::run(path); }

    static void send(End& end, const Got&) { (void)end.try_send(Numbered<T>::value(kOfVictim)); }
    static void send_waiting(End& end, const Got&) {
        (void)end.try_send_for(Numbered<T>::value(kOfVictim), 600s);
    }
    static void send_in_vain(End& end, const Got&) {
        (void)end.try_send_for(Numbered<T>::value(kOfVictim), 30ms);
    }
    static void receive(End& end, const Got& got) { tell(end.try_recv(), got); }
    static void receive_waiting(End& end, const Got& got) { tell(end.try_recv_for(600s), got); }
    static void receive_in_vain(End& end, const Got& got) { tell(end.try_recv_for(30ms), got); }
    static void poll_in_vain(End& end, const Got&) { (void)end.poll_for(30ms); }
    static void poll_waiting(End& end, const Got&) { (void)end.poll_for(600s); }
    static void close(End& end, const Got&) { end.close(); }
    static void bind(End& end, const Got&) {
        std::error_code code;
        end.bind(code);
    }
    static void tell(const Result<T>& value, const Got& got) {
        if (value) got(Numbered<T>::number(*value));
    }
    /// A process that takes the end and is dead then, before the victim comes.
    static void die_with_it(End& end) {
        ChildProcess child([&] {
            std::error_code code;
            end.bind(code);
            if (!code) ::raise(SIGKILL);
        });
        EXPECT_TRUE(child.join().killed_by(SIGKILL));
    }
};
using Types = testing::Types<std::uint64_t, std::string>;
struct TypeNames {
    template <class T>
    static std::string GetName(int) {
        return Message<T> ? "Fixed" : "AnySize";
    }
};
TYPED_TEST_SUITE(PipeStepKill, Types, TypeNames);

TYPED_TEST(PipeStepKill, TheOtherEndHearsOfOneThatDiedInASend) {
    const auto send = this->send;
    this->kill({.name = "send, empty", .sends = 1, .operation = send});
    this->kill({.name = "send by the first end", .victim_is_first = true, .sends = 1, .operation = send});
    this->kill({.name = "send, one-way", .duplex = false, .sends = 1, .operation = send});
    this->kill({.name = "send, wrap", .before = this->kToWrap, .sent = 1, .sends = 1, .operation = send});
    this->kill({.name = "send, last place", .sent = 3, .sends = 1, .operation = send});
    this->kill({.name = "send, full", .before = 1, .sent = this->kFull, .operation = send});
    this->kill({.name = "send, reader asleep",
                .before = 3,
                .sends = 1,
                .partner = Partner::asleep_in_recv,
                .operation = send});
    this->kill(
        {.name = "send, other end unbound", .sends = 1, .partner = Partner::unbound, .operation = send});
}
TYPED_TEST(PipeStepKill, TheOtherEndHearsOfOneThatDiedInASendThatSleeps) {
    this->kill({.name = "send, sleeps until woken",
                .before = 1,
                .sent = this->kFull,
                .sends = 1,
                .partner = Partner::reads_then,
                .operation = this->send_waiting});
    this->kill(
        {.name = "send, sleeps in vain", .before = 1, .sent = this->kFull, .operation = this->send_in_vain});
}
TYPED_TEST(PipeStepKill, TheOtherEndHearsOfOneThatDiedInAReceive) {
    const auto receive = this->receive;
    this->kill({.name = "receive", .before = 1, .coming = 2, .takes = 1, .operation = receive});
    this->kill({.name = "receive by the first end",
                .victim_is_first = true,
                .sent = 1,
                .coming = 2,
                .takes = 1,
                .operation = receive});
    this->kill({.name = "receive, one-way",
                .duplex = false,
                .victim_is_first = true,
                .coming = 2,
                .takes = 1,
                .operation = receive});
    this->kill({.name = "receive, wrap",
                .before = this->kToWrap,
                .sent = 1,
                .coming = 2,
                .takes = 1,
                .operation = receive});
    this->kill({.name = "receive, full", .coming = this->kFull, .takes = 1, .operation = receive});
    this->kill({.name = "receive, empty", .before = 3, .sent = 2, .operation = receive});
    this->kill({.name = "receive, writer asleep",
                .before = 1,
                .coming = this->kFull,
                .takes = 1,
                .partner = Partner::asleep_in_send,
                .operation = receive});
}
TYPED_TEST(PipeStepKill, TheOtherEndHearsOfOneThatDiedInAReceiveThatSleeps) {
    this->kill({.name = "receive, sleeps until woken",
                .before = 3,
                .takes = 1,
                .partner = Partner::writes_then,
                .operation = this->receive_waiting});
    this->kill({.name = "receive, sleeps in vain", .before = 3, .operation = this->receive_in_vain});
    this->kill({.name = "poll, sleeps until woken",
                .before = 3,
                .partner = Partner::writes_then,
                .operation = this->poll_waiting});
    this->kill({.name = "poll, sleeps in vain", .before = 3, .operation = this->poll_in_vain});
}
TYPED_TEST(PipeStepKill, TheOtherEndHearsOfOneThatDiedInItsClose) {
    const auto close = this->close;
    this->kill({.name = "close", .sent = 2, .coming = 1, .operation = close});
    this->kill({.name = "close the first end", .victim_is_first = true, .sent = 2, .operation = close});
    this->kill({.name = "close, one-way writer", .duplex = false, .sent = 2, .operation = close});
    this->kill({.name = "close, one-way reader",
                .duplex = false,
                .victim_is_first = true,
                .coming = 2,
                .operation = close});
    this->kill({.name = "close, reader asleep",
                .before = 1,
                .partner = Partner::asleep_in_recv,
                .operation = close});
    this->kill({.name = "close, writer asleep",
                .sent = 1,
                .coming = this->kFull,
                .partner = Partner::asleep_in_send,
                .operation = close});
    this->kill({.name = "close an unused end", .victim_is_bound = false, .operation = close});
    this->kill({.name = "close an unused end, reader asleep",
                .partner = Partner::asleep_in_recv,
                .victim_is_bound = false,
                .operation = close});
}
TYPED_TEST(PipeStepKill, TheOtherEndHearsOfOneThatDiedWhileItWasBound) {
    const auto bind = this->bind;
    this->kill({.name = "bind", .coming = 1, .victim_is_bound = false, .is_long = true, .operation = bind});
    this->kill({.name = "bind the first end",
                .victim_is_first = true,
                .victim_is_bound = false,
                .is_long = true,
                .operation = bind});
    this->kill({.name = "bind, one-way writer",
                .duplex = false,
                .victim_is_bound = false,
                .is_long = true,
                .operation = bind});
    this->kill({.name = "bind, one-way reader",
                .duplex = false,
                .victim_is_first = true,
                .victim_is_bound = false,
                .is_long = true,
                .operation = bind});
    this->kill({.name = "bind, other end unbound",
                .partner = Partner::unbound,
                .victim_is_bound = false,
                .is_long = true,
                .operation = bind});
    this->kill({.name = "bind a dead one's end",
                .victim_is_bound = false,
                .is_long = true,
                .operation = bind,
                .prepare = this->die_with_it});
}
/// That the other instructions make no difference.
TYPED_TEST(PipeStepKill, TheOtherEndHearsOfOneThatDiedAtAnyInstruction) {
    this->kill({.name = "send", .sent = 1, .sends = 1, .literally = true, .operation = this->send});
    this->kill({.name = "receive", .coming = 2, .takes = 1, .literally = true, .operation = this->receive});
}

}  // namespace
}  // namespace shmring::test
