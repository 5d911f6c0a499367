// The bell behind readable_fd(): where it comes from, who is refused, and what a stranger at it can do (cost time, bounded).
// SPDX-License-Identifier: MIT

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "shmring/byte_ring.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/readable.hpp"
#include "support/ring_internals.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;
using Ring = SpscRing<std::uint64_t>;

struct stat status_of(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) status = {};
    return status;
}
bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

bool settled(Ring::Consumer& in) {
    return settle(in.readable_fd(), [&] { EXPECT_EQ(in.try_pop().error(), Status::empty); });
}

/// What readable_fd() throws.
struct Refusal {
    std::error_code code{};
    std::string text{};
};
template <class Call>
Refusal refusal_of(Call&& call) {
    try {
        (void)call();
    } catch (const std::system_error& error) {
        return {error.code(), error.what()};
    }
    return {};
}
template <class Call>
void expect_refusal(Call&& call, std::error_code code, const std::string& words) {
    const Refusal refusal = refusal_of(call);
    EXPECT_EQ(refusal.code, code) << refusal.text;
    EXPECT_NE(refusal.text.find(words), std::string::npos) << refusal.text;
}

// ---- the FIFO of a named ring --------------------------------------------------------------------------------------

class BellOfANamedRing : public testing::Test {
 protected:
    [[nodiscard]] std::string path() const { return name_.path() + ".bell"; }
    void expect_untrusted(const std::string& words) {
        auto in = ring_.consumer();
        expect_refusal([&] { return in.readable_fd(); }, errc::untrusted_bell, words);
        std::error_code code;
        EXPECT_EQ(in.readable_fd(code), -1);
        EXPECT_EQ(code, errc::untrusted_bell);
        auto out = ring_.producer();
        EXPECT_TRUE(out.push(5));
        EXPECT_EQ(in.try_pop().value_or(0), 5U) << "without the descriptor the ring is as it was";
    }

    UniqueName name_{};
    Ring ring_ = Ring::create(name_, {.capacity = 8, .liveness_period = 1h});
};

TEST_F(BellOfANamedRing, IsAFifoOfTheRingsModeMadeWhenItIsAskedForAndRemovedWithTheRing) {
    for (const unsigned mode : {0600U, 0660U, 0666U}) {
        const UniqueName name;
        const mode_t umask_before = ::umask(0077);
        const Ring ring = Ring::create(name, {.capacity = 8, .segment = {.mode = mode}});
        auto in = ring.consumer();
        EXPECT_FALSE(exists(name.path() + ".bell"));
        (void)in.readable_fd();
        ::umask(umask_before);
        const struct stat bell = status_of(name.path() + ".bell");
        EXPECT_TRUE(S_ISFIFO(bell.st_mode));
        EXPECT_EQ(bell.st_mode & 07777U, mode);
        EXPECT_EQ(bell.st_uid, ::geteuid());
        EXPECT_FALSE(Ring::remove(name));
        EXPECT_FALSE(exists(name.path() + ".bell"));
        EXPECT_FALSE(exists(name.path()));
        EXPECT_TRUE(settled(in)) << "who has it open keeps it";
    }
}

TEST_F(BellOfANamedRing, TheLongestNameHasOneToo) {
    const UniqueName name(std::string(250 - name_.name().size(), 'x'));
    ASSERT_GE(name.name().size(), 250U);
    const std::string longest = name.name().substr(0, 250);
    const Ring ring = Ring::create(longest, {.capacity = 8});
    EXPECT_GE(ring.consumer().readable_fd(), 0);
    EXPECT_TRUE(exists("/dev/shm/" + longest + ".bell"));
    EXPECT_FALSE(Ring::remove(longest));
    EXPECT_FALSE(exists("/dev/shm/" + longest + ".bell"));
}

TEST_F(BellOfANamedRing, OneThatWasLeftBehindIsUsedAgain) {
    const UniqueName name;
    const Ring ring = Ring::create(name, {.capacity = 8, .liveness_period = 1h, .segment = {.mode = 0666}});
    const std::string bell = name.path() + ".bell";
    ASSERT_EQ(::mkfifo(bell.c_str(), 0600), 0);  // its maker died before it gave it the ring's mode
    const ino_t inode = status_of(bell).st_ino;
    auto in = ring.consumer();
    auto out = ring.producer();
    ASSERT_TRUE(settled(in));
    ASSERT_TRUE(out.push(1));
    EXPECT_TRUE(is_readable(in.readable_fd()));
    EXPECT_EQ(status_of(bell).st_ino, inode);
    EXPECT_EQ(status_of(bell).st_mode & 07777U, 0666U);
}

TEST_F(BellOfANamedRing, AFileOrALinkOrAFolderInItsPlaceIsRefusedAndLeftAlone) {
    ASSERT_EQ(::close(::open(path().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)), 0);
    expect_untrusted("no FIFO");
    EXPECT_EQ(status_of(path()).st_size, 0);
    ASSERT_EQ(::unlink(path().c_str()), 0);

    const UniqueName elsewhere;  // a FIFO as it should be, behind a link
    ASSERT_EQ(::mkfifo(elsewhere.path().c_str(), 0600), 0);
    ASSERT_EQ(::symlink(elsewhere.path().c_str(), path().c_str()), 0);
    expect_untrusted("no FIFO");
    ASSERT_EQ(::unlink(path().c_str()), 0);

    ASSERT_EQ(::mkdir(path().c_str(), 0700), 0);
    expect_untrusted("no FIFO");
    EXPECT_FALSE(Ring::remove(name_));
    EXPECT_TRUE(exists(path())) << "what is no bell is not removed with the ring";
}

TEST_F(BellOfANamedRing, OneThatOthersMayOpenIsRefused) {
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    ASSERT_EQ(::chmod(path().c_str(), 0606), 0);
    expect_untrusted("its bell has mode 0606, the ring 0600");
}

TEST_F(BellOfANamedRing, OneOfAnotherUserIsRefused) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    constexpr unsigned kNobody = 65534;
    ASSERT_EQ(::mkfifo(path().c_str(), 0600), 0);
    ASSERT_EQ(::chown(path().c_str(), kNobody, kNobody), 0);
    expect_untrusted("its bell belongs to user 65534");
}

TEST_F(BellOfANamedRing, OfAnotherUsersRingIsMadeForItsOwner) {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root";
    constexpr unsigned kNobody = 65534;
    const UniqueName name;
    (void)Ring::create(name, {.capacity = 8, .segment = {.mode = 0666}});
    ChildProcess other([&] {
        if (!drop_root()) return kCannotBeTriedHere;
        auto in = Ring::open(name, {.mode = 0666, .trusted_owner = 0}).consumer();
        expect_refusal([&] { return in.readable_fd(); }, errc::no_bell, "only they can make its bell");
        return 0;
    });
    EXPECT_TRUE(other.join().exited_with(0));
    ASSERT_EQ(::chown(name.path().c_str(), kNobody, kNobody), 0);
    auto in = Ring::open(name, {.mode = 0666, .trusted_owner = kNobody}).consumer();
    EXPECT_GE(in.readable_fd(), 0);
    EXPECT_EQ(status_of(name.path() + ".bell").st_uid, kNobody);
}

TEST_F(BellOfANamedRing, ARemovedNameHasNone) {
    auto in = ring_.consumer();
    EXPECT_FALSE(Ring::remove(name_));
    expect_refusal([&] { return in.readable_fd(); }, errc::retired, "its name was removed");
    const Ring successor = Ring::create(name_, {.capacity = 8});
    expect_refusal([&] { return in.readable_fd(); }, errc::retired, "its name was removed");
    EXPECT_FALSE(exists(path())) << "the successor's bell was neither made nor used";
}

TEST_F(BellOfANamedRing, ARingOfThatNameIsNoBellAndKeepsIt) {
    const std::string other = name_.name() + ".bell";
    (void)Ring::create(other, {.capacity = 8});
    expect_untrusted("no FIFO");
    EXPECT_FALSE(Ring::remove(name_));
    EXPECT_TRUE(Ring::open(other));
}

TEST_F(BellOfANamedRing, AProducerFindsOneThatWasMadeAnew) {
    auto out = ring_.producer();
    for (std::uint64_t round = 0; round != 2; ++round) {
        auto in = ring_.consumer();
        ASSERT_TRUE(settled(in));
        ASSERT_TRUE(out.push(round));
        ASSERT_TRUE(is_readable(in.readable_fd())) << round;
        ASSERT_EQ(in.try_pop().value_or(9), round);
        ASSERT_EQ(::unlink(path().c_str()), 0);  // by rm: its users are not told
    }
}

TEST_F(BellOfANamedRing, ThatIsFullCostsAReadAndNothingElse) {
    auto in = ring_.consumer();
    auto out = ring_.producer();
    ASSERT_TRUE(settled(in));
    const int stranger = ::open(path().c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const std::array<char, 4096> noise{};
    while (::write(stranger, noise.data(), noise.size()) > 0) {
    }
    EXPECT_TRUE(is_readable(in.readable_fd()));
    EXPECT_TRUE(out.push(1)) << "neither blocked nor signalled";
    EXPECT_EQ(in.try_pop().value_or(0), 1U);
    EXPECT_TRUE(settled(in));
    EXPECT_TRUE(out.push(2));
    EXPECT_TRUE(is_readable(in.readable_fd()));
    ::close(stranger);
}

TEST(BellOfAShortPeriod, MissingStrokesCostAtMostAPeriod) {
    const UniqueName name;
    const Ring ring = Ring::create(name, {.capacity = 8, .liveness_period = 5ms});
    auto in = ring.consumer();
    const int descriptor = in.readable_fd();
    const int stranger = ::open((name.path() + ".bell").c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC);
    const auto steal = [&] {
        std::array<char, 4096> strokes;
        while (::read(stranger, strokes.data(), strokes.size()) > 0) {
        }
    };
    steal();  // already the first one, before anything was armed
    EXPECT_TRUE(becomes_readable(descriptor));
    auto out = ring.producer();
    for (std::uint64_t round = 0; round != 20; ++round) {
        EXPECT_EQ(in.try_pop().error(), Status::empty);
        ASSERT_TRUE(out.push(round));
        steal();
        ASSERT_TRUE(becomes_readable(descriptor));
        ASSERT_EQ(in.try_pop().value_or(99), round);
    }
    ::close(stranger);
    ASSERT_EQ(in.try_pop().error(), Status::empty);
    ASSERT_EQ(::unlink((name.path() + ".bell").c_str()), 0);
    auto late = [&] {
        out = {};
        return ring.producer();  // has never seen the FIFO, and cannot any more
    }();
    ASSERT_TRUE(late.push(7));
    ASSERT_TRUE(becomes_readable(descriptor));
    EXPECT_EQ(in.try_pop().value_or(0), 7U);
}

TEST(BellOfAShortPeriod, LooksInBetweenDoNotPutTheTimerOff) {
    const Ring ring = Ring::anonymous({.capacity = 8, .liveness_period = 50ms, .segment = {.bell = true}});
    auto in = ring.consumer();
    const int descriptor = in.readable_fd();
    for (int timers = 0; timers != 3; ++timers) {
        int looks = 0;
        do {
            ASSERT_LT(looks++, 200) << "a loop that looks all the time would never hear the timer";
            ASSERT_EQ(in.try_pop().error(), Status::empty);
            std::this_thread::sleep_for(timers == 0 ? 100us : 5ms);
        } while (!is_readable(descriptor));
    }
}

TEST(BellOfAShortPeriod, DescriptorsClosedUnderUsAreNeitherWrittenNorRead) {
    const UniqueName name;
    const UniqueName victim;
    const Ring ring = Ring::create(name, {.capacity = 8, .liveness_period = 1h});
    ChildProcess child([&] {
        auto in = ring.consumer();
        auto out = ring.producer();
        EXPECT_TRUE(settled(in));
        EXPECT_TRUE(out.push(1));  // its end of the bell is open now
        EXPECT_TRUE(in.try_pop());
        EXPECT_EQ(in.try_pop().error(), Status::empty);
        if (::close_range(3, ~0U, 0) != 0) return kCannotBeTriedHere;
        int file = 0;
        while (file < 40) file = ::open(victim.path().c_str(), O_RDWR | O_CREAT | O_APPEND, 0600);
        EXPECT_EQ(::write(file, "as it was", 9), 9);
        EXPECT_TRUE(out.push(2));
        EXPECT_EQ(in.try_pop().value_or(0), 2U);
        EXPECT_EQ(in.try_pop().error(), Status::empty);
        in.close();  // would strike its own bell
        in.detach();
        out.detach();
        EXPECT_EQ(status_of(victim.path()).st_size, 9) << "a stroke went into somebody's file";
        for (int number = 3; number <= file; ++number)
            EXPECT_EQ(::lseek(number, 0, SEEK_CUR), number == file ? 9 : 0) << "read or closed: " << number;
        return 0;
    });
    EXPECT_TRUE(child.join().exited_with(0));
}

// ---- the eventfd of the others -------------------------------------------------------------------------------------

TEST(BellOfAnAnonymousRing, IsThereOnlyIfItWasAskedFor) {
    const Ring ring = Ring::anonymous({.capacity = 8});
    auto in = ring.consumer();
    EXPECT_EQ(ring.segment().bell_descriptor(), -1);
    expect_refusal([&] { return in.readable_fd(); }, errc::no_bell, "SegmentOptions::bell");
    auto bytes = ByteRing::anonymous({.capacity_bytes = 64}).consumer();
    std::error_code code;
    EXPECT_EQ(bytes.readable_fd(code), -1);
    EXPECT_EQ(code, errc::no_bell);
}

TEST(BellOfAnAnonymousRing, TravelsBesideTheRingsDescriptor) {
    const Ring made = Ring::anonymous({.capacity = 8, .liveness_period = 1h, .segment = {.bell = true}});
    const Ring joined = Ring::from_descriptor(made.segment().descriptor(),
                                              {.bell_descriptor = made.segment().bell_descriptor()});
    auto in = joined.consumer();
    auto out = made.producer();
    for (std::uint64_t round = 0; round != 10; ++round) {
        ASSERT_TRUE(settled(in));
        ASSERT_TRUE(out.push(round));
        ASSERT_TRUE(is_readable(in.readable_fd()));
        ASSERT_EQ(in.try_pop().value_or(99), round);
    }
}

TEST(BellOfProvidedMemory, IsMadeOrGiven) {
    const std::size_t size = Ring::required_bytes({.capacity = 8});
    void* place = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(place, MAP_FAILED);
    {
        const std::span memory(static_cast<std::byte*>(place), size);
        const Ring made = Ring::create_in(
            memory, {.capacity = 8, .liveness_period = 1h, .segment = {.prefault = false, .bell = true}});
        const Ring joined = Ring::open_in(memory, {.bell_descriptor = made.segment().bell_descriptor()});
        auto in = made.consumer();
        auto out = joined.producer();
        ASSERT_TRUE(settled(in));
        ASSERT_TRUE(out.push(1));
        EXPECT_TRUE(is_readable(in.readable_fd()));
        expect_refusal([&] { return Ring::open_in(memory, {.bell_descriptor = 12345}); },
                       std::make_error_code(std::errc::bad_file_descriptor),
                       "cannot duplicate its bell 12345");
    }
    ::munmap(place, size);
}

TEST(BellOptions, ThatMakeNoSenseAreRefused) {
    const UniqueName name;
    const auto named = [&](const SegmentOptions& options) {
        return [&name, options] { return Ring::create(name, {.capacity = 8, .segment = options}); };
    };
    expect_refusal(named({.bell = true}), errc::bad_option, "rings without a name");
    expect_refusal(named({.bell_descriptor = 0}), errc::bad_option, "rings without a name");

    const Ring ring = Ring::anonymous({.capacity = 8, .segment = {.bell = true}});
    const auto joined = [&](const SegmentOptions& options) {
        return [&ring, options] { return Ring::from_descriptor(ring.segment().descriptor(), options); };
    };
    expect_refusal(joined({.bell = true}), errc::bad_option, "only who makes a ring");
    const auto made = [&](const SegmentOptions& options) {
        return [options] { return Ring::anonymous({.capacity = 8, .segment = options}); };
    };
    const int bell = ring.segment().bell_descriptor();
    expect_refusal(made({.bell = true, .bell_descriptor = bell}), errc::bad_option, "and one was given");
    expect_refusal(joined({.bell_descriptor = ring.segment().descriptor()}), errc::bad_option, "no eventfd");
    expect_refusal(joined({.bell_descriptor = 12345}), std::make_error_code(std::errc::bad_file_descriptor),
                   "cannot duplicate its bell 12345");
    const int blocking = ::eventfd(0, EFD_CLOEXEC);
    expect_refusal(joined({.bell_descriptor = blocking}), errc::bad_option, "not non-blocking");
    ::close(blocking);
    EXPECT_TRUE(made({.bell_descriptor = bell})());
}

}  // namespace
}  // namespace shmring::test
