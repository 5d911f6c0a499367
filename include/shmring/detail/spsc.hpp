// The SPSC algorithm: one producer's and one consumer's non-blocking operations on blocks in memory they do not own.
// No names, no waiting, no seats: those belong to the ring (spsc_ring.hpp). Origin: the single-producer ring of Lamport (1983),
// with the commit flag in the data's own line (FastForward, 2008) grown into a lap-and-count word per line, so that a line
// carries as many messages as fit and nothing is ever reset.
//
// Edges (who makes what visible to whom):
//
//   name      release side                      acquire side                         carries
//   publish   producer stores the commit word   consumer loads it                    the payload of `count` messages
//   handback  consumer stores a read position   producer loads it                    the places may be written again
//   finish    close() sets its bit of `closed`  the other side loads it when stuck   everything published before the close
//
// Invariant: read_pos <= write position <= read_pos + capacity.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>

#include "shmring/detail/atomic.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

inline constexpr std::uint64_t kProducerClosed = 1;
inline constexpr std::uint64_t kConsumerClosed = 2;

/// Where the parts of one ring lie in this process, and its checked geometry. Private: a peer cannot change it.
template <class Env>
struct SpscMemory {
    SpscControl<Env>* control = nullptr;
    std::byte* blocks = nullptr;
    std::uint64_t capacity = 0;
    std::uint64_t block_count = 0;
};

/// A place in the ring that moves from message to message; both sides walk the same way. Its one hot field is the commit word
/// that says "everything before this place": lap << 8 | place.
template <class T, class Env>
class SpscCursor {
 public:
    static constexpr BlockShape kShape = BlockShape::of(sizeof(T), alignof(T));
    static constexpr std::uint64_t kPerBlock = kShape.messages_per_block;
    using CommitWord = typename Env::template Atom<std::uint64_t>;

    SpscCursor() noexcept = default;
    SpscCursor(const SpscMemory<Env>& memory, std::uint64_t position) noexcept
        : block_(memory.blocks + position / kPerBlock % memory.block_count * kShape.block_stride),
          word_((position / kPerBlock / memory.block_count + 1) << 8 | position % kPerBlock),
          base_(position - position % kPerBlock),
          first_(memory.blocks),
          end_(memory.blocks + memory.block_count * kShape.block_stride) {}

    [[nodiscard]] std::uint64_t position() const noexcept { return base_ + place(); }
    [[nodiscard]] std::uint64_t place() const noexcept { return word_ & 0xff; }
    [[nodiscard]] std::uint64_t lap() const noexcept { return word_ >> 8; }
    [[nodiscard]] std::uint64_t word() const noexcept { return word_; }
    [[nodiscard]] std::byte* payload() const noexcept {
        return block_ + kShape.payload_offset + place() * kShape.element_size;
    }
    [[nodiscard]] CommitWord& commit_word() const noexcept {
        return *std::launder(reinterpret_cast<CommitWord*>(block_));
    }
    /// Moves on by `count` messages, at most to the end of this block.
    void advance(std::uint64_t count) noexcept { advance_to(word_ + count); }
    void advance_to(std::uint64_t word) noexcept {
        word_ = word;
        if ((word & 0xff) == kPerBlock) next_block();
    }

 private:
    void next_block() noexcept {
        word_ -= kPerBlock;
        base_ += kPerBlock;
        block_ += kShape.block_stride;
        if (block_ == end_) [[unlikely]] {
            block_ = first_;
            word_ += 1 << 8;
        }
    }

    std::byte* block_ = nullptr;
    std::uint64_t word_ = 0;
    std::uint64_t base_ = 0;  // position of the block's first message
    std::byte* first_ = nullptr;
    std::byte* end_ = nullptr;
};

/// What a commit word says about one block of one lap. The word is input: read once, judged here, then used.
struct CommitJudgement {
    std::uint64_t count = 0;  ///< messages published in this block in this lap
    bool corrupt = false;     ///< no correct producer writes this
};
[[nodiscard]] constexpr CommitJudgement judge_commit(std::uint64_t word, std::uint64_t lap,
                                                     std::uint64_t per_block) noexcept {
    const std::uint64_t count = word & 0xff;
    const std::uint64_t word_lap = word >> 8;
    if (word_lap == lap) return {count, count == 0 || count > per_block};
    // The word of the lap before, which filled the block, or of nobody yet.
    return {0, word_lap + 1 != lap || count != (word_lap == 0 ? 0 : per_block)};
}

/// Whether a read position taken from the segment can be one: below the limit, and the message before it was published (its
/// block's word covers it still, or belongs to the next lap already).
template <class T, class Env>
[[nodiscard]] bool plausible_read_position(const SpscMemory<Env>& memory, std::uint64_t read_pos) noexcept {
    if (read_pos >= kMaxPosition) return false;
    if (read_pos == 0) return true;
    const SpscCursor<T, Env> last(memory, read_pos - 1);
    // Judged, not followed. Not older than what the consumer saw before it moved the position past it, for that came with it.
    const std::uint64_t word = last.commit_word().load(relaxed);
    const std::uint64_t lap = word >> 8;
    return (lap == last.lap() && (word & 0xff) > last.place()) || lap == last.lap() + 1;
}

/// The producer's side. One thread at a time. Positions are private; only commit words are shared.
template <class T, class Env>
class SpscProducer {
    using Cursor = SpscCursor<T, Env>;

 public:
    SpscProducer() noexcept = default;

    /// Continues where the published messages end: walks the commit words from the read position. A producer that died left
    /// nothing else behind, so its successor needs nothing else. `status` is ok or corrupt.
    static SpscProducer join(const SpscMemory<Env>& memory, Status& status) noexcept {
        SpscProducer self;
        self.memory_ = memory;
        const std::uint64_t read_pos = memory.control->read_pos.load(acquire);  // [handback] acquire side
        status = Status::corrupt;
        if (!plausible_read_position<T>(memory, read_pos)) return self;
        self.limit_ = read_pos + memory.capacity;
        self.cursor_ = Cursor(memory, read_pos);
        for (;;) {
            Cursor& at = self.cursor_;
            // Only producers write it, those before us, and what they wrote came with the seat (or, after a death, with the lock).
            const CommitJudgement block =
                judge_commit(at.commit_word().load(relaxed), at.lap(), Cursor::kPerBlock);
            if (block.corrupt || block.count < at.place()) return self;
            if (block.count == at.place()) break;
            const bool whole = block.count == Cursor::kPerBlock;
            at.advance(block.count - at.place());
            if (at.position() > self.limit_) return self;
            if (!whole) break;
        }
        status = Status::ok;
        return self;
    }

    /// ok, full (after the exact read position was read), closed, or corrupt.
    [[nodiscard]] Status try_push(const T& message) noexcept {
        const Status room = prepare();
        if (room != Status::ok) [[unlikely]]
            return room;
        publish_after(1, [&](std::byte* place) noexcept { Env::copy_in(place, &message, sizeof(T)); });
        return Status::ok;
    }

    /// Whether the next message may be written to place() and then published.
    [[nodiscard]] Status prepare() noexcept {
        if (memory_.control->closed.load(relaxed) != 0) [[unlikely]]
            return Status::closed;  // a refusal carries no data
        if (cursor_.position() == limit_) [[unlikely]]
            return find_room();
        return Status::ok;
    }
    [[nodiscard]] std::byte* place() const noexcept { return cursor_.payload(); }
    void publish(std::uint64_t count) noexcept {
        publish_after(count, [](std::byte*) noexcept {});
    }

    /// Pushes as many as fit: one publication per block, hence per cache line. Returns how many; `status` says why not more.
    [[nodiscard]] std::size_t try_push_n(const T* messages, std::size_t count, Status& status) noexcept {
        std::size_t done = 0;
        while (done != count) {
            status = prepare();
            if (status != Status::ok) return done;
            std::uint64_t run = Cursor::kPerBlock - cursor_.place();
            if (run > limit_ - cursor_.position()) run = limit_ - cursor_.position();
            if (run > count - done) run = count - done;
            publish_after(run, [&](std::byte* place) noexcept {
                Env::copy_in(place, messages + done, run * sizeof(T));
            });
            done += run;
        }
        status = Status::ok;
        return done;
    }

    [[nodiscard]] std::uint64_t position() const noexcept { return cursor_.position(); }
    [[nodiscard]] Progress progress() const noexcept {
        const std::uint64_t read_pos = memory_.control->read_pos.load(acquire);  // [handback] acquire side
        const std::uint64_t count = position() - read_pos;
        return {position(), position() * sizeof(T), count < memory_.capacity ? count : memory_.capacity};
    }

 private:
    /// Reads our fields before `write` touches the ring: for all the compiler knows it writes over them.
    template <class Write>
    void publish_after(std::uint64_t count, Write&& write) noexcept {
        const std::uint64_t word = cursor_.word() + count;
        auto& commit_word = cursor_.commit_word();
        write(cursor_.payload());
        commit_word.store(word, release);  // [publish] release side
        cursor_.advance_to(word);  // killed before the store: nobody sees it, a successor writes over it
    }
    /// The published position first: its line changes eight times a lap. `full` only after the exact one.
    [[gnu::noinline]] Status find_room() noexcept {
        const std::uint64_t recent =
            memory_.control->read_pos_published.load(acquire);  // [handback] acquire side
        if (recent > cursor_.position()) return Status::corrupt;
        if (recent + memory_.capacity > limit_) {
            limit_ = recent + memory_.capacity;
            return Status::ok;
        }
        const std::uint64_t exact = memory_.control->read_pos.load(acquire);  // [handback] acquire side
        if (exact > cursor_.position() || exact + memory_.capacity < limit_) return Status::corrupt;
        limit_ = exact + memory_.capacity;
        if (cursor_.position() != limit_) return Status::ok;
        Env::pause();  // leaves the read position's line to the consumer for a moment
        return Status::full;
    }

    SpscMemory<Env> memory_{};
    Cursor cursor_{};
    std::uint64_t limit_ = 0;  // the position that must not be written yet, as far as we know
};

/// The consumer's side. One thread at a time.
template <class T, class Env>
class SpscConsumer {
    using Cursor = SpscCursor<T, Env>;

 public:
    SpscConsumer() noexcept = default;

    /// Continues at the exact read position: what a dead consumer had not handed back is delivered again.
    static SpscConsumer join(const SpscMemory<Env>& memory, Status& status) noexcept {
        SpscConsumer self;
        self.memory_ = memory;
        const std::uint64_t read_pos = memory.control->read_pos.load(relaxed);  // ours, by way of the seat
        status = plausible_read_position<T>(memory, read_pos) ? Status::ok : Status::corrupt;
        if (status != Status::ok) return self;
        self.cursor_ = Cursor(memory, read_pos);
        self.available_ = read_pos;
        self.publish_step_ = memory.capacity / 8 == 0 ? 1 : memory.capacity / 8;
        self.publish_at_ = read_pos + self.publish_step_;
        return self;
    }

    /// ok, empty, closed (the producer ended the stream and everything was read), or corrupt.
    [[nodiscard]] Status try_pop(void* to) noexcept {
        const Status ready = prepare();
        if (ready != Status::ok) [[unlikely]]
            return ready;
        const std::uint64_t word = cursor_.word() + 1;      // read before the copy, which may write over our
        const std::uint64_t next = cursor_.position() + 1;  // fields for all the compiler knows
        Env::copy_out(to, cursor_.payload(), sizeof(T));
        cursor_.advance_to(word);
        store_position(next);  // killed before this: the message is delivered again, to a successor
        return Status::ok;
    }

    /// Whether the oldest message may be read at place() and then handed back.
    [[nodiscard]] Status prepare() noexcept {
        if (cursor_.position() == available_) [[unlikely]]
            return look();
        return Status::ok;
    }
    [[nodiscard]] const std::byte* place() const noexcept { return cursor_.payload(); }
    void hand_back(std::uint64_t count) noexcept {
        cursor_.advance(count);
        store_position(cursor_.position());
    }

    /// Pops as many as there are: one look per block, one hand-back at the end. Returns how many; `status` says why not more.
    [[nodiscard]] std::size_t try_pop_n(T* to, std::size_t count, Status& status) noexcept {
        std::size_t done = 0;
        status = Status::ok;
        while (done != count) {
            status = prepare();
            if (status != Status::ok) break;
            std::uint64_t run = available_ - cursor_.position();
            if (run > count - done) run = count - done;
            Env::copy_out(to + done, cursor_.payload(), run * sizeof(T));
            cursor_.advance(run);
            done += run;
        }
        if (done != 0) store_position(cursor_.position());
        return done;
    }

    [[nodiscard]] std::uint64_t position() const noexcept { return cursor_.position(); }
    /// How many messages are known to be readable without another look, at least.
    [[nodiscard]] std::uint64_t count_at_least() const noexcept { return available_ - cursor_.position(); }
    [[nodiscard]] Progress progress() const noexcept {
        return {position(), position() * sizeof(T), count_at_least()};
    }

 private:
    [[nodiscard]] Status look() noexcept {
        const Status first = look_once();
        if (first != Status::empty) return first;
        // One pause after a miss leaves the line to its writer for a moment: a quarter off the round trip (docs/algorithms/spsc.md).
        Env::pause();
        if (memory_.control->closed.load(acquire) == 0) return Status::empty;  // [finish] acquire side
        const Status last = look_once();  // what was published before the close is visible now
        return last == Status::empty ? Status::closed : last;
    }
    [[nodiscard]] Status look_once() noexcept {
        const CommitJudgement block = judge_commit(cursor_.commit_word().load(acquire), cursor_.lap(),
                                                   Cursor::kPerBlock);  // [publish] acquire side
        if (block.corrupt || block.count < cursor_.place()) return Status::corrupt;
        available_ = cursor_.position() - cursor_.place() + block.count;
        return block.count == cursor_.place() ? Status::empty : Status::ok;
    }
    void store_position(std::uint64_t position) noexcept {
        memory_.control->read_pos.store(position, release);  // [handback] release side
        if (position >= publish_at_) [[unlikely]] {
            publish_at_ = position + publish_step_;
            memory_.control->read_pos_published.store(position, release);  // [handback] release side
        }
    }

    SpscMemory<Env> memory_{};
    Cursor cursor_{};
    std::uint64_t available_ = 0;  // messages before this position were seen published
    std::uint64_t publish_step_ = 1;
    std::uint64_t publish_at_ = 1;
};

/// How many messages are in the ring, from the shared words alone: searches for the end of the committed blocks, which lie in
/// order. Racy by nature; never more than the capacity.
template <class T, class Env>
[[nodiscard]] std::uint64_t count_committed(const SpscMemory<Env>& memory) noexcept {
    constexpr std::uint64_t kPerBlock = SpscCursor<T, Env>::kPerBlock;
    const std::uint64_t read_pos = memory.control->read_pos.load(acquire);  // [handback] acquire side
    if (read_pos >= kMaxPosition) return 0;
    const auto committed_in = [&](std::uint64_t block) noexcept {
        const SpscCursor<T, Env> at(memory, block * kPerBlock);
        return judge_commit(at.commit_word().load(acquire), at.lap(), kPerBlock)
            .count;  // [publish] acquire side
    };
    std::uint64_t whole = read_pos / kPerBlock;         // blocks before this one are committed whole
    std::uint64_t beyond = whole + memory.block_count;  // this one cannot be
    while (whole != beyond) {
        const std::uint64_t middle = whole + (beyond - whole) / 2;
        if (committed_in(middle) == kPerBlock)
            whole = middle + 1;
        else
            beyond = middle;
    }
    const std::uint64_t end = whole * kPerBlock + committed_in(whole);
    const std::uint64_t count = end > read_pos ? end - read_pos : 0;
    return count < memory.capacity ? count : memory.capacity;
}

/// Ends the stream from one side (kProducerClosed or kConsumerClosed). The caller wakes the sleepers.
template <class Env>
void close_stream(SpscControl<Env>& control, std::uint64_t side) noexcept {
    control.closed.fetch_or(side, release);  // [finish] release side
}

}  // namespace shmring::detail
