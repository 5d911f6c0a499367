// Every road a pipe can travel: by name, by descriptor, in the caller's memory; and what stands on a road and is no such pipe.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

#include "shmring/byte_pipe.hpp"
#include "shmring/detail/pipe_layout.hpp"
#include "shmring/pipe.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/child_process.hpp"
#include "support/descriptor_passing.hpp"
#include "support/unique_name.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

using Numbers = Pipe<std::uint64_t>;
using NumberEnd = PipeEnd<std::uint64_t>;
constexpr PipeOptions kOptions = {.capacity = 4, .liveness_period = 2ms};

/// Whatever was sent before: until the end is gone.
[[nodiscard]] Status send_until_refused(NumberEnd& end) {
    Status status = Status::ok;
    while (status == Status::ok) status = end.try_send_for(1, 20s).error();
    return status;
}

// ---- by name -------------------------------------------------------------------------------------------------------

TEST(NamedPipe, ConnectsStrangersThatTakeOneEndEach) {
    const UniqueName name;
    ChildProcess answers([&] {
        auto there = Numbers::open_or_create(name, kOptions).second();
        while (auto number = there.recv())
            if (!there.send(*number * 2)) return 1;
        return 0;
    });
    auto here = Numbers::open_or_create(name, kOptions).first();
    for (std::uint64_t i = 0; i != 20; ++i) {
        ASSERT_TRUE(here.send(i));
        ASSERT_EQ(*here.recv(), 2 * i);
    }
    here.close();
    EXPECT_TRUE(answers.join().exited_with(0));
    EXPECT_FALSE(Numbers::remove(name));
    EXPECT_FALSE(std::filesystem::exists(name.path()));
}

TEST(NamedPipe, ASecondMakerIsToldThatTheNameIsTaken) {
    const UniqueName name;
    const auto pipe = Numbers::create(name, kOptions);
    std::error_code code;
    EXPECT_FALSE(Numbers::create(name, kOptions, code));
    EXPECT_EQ(code, std::errc::file_exists);
    EXPECT_THROW((void)Numbers::create(name, kOptions), std::system_error);
}

TEST(NamedPipe, WhatAnEndSentAndClosedBeforeTheOtherCameIsReceived) {
    const UniqueName name;
    {
        auto here = Numbers::create(name, kOptions).first();
        ASSERT_TRUE(here.send(1));
        ASSERT_TRUE(here.send(2));
    }
    auto there = Numbers::open(name).second();
    EXPECT_TRUE(there.poll_for(1s));
    EXPECT_EQ(*there.recv(), 1U);
    EXPECT_EQ(*there.recv(), 2U);
    EXPECT_EQ(there.recv().error(), Status::closed);
    EXPECT_EQ(there.send(3).error(), Status::closed);
}

TEST(NamedPipe, AnEndThatNobodyHasTakenYetIsWaitedFor) {
    const UniqueName name;
    auto here = Numbers::create(name, kOptions).first();
    EXPECT_EQ(here.try_recv_for(30ms).error(), Status::timed_out);
    { auto never_used = Numbers::open(name).second(); }
    EXPECT_EQ(here.try_recv_for(30ms).error(), Status::timed_out) << "nobody is missed who was never there";
    EXPECT_EQ(here.peer(), PeerState::never_came);
}

TEST(NamedPipe, AnEndThatIsHeldCannotBeTakenAndAnEndThatIsGoneHasNoSuccessor) {
    const UniqueName name;
    auto here = Numbers::create(name, kOptions).first();
    here.bind();
    std::error_code code;
    auto same = Numbers::open(name).first();
    same.bind(code);
    EXPECT_EQ(code, errc::seat_taken);
    EXPECT_EQ(same.send(1).error(), Status::not_owner);
    {
        ChildProcess dies([&] {
            Numbers::open(name).second().bind();
            auto there = Numbers::open(name).second();
            there.bind(code);
            EXPECT_EQ(code, errc::pipe_ended) << "the first was destroyed";
        });
        EXPECT_TRUE(dies.join().exited_with(0));
    }
    EXPECT_EQ(send_until_refused(here), Status::closed);
    here.close();
    EXPECT_EQ(same.send(1).error(), Status::closed);
    EXPECT_THROW(same.bind(), std::system_error);
}

TEST(NamedPipe, ADeadEndHasNoSuccessor) {
    const UniqueName name;
    auto here = Numbers::create(name, kOptions).first();
    ChildProcess dies([&] {
        auto there = Numbers::open(name).second();
        EXPECT_TRUE(there.send(5));
        ::raise(SIGKILL);
    });
    EXPECT_TRUE(dies.join().killed_by(SIGKILL));
    auto heir = Numbers::open(name).second();
    std::error_code code;
    heir.bind(code);
    EXPECT_EQ(code, errc::pipe_ended);
    EXPECT_EQ(*here.recv(), 5U);
    EXPECT_EQ(here.recv().error(), Status::closed);
    EXPECT_EQ(here.peer(), PeerState::dead);
}

TEST(NamedPipe, IsOpenedInTheDirectionsItWasMadeWith) {
    const UniqueName name;
    PipeOptions one_way = kOptions;
    one_way.duplex = false;
    auto reader = Numbers::create(name, one_way).first();
    auto pipe = Numbers::open(name);
    EXPECT_FALSE(pipe.duplex());
    auto writer = pipe.second();
    EXPECT_FALSE(writer.readable());
    ASSERT_TRUE(writer.send(1));
    EXPECT_EQ(*reader.recv(), 1U);
    EXPECT_EQ(writer.recv().error(), Status::invalid);
    std::error_code code;
    EXPECT_FALSE(Numbers::open_or_create(name, kOptions, code)) << "asks for a duplex one";
    EXPECT_EQ(code, errc::wrong_type);
}

// ---- by descriptor -------------------------------------------------------------------------------------------------

TEST(PipeByDescriptor, AnEndHandedToAStrangerIsItsOwn) {
    const DescriptorSocket socket;
    ChildProcess stranger([&] {  // forked before there is a pipe
        const int descriptor = socket.receive();
        auto there = Numbers::from_descriptor(descriptor).second();
        ::close(descriptor);
        while (auto number = there.recv())
            if (!there.send(*number + 1)) return 1;
        return 0;
    });
    auto [here, there] = Numbers::pair(kOptions);
    const int descriptor = there.to_descriptor();
    ASSERT_TRUE(socket.send(descriptor));
    ::close(descriptor);
    there.close();
    for (std::uint64_t i = 0; i != 20; ++i) {
        ASSERT_TRUE(here.send(i));
        ASSERT_EQ(*here.recv(), i + 1);
    }
    here.close();
    EXPECT_TRUE(stranger.join().exited_with(0));
}

TEST(PipeByDescriptor, AnEndInsideASocketIsNotMissedUntilTheSocketGoes) {
    auto ends = Numbers::pair(kOptions);
    {
        const DescriptorSocket socket;
        const int descriptor = ends.second.to_descriptor();
        ASSERT_TRUE(socket.send(descriptor));
        ::close(descriptor);
        ends.second.close();
        EXPECT_EQ(ends.first.try_recv_for(30ms).error(), Status::timed_out);
    }
    EXPECT_EQ(ends.first.recv().error(), Status::closed);
}

TEST(PipeByDescriptor, AReceiverThatDiesBeforeItsFirstUseIsMissed) {
    const DescriptorSocket socket;
    const Turnstile received;
    ChildProcess stranger([&] {
        const int descriptor = socket.receive();
        auto there = Numbers::from_descriptor(descriptor).second();
        ::close(descriptor);
        received.let_through();
        ::pause();
    });
    auto ends = Numbers::pair(kOptions);
    const int descriptor = ends.second.to_descriptor();
    ASSERT_TRUE(socket.send(descriptor));
    ::close(descriptor);
    ends.second.close();
    ASSERT_TRUE(received.pass());
    EXPECT_EQ(ends.first.try_recv_for(30ms).error(), Status::timed_out) << "its holder lives";
    stranger.kill(SIGKILL);
    EXPECT_TRUE(stranger.join().killed_by(SIGKILL));
    EXPECT_EQ(ends.first.recv().error(), Status::closed);
}

TEST(PipeByDescriptor, OnlyAnUnboundEndCanBeHandedOver) {
    auto [here, there] = Numbers::pair(kOptions);
    ASSERT_TRUE(here.send(1));
    std::error_code code;
    EXPECT_EQ(here.to_descriptor(code), -1);
    EXPECT_EQ(code, errc::not_owner);
    EXPECT_THROW((void)here.to_descriptor(), std::system_error);
}

/// The lock that stands for an end is its descriptor's own, and a question asked through it would not see it.
TEST(PipeByDescriptor, AnEndIsNotMissedByWhoHoldsTheDescriptorThatStandsForIt) {
    auto ends = Numbers::pair(kOptions);
    const int descriptor = ends.second.to_descriptor();
    auto first = Numbers::from_descriptor(descriptor).first();
    ends.second.close();
    ends.first.close();
    EXPECT_EQ(first.try_recv_for(30ms).error(), Status::timed_out);
    ::close(descriptor);
    EXPECT_EQ(first.recv().error(), Status::closed);
}

TEST(PipeByDescriptor, AOneWayEndKeepsItsDirectionInAnotherProcess) {
    const DescriptorSocket socket;
    PipeOptions one_way = kOptions;
    one_way.duplex = false;
    ChildProcess receiver([&] {
        const int descriptor = socket.receive();
        auto reader = Numbers::from_descriptor(descriptor).first();
        ::close(descriptor);
        EXPECT_TRUE(reader.readable() && !reader.writable());
        EXPECT_EQ(*reader.recv(), 3U);
    });
    auto [reader, writer] = Numbers::pair(one_way);
    const int descriptor = reader.to_descriptor();
    ASSERT_TRUE(socket.send(descriptor));
    ::close(descriptor);
    ASSERT_TRUE(writer.send(3));
    EXPECT_TRUE(receiver.join().exited_with(0));
}

TEST(PipeByDescriptor, AWrongDescriptorIsRefused) {
    std::error_code code;
    EXPECT_FALSE(Numbers::from_descriptor(-1, {}, code));
    EXPECT_EQ(code, std::errc::bad_file_descriptor);
    EXPECT_FALSE(Numbers::from_descriptor(STDIN_FILENO, {}, code));
    EXPECT_TRUE(code);
}

TEST(PipeInCallersMemory, WorksWithoutATether) {
    const std::size_t size = Numbers::required_bytes(kOptions);
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    const std::span<std::byte> bytes(static_cast<std::byte*>(memory), size);
    {
        auto here = Numbers::create_in(bytes, kOptions).first();
        auto there = Numbers::open_in(bytes).second();
        ASSERT_TRUE(here.send(1));
        EXPECT_EQ(*there.recv(), 1U);
        there.close();
        EXPECT_EQ(here.recv().error(), Status::closed);
    }
    ::munmap(memory, size);
}

// ---- what is no such pipe ------------------------------------------------------------------------------------------

class HostilePipe : public testing::Test {
 protected:
    using Control = detail::PipeControl<detail::ShippedEnv>;

    [[nodiscard]] Control& control() const {
        return *reinterpret_cast<Control*>(pipe.segment().at(pipe.segment().geometry().control_offset));
    }

    const UniqueName name{};
    Numbers pipe = Numbers::create(name, kOptions);
};

TEST_F(HostilePipe, OfAnotherKindOrTypeIsRefused) {
    std::error_code code;
    EXPECT_FALSE(BytePipe::open(name, {}, code));
    EXPECT_EQ(code, errc::wrong_kind);
    EXPECT_FALSE(SpscRing<std::uint64_t>::open(name, {}, code));
    EXPECT_EQ(code, errc::wrong_kind);
    EXPECT_FALSE(Pipe<std::uint32_t>::open(name, {}, code));
    EXPECT_EQ(code, errc::wrong_type);
    const UniqueName ring;
    const auto made = SpscRing<std::uint64_t>::create(ring, {.capacity = 4});
    EXPECT_FALSE(Numbers::open(ring, {}, code));
    EXPECT_EQ(code, errc::wrong_kind);
}

TEST_F(HostilePipe, WithImpossiblePositionsCannotBeBoundAndSaysCorrupt) {
    control().lane_to(detail::PipeSide::first).read_pos.store(3, std::memory_order_relaxed);
    auto here = pipe.first();
    EXPECT_EQ(here.try_recv().error(), Status::corrupt);
    std::error_code code;
    auto there = Numbers::open(name).second();
    there.bind(code);
    EXPECT_EQ(code, errc::corrupt_positions);
}

TEST_F(HostilePipe, WithWordsChangedUnderItsEndsAnswersCorrupt) {
    auto here = pipe.first();
    auto there = pipe.second();
    ASSERT_TRUE(here.send(1));
    auto& lane = control().lane_to(detail::PipeSide::second);
    auto& word = *reinterpret_cast<std::atomic<std::uint64_t>*>(
        pipe.segment().at(pipe.segment().geometry().data_offset + pipe.segment().geometry().data_size / 2));
    word.store(~std::uint64_t{0}, std::memory_order_relaxed);
    there.bind();
    EXPECT_EQ(there.recv().error(), Status::corrupt);
    lane.read_pos.store(1'000'000, std::memory_order_relaxed);
    Status status = Status::ok;
    while (status == Status::ok) status = here.try_send(1).error();
    EXPECT_EQ(status, Status::corrupt);
}

TEST_F(HostilePipe, WithSeatsThatNobodyCanHoldHasLostItsEnds) {
    auto here = pipe.first();
    here.bind();
    for (const std::uint64_t nonsense :
         {~std::uint64_t{0} >> 2, std::uint64_t{4095}, std::uint64_t{1} << 61}) {
        control().lane_to(detail::PipeSide::first).producer_seat.store(nonsense, std::memory_order_relaxed);
        EXPECT_EQ(here.recv().error(), Status::closed);
    }
    auto there = pipe.second();
    EXPECT_EQ(there.send(1).error(), Status::closed);
}

TEST_F(HostilePipe, OfAnImpossibleShapeIsRefused) {
    for (const std::uint32_t shape : {0U, 2U, 8U}) {
        auto& header = pipe.segment().header();
        header.constants[7] = shape;
        const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
        std::uint64_t sum = 0xcbf2'9ce4'8422'2325;  // FNV-1a
        for (std::size_t i = 0; i != offsetof(detail::SegmentHeader, checksum); ++i)
            sum = (sum ^ bytes[i]) * 0x100'0000'01b3;
        header.checksum = sum;
        std::error_code code;
        EXPECT_FALSE(Numbers::open(name, {}, code));
        EXPECT_EQ(code, errc::corrupt_header);
    }
}

}  // namespace
}  // namespace shmring::test
