// Layout version 2: every struct that lives in shared memory, byte by byte. Part of the ABI: processes built apart share it.
//
//   [0, 4096)            SegmentHeader, immutable once the name is visible, except the fields marked "live"
//   section participants participant_count x ParticipantRecord (256 bytes)
//   section control      the ring's positions, seats and event words (one struct per kind of ring)
//   section data         the ring's blocks
//   section leases       where there are tasks: what their workers have in hand (detail/lease.hpp)
//
// Zero-filled memory is a valid, empty ring: creation writes the header and nothing else.
// The structs that hold atomics are templates over the Env (detail/env.hpp), so that tests can own every access.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "shmring/detail/atomic.hpp"

namespace shmring::detail {

inline constexpr std::uint64_t kMagic = 0x00'47'4e'49'52'4d'48'53;  // "SHMRING\0" on a little-endian machine
inline constexpr std::uint32_t kLayoutVersion = 2;
inline constexpr std::size_t kHeaderSize = 4096;
inline constexpr std::uint32_t kDefaultParticipants = 256;
inline constexpr std::uint32_t kMaxParticipants = 4095;
inline constexpr std::uint64_t kMaxPosition = std::uint64_t{1}
                                              << 55;  // attach rejects what lies beyond: no ring gets there
inline constexpr std::uint64_t kMaxCapacity = std::uint64_t{1} << 40;
inline constexpr std::uint64_t kMaxSegmentSize = std::uint64_t{1}
                                                 << 46;  // half of what x86-64 lets a process map
inline constexpr std::uint64_t kMinLivenessPeriodNs = 100'000;
inline constexpr std::uint64_t kDefaultLivenessPeriodNs = 100'000'000;
inline constexpr std::uint64_t kMaxLivenessPeriodNs = 3'600'000'000'000;
/// Lock bytes of segments that have a file of their own: far behind any file's end, so that no reader's lock meets them.
inline constexpr std::uint64_t kOwnLivenessBase = std::uint64_t{1} << 61;
inline constexpr std::uint64_t kMaxLivenessBase = std::uint64_t{1} << 62;
/// The lock byte of who takes the name of a segment away, counted from the base: behind those of all records and of a pipe's tethers.
inline constexpr std::uint64_t kRemovalByte = std::uint64_t{kMaxParticipants} + 3;
/// Instead of a lock byte: caller-provided memory without a liveness file, where no death can be noticed.
inline constexpr std::uint64_t kNoLiveness = ~std::uint64_t{0};

/// Required feature of rings of many: the stream ends with the last explicit producer (detail/last_producer.hpp).
inline constexpr std::uint64_t kFeatureEndsWithLastProducer = 1;

/// What kind of ring a segment holds. Numbers are part of the ABI; those without a class yet are reserved.
enum class RingKind : std::uint32_t {
    none = 0,
    spsc = 1,
    spsc_bytes = 2,
    mpmc = 3,
    mpmc_bytes = 4,
    broadcast = 5,
    priority = 6,
    pipe = 7,
    pipe_bytes = 8,
    tasks = 9,
    byte_tasks = 10,
};

/// Whether the ring in a segment of this kind has many on both sides; and whether its messages differ in size.
[[nodiscard]] constexpr bool is_of_many(RingKind kind) noexcept {
    return kind == RingKind::mpmc || kind == RingKind::mpmc_bytes || kind == RingKind::tasks ||
           kind == RingKind::byte_tasks;
}
[[nodiscard]] constexpr bool is_of_units(RingKind kind) noexcept {
    return kind == RingKind::mpmc_bytes || kind == RingKind::byte_tasks;
}
[[nodiscard]] constexpr bool has_leases(RingKind kind) noexcept {
    return kind == RingKind::tasks || kind == RingKind::byte_tasks;
}
[[nodiscard]] constexpr bool is_pipe(RingKind kind) noexcept {
    return kind == RingKind::pipe || kind == RingKind::pipe_bytes;
}

/// The shape of a pipe, bits of a header constant; 0: no pipe. The lane to the first end is always there.
inline constexpr std::uint32_t kPipe = 1;
inline constexpr std::uint32_t kPipeDuplex = 2;    ///< and there is one to the second end
inline constexpr std::uint32_t kPipeTethered = 4;  ///< its unbound ends have tethers (detail/pipe_watch.hpp)

}  // namespace shmring::detail

namespace shmring {

/// What becomes of a message whose consumer dies with it in hand. Numbers are part of the ABI.
enum class Delivery : std::uint32_t {
    at_most_once = 0,   ///< it is lost, and counted
    at_least_once = 1,  ///< it is delivered again, flagged and out of order
};

}  // namespace shmring

namespace shmring::detail {

enum class SectionKind : std::uint32_t {
    none = 0,
    participants = 1,
    control = 2,
    data = 3,
    user = 4,
    leases = 5
};

/// One part of the segment. Offsets are multiples of 4096 and sections do not overlap.
struct Section {
    SectionKind kind;
    std::uint32_t reserved;
    std::uint64_t offset;  // bytes from the start of the segment
    std::uint64_t size;    // bytes
};
static_assert(sizeof(Section) == 24);

/// Who made the segment, for people to read.
struct CreatorIdentity {
    std::uint32_t process_id;
    std::uint32_t user_id;
    std::uint64_t pid_namespace;
    std::uint64_t start_time;  // clock ticks since boot
    std::uint64_t created_ns;  // CLOCK_REALTIME
    std::array<char, 16> command;
};
static_assert(sizeof(CreatorIdentity) == 48);

/// The first bytes of every segment. All fields are written before the name exists; "live" ones may change later and are
/// left out of the checksum.
///
///   offset field               meaning
///   0      magic               "SHMRING\0"; another byte order reads as another number
///   8      layout_version      2
///   12     header_size         4096
///   16     kind                RingKind
///   20     participant_count   records in the section of that name, 1 to 4095
///   24     required_features   bits a reader must know; unknown ones refuse the segment
///   32     optional_features   bits a reader may ignore
///   40     segment_size        bytes, exactly the file's size (caller memory: at most the span's)
///   48     capacity            messages (bytes for byte rings): what was asked, exactly
///   56     element_size        bytes of one message, 0 where sizes vary
///   60     element_alignment
///   64     type_fingerprint    of size, alignment and schema
///   72     generation          random; tells a ring from its successor under the same name
///   80     liveness_period_ns  how often a blocked call asks who is alive
///   88     liveness_base       the lock byte of record 0 in the liveness file; all ones: there is none
///   96     constants           {line size, line gap, messages per block, block stride, payload offset, Delivery, 0, bytes of a lease or shape of a pipe}
///   128    boot_id             of the machine's boot, zeros where unknown: what another boot left may be torn
///   144    creator             CreatorIdentity
///   192    schema              text, zero-terminated
///   240    sections            7 x Section, unused ones zero
///   408    liveness_file       device and inode of the liveness file of caller memory; zeros: the segment itself
///   424    unit_count          of a byte ring of many: units of capacity / unit_count bytes, in whole lines; others: 0
///   432    checksum            FNV-1a of bytes [0, 432)
///   440    retired             live: not 0 once the name was removed
///   448    user_metadata       live: 64 bytes that belong to the application
struct SegmentHeader {
    std::uint64_t magic;
    std::uint32_t layout_version;
    std::uint32_t header_size;
    RingKind kind;
    std::uint32_t participant_count;
    std::uint64_t required_features;
    std::uint64_t optional_features;
    std::uint64_t segment_size;
    std::uint64_t capacity;
    std::uint32_t element_size;
    std::uint32_t element_alignment;
    std::uint64_t type_fingerprint;
    std::uint64_t generation;
    std::uint64_t liveness_period_ns;
    std::uint64_t liveness_base;
    std::array<std::uint32_t, 8> constants;
    std::array<std::uint8_t, 16> boot_id;
    CreatorIdentity creator;
    std::array<char, 48> schema;
    std::array<Section, 7> sections;
    std::array<std::uint64_t, 2> liveness_file;
    std::uint64_t unit_count;
    std::uint64_t checksum;
    std::atomic<std::uint64_t> retired;
    std::array<std::byte, 64> user_metadata;
};
static_assert(offsetof(SegmentHeader, segment_size) == 40 && offsetof(SegmentHeader, constants) == 96 &&
              offsetof(SegmentHeader, creator) == 144 && offsetof(SegmentHeader, sections) == 240 &&
              offsetof(SegmentHeader, liveness_file) == 408 && offsetof(SegmentHeader, checksum) == 432 &&
              offsetof(SegmentHeader, retired) == 440 && sizeof(SegmentHeader) == 512);

/// What a participant is to the ring. Bits, because a later facade may be both.
enum class Role : std::uint32_t {
    none = 0,
    producer = 1,
    consumer = 2,
    observer = 4,
    explicit_producer = 1 | 8,  ///< whose leaving may end the stream
    desk = 16,                  ///< a worker's place for one task
};

/// One participant: one handle, used by one thread at a time. 256 bytes, four lines of one writer each.
///
///   offset field         written by        read by     meaning
///   0      incarnation   holder            everybody   how often this record was taken; odd while held, even when vacated
///   8      role          holder            recoverers  Role bits; tools show them
///   12     reserved
///   16     intent        holder            recoverers  the claim in hand (MPMC): detail/intent.hpp
///   24     cursor        holder            everybody   reserved for a broadcast ring
///   32     lease         holder            recoverers  the task in hand (JoinableQueue): detail/lease.hpp
///   64     identity      holder            people      process, thread, namespace, start time, boot, command
///   128    counters      holder            tools       never reset while the record is held; outlive it
///   192    reserved
///
/// Held by whoever holds the write lock on byte liveness_base + index. incarnation is bumped under that lock.
template <class Env>
struct alignas(kLineSize) ParticipantRecord {
    template <class T>
    using Atom = typename Env::template Atom<T>;

    Atom<std::uint64_t> incarnation;
    Atom<std::uint32_t> role;
    std::uint32_t reserved_0;
    Atom<std::uint64_t> intent;
    Atom<std::uint64_t> cursor;
    Atom<std::uint64_t> lease;
    std::array<std::uint64_t, 3> reserved_1;

    // Identity: atomics because a tool may read while a new holder writes.
    Atom<std::uint32_t> process_id;
    Atom<std::uint32_t> thread_id;
    Atom<std::uint64_t> pid_namespace;
    Atom<std::uint64_t> start_time;
    std::array<Atom<std::uint64_t>, 2> boot_id;
    std::array<Atom<std::uint64_t>, 2> command;
    Atom<std::uint64_t> attached_ns;

    Atom<std::uint64_t> messages;
    Atom<std::uint64_t> bytes;
    Atom<std::uint64_t> full_stalls;
    Atom<std::uint64_t> empty_stalls;
    Atom<std::uint64_t> sleeps;
    Atom<std::uint64_t> wakes;
    Atom<std::uint64_t> high_water;
    Atom<std::uint64_t> last_progress_ns;

    std::array<std::uint64_t, 8> reserved_2;
};

/// Where one direction of waiting meets: readers of "is anybody asleep?" keep it shared in their caches, and it is written
/// only when somebody goes to sleep or is woken.
///
///   bits   name     meaning
///   0-15   waiters  how many registered to sleep and were not yet credited with a wake
///   16     armed    a consumer waits for its bell (readable_fd); the notifier that takes the bit away strikes it, once
///   17     all      the last wake-up was everybody's: who cannot use it need not hand it on
///   18     unheard  somebody could not strike the bell
///   19-31  reserved
///   32-63  epoch    bumped with every wake: the futex word
template <class Env>
struct alignas(kLineGap) EventLine {
    typename Env::template Atom<std::uint64_t> word;
    typename Env::template Atom<std::uint64_t>
        missed_wakes;  // sleeps of the first, 1 ms stage that ended with work at hand
};

/// How far one side has come since the ring was made, and what it last knew to be in the ring: for its record's counters.
struct Progress {
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    std::uint64_t in_ring = 0;
};

/// Positions, seats and sleepers of one SPSC ring.
///
///   offset field               written by   read by    meaning
///   0      producer_seat       seat takers  both       who may write: see detail/seats.hpp
///   8      consumer_seat       seat takers  both       who may read
///   16     closed              both         both       bit 0: the producer ended the stream; bit 1: the consumer refuses more
///   128    read_pos            consumer     producer   messages ever taken: exact, its line is the consumer's own
///   256    read_pos_published  consumer     producer   a recent value of read_pos, stored every 1/8 of the ring
///   384    readable            both         both       EventLine: consumers sleep here
///   512    writable            both         both       EventLine: producers sleep here
///
/// Invariant: read_pos_published <= read_pos <= write position <= read_pos + capacity. There is no write position in the
/// segment: the commit words in the blocks are the write position (a successor finds it by walking them).
template <class Env>
struct SpscControl {
    template <class T>
    using Atom = typename Env::template Atom<T>;

    alignas(kLineGap) Atom<std::uint64_t> producer_seat;
    Atom<std::uint64_t> consumer_seat;
    Atom<std::uint64_t> closed;
    alignas(kLineGap) Atom<std::uint64_t> read_pos;
    alignas(kLineGap) Atom<std::uint64_t> read_pos_published;
    EventLine<Env> readable;
    EventLine<Env> writable;
};

/// What a byte ring may align its payloads to.
[[nodiscard]] constexpr bool is_record_alignment(std::uint32_t alignment) noexcept {
    return alignment == 8 || alignment == kLineSize;
}

/// How messages of one size stand in blocks. A block starts with a line that holds its commit word, `lap << 8 | count`.
///
///   message <= 56 bytes: the messages stand behind the word, in the same line, as many as fit
///   larger             : the word has its line alone, one message follows on lines of its own, exactly aligned
///
/// One store of the word publishes `count` messages of that lap; 0 and words of other laps mean "not written yet".
/// Position p stands in block p / messages_per_block % block_count, at place p % messages_per_block, in lap
/// p / messages_per_block / block_count + 1.
struct BlockShape {
    std::uint32_t element_size = 0;
    std::uint32_t messages_per_block = 0;
    std::uint32_t payload_offset = 0;  // of the first message in its block
    std::uint32_t block_stride = 0;    // bytes from block to block

    [[nodiscard]] static constexpr BlockShape of(std::uint32_t size, std::uint32_t alignment) noexcept {
        const auto word = static_cast<std::uint32_t>(sizeof(std::uint64_t));
        const auto line = static_cast<std::uint32_t>(kLineSize);
        const std::uint32_t beside = alignment > word ? alignment : word;
        if (beside < line && size <= line - beside) return {size, (line - beside) / size, beside, line};
        const std::uint32_t behind = alignment > line ? alignment : line;
        return {size, 1, behind, static_cast<std::uint32_t>(round_up(behind + std::uint64_t{size}, behind))};
    }
    /// The storage for `capacity` messages: a block is used again only when its last message was taken, so up to
    /// messages_per_block - 1 places wait for their neighbours.
    [[nodiscard]] constexpr std::uint64_t block_count(std::uint64_t capacity) const noexcept {
        return (capacity + messages_per_block - 1 + messages_per_block - 1) / messages_per_block;
    }
    friend constexpr bool operator==(const BlockShape&, const BlockShape&) = default;
};
static_assert(BlockShape::of(8, 8) == BlockShape{8, 7, 8, 64} &&
              BlockShape::of(56, 8) == BlockShape{56, 1, 8, 64});
static_assert(BlockShape::of(57, 1) == BlockShape{57, 1, 64, 128} &&
              BlockShape::of(64, 64) == BlockShape{64, 1, 64, 128});
static_assert(BlockShape::of(16, 16) == BlockShape{16, 3, 16, 64} &&
              BlockShape::of(1, 1).messages_per_block == 56);

}  // namespace shmring::detail
