// Records of participants: taking them, giving them back, asking who is alive.
// Deaths and storms: participants_death_test.cpp. Without locks: participants_unlocked_test.cpp.
// In real segments: participants_segment_test.cpp.
// SPDX-License-Identifier: MIT

#include "shmring/detail/participants.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "shmring/result.hpp"
#include "support/child_process.hpp"
#include "support/participant_table.hpp"
#include "support/shared.hpp"

namespace shmring::test {
namespace {

// ---- ids --------------------------------------------------------------------------------------------------

TEST(ParticipantId, CarriesIndexAndIncarnation) {
    for (const std::uint32_t index : {0U, 1U, 255U, kMaxParticipants - 1})
        for (const std::uint64_t incarnation :
             {std::uint64_t{1}, std::uint64_t{3}, ParticipantId::kIncarnationMask}) {
            const ParticipantId id = ParticipantId::of(index, incarnation);
            EXPECT_EQ(id.index(), index);
            EXPECT_EQ(id.incarnation(), incarnation);
            EXPECT_TRUE(id);
            EXPECT_EQ(id.value >> 62, 0U) << "two bits belong to the seats";
        }
    EXPECT_FALSE(ParticipantId{});
}

// ---- attach and detach ------------------------------------------------------------------------------------

TEST(Participants, AttachTakesARecordAndIntroducesItself) {
    const TableOf table(4);
    const Participant participant = table.attach(Role::consumer);
    const ParticipantId id = participant.id();
    ASSERT_LT(id.index(), 4U);
    EXPECT_EQ(&participant.record(), &table->record(id.index()));
    EXPECT_EQ(id.incarnation(), 1U);
    EXPECT_TRUE(participant.owned_by_this_process());
    EXPECT_EQ(table->life_of(id), Life::alive);

    const Record& record = participant.record();
    const platform::ProcessIdentity self = platform::process_identity();
    EXPECT_EQ(record.incarnation.load(relaxed), 1U);
    EXPECT_EQ(record.role.load(relaxed), static_cast<std::uint32_t>(Role::consumer));
    EXPECT_EQ(record.process_id.load(relaxed), self.process_id);
    EXPECT_EQ(record.thread_id.load(relaxed), self.thread_id);
    EXPECT_EQ(record.pid_namespace.load(relaxed), self.pid_namespace);
    EXPECT_EQ(record.start_time.load(relaxed), self.start_time);
    EXPECT_NE(record.attached_ns.load(relaxed), 0U);
    EXPECT_LE(record.attached_ns.load(relaxed), platform::monotonic_ns());
    using Words = std::array<std::uint64_t, 2>;
    EXPECT_EQ((Words{record.boot_id[0].load(relaxed), record.boot_id[1].load(relaxed)}),
              std::bit_cast<Words>(self.boot_id));
    EXPECT_EQ((Words{record.command[0].load(relaxed), record.command[1].load(relaxed)}),
              std::bit_cast<Words>(self.command));
}

TEST(Participants, DetachGivesTheRecordBack) {
    const TableOf table(1);
    Participant participant = table.attach();
    const ParticipantId id = participant.id();
    participant.detach();
    EXPECT_FALSE(participant);
    EXPECT_FALSE(participant.owned_by_this_process());
    EXPECT_FALSE(participant.id());
    EXPECT_EQ(table->record(0).incarnation.load(relaxed), 2U);
    EXPECT_EQ(table->record(0).role.load(relaxed), static_cast<std::uint32_t>(Role::none));
    EXPECT_EQ(table->life_of(id), Life::dead);
    EXPECT_TRUE(table.lock(0).held()) << "its lock is free";
    participant.detach();
    EXPECT_EQ(table->record(0).incarnation.load(relaxed), 2U) << "once";
}

TEST(Participants, TheDestructorDetaches) {
    const TableOf table(1);
    ParticipantId id;
    {
        const Participant participant = table.attach();
        id = participant.id();
    }
    EXPECT_EQ(table->life_of(id), Life::dead);
    EXPECT_EQ(table.attach().id().incarnation(), 3U);
}

TEST(Participants, MoveWithTheirHandle) {
    const TableOf table(2);
    Participant first = table.attach();
    const ParticipantId id = first.id();
    Participant second = std::move(first);
    EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): what a moved-from handle is
    EXPECT_EQ(second.id(), id);
    EXPECT_TRUE(second.owned_by_this_process());
    EXPECT_EQ(table->life_of(id), Life::alive);

    Participant third = table.attach();
    const ParticipantId overwritten = third.id();
    third = std::move(second);
    EXPECT_EQ(third.id(), id);
    EXPECT_TRUE(third.owned_by_this_process());
    EXPECT_EQ(table->life_of(id), Life::alive);
    EXPECT_EQ(table->life_of(overwritten), Life::dead);
    EXPECT_EQ(table->record(overwritten.index()).incarnation.load(relaxed), 2U)
        << "given back, not just let go";
}

TEST(Participants, TwoOfOneProcessAreIndependent) {
    const TableOf table(4);
    Participant one = table.attach(Role::producer);
    const Participant other = table.attach(Role::consumer);
    EXPECT_NE(one.id().index(), other.id().index());
    const ParticipantId former = one.id();
    one.detach();
    EXPECT_EQ(table->life_of(former), Life::dead);
    EXPECT_EQ(table->life_of(other.id()), Life::alive);
}

TEST(Participants, OutliveTheThreadThatAttached) {
    const TableOf table(2);
    Shared<Board> board;
    ChildProcess holder([&] {
        std::optional<Participant> handle;
        std::thread([&] {
            handle.emplace(table.attach());
            board->id.store(handle->id().value, std::memory_order_relaxed);
        }).join();
        board->holder.reach(1);
        return board->test.await(1) ? 0 : 4;
    });
    ASSERT_TRUE(board->holder.await(1));
    EXPECT_EQ(table->life_of(id_on(*board)), Life::alive);
    board->test.reach(1);
    EXPECT_TRUE(holder.join().exited_with(0));
    EXPECT_EQ(table->life_of(id_on(*board)), Life::dead);
}

// ---- who is alive -----------------------------------------------------------------------------------------

TEST(LifeOf, AnIdThatNobodyCanHoldIsDead) {
    const TableOf table(4);
    const Participant participant = table.attach();
    const std::uint32_t index = participant.id().index();
    EXPECT_EQ(table->life_of({}), Life::dead);
    table->record(4).incarnation.store(1, relaxed);
    const LivenessLock beyond = table.lock(4);
    EXPECT_EQ(table->life_of(ParticipantId::of(4, 1)), Life::dead) << "beyond the table";
    EXPECT_EQ(table->life_of(ParticipantId::of(kMaxParticipants - 1, 1)), Life::dead);
    EXPECT_EQ(table->life_of(ParticipantId::of(index, 0)), Life::dead) << "an even number";
    EXPECT_EQ(table->life_of(ParticipantId::of(index, 3)), Life::dead) << "a later holding";
    EXPECT_EQ(table->life_of(participant.id()), Life::alive);
}

TEST(LifeOf, AKilledHolderIsDeadBeforeItIsWaitedForAndAfter) {
    const TableOf table(4);
    Shared<Board> board;
    ChildProcess holder([&] { return stay_attached(table, *board); });
    ASSERT_TRUE(board->holder.await(1));
    const ParticipantId id = id_on(*board);
    EXPECT_EQ(table->life_of(id), Life::alive);

    holder.kill(SIGSTOP);
    holder.await_stop();
    EXPECT_EQ(table->life_of(id), Life::alive) << "stopped is not dead";

    holder.kill(SIGKILL);
    siginfo_t state{};
    ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(holder.pid()), &state, WEXITED | WNOWAIT), 0);
    EXPECT_EQ(table->life_of(id), Life::dead) << "a zombie";
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));
    EXPECT_EQ(table->life_of(id), Life::dead);
    EXPECT_EQ(table->record(id.index()).incarnation.load(relaxed), id.incarnation())
        << "nobody touched its record";
    EXPECT_EQ(table->record(id.index()).process_id.load(relaxed), static_cast<std::uint32_t>(state.si_pid))
        << "so it still says who it was";
}

TEST(LifeOf, TheFormerHolderOfARecordTakenAgainIsDead) {
    const TableOf table(1);
    Shared<Board> board;
    ChildProcess holder([&] { return stay_attached(table, *board); });
    ASSERT_TRUE(board->holder.await(1));
    const ParticipantId former = id_on(*board);
    holder.kill(SIGKILL);
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));

    const Participant successor = table.attach();
    EXPECT_EQ(successor.id(), ParticipantId::of(0, former.incarnation() + 2));
    EXPECT_EQ(table->life_of(former), Life::dead) << "though the lock is held again";
    EXPECT_EQ(table->life_of(successor.id()), Life::alive);
}

TEST(LifeOf, IsUnknownToAProcessThatClosedItsDescriptors) {
    const TableOf table(4);
    Participant participant = table.attach();
    const ParticipantId id = participant.id();
    ChildProcess blind([&] {
        ::close(table.file());
        if (table->life_of(id) != Life::unknown) return 5;
        std::error_code error;
        if (table.attach(error) || error != std::errc::no_such_file_or_directory) return 6;
        if (::memfd_create("another", MFD_CLOEXEC) != table.file()) return 7;
        if (table->life_of(id) != Life::unknown) return 8;
        return !table.attach(error) && error == std::errc::bad_file_descriptor ? 0 : 9;
    });
    EXPECT_TRUE(blind.join().exited_with(0));
    EXPECT_EQ(table->life_of(id), Life::alive);
}

// ---- records taken again ----------------------------------------------------------------------------------

TEST(Records, CountersGoOnWhereTheFormerHolderLeftThem) {
    const TableOf table(1);
    table.attach().record().messages.store(41, relaxed);
    Participant second = table.attach();
    EXPECT_EQ(second.record().messages.load(relaxed), 41U);
    second.record().messages.store(42, relaxed);
    second.detach();
    EXPECT_EQ(table->record(0).messages.load(relaxed), 42U);
}

TEST(Records, NothingOfTheFormerHoldersWorkIsTakenForTheNewOnes) {
    const TableOf table(1);
    ChildProcess dies([&] {
        const Participant participant = table.attach(Role::consumer);
        participant.record().intent.store(77, relaxed);
        ::_exit(0);
        return 0;
    });
    EXPECT_TRUE(dies.join().exited_with(0));
    EXPECT_EQ(table->record(0).intent.load(relaxed), 77U) << "there for those who recover";
    const Participant successor = table.attach(Role::producer);
    EXPECT_EQ(successor.record().intent.load(relaxed), 77U) << "the ring's to repair, not the table's";
    EXPECT_EQ(successor.record().role.load(relaxed), static_cast<std::uint32_t>(Role::producer));
}

TEST(Records, WithALeaseAreAdoptedAndNotTakenByChance) {
    const TableOf table(1);
    ChildProcess dies([&] {
        const Participant participant = table.attach(Role::desk);
        participant.record().lease.store(78, relaxed);
        ::_exit(0);
        return 0;
    });
    EXPECT_TRUE(dies.join().exited_with(0));
    std::error_code error;
    EXPECT_FALSE(Participant::attach(*table, Role::producer, error));
    EXPECT_EQ(error, errc::participants_exhausted);
    Participant heir = Participant::adopt(*table, 0, Role::desk, error);
    ASSERT_TRUE(heir && !error);
    EXPECT_EQ(heir.record().lease.load(relaxed), 78U);
    EXPECT_FALSE(Participant::adopt(*table, 0, Role::desk, error)) << "its holder lives";
    EXPECT_FALSE(error);
    heir.leave_behind();
    EXPECT_EQ(table->life_of(detail::ParticipantId::of(0, table->record(0).incarnation.load(relaxed))),
              detail::Life::dead);
    heir = Participant::adopt(*table, 0, Role::desk, error);
    ASSERT_TRUE(heir && !error);
    heir.record().lease.store(0, relaxed);
    heir.detach();
    EXPECT_TRUE(Participant::attach(*table, Role::producer, error));
}

TEST(Records, OfTheDeadAreTakenLast) {
    const TableOf table(8);
    Shared<Board> board;
    ChildProcess holder([&] { return stay_attached(table, *board); });
    ASSERT_TRUE(board->holder.await(1));
    holder.kill(SIGKILL);
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));

    const std::vector<Participant> all = table.attach_all();
    ASSERT_EQ(all.size(), 8U);
    EXPECT_EQ(all.back().id().index(), id_on(*board).index());
}

TEST(Records, AreTakenFromPlacesFarApart) {
    const TableOf table(256);
    std::vector<Participant> some;
    std::uint32_t highest = 0;
    for (int i = 0; i != 16; ++i) {
        some.push_back(table.attach());
        highest = std::max(highest, some.back().id().index());
    }
    EXPECT_GE(highest, 16U) << "not one after the other";
}

TEST(Records, AllCanBeHeldAtOnceAndThenNoMore) {
    const TableOf table(4);
    Shared<Board> board;
    ChildProcess holder([&] { return stay_attached(table, *board); });
    ASSERT_TRUE(board->holder.await(1));
    std::vector<Participant> others = table.attach_all();
    ASSERT_EQ(others.size(), 3U);
    std::set<std::uint32_t> indices{id_on(*board).index()};
    for (const Participant& other : others) indices.insert(other.id().index());
    EXPECT_EQ(indices.size(), 4U);

    holder.kill(SIGKILL);
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));
    Participant successor = table.attach();
    EXPECT_EQ(successor.id().index(), id_on(*board).index());
    std::error_code error;
    EXPECT_FALSE(table.attach(error));
    EXPECT_EQ(error, errc::participants_exhausted);

    others.pop_back();
    EXPECT_TRUE(table.attach(error)) << "works again after one has left, too";
    EXPECT_FALSE(error);
}

TEST(Records, AnEmptyTableIsExhausted) {
    const TableOf table(0);
    std::error_code error;
    EXPECT_FALSE(table.attach(error));
    EXPECT_EQ(error, errc::participants_exhausted);
}

/// A number in the segment is input: whatever stands there, an id can name the new holding.
TEST(Records, AnyIncarnationFoundCanBeSucceeded) {
    constexpr std::uint64_t kMost = ParticipantId::kIncarnationMask;
    for (const std::uint64_t found :
         {kMost - 2, kMost - 1, kMost, kMost + 1, ~std::uint64_t{0}, ~std::uint64_t{0} - 1}) {
        const TableOf table(1);
        table->record(0).incarnation.store(found, relaxed);
        Participant participant = table.attach();
        const ParticipantId id = participant.id();
        EXPECT_EQ(table->record(0).incarnation.load(relaxed), id.incarnation());
        EXPECT_EQ(id.incarnation() % 2, 1U);
        EXPECT_EQ(table->life_of(id), Life::alive);
        participant.detach();
        EXPECT_EQ(table->life_of(id), Life::dead);
        EXPECT_EQ(table->record(0).incarnation.load(relaxed) % 2, 0U);
        EXPECT_NE(table.attach().id(), id);
    }
}

TEST(Records, AreNeverHeldByTwoThreads) {
    const TableOf table(3);  // fewer records than threads
    std::array<std::atomic<int>, 3> holders{};
    std::atomic<int> wrong{0};
    std::atomic<int> held{0};
    std::vector<std::thread> threads;
    for (int i = 0; i != 4; ++i)
        threads.emplace_back([&] {
            for (int round = 0; round != 500; ++round) {
                std::error_code error;
                Participant participant = table.attach(error);
                if (!participant) {
                    if (error != errc::participants_exhausted) wrong.fetch_add(1, relaxed);
                    continue;
                }
                held.fetch_add(1, relaxed);
                std::atomic<int>& mine = holders[participant.id().index()];
                if (mine.fetch_add(1, acq_rel) != 0) wrong.fetch_add(1, relaxed);
                ::sched_yield();
                if (table->life_of(participant.id()) != Life::alive) wrong.fetch_add(1, relaxed);
                mine.fetch_sub(1, acq_rel);
            }
        });
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong.load(relaxed), 0);
    EXPECT_GT(held.load(relaxed), 0);
    EXPECT_EQ(table.attach_all().size(), 3U);
}

// ---- fork -------------------------------------------------------------------------------------------------

TEST(ForkedChild, DoesNotOwnNorDetachItsParentsHandle) {
    const TableOf table(4);
    auto handle = std::make_unique<Participant>(table.attach());
    const ParticipantId id = handle->id();
    ChildProcess child([&] {
        if (handle->owned_by_this_process()) return 5;
        if (platform::process_token() == 0 || handle->owned_by_this_process()) return 6;
        handle->detach();
        if (*handle) return 7;
        handle.reset();
        return table->life_of(id) == Life::alive ? 0 : 8;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_TRUE(handle->owned_by_this_process());
    EXPECT_EQ(table->life_of(id), Life::alive);
    EXPECT_EQ(table->record(id.index()).incarnation.load(relaxed), id.incarnation());
}

TEST(ForkedChild, IsAParticipantOfItsOwnWhenItAttaches) {
    const TableOf table(4);
    Participant handle = table.attach();
    const ParticipantId parents = handle.id();
    ChildProcess child([&] {
        handle = table.attach();  // over the inherited one
        if (!handle.owned_by_this_process() || handle.id().index() == parents.index()) return 5;
        return handle.record().process_id.load(relaxed) == static_cast<std::uint32_t>(::getpid()) ? 0 : 6;
    });
    EXPECT_TRUE(child.join().exited_with(0));
    EXPECT_EQ(table->life_of(parents), Life::alive);
    EXPECT_TRUE(handle.owned_by_this_process());
}

}  // namespace
}  // namespace shmring::test
