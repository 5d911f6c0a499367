// The dumps in docs/algorithms are what a ring holds: each is made here, by the calls that its page names, and looked for in the page.
// SHMRING_PRINT_DUMPS=1 in the environment prints them.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "shmring/shmring.hpp"
#include "support/mpmc_internals.hpp"
#include "support/ring_internals.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

struct Tick {
    std::uint64_t seq;
    double price;
};

/// As `hexdump -C` prints it: 16 bytes a line, `*` for lines that repeat the one before.
std::string dump(std::span<const std::byte> bytes, std::uint64_t offset, std::uint64_t size) {
    std::string text;
    std::string former;
    bool repeats = false;
    for (std::uint64_t at = offset; at != offset + size; at += 16) {
        std::string hex;
        std::string letters;
        for (std::uint64_t i = 0; i != 16; ++i) {
            const std::atomic_ref shared(const_cast<std::byte&>(bytes[at + i]));  // a sleeper may be at it
            const auto byte = std::to_integer<unsigned>(shared.load(std::memory_order_relaxed));
            char two[8];
            std::snprintf(two, sizeof two, i == 8 ? "  %02x" : " %02x", byte);
            hex += two;
            letters += byte >= 0x20 && byte < 0x7f ? static_cast<char>(byte) : '.';
        }
        if (hex == former) {
            if (!repeats) text += "*\n";
            repeats = true;
            continue;
        }
        former = hex;
        repeats = false;
        char address[32];
        std::snprintf(address, sizeof address, "%08llx ", static_cast<unsigned long long>(at));
        text.append(address).append(hex).append("  |").append(letters).append("|\n");
    }
    return text;
}
std::string dump_of(const Segment& segment, std::uint64_t offset, std::uint64_t size) {
    return dump(segment.bytes(), offset, size);
}

/// The page must have it as a block of its own.
void expect_in_page(const std::string& page, const std::string& text) {
    if (std::getenv("SHMRING_PRINT_DUMPS") != nullptr) std::printf("%s\n%s\n", page.c_str(), text.c_str());
    std::ifstream in(std::filesystem::path(SHMRING_SOURCE_DIR) / "docs" / "algorithms" / page);
    const std::string all{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
    EXPECT_NE(all.find("```text\n" + text + "```\n"), std::string::npos)
        << "docs/algorithms/" << page << " has no block that reads\n"
        << text;
}

TEST(DocsDump, TwoBytesDifferWhereOneByteDoes) {
    const auto line = [](std::byte first) {
        const std::byte bytes[32] = {first, std::byte{'a'}};
        return dump(bytes, 0, 32);
    };
    EXPECT_EQ(line(std::byte{0x1f}),
              "00000000  1f 61 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |.a..............|\n"
              "00000010  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  |................|\n");
    EXPECT_NE(line(std::byte{0x1f}), line(std::byte{0x1e}));
}

TEST(DocsDump, HeaderOfASegment) {
    const auto ring = SpscRing<Tick>::anonymous({.capacity = 4});
    expect_in_page("segment.md", dump_of(ring.segment(), 0, 64));
    expect_in_page("segment.md", dump_of(ring.segment(), 240, 80));
}

TEST(DocsDump, BlocksOfASpscRing) {
    const auto ring = SpscRing<Tick>::anonymous({.capacity = 4});
    auto out = ring.producer();
    auto in = ring.consumer();
    ASSERT_TRUE(out.push({1, 99.5}));
    ASSERT_TRUE(out.push({2, 99.75}));
    ASSERT_TRUE(in.pop());
    const SegmentGeometry& geometry = ring.segment().geometry();
    expect_in_page("spsc.md", dump_of(ring.segment(), geometry.data_offset, 128));
    expect_in_page("spsc.md", dump_of(ring.segment(), geometry.control_offset + 128, 16));
}

TEST(DocsDump, RecordsOfAByteRing) {
    const auto ring = ByteRing::anonymous({.capacity_bytes = 128});
    auto out = ring.producer();
    ASSERT_TRUE(out.push(std::as_bytes(std::span("hello", 5)), 7));
    ASSERT_TRUE(out.push({}, 0));
    expect_in_page("byte_ring.md", dump_of(ring.segment(), ring.segment().geometry().data_offset, 48));
}

TEST(DocsDump, SlotsOfAnMpmcRing) {
    const auto ring = MpmcRing<std::uint64_t>::anonymous({.capacity = 3});
    auto out = ring.producer();
    auto in = ring.consumer();
    for (const std::uint64_t value : {0xa0U, 0xa1U, 0xa2U}) ASSERT_TRUE(out.push(value));
    ASSERT_TRUE(in.pop());
    ASSERT_TRUE(in.pop());
    ASSERT_TRUE(out.push(0xa3));
    const SegmentGeometry& geometry = ring.segment().geometry();
    expect_in_page("mpmc.md", dump_of(ring.segment(), geometry.data_offset, 48));
    expect_in_page("mpmc.md", dump_of(ring.segment(), geometry.control_offset, 144));
}

TEST(DocsDump, ClaimsOfAnMpmcRing) {
    const auto ring = MpmcRing<std::uint64_t>::anonymous({.capacity = 3, .participants = 1});
    auto out = ring.producer();
    ASSERT_TRUE(out.push(0xa0));
    ASSERT_TRUE(out.push(0xa1));
    auto claim = out.try_claim();
    ASSERT_TRUE(claim);
    expect_in_page("mpmc.md", dump_of(ring.segment(), ring.segment().geometry().participants_offset, 32));
}

TEST(DocsDump, UnitsOfAnMpmcByteRing) {
    const auto ring = MpmcByteRing::anonymous({.capacity_bytes = 256, .capacity_messages = 4});
    auto out = ring.producer();
    ASSERT_TRUE(out.push(std::as_bytes(std::span("hello", 5)), 7));
    const std::string two_units(70, 'x');
    ASSERT_TRUE(out.push(std::as_bytes(std::span(two_units)), 8));
    expect_in_page("mpmc_byte_ring.md", dump_of(ring.segment(), ring.segment().geometry().data_offset, 80));
}

TEST(DocsDump, WaitWordOfASleeper) {
    const auto ring = SpscRing<Tick>::anonymous({.capacity = 4, .liveness_period = 1h});
    auto out = ring.producer();
    auto in = ring.consumer();
    const std::uint64_t word = ring.segment().geometry().control_offset + 384;
    const auto one = [&] { return dump_of(ring.segment(), word, 16); };
    const std::string quiet = one();
    std::jthread consumer([&] { EXPECT_TRUE(in.pop()); });
    await_sleeper(control_of(ring).readable);
    std::this_thread::sleep_for(
        50ms);  // beyond the first sleep: nothing but the wake-up ends the one after it
    const std::string asleep = one();
    ASSERT_TRUE(out.push({1, 99.5}));
    consumer.join();
    expect_in_page("sleeping.md", quiet + asleep + one());
}

TEST(DocsDump, WaitWordOfADescriptor) {
    const auto ring = SpscRing<Tick>::anonymous({.capacity = 4, .segment = {.bell = true}});
    auto out = ring.producer();
    auto in = ring.consumer();
    const std::uint64_t word = ring.segment().geometry().control_offset + 384;
    ASSERT_GE(in.readable_fd(), 0);
    ASSERT_EQ(in.try_pop().error(), Status::empty);
    const std::string armed = dump_of(ring.segment(), word, 16);
    ASSERT_TRUE(out.push({1, 99.5}));
    expect_in_page("doorbell.md", armed + dump_of(ring.segment(), word, 16));
}

TEST(DocsDump, RecordsOfParticipants) {
    const auto ring = SpscRing<Tick>::anonymous({.capacity = 4, .participants = 1});
    auto out = ring.producer();
    const SegmentGeometry& geometry = ring.segment().geometry();
    const auto both = [&] {
        return dump_of(ring.segment(), geometry.participants_offset, 16) +
               dump_of(ring.segment(), geometry.control_offset, 16);
    };
    const std::string held = both();
    out.detach();
    expect_in_page("liveness.md", held + both());
}

TEST(DocsDump, LeasesOfAJoinableQueue) {
    auto queue = JoinableQueue<std::uint64_t>::anonymous(
        {.capacity = 3, .delivery = Delivery::at_least_once, .participants = 4});
    ASSERT_TRUE(queue.push(0xa0));
    ASSERT_TRUE(queue.push(0xa1));
    auto first = queue.pop();
    ASSERT_TRUE(first);
    first->done();
    auto second = queue.pop();
    ASSERT_TRUE(second);
    const SegmentGeometry& geometry = queue.segment().geometry();
    for (std::uint32_t index = 0; index != geometry.participant_count; ++index) {
        const std::uint64_t record = geometry.participants_offset + index * sizeof(detail::Record);
        const std::uint64_t lease = geometry.leases_offset + 128 + index * geometry.lease_size;
        if (queue.segment().bytes()[record + 32] == std::byte{0}) continue;
        const auto whole = queue.segment().bytes();
        expect_in_page("leases.md", dump(whole.subspan(record), 0, 48));
        expect_in_page("leases.md", dump(whole.subspan(lease), 0, 80));
    }
}

TEST(DocsDump, DirectionsOfAPipe) {
    auto pipe = Pipe<std::uint64_t>::pair({.capacity = 2});
    ASSERT_TRUE(pipe.first.send(0xa0));
    ASSERT_TRUE(pipe.second.send(0xb0));
    ASSERT_TRUE(pipe.second.recv());
    const Segment& segment = pipe.first.segment();
    const SegmentGeometry& geometry = segment.geometry();
    std::string text;
    for (const std::uint64_t direction : {0U, 1U}) {
        text += dump_of(segment, geometry.control_offset + direction * 640 + 128, 16);
        text += dump_of(segment, geometry.data_offset + direction * geometry.data_size / 2, 32);
    }
    expect_in_page("pipe.md", text);
}

}  // namespace
}  // namespace shmring::test
