// The byte algorithm: variable-size records from one producer to one consumer, in memory it does not own, written and read in
// place. No names, no waiting, no seats: those belong to the ring (byte_ring.hpp).
//
// A record is an 8-byte header word and the payload behind it, rounded up to the ring's alignment. The header is the commit:
// 0 means "not written yet", and the word behind the newest record is always 0, because a record is published only after the
// word behind it was cleared. A record never wraps: where it does not fit before the end of the storage, the rest is padding,
// and the one store that publishes the padding publishes the record at the start with it. In-band headers with a cleared
// successor are known from Agrona's and Aeron's ring buffers.
//
// Edges: publish, handback and finish as in detail/spsc.hpp; positions count bytes here, padding included.
//
// Invariant: read_pos <= write position <= read_pos + capacity, and storage >= capacity + alignment: the cleared word behind the
// newest record never lies in an unread one.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/record_header.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

inline constexpr std::uint64_t kRecordHeaderSize = 8;

/// Where one byte ring lies in this process, and its checked geometry. Private: a peer cannot change it.
template <class Env>
struct ByteMemory {
    SpscControl<Env>* control = nullptr;
    std::byte* first =
        nullptr;  // the header of position 0; payloads are aligned, headers stand 8 bytes before
    std::uint64_t capacity = 0;   // bytes of records and padding that may be unread at once
    std::uint64_t storage = 0;    // bytes of the ring, a multiple of alignment
    std::uint64_t alignment = 8;  // of payloads: 8 or 64

    [[nodiscard]] static constexpr std::uint64_t storage_for(std::uint64_t capacity) noexcept {
        return round_up(capacity, kLineSize) + kLineSize;
    }
    /// Bytes of a data section for it: a line more, for the headers' offset and their last payload's end.
    [[nodiscard]] static constexpr std::uint64_t section_for(std::uint64_t capacity) noexcept {
        return storage_for(capacity) + kLineSize;
    }
    /// In a data section, which starts on a page: payloads are aligned, so headers stand 8 bytes before an aligned place.
    [[nodiscard]] static ByteMemory in_section(SpscControl<Env>& control, std::byte* section,
                                               std::uint64_t capacity, std::uint64_t alignment) noexcept {
        return {&control, section + alignment - kRecordHeaderSize, capacity, storage_for(capacity),
                alignment};
    }
    [[nodiscard]] constexpr std::uint64_t span_of(std::uint64_t length) const noexcept {
        return round_up(kRecordHeaderSize + length, alignment);
    }
    /// The largest message: its record fits behind any padding that it may need, however the ring stands.
    [[nodiscard]] constexpr std::uint64_t max_message() const noexcept {
        const std::uint64_t half = capacity / 2 / alignment * alignment;
        const std::uint64_t fits = half < kRecordHeaderSize ? 0 : half - kRecordHeaderSize;
        return fits < RecordHeader::kMaxLength ? fits : RecordHeader::kMaxLength;
    }
    [[nodiscard]] typename Env::template Atom<std::uint64_t>& header(std::uint64_t index) const noexcept {
        return *std::launder(reinterpret_cast<typename Env::template Atom<std::uint64_t>*>(first + index));
    }
};

/// One record as the header at an index describes it, judged: read once, checked here, then used.
struct RecordJudgement {
    Status status = Status::empty;  // ok, empty or corrupt
    std::uint64_t skip = 0;         // padding before the record
    std::uint64_t index = 0;        // of the record's header
    std::uint64_t span = 0;         // bytes of the record, header and rounding included
    std::uint32_t length = 0;
    std::uint32_t tag = 0;
};

template <class Env>
[[nodiscard]] RecordJudgement judge_record(const ByteMemory<Env>& memory, std::uint64_t index) noexcept {
    RecordJudgement record;
    record.index = index;
    RecordHeader header = RecordHeader::of(memory.header(index).load(acquire));  // [publish] acquire side
    if (header.state == RecordHeader::State::padding) {
        record.status = Status::corrupt;
        if (index == 0 || header.length != 0) return record;
        record.skip = memory.storage - index;
        record.index = 0;
        header = RecordHeader::of(memory.header(0).load(relaxed));  // came with the padding's
        if (header.state != RecordHeader::State::message) return record;
    }
    if (header.state == RecordHeader::State::none && header.length == 0 && header.tag == 0) return record;
    record.status = Status::corrupt;
    if (header.state != RecordHeader::State::message || header.length > memory.max_message()) return record;
    record.span = memory.span_of(header.length);
    if (record.span > memory.storage - record.index) return record;
    record.length = header.length;
    record.tag = header.tag;
    record.status = Status::ok;
    return record;
}

/// The producer's side. One thread at a time.
template <class Env>
class ByteProducer {
 public:
    ByteProducer() noexcept = default;

    /// Continues where the published records end: walks the headers from the read position. `status` is ok or corrupt.
    static ByteProducer join(const ByteMemory<Env>& memory, Status& status) noexcept {
        ByteProducer self;
        self.memory_ = memory;
        const std::uint64_t read_pos = memory.control->read_pos.load(acquire);  // [handback] acquire side
        status = Status::corrupt;
        if (read_pos >= kMaxPosition || read_pos % memory.alignment != 0) return self;
        self.limit_ = read_pos + memory.capacity;
        self.position_ = read_pos;
        self.index_ = read_pos % memory.storage;
        for (;;) {
            const RecordJudgement record = judge_record(memory, self.index_);
            if (record.status == Status::empty) break;
            if (record.status == Status::corrupt) return self;
            self.position_ += record.skip + record.span;
            self.index_ = self.after(record.index, record.span);
            if (self.position_ > self.limit_) return self;
        }
        status = Status::ok;
        return self;
    }

    /// ok: up to `most` bytes may be written to place() and published. full, too_large (never fits), closed, corrupt.
    [[nodiscard]] Status prepare(std::uint64_t most) noexcept {
        if (most > memory_.max_message()) [[unlikely]]
            return Status::too_large;
        if (memory_.control->closed.load(relaxed) != 0) [[unlikely]]
            return Status::closed;  // a refusal carries no data
        const std::uint64_t span = memory_.span_of(most);
        const std::uint64_t to_end = memory_.storage - index_;
        skip_ = span <= to_end ? 0 : to_end;
        if (position_ + skip_ + span > limit_) [[unlikely]]
            return find_room(position_ + skip_ + span);
        return Status::ok;
    }
    /// Where the payload goes after prepare().
    [[nodiscard]] std::byte* place() const noexcept {
        return memory_.first + record_index() + kRecordHeaderSize;
    }
    /// Publishes the first `length` bytes at place(), at most as many as were prepared. What is killed before the last store here
    /// leaves nothing visible; a successor writes over it.
    void publish(std::uint32_t length, std::uint32_t tag) noexcept {
        const std::uint64_t record = record_index();
        const std::uint64_t span = memory_.span_of(length);
        const std::uint64_t next = after(record, span);
        memory_.header(next).store(0, relaxed);  // ordered before the publication by its release
        const std::uint64_t word = RecordHeader{tag, RecordHeader::State::message, length}.word();
        if (skip_ == 0) [[likely]] {
            memory_.header(record).store(word, release);  // [publish] release side
        } else {
            memory_.header(record).store(word, relaxed);  // nobody looks here before the padding is visible
            memory_.header(index_).store(RecordHeader{0, RecordHeader::State::padding, 0}.word(),
                                         release);  // [publish] release side
        }
        position_ += skip_ + span;
        index_ = next;
        ++messages_;
        bytes_ += length;
    }
    [[nodiscard]] Status try_push(const void* bytes, std::size_t size, std::uint32_t tag) noexcept {
        const Status room = prepare(size);
        if (room != Status::ok) [[unlikely]]
            return room;
        Env::copy_in(place(), bytes, size);
        publish(static_cast<std::uint32_t>(size), tag);
        return Status::ok;
    }

    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    [[nodiscard]] Progress progress() const noexcept {
        const std::uint64_t read_pos = memory_.control->read_pos.load(acquire);  // [handback] acquire side
        const std::uint64_t used = position_ - read_pos;
        return {messages_, bytes_, used < memory_.capacity ? used : memory_.capacity};
    }
    [[nodiscard]] const ByteMemory<Env>& memory() const noexcept { return memory_; }

 private:
    [[nodiscard]] std::uint64_t record_index() const noexcept { return skip_ == 0 ? index_ : 0; }
    [[nodiscard]] std::uint64_t after(std::uint64_t index, std::uint64_t span) const noexcept {
        const std::uint64_t next = index + span;
        return next == memory_.storage ? 0 : next;
    }
    [[gnu::noinline]] Status find_room(std::uint64_t end) noexcept {
        const std::uint64_t recent =
            memory_.control->read_pos_published.load(acquire);  // [handback] acquire side
        if (recent > position_) return Status::corrupt;
        if (recent + memory_.capacity > limit_) {
            limit_ = recent + memory_.capacity;
            if (end <= limit_) return Status::ok;
        }
        const std::uint64_t exact = memory_.control->read_pos.load(acquire);  // [handback] acquire side
        if (exact > position_ || exact + memory_.capacity < limit_) return Status::corrupt;
        limit_ = exact + memory_.capacity;
        if (end <= limit_) return Status::ok;
        Env::pause();  // leaves the read position's line to the consumer for a moment
        return Status::full;
    }

    ByteMemory<Env> memory_{};
    std::uint64_t position_ = 0;  // bytes ever published, padding included
    std::uint64_t index_ = 0;     // position_ within the storage
    std::uint64_t limit_ = 0;     // the position that must not be passed, as far as we know
    std::uint64_t skip_ = 0;      // padding before the record being prepared
    std::uint64_t messages_ = 0;
    std::uint64_t bytes_ = 0;
};

/// The consumer's side. Records are taken in two steps, so that several may be borrowed at once: borrow() goes on to the next,
/// hand_back() returns the oldest. One thread at a time.
template <class Env>
class ByteConsumer {
 public:
    ByteConsumer() noexcept = default;

    /// Continues at the exact read position: what a dead consumer had not handed back is delivered again.
    static ByteConsumer join(const ByteMemory<Env>& memory, Status& status) noexcept {
        ByteConsumer self;
        self.memory_ = memory;
        self.position_ = memory.control->read_pos.load(relaxed);  // ours, by way of the seat
        const bool sane = self.position_ < kMaxPosition && self.position_ % memory.alignment == 0;
        status = sane ? Status::ok : Status::corrupt;
        if (!sane) return self;
        self.index_ = self.position_ % memory.storage;
        self.publish_step_ = memory.capacity / 8;
        self.publish_at_ = self.position_ + self.publish_step_;
        return self;
    }

    /// The oldest record that was not looked at yet: ok with record(), empty, closed, or corrupt. Does not take it.
    [[nodiscard]] Status prepare() noexcept {
        record_ = judge_record(memory_, index_);
        if (record_.status == Status::ok) [[likely]]
            return bounded();
        if (record_.status != Status::empty) return record_.status;
        Env::pause();  // leaves the line to its writer for a moment
        if (memory_.control->closed.load(acquire) == 0) return Status::empty;  // [finish] acquire side
        record_ = judge_record(memory_, index_);  // what was published before the close is visible now
        if (record_.status == Status::ok) return bounded();
        return record_.status == Status::empty ? Status::closed : record_.status;
    }
    [[nodiscard]] const RecordJudgement& record() const noexcept { return record_; }
    [[nodiscard]] const std::byte* payload(const RecordJudgement& record) const noexcept {
        return memory_.first + record.index + kRecordHeaderSize;
    }
    /// Goes past the record that prepare() found; it stays borrowed until hand_back().
    void borrow() noexcept {
        ahead_ += record_.skip + record_.span;
        ++messages_;
        bytes_ += record_.length;
        const std::uint64_t next = record_.index + record_.span;
        index_ = next == memory_.storage ? 0 : next;
    }
    /// Returns `bytes` (skip + span of the oldest borrowed records) to the producer.
    void hand_back(std::uint64_t bytes) noexcept {
        position_ += bytes;
        ahead_ -= bytes;
        memory_.control->read_pos.store(position_, release);  // [handback] release side
        if (position_ >= publish_at_) [[unlikely]] {
            publish_at_ = position_ + publish_step_;
            memory_.control->read_pos_published.store(position_, release);  // [handback] release side
        }
    }
    [[nodiscard]] std::uint64_t position() const noexcept { return position_; }
    [[nodiscard]] Progress progress() const noexcept { return {messages_, bytes_, ahead_}; }
    [[nodiscard]] const ByteMemory<Env>& memory() const noexcept { return memory_; }

 private:
    /// A correct producer never has more than the capacity unread.
    [[nodiscard]] Status bounded() noexcept {
        if (ahead_ + record_.skip + record_.span <= memory_.capacity) return Status::ok;
        record_.status = Status::corrupt;
        return Status::corrupt;
    }

    ByteMemory<Env> memory_{};
    RecordJudgement record_{};
    std::uint64_t position_ = 0;  // handed back so far
    std::uint64_t ahead_ = 0;     // borrowed beyond that
    std::uint64_t index_ = 0;     // of the next header to look at
    std::uint64_t publish_step_ = 1;
    std::uint64_t publish_at_ = 1;
    std::uint64_t messages_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace shmring::detail
