// A participant table without a segment, so that a test can look at records and locks apart; and children
// that attach.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "shmring/detail/participants.hpp"
#include "shmring/result.hpp"
#include "support/shared.hpp"

namespace shmring::test {

using namespace detail;
using platform::LivenessLock;

inline constexpr std::uint64_t kLockBase = std::uint64_t{1} << 61;

/// Records in shared memory and their locks in a memfd (or none: no crash recovery), as a segment has them.
class TableOf {
 public:
    explicit TableOf(std::uint32_t count, bool with_locks = true)
        : file_(with_locks ? ::memfd_create("participants", MFD_CLOEXEC) : -1),
          table_(std::span(*records_).first(count), kLockBase, file_, identity()) {}
    TableOf(const TableOf&) = delete;
    TableOf& operator=(const TableOf&) = delete;
    ~TableOf() {
        if (file_ >= 0) ::close(file_);
    }

    [[nodiscard]] int file() const { return file_; }
    const ParticipantTable* operator->() const { return &table_; }
    const ParticipantTable& operator*() const { return table_; }

    [[nodiscard]] Participant attach(std::error_code& error, Role role = Role::producer) const {
        return Participant::attach(table_, role, error);
    }
    [[nodiscard]] Participant attach(Role role = Role::producer) const {
        std::error_code error;
        Participant participant = attach(error, role);
        EXPECT_TRUE(participant) << error.message();
        return participant;
    }
    /// Attaches until nothing is left.
    [[nodiscard]] std::vector<Participant> attach_all() const {
        std::vector<Participant> all;
        std::error_code error;
        for (Participant one = attach(error); one && all.size() <= table_.count(); one = attach(error))
            all.push_back(std::move(one));
        EXPECT_EQ(error, errc::participants_exhausted) << error.message();
        return all;
    }
    [[nodiscard]] LivenessLock lock(std::uint32_t index) const {
        std::error_code error;
        return LivenessLock::take(file_, identity(), kLockBase + index, error);
    }

 private:
    [[nodiscard]] platform::FileIdentity identity() const {
        std::error_code error;
        return platform::file_identity(file_, error);
    }

    Shared<std::array<Record, 256>> records_;
    int file_;
    ParticipantTable table_;
};

/// What children tell: the ids they hold, and how far they are.
struct Board {
    Steps holder;
    Steps test;
    std::atomic<std::uint64_t> id{0};
};

/// A child that attaches and stays until it is killed or sent on.
inline int stay_attached(const TableOf& table, Board& board) {
    std::error_code error;
    const Participant participant = table.attach(error);
    if (!participant) return 3;
    board.id.store(participant.id().value, std::memory_order_relaxed);
    board.holder.reach(1);
    return board.test.await(1) ? 0 : 4;
}

inline ParticipantId id_on(const Board& board) { return {board.id.load(std::memory_order_relaxed)}; }

}  // namespace shmring::test
