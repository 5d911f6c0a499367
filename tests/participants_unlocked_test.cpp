// Participants without crash recovery: caller-provided memory without a file for locks. Records are claimed
// by their number.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/result.hpp"
#include "support/child_process.hpp"
#include "support/participant_table.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

TEST(WithoutLocks, LifeIsUnknownUntilTheHolderDetaches) {
    const TableOf table(2, false);
    EXPECT_FALSE(table->crash_recovery());
    for (const std::uint32_t index : {0U, 1U})
        EXPECT_EQ(table->life_of(ParticipantId::of(index, 0)), Life::dead)
            << "an even number, though it is the record's";
    Participant participant = table.attach(Role::consumer);
    const ParticipantId id = participant.id();
    EXPECT_TRUE(participant.owned_by_this_process());
    EXPECT_EQ(participant.record().role.load(relaxed), static_cast<std::uint32_t>(Role::consumer));
    EXPECT_EQ(participant.record().process_id.load(relaxed), static_cast<std::uint32_t>(::getpid()));
    EXPECT_EQ(table->life_of(id), Life::unknown);
    participant.detach();
    EXPECT_EQ(table->life_of(id), Life::dead) << "that it left is known";
}

TEST(WithoutLocks, AllRecordsCanBeHeldAtOnceAndAgain) {
    const TableOf table(4, false);
    for (int round = 0; round != 3; ++round) {
        const std::vector<Participant> all = table.attach_all();
        ASSERT_EQ(all.size(), 4U);
        std::set<std::uint32_t> indices;
        for (const Participant& one : all) indices.insert(one.id().index());
        EXPECT_EQ(indices.size(), 4U);
    }
}

TEST(WithoutLocks, TheRecordOfAKilledHolderStaysTaken) {
    const TableOf table(2, false);
    Shared<Board> board;
    ChildProcess holder([&] { return stay_attached(table, *board); });
    ASSERT_TRUE(board->holder.await(1));
    holder.kill(SIGKILL);
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));
    EXPECT_EQ(table->life_of(id_on(*board)), Life::unknown) << "never taken for a death";
    EXPECT_EQ(table.attach_all().size(), 1U);
}

TEST(WithoutLocks, ThreadsThatRaceGetDifferentRecords) {
    for (int round = 0; round != 100; ++round) {
        const TableOf table(4, false);
        std::array<std::optional<Participant>, 4> handles;
        std::atomic<bool> go{false};
        std::vector<std::thread> threads;
        for (auto& handle : handles)
            threads.emplace_back([&] {
                while (!go.load(acquire)) ::sched_yield();
                handle.emplace(table.attach());
            });
        go.store(true, release);
        for (std::thread& thread : threads) thread.join();
        std::set<std::uint32_t> indices;
        for (const auto& handle : handles) indices.insert(handle->id().index());
        ASSERT_EQ(indices.size(), 4U);
    }
}

TEST(WithoutLocks, AForkedChildDoesNotDetachItsParent) {
    const TableOf table(1, false);
    Participant handle = table.attach();
    ChildProcess child([&] {
        handle.detach();
        std::error_code error;
        return !table.attach(error) && error == errc::participants_exhausted ? 0 : 5;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(table->life_of(handle.id()), Life::unknown);
}

}  // namespace
}  // namespace shmring::test
