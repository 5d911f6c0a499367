// Participants where they belong: in segments of every kind, with their locks in the segment's file or in the
// one given.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "support/child_process.hpp"
#include "support/participant_table.hpp"
#include "support/shared.hpp"
#include "support/test_segment.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

enum class Kind { named, anonymous, in_memory };

const char* name_of(Kind kind) {
    switch (kind) {
        case Kind::named:
            return "Name";
        case Kind::anonymous:
            return "NoName";
        case Kind::in_memory:
            break;
    }
    return "CallersMemory";
}

/// The same on every kind of segment that has crash recovery.
class InSegment : public testing::TestWithParam<Kind> {
 protected:
    void SetUp() override { ASSERT_TRUE(segment) << error.text; }

    [[nodiscard]] Segment make() {
        switch (GetParam()) {
            case Kind::named:
                return Segment::create(name, test_spec(), {}, error);
            case Kind::anonymous:
                return Segment::anonymous(test_spec(), {}, error);
            case Kind::in_memory:
                break;
        }
        SegmentOptions options;
        options.liveness_descriptor = lock_file.get();
        options.liveness_offset = 100;
        return Segment::create_in(*memory, test_spec(), options, error);
    }

    struct LockFile {
        int number = ::memfd_create("locks", MFD_CLOEXEC);
        [[nodiscard]] int get() const { return number; }
        ~LockFile() { ::close(number); }
    };

    UniqueName name;
    LockFile lock_file;
    Shared<std::array<std::byte, 64 * 1024>> memory;
    SetupError error;
    Segment segment = make();
    Shared<Board> board;
};

INSTANTIATE_TEST_SUITE_P(Of, InSegment, testing::Values(Kind::named, Kind::anonymous, Kind::in_memory),
                         [](const auto& chosen) { return std::string(name_of(chosen.param)); });

TEST_P(InSegment, HoldersAreSeenAliveAndDead) {
    std::error_code code;
    const ParticipantTable table(segment);
    EXPECT_TRUE(table.crash_recovery());
    EXPECT_EQ(table.count(), segment.geometry().participant_count);
    ChildProcess holder([&] {
        std::error_code failure;
        const Participant participant = Participant::attach(segment, Role::producer, failure);
        if (!participant) return 3;
        board->id.store(participant.id().value, relaxed);
        board->holder.reach(1);
        return board->test.await(1) ? 0 : 4;
    });
    ASSERT_TRUE(board->holder.await(1));
    EXPECT_EQ(table.life_of(id_on(*board)), Life::alive);
    const Participant mine = Participant::attach(table, Role::consumer, code);
    EXPECT_EQ(table.life_of(mine.id()), Life::alive) << code.message();
    EXPECT_NE(mine.id().index(), id_on(*board).index());
    holder.kill(SIGKILL);
    EXPECT_TRUE(holder.join().killed_by(SIGKILL));
    EXPECT_EQ(table.life_of(id_on(*board)), Life::dead);
    EXPECT_EQ(table.life_of(mine.id()), Life::alive);
}

TEST_P(InSegment, EveryRecordOfTheSegmentCanBeHeld) {
    std::vector<Participant> all;
    std::error_code code;
    for (std::uint32_t i = 0; i != segment.geometry().participant_count; ++i) {
        all.push_back(Participant::attach(segment, Role::producer, code));
        ASSERT_TRUE(all.back()) << code.message();
    }
    EXPECT_FALSE(Participant::attach(segment, Role::producer, code));
    EXPECT_EQ(code, errc::participants_exhausted);
}

/// The two maps of one process are two views of the same records and locks.
TEST(InNamedSegment, OpenedTwiceHoldersAreTheSame) {
    const UniqueName name;
    const Outcome created = create(name);
    ASSERT_TRUE(created.segment) << created;
    const Outcome opened = open(name);
    ASSERT_TRUE(opened.segment) << opened;
    std::error_code code;
    const ParticipantTable seen(opened.segment);
    Participant participant = Participant::attach(created.segment, Role::producer, code);
    const ParticipantId id = participant.id();
    EXPECT_EQ(seen.life_of(id), Life::alive);
    participant.detach();
    EXPECT_EQ(seen.life_of(id), Life::dead);
}

TEST(InAnonymousSegment, AsManyParticipantsAsThereCanBe) {
    SegmentSpec spec = test_spec();
    spec.participants = kMaxParticipants;
    const Outcome made = anonymous(spec);
    ASSERT_TRUE(made.segment) << made;
    std::error_code code;
    const ParticipantTable table(made.segment);
    std::vector<Participant> all;
    for (std::uint32_t i = 0; i != kMaxParticipants; ++i) {
        all.push_back(Participant::attach(table, Role::producer, code));
        ASSERT_TRUE(all.back()) << code.message();
    }
    for (const Participant& one : all) ASSERT_EQ(table.life_of(one.id()), Life::alive);
    EXPECT_FALSE(Participant::attach(table, Role::producer, code));
    EXPECT_EQ(code, errc::participants_exhausted);
}

TEST(InCallersMemory, WithoutALivenessFileThereIsNoCrashRecovery) {
    const Shared<std::array<std::byte, 64 * 1024>> memory;
    SetupError error;
    const Segment segment = Segment::create_in(*memory, test_spec(), {}, error);
    ASSERT_TRUE(segment) << error.text;
    std::error_code code;
    const Participant participant = Participant::attach(segment, Role::producer, code);
    ASSERT_TRUE(participant) << code.message();
    EXPECT_FALSE(participant.table().crash_recovery());
    EXPECT_EQ(participant.table().life_of(participant.id()), Life::unknown);
}

}  // namespace
}  // namespace shmring::test
