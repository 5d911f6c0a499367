// The byte algorithm on plain memory: every size at every start offset of a small ring, exact fit, wrap padding, and every way
// in which a header word can be wrong.
// SPDX-License-Identifier: MIT
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "shmring/detail/env.hpp"
#include "shmring/detail/spsc_bytes.hpp"
#include "support/memory_byte_ring.hpp"

namespace shmring::detail {
namespace {

using Env = ShippedEnv;
using Memory = ByteMemory<Env>;
using Sender = ByteProducer<Env>;
using Receiver = ByteConsumer<Env>;
using Ring = test::MemoryByteRing<Env>;

std::vector<std::byte> message(std::size_t size, std::uint32_t seed) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i != size; ++i) bytes[i] = static_cast<std::byte>((seed * 131u + i * 7u) & 0xff);
    return bytes;
}

Sender sender(const Ring& ring) {
    Status status = Status::empty;
    Sender side = Sender::join(ring.memory(), status);
    EXPECT_EQ(status, Status::ok);
    return side;
}
Receiver receiver(const Ring& ring) {
    Status status = Status::empty;
    Receiver side = Receiver::join(ring.memory(), status);
    EXPECT_EQ(status, Status::ok);
    return side;
}
Status push(Sender& side, const std::vector<std::byte>& bytes, std::uint32_t tag) {
    return side.try_push(bytes.data(), bytes.size(), tag);
}
void expect_next(Receiver& side, const std::vector<std::byte>& bytes, std::uint32_t tag) {
    ASSERT_EQ(side.prepare(), Status::ok);
    const RecordJudgement record = side.record();
    ASSERT_EQ(record.length, bytes.size());
    EXPECT_EQ(record.tag, tag);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(side.payload(record)) % side.memory().alignment, 0U);
    if (!bytes.empty()) {
        ASSERT_EQ(std::memcmp(side.payload(record), bytes.data(), bytes.size()), 0);
    }
    side.borrow();
    side.hand_back(record.skip + record.span);
}

TEST(ByteAlgorithm, EverySizeTravelsFromEveryStartOffset) {
    constexpr std::uint64_t kCapacity = 1024;
    for (const std::uint64_t alignment : {8u, 64u}) {
        const std::uint64_t storage = Memory::storage_for(kCapacity);
        for (std::uint64_t start = 0; start != storage; start += alignment) {
            Ring ring(kCapacity, alignment, start);
            Sender out = sender(ring);
            Receiver in = receiver(ring);
            const std::uint64_t most = ring.memory().max_message();
            for (std::uint64_t size = 0; size <= most; size += size < 300 ? 1 : 13) {
                const auto tag = static_cast<std::uint32_t>(size * 2654435761u);
                const auto bytes = message(size, tag);
                ASSERT_EQ(push(out, bytes, tag), Status::ok) << size << " from " << start;
                expect_next(in, bytes, tag);
                if (HasFatalFailure()) return;
            }
            ASSERT_EQ(in.prepare(), Status::empty);
        }
    }
}

TEST(ByteAlgorithm, SizesAroundPowersOfTwoTravelUpToTheLargest) {
    Ring ring(1 << 20);
    Sender out = sender(ring);
    Receiver in = receiver(ring);
    for (std::uint64_t power = 1; power <= ring.memory().max_message() + 1; power *= 2) {
        for (const std::uint64_t size : {power - 1, power, power + 1}) {
            const auto bytes = message(size, static_cast<std::uint32_t>(size));
            const Status expected = size > ring.memory().max_message() ? Status::too_large : Status::ok;
            ASSERT_EQ(push(out, bytes, 1), expected) << size;
            if (expected == Status::ok) expect_next(in, bytes, 1);
        }
    }
    const auto largest = message(ring.memory().max_message(), 3);
    ASSERT_EQ(push(out, largest, 9), Status::ok);
    expect_next(in, largest, 9);
}

TEST(ByteAlgorithm, TheLargestMessageFitsAnEmptyRingHoweverItStands) {
    for (const std::uint64_t capacity : {16u, 24u, 40u, 64u, 100u, 128u, 1000u}) {
        for (std::uint64_t start = 0; start < Memory::storage_for(capacity); start += 8) {
            Ring ring(capacity, 8, start);
            Sender out = sender(ring);
            Receiver in = receiver(ring);
            const auto bytes = message(ring.memory().max_message(), 7);
            ASSERT_EQ(push(out, bytes, 0), Status::ok) << capacity << " at " << start;
            expect_next(in, bytes, 0);
        }
    }
}

TEST(ByteAlgorithm, TheCapacityIsExact) {
    Ring ring(160);  // ten records of 16 bytes
    Sender out = sender(ring);
    Receiver in = receiver(ring);
    const auto bytes = message(8, 1);
    for (int i = 0; i != 10; ++i) ASSERT_EQ(push(out, bytes, 0), Status::ok) << i;
    EXPECT_EQ(push(out, bytes, 0), Status::full);
    expect_next(in, bytes, 0);
    EXPECT_EQ(push(out, bytes, 0), Status::ok);
    EXPECT_EQ(push(out, message(0, 0), 0), Status::full);
}

TEST(ByteAlgorithm, BehavesLikeADequeAlsoWhenEitherSideIsReplaced) {
    for (unsigned seed = 0; seed != 60; ++seed) {
        std::mt19937 random(seed);
        const std::uint64_t capacity = 16 + random() % 2000;
        const std::uint64_t alignment = seed % 3 == 0 && capacity >= 128 ? 64 : 8;
        Ring ring(capacity, alignment);
        Sender out = sender(ring);
        Receiver in = receiver(ring);
        std::deque<std::pair<std::vector<std::byte>, std::uint32_t>> model;
        for (int step = 0; step != 3000; ++step) {
            switch (random() % 8) {
                case 0:
                    out = sender(ring);
                    break;
                case 1:
                    in = receiver(ring);
                    break;
                case 2: {  // a claim of more than is committed, or dropped
                    const std::uint64_t most = random() % (ring.memory().max_message() + 1);
                    if (out.prepare(most) != Status::ok) break;
                    const auto bytes = message(random() % (most + 1), static_cast<std::uint32_t>(step));
                    std::memset(out.place(), 0xee, most);
                    if (random() % 2 == 0) break;
                    std::copy(bytes.begin(), bytes.end(), out.place());
                    out.publish(static_cast<std::uint32_t>(bytes.size()), 5);
                    model.emplace_back(bytes, 5);
                    break;
                }
                case 3:
                case 4:
                case 5: {
                    const auto bytes = message(random() % (ring.memory().max_message() + 1),
                                               static_cast<std::uint32_t>(step));
                    const auto tag = static_cast<std::uint32_t>(random());
                    const Status status = push(out, bytes, tag);
                    ASSERT_TRUE(status == Status::ok || (status == Status::full && !model.empty()));
                    if (status == Status::ok) model.emplace_back(bytes, tag);
                    break;
                }
                default:
                    if (model.empty()) {
                        ASSERT_EQ(in.prepare(), Status::empty);
                    } else {
                        expect_next(in, model.front().first, model.front().second);
                        if (HasFatalFailure()) return;
                        model.pop_front();
                    }
            }
        }
    }
}

TEST(ByteAlgorithm, SeveralRecordsAreBorrowedAcrossTheWrap) {
    Ring ring(256, 8, 256);
    Sender out = sender(ring);
    Receiver in = receiver(ring);
    const std::vector<std::size_t> sizes{24, 40, 56};
    for (const std::size_t size : sizes) ASSERT_EQ(push(out, message(size, 2), 0), Status::ok);
    std::uint64_t spans = 0;
    for (const std::size_t size : sizes) {
        ASSERT_EQ(in.prepare(), Status::ok);
        EXPECT_EQ(in.record().length, size);
        spans += in.record().skip + in.record().span;
        in.borrow();
    }
    EXPECT_EQ(ring.control().read_pos.load(relaxed), 256U);
    in.hand_back(spans);
    EXPECT_EQ(ring.control().read_pos.load(relaxed), 256U + spans);
    EXPECT_EQ(in.prepare(), Status::empty);
}

TEST(ByteAlgorithm, ReadersDrainAfterTheCloseAndThenAreTold) {
    Ring ring(256);
    Sender out = sender(ring);
    Receiver in = receiver(ring);
    ASSERT_EQ(push(out, message(3, 1), 0), Status::ok);
    ring.control().closed.fetch_or(1, release);
    EXPECT_EQ(push(out, message(3, 1), 0), Status::closed);
    expect_next(in, message(3, 1), 0);
    EXPECT_EQ(in.prepare(), Status::closed);
}

/// Every value of the header's 32 low bits that matters: all states with every length near a border, several tags.
TEST(ByteCorruption, NoHeaderWordLeadsOutsideTheRing) {
    constexpr std::uint64_t kCapacity = 256;
    std::vector<std::uint32_t> lengths;
    for (std::uint32_t length = 0; length != 1024; ++length) lengths.push_back(length);
    for (std::uint32_t power = 1024; power <= RecordHeader::kMaxLength / 2; power *= 2)
        for (const std::uint32_t length : {power - 1, power, power + 1}) lengths.push_back(length);
    lengths.push_back(RecordHeader::kMaxLength);
    for (std::uint64_t start = 0; start < Memory::storage_for(kCapacity); start += 8) {
        for (std::uint32_t state = 0; state != 4; ++state) {
            for (const std::uint32_t length : lengths) {
                for (const std::uint32_t tag : {0u, 1u, ~0u}) {
                    Ring ring(kCapacity, 8, start);
                    const Memory& memory = ring.memory();
                    const RecordHeader header{tag, static_cast<RecordHeader::State>(state), length};
                    memory.header(start).store(header.word(), relaxed);
                    Receiver in = receiver(ring);
                    const Status status = in.prepare();
                    if (header.word() == 0) {
                        ASSERT_EQ(status, Status::empty);
                        continue;
                    }
                    const bool fits =
                        length <= memory.max_message() && start + memory.span_of(length) <= memory.storage;
                    const bool legal = header.state == RecordHeader::State::message && fits;
                    ASSERT_EQ(status, legal ? Status::ok : Status::corrupt)
                        << "state " << state << " length " << length << " tag " << tag << " at " << start;
                    if (legal) {
                        const std::byte* bytes = in.payload(in.record());
                        ASSERT_GE(bytes, memory.first);
                        ASSERT_LE(bytes + in.record().length, memory.first + memory.storage);
                    }
                }
            }
        }
    }
}

TEST(ByteCorruption, PaddingWithoutARecordBehindItIsCorrupt) {
    Ring ring(256, 8, 128);
    const std::uint64_t padding = RecordHeader{0, RecordHeader::State::padding, 0}.word();
    ring.memory().header(128).store(padding, relaxed);
    Receiver in = receiver(ring);
    EXPECT_EQ(in.prepare(), Status::corrupt);
    ring.memory().header(0).store(padding, relaxed);
    EXPECT_EQ(in.prepare(), Status::corrupt);
    Status status = Status::ok;
    (void)Sender::join(ring.memory(), status);
    EXPECT_EQ(status, Status::corrupt);
}

TEST(ByteCorruption, PositionsThatCannotBeAreRefused) {
    for (const std::uint64_t position : {std::uint64_t{4}, kMaxPosition, ~std::uint64_t{7}}) {
        Ring ring(256, 8, position);
        Status status = Status::ok;
        (void)Receiver::join(ring.memory(), status);
        EXPECT_EQ(status, Status::corrupt);
        (void)Sender::join(ring.memory(), status);
        EXPECT_EQ(status, Status::corrupt);
    }
}

}  // namespace
}  // namespace shmring::detail
