// The examples are programs that people run: here each is run as they would, and has to say what it should.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <regex>
#include <string>

#include "support/run_program.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

const std::string kFolder = SHMRING_BINARY_DIR "/examples/";

RunningProgram start_sender(const UniqueName& ring) {
    return RunningProgram({kFolder + "hello_send", ring.name()});
}
RunningProgram start_receiver(const UniqueName& ring) {
    return RunningProgram({kFolder + "hello_receive", ring.name()});
}

std::string greetings_of(pid_t sender) {
    const std::string says = "process " + std::to_string(sender) + " says: hello number ";
    return says + "1\n" + says + "2\n" + says + "3\nreceived 3 greetings\n";
}

TEST(HelloExample, TheReceiverPrintsWhatWasSentBeforeItCame) {
    const UniqueName ring;
    RunningProgram sender = start_sender(ring);
    const pid_t sending = sender.pid();
    const Ran sent = sender.finish();
    ASSERT_TRUE(sent.ended.exited_with(0)) << sent;
    EXPECT_EQ(sent.out, "sent 3 greetings into \"" + ring.name() + "\"\n");
    EXPECT_TRUE(std::filesystem::exists(ring.path()));

    const Ran received = start_receiver(ring).finish();
    EXPECT_TRUE(received.ended.exited_with(0)) << received;
    EXPECT_EQ(received.out, greetings_of(sending));
    EXPECT_FALSE(std::filesystem::exists(ring.path())) << "the receiver removes the ring";
}

TEST(HelloExample, TheReceiverWaitsForASenderThatComesLater) {
    const UniqueName ring;
    RunningProgram receiver = start_receiver(ring);
    for (int ms = 0; ms != 60'000 && !std::filesystem::exists(ring.path()); ++ms) ::usleep(1000);
    ASSERT_TRUE(std::filesystem::exists(ring.path())) << "the receiver makes the ring";
    RunningProgram sender = start_sender(ring);
    const pid_t sending = sender.pid();
    const Ran sent = sender.finish();
    EXPECT_TRUE(sent.ended.exited_with(0)) << sent;
    const Ran received = receiver.finish();
    EXPECT_TRUE(received.ended.exited_with(0)) << received;
    EXPECT_EQ(received.out, greetings_of(sending));
}

TEST(HelloExample, ASecondSenderIsToldThatTheStreamHasEnded) {
    const UniqueName ring;
    ASSERT_TRUE(start_sender(ring).finish().ended.exited_with(0));

    const Ran again = start_sender(ring).finish();
    EXPECT_TRUE(again.ended.exited_with(1)) << again;
    EXPECT_EQ(again.err, "hello_send: \"" + ring.name() + "\" is closed; run hello_receive first\n");
}

TEST(HelloExample, ANameThatCannotBeIsRefusedInOneSentence) {
    const Ran sent = run_program({kFolder + "hello_send", "no/such/name"});
    EXPECT_TRUE(sent.ended.exited_with(1)) << sent;
    EXPECT_TRUE(sent.err.starts_with("hello_send: ")) << sent;
    EXPECT_NE(sent.err.find("no/such/name"), std::string::npos) << sent;
}

/// Runs an example that ends well, and answers what it printed.
[[nodiscard]] std::string printed_by(const std::string& example) {
    const Ran ran = run_program({kFolder + example});
    EXPECT_TRUE(ran.ended.exited_with(0)) << ran;
    EXPECT_EQ(ran.err, "");
    return ran.out;
}

TEST(ParentAndChildExample, TheChildSquaresWhatTheParentAddsUp) {
    EXPECT_EQ(printed_by("parent_and_child"), "1 + 4 + 9 + ... + 100 = 385\n");
}

TEST(EpollConsumerExample, TheLoopAddsUpWhatComesThroughBothRings) {
    EXPECT_EQ(printed_by("epoll_consumer"), "1 + 2 + ... + 1000 = 500500\n");
}

TEST(QueueExamples, AQueueOfThreeSaysFullAndEmptyAsValues) {
    EXPECT_EQ(printed_by("queue_of_three"),
              "try_push(1): ok\ntry_push(2): ok\ntry_push(3): ok\ntry_push(4): full\n"
              "try_push_for(4, 10 ms): timed_out\n"
              "pop(): 1\npop(): 2\npop(): 3\ntry_pop(): empty\ntry_pop_for(10 ms): timed_out\n"
              "closed with one value inside; try_push(6): closed\nstill there: 5\nthen: closed\n");
}

TEST(QueueExamples, AChildSendsTextsToItsParent) {
    EXPECT_EQ(printed_by("child_to_parent"),
              "20 bytes: \"hello from the child\"\n0 bytes: \"\"\n"
              "45 bytes: \"a second line, somewhat longer than the first\"\nthe queue is closed\n");
}

TEST(QueueExamples, TenWritersAndTenReadersLoseAndRepeatNothing) {
    EXPECT_EQ(printed_by("ten_writers_ten_readers"), "100 of 100 numbers arrived exactly once\n");
}

TEST(QueueExamples, TwoBoundedQueuesThatFeedEachOtherNeedABacklogAndDoNotStop) {
    EXPECT_EQ(printed_by("two_queues"), "1 + 4 + 9 + ... + 10000 = 338350\n");
}

TEST(QueueExamples, AnotherProgramIsGivenAQueueWithoutANameAsADescriptor) {
    EXPECT_EQ(printed_by("exec_child"), "hello from another program\nthe queue is closed\n");
}

/// How often a line was printed.
std::size_t count_of(const std::string& line, const std::string& text) {
    std::size_t count = 0;
    for (std::size_t at = text.find(line); at != std::string::npos; at = text.find(line, at + 1)) ++count;
    return count;
}

TEST(QueueExamples, ProducersAndConsumersEndByMarkersByCloseOrByLeaving) {
    for (const std::string how : {"marker", "markers", "close", "leave"}) {
        const Ran ran = run_program({kFolder + "producer_consumer", how});
        EXPECT_TRUE(ran.ended.exited_with(0)) << ran;
        for (int i = 1; i <= 4; ++i)
            for (const std::string what : {"bun", "bone"}) {
                const bool is_made = how != "marker" || what == "bun";
                EXPECT_EQ(count_of("ate " + what + " " + std::to_string(i) + "\n", ran.out),
                          is_made ? 1U : 0U)
                    << how << ran;
            }
    }
    EXPECT_TRUE(run_program({kFolder + "producer_consumer"}).ended.exited_with(2));
}

TEST(QueueExamples, TheTicketSaleOversellsWithoutALockAndIsRightWithOneAndWithAnOwner) {
    const std::string out = printed_by("ticket_sale");
    const std::regex lines(
        "file, no lock: +100 of 10 tickets sold in [0-9.]+ ms\n"
        "file and lock: +10 of 10 tickets sold in [0-9.]+ ms\n"
        "queue to one owner: +10 of 10 tickets sold in [0-9.]+ ms\n");
    EXPECT_TRUE(std::regex_match(out, lines)) << out;
}

TEST(JoinableQueueExample, DaemonsDoEveryTaskBeforeTheParentLeaves) {
    const std::string out = printed_by("joinable_daemons");
    for (const std::string what : {"bun", "bone", "broth"})
        for (int i = 1; i <= 5; ++i)
            EXPECT_NE(out.find("ate " + what + " " + std::to_string(i) + "\n"), std::string::npos) << out;
    EXPECT_TRUE(out.ends_with("0 tasks unfinished\n")) << out;
}

TEST(JoinableQueueExample, AJobWhoseWorkerWasKilledIsDoneByAnother) {
    const std::string out = printed_by("crash_safe_jobs");
    for (int job = 2; job <= 5; ++job)
        EXPECT_EQ(count_of("job " + std::to_string(job) + " done\n", out), 1U) << out;
    EXPECT_EQ(count_of("job 1 done, after a worker died with it\n", out), 1U) << out;
    EXPECT_TRUE(out.ends_with("0 jobs unfinished\n")) << out;
}

TEST(PipeExamples, ParentAndChildTalkBothWaysAndHearOfTheEnd) {
    EXPECT_EQ(printed_by("duplex_pipe"),
              "child: 6 x 7?\nparent: 6 x 7 = 42\nchild: 12 x 12?\nparent: 12 x 12 = 144\n"
              "child: the other end is closed\n");
}

TEST(PipeExamples, BytesArePassedInPartsAndAMessageTooLargeForItsBufferIsKept) {
    EXPECT_EQ(printed_by("byte_pipe"),
              "5 bytes: \"abcde\"\n3 bytes: \"xyz\"\n0 bytes: \"\"\nneeds 26 bytes\n"
              "26 bytes: \"abcdefghijklmnopqrstuvwxyz\"\nclosed\n");
}

}  // namespace
}  // namespace shmring::test
