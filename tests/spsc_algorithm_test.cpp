// The SPSC algorithm on plain memory, against a std::deque and against the text of layout.hpp: every size class, every place in
// the ring, every fill level, and words that no correct program writes.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "shmring/detail/env.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/detail/spsc.hpp"
#include "support/counting_env.hpp"
#include "support/memory_ring.hpp"

namespace shmring::test {
namespace {

using detail::kMaxPosition;
using detail::ShippedEnv;
using Kind = Operation::Kind;

const std::vector<std::uint64_t> kCapacities = {1, 2, 3, 5, 7, 8, 13, 64};

// ---- every size, every place -----------------------------------------------------------------------------------------

/// A type of message, as a name and as a way to make rings of it.
struct Shape {
    std::string name;
    std::unique_ptr<AnyRing> (*make)(std::uint64_t capacity);
};
template <std::size_t Size, std::size_t Align>
Shape shape() {
    return {"Size" + std::to_string(Size) + "Align" + std::to_string(Align),
            [](std::uint64_t capacity) -> std::unique_ptr<AnyRing> {
                return std::make_unique<AnyRingOf<Sized<Size, Align>, ShippedEnv>>(capacity);
            }};
}
const std::vector<Shape> kShapes = {
    shape<1, 1>(),       shape<2, 1>(),   shape<3, 1>(),    shape<8, 1>(),     shape<12, 1>(),
    shape<16, 1>(),      shape<24, 1>(),  shape<48, 1>(),   shape<56, 1>(),    shape<57, 1>(),
    shape<64, 1>(),      shape<72, 1>(),  shape<128, 1>(),  shape<200, 1>(),   shape<4096, 1>(),
    shape<8, 8>(),       shape<16, 8>(),  shape<24, 8>(),   shape<48, 8>(),    shape<56, 8>(),
    shape<64, 8>(),      shape<72, 8>(),  shape<128, 8>(),  shape<200, 8>(),   shape<4096, 8>(),
    shape<16, 16>(),     shape<48, 16>(), shape<64, 16>(),  shape<128, 16>(),  shape<4096, 16>(),
    shape<32, 32>(),     shape<64, 64>(), shape<128, 64>(), shape<4096, 64>(), shape<128, 128>(),
    shape<4096, 4096>(),
};

class SpscAlgorithm : public ::testing::TestWithParam<Shape> {
 protected:
    /// Fills and drains a ring that is empty at `start`, then sends messages one by one through more than a lap.
    static void expect_whole_life_at(AnyRing& ring, std::uint64_t start) {
        ring.arrange(start, start);
        ASSERT_EQ(ring.join_producer(), Status::ok);
        ASSERT_EQ(ring.join_consumer(), Status::ok);
        ASSERT_EQ(ring.write_pos(), start);
        ASSERT_EQ(ring.read_pos(), start);

        expect_taken(ring.pop(start), Status::empty);
        const std::uint64_t end = start + ring.capacity();
        for (std::uint64_t at = start; at != end; ++at) ASSERT_EQ(ring.push(at), Status::ok) << at - start;
        ASSERT_EQ(ring.push(end), Status::full);
        ASSERT_EQ(ring.count_committed(), ring.capacity());
        for (std::uint64_t at = start; at != end; ++at) expect_taken(ring.pop(at), Status::ok);
        expect_taken(ring.pop(end), Status::empty);
        ASSERT_EQ(ring.count_committed(), 0U);

        for (std::uint64_t at = end; at != end + ring.positions_per_lap() + 3; ++at) {
            ASSERT_EQ(ring.push(at), Status::ok);
            expect_taken(ring.pop(at), Status::ok);
        }
    }

    /// Both sides come anew to a ring that others left with messages in it.
    static void expect_successors_continue(AnyRing& ring, std::uint64_t read_pos, std::uint64_t count) {
        ring.arrange(read_pos, read_pos + count, read_pos < 2 ? 0 : read_pos - 2);
        ASSERT_EQ(ring.join_producer(), Status::ok);
        ASSERT_EQ(ring.join_consumer(), Status::ok);
        ASSERT_EQ(ring.write_pos(), read_pos + count);
        ASSERT_EQ(ring.read_pos(), read_pos);
        ASSERT_EQ(ring.count_committed(), count);

        std::uint64_t pushed = count;
        while (ring.push(read_pos + pushed) == Status::ok) ++pushed;
        ASSERT_EQ(pushed, ring.capacity());
        for (std::uint64_t at = read_pos; at != read_pos + pushed; ++at)
            expect_taken(ring.pop(at), Status::ok);
        expect_taken(ring.pop(0), Status::empty);
    }
    static void expect_taken(const AnyRing::Taken& taken, Status status) {
        ASSERT_EQ(taken.status, status);
        ASSERT_TRUE(taken.right) << "not the message that was sent";
    }
};
INSTANTIATE_TEST_SUITE_P(EverySize, SpscAlgorithm, ::testing::ValuesIn(kShapes),
                         [](const auto& shape_info) { return shape_info.param.name; });

TEST_P(SpscAlgorithm, HoldsExactlyItsCapacityFromEveryStartInTwoLaps) {
    for (const std::uint64_t capacity : kCapacities) {
        const auto ring = GetParam().make(capacity);
        for (std::uint64_t start = 0; start <= 2 * ring->positions_per_lap(); ++start) {
            expect_whole_life_at(*ring, start);
            if (HasFatalFailure()) FAIL() << "capacity " << capacity << ", start " << start;
        }
    }
}

TEST_P(SpscAlgorithm, SuccessorsContinueFromEveryFillLevelAtEveryStartInTwoLaps) {
    for (const std::uint64_t capacity : kCapacities) {
        const auto ring = GetParam().make(capacity);
        const std::uint64_t level_step =
            capacity > 13 ? 7 : 1;  // 64 = 1 + 9 * 7: empty and full are among them
        for (std::uint64_t start = 0; start <= 2 * ring->positions_per_lap(); ++start) {
            for (std::uint64_t level = 0; level <= capacity; level += level == 0 ? 1 : level_step) {
                expect_successors_continue(*ring, start, level);
                if (HasFatalFailure())
                    FAIL() << "capacity " << capacity << ", start " << start << ", level " << level;
            }
        }
    }
}

TEST_P(SpscAlgorithm, WorksNextToTheWrapOfEveryNarrowerNumber) {
    for (const std::uint64_t capacity : kCapacities) {
        const auto ring = GetParam().make(capacity);
        std::vector<std::uint64_t> starts;
        const auto around = [&](std::uint64_t position) {
            for (std::uint64_t start = position - capacity - 2; start <= position + 1; ++start)
                starts.push_back(start);
        };
        around(std::uint64_t{1} << 32);
        for (const int bits : {8, 16, 24, 32, 40})
            around((std::uint64_t{1} << bits) * ring->positions_per_lap());
        for (std::uint64_t back = 1; back <= capacity + 2; ++back) starts.push_back(kMaxPosition - back);
        for (const std::uint64_t start : starts) {
            expect_whole_life_at(*ring, start);
            expect_successors_continue(*ring, start, capacity);
            if (HasFatalFailure()) FAIL() << "capacity " << capacity << ", start " << start;
        }
    }
}

// ---- against a deque -------------------------------------------------------------------------------------------------

/// A ring, and what it must hold. Each operation checks itself.
class Modelled {
 public:
    Modelled(AnyRing& ring, std::uint64_t start) : ring_(ring), next_(start) {
        ring_.arrange(start, start);
        rejoin_producer();
        rejoin_consumer();
    }
    void push() {
        const bool fits = model_.size() < ring_.capacity();
        ASSERT_EQ(ring_.push(next_), fits ? Status::ok : Status::full);
        if (fits) model_.push_back(next_++);
    }
    void push_n(std::size_t count) {
        const std::size_t fitting = std::min<std::size_t>(count, ring_.capacity() - model_.size());
        Status status = Status::corrupt;
        ASSERT_EQ(ring_.push_n(next_, count, status), fitting);
        ASSERT_EQ(status, fitting == count ? Status::ok : Status::full);
        for (std::size_t at = 0; at != fitting; ++at) model_.push_back(next_++);
    }
    void claim(bool publish) {
        const bool fits = model_.size() < ring_.capacity();
        ASSERT_EQ(ring_.claim(publish ? next_ : ~next_, publish), fits ? Status::ok : Status::full);
        if (fits && publish) model_.push_back(next_++);
    }
    void pop() { expect_taken(ring_.pop(front()), 1); }
    void pop_n(std::size_t count) { expect_taken(ring_.pop_n(front(), count), count); }
    void borrow(bool hand_back) {
        const AnyRing::Taken taken = ring_.borrow(front(), hand_back);
        ASSERT_EQ(taken.status, model_.empty() ? Status::empty : Status::ok);
        ASSERT_TRUE(taken.right);
        if (hand_back && !model_.empty()) model_.pop_front();
    }
    void rejoin_producer() {
        ASSERT_EQ(ring_.join_producer(), Status::ok);
        ASSERT_EQ(ring_.write_pos(), next_);
    }
    void rejoin_consumer() {
        ASSERT_EQ(ring_.join_consumer(), Status::ok);
        ASSERT_EQ(ring_.read_pos() + model_.size(), next_);
    }
    void count() { ASSERT_EQ(ring_.count_committed(), model_.size()); }

 private:
    [[nodiscard]] std::uint64_t front() const { return model_.empty() ? 0 : model_.front(); }
    void expect_taken(const AnyRing::Taken& taken, std::size_t wanted) {
        const std::size_t there = std::min(wanted, model_.size());
        ASSERT_EQ(taken.status, there == wanted ? Status::ok : Status::empty);
        ASSERT_EQ(taken.count, there);
        ASSERT_TRUE(taken.right);
        model_.erase(model_.begin(), model_.begin() + static_cast<std::ptrdiff_t>(there));
    }

    AnyRing& ring_;
    std::deque<std::uint64_t> model_{};
    std::uint64_t next_;
};

TEST_P(SpscAlgorithm, AgreesWithADequeUnderRandomOperations) {
    for (const std::uint64_t capacity : kCapacities) {
        const auto ring = GetParam().make(capacity);
        std::mt19937_64 random(capacity);
        for (const std::uint64_t start :
             {std::uint64_t{0}, random() % 10'000, (std::uint64_t{1} << 32) - 40}) {
            Modelled modelled(*ring, start);
            std::uint64_t bias =
                50;  // in percent, towards the producer: changes, so that the ring runs full and empty
            for (int step = 0; step != 3000; ++step) {
                if (step % 100 == 0) bias = 20 + random() % 61;
                const bool produce = random() % 100 < bias;
                const std::size_t batch = random() % (2 * capacity + 2);
                switch (random() % 8) {
                    case 0:
                        produce ? modelled.push_n(batch) : modelled.pop_n(batch);
                        break;
                    case 1:
                        produce ? modelled.claim(false) : modelled.borrow(false);
                        break;
                    case 2:
                        produce ? modelled.claim(true) : modelled.borrow(true);
                        break;
                    case 3:
                        produce ? modelled.rejoin_producer() : modelled.rejoin_consumer();
                        break;
                    case 4:
                        modelled.count();
                        break;
                    default:
                        produce ? modelled.push() : modelled.pop();
                        break;
                }
                if (HasFatalFailure())
                    FAIL() << "capacity " << capacity << ", start " << start << ", step " << step;
            }
        }
    }
}

// ---- words that no correct program writes ----------------------------------------------------------------------------

/// What layout.hpp says about a commit word, in the words of a reader who stands at `place` in lap `lap`.
struct Reading {
    bool corrupt;
    std::uint64_t readable;  // messages of this block from `place` on
};
Reading read_word(std::uint64_t word, std::uint64_t lap, std::uint64_t place, std::uint64_t per_block) {
    const std::uint64_t count = word % 256;
    if (word / 256 == lap && count >= 1 && count >= place && count <= per_block)
        return {false, count - place};
    const std::uint64_t left_by_last_lap = lap == 1 ? 0 : (lap - 1) * 256 + per_block;
    if (word == left_by_last_lap && place == 0) return {false, 0};
    return {true, 0};
}

template <class T>
class SpscCorruption : public ::testing::Test {
 protected:
    using Ring = MemoryRing<T, CountingEnv>;
    static constexpr std::uint64_t kPerBlock = Ring::kPerBlock;

    static std::uint64_t word_at(Ring& ring, std::uint64_t position) {
        return ring.word(position / kPerBlock % ring.block_count()).load(std::memory_order_relaxed);
    }
    static bool lies_inside(Ring& ring, const Operation& copy) {
        const auto* begin = static_cast<const std::byte*>(copy.address);
        const auto* blocks = ring.memory().blocks;
        return begin >= blocks && begin + copy.size <= blocks + ring.block_count() * Ring::kStride;
    }
    static void expect_copies_inside(Ring& ring) {
        for (const Operation& operation : world.operations) {
            if (operation.kind == Kind::copy_in || operation.kind == Kind::copy_out) {
                ASSERT_TRUE(lies_inside(ring, operation));
            }
        }
        world.operations.clear();
    }

    /// A consumer must find exactly what a careful reader of the words finds, whatever they say.
    static void expect_careful_consumer(Ring& ring, std::uint64_t read_pos) {
        Status status = Status::corrupt;
        auto consumer = ring.join_consumer(status);
        if (status == Status::corrupt) return;
        std::uint64_t position = read_pos;
        for (std::uint64_t steps = 0;; ++steps) {
            ASSERT_LE(steps, 2 * ring.positions_per_lap()) << "does not end";
            const Reading reading = read_word(word_at(ring, position), ring.lap_of(position / kPerBlock),
                                              position % kPerBlock, kPerBlock);
            T message;
            if (reading.readable == 0) {
                ASSERT_EQ(consumer.try_pop(&message), reading.corrupt ? Status::corrupt : Status::empty);
                ASSERT_EQ(consumer.position(), position);
                break;
            }
            for (std::uint64_t left = reading.readable; left != 0; --left, ++position) {
                ASSERT_EQ(consumer.try_pop(&message), Status::ok);
                ASSERT_EQ(std::memcmp(&message, ring.at(position), sizeof message), 0);
            }
        }
        expect_copies_inside(ring);
    }

    /// A producer must start where a careful reader finds the end, within capacity, or not start at all.
    static void expect_careful_producer(Ring& ring, std::uint64_t read_pos) {
        Status status = Status::ok;
        auto producer = ring.join_producer(status);
        if (status == Status::ok) {
            std::uint64_t position = read_pos;
            for (std::uint64_t found = 1; found != 0;) {
                const std::uint64_t place = position % kPerBlock;
                const Reading reading =
                    read_word(word_at(ring, position), ring.lap_of(position / kPerBlock), place, kPerBlock);
                ASSERT_FALSE(reading.corrupt);
                found = place + reading.readable == kPerBlock ? reading.readable : 0;
                position += reading.readable;
            }
            ASSERT_EQ(producer.position(), position);
            ASSERT_LE(position, read_pos + ring.capacity());
            while (status == Status::ok) status = producer.try_push(T::numbered(0));
            ASSERT_EQ(status, Status::full);
            ASSERT_EQ(producer.position(), read_pos + ring.capacity());
        } else {
            ASSERT_EQ(status, Status::corrupt);
        }
        expect_copies_inside(ring);
    }

    /// Runs `visit(ring, read_pos, level)` for rings at many places and fill levels.
    template <class Visit>
    static void for_each_state(Visit&& visit) {
        for (const std::uint64_t capacity : {1U, 2U, 3U, 9U}) {
            Ring ring(capacity);
            const std::uint64_t step = kPerBlock > 8 ? 5 : 1;  // of 56 places every fifth: all in five laps
            for (std::uint64_t start = 0; start <= 2 * ring.positions_per_lap(); start += step)
                for (const std::uint64_t level : {std::uint64_t{0}, std::uint64_t{1}, capacity}) {
                    visit(ring, start, level);
                    if (SpscCorruption::HasFatalFailure())
                        FAIL() << "capacity " << capacity << ", start " << start << ", level " << level;
                }
        }
    }

 private:
    FreshWorld fresh_world_{};
};

using EachShape = ::testing::Types<Sized<1, 1>, Sized<8, 8>, Sized<16, 16>, Sized<48, 8>, Sized<64, 8>>;
TYPED_TEST_SUITE(SpscCorruption, EachShape);

TYPED_TEST(SpscCorruption, AnyWordIsReadAsTheLayoutSaysOrCalledCorrupt) {
    this->for_each_state([this](auto& ring, std::uint64_t read_pos, std::uint64_t level) {
        for (std::uint64_t index = 0; index != ring.block_count(); ++index) {
            const std::uint64_t lap = ring.lap_of(read_pos / this->kPerBlock);
            std::vector<std::uint64_t> words = {~std::uint64_t{0}, std::uint64_t{1} << 63, lap | lap << 32,
                                                0};
            for (std::uint64_t shifted = lap + 1; shifted <= lap + 5;
                 ++shifted)  // three laps behind to two ahead
                for (std::uint64_t count = 0; count != 256; ++count)
                    if (shifted >= 3) words.push_back((shifted - 3) << 8 | count);
            for (const std::uint64_t word : words) {
                for (const auto& expect_care :
                     {this->expect_careful_consumer, this->expect_careful_producer}) {
                    ring.arrange(read_pos, read_pos + level);
                    ring.word(index).store(word, std::memory_order_relaxed);
                    ASSERT_LE(detail::count_committed<TypeParam>(ring.memory()), ring.capacity());
                    expect_care(ring, read_pos);
                }
                ASSERT_FALSE(this->HasFatalFailure())
                    << "word " << index << " is " << word << ", lap " << lap;
            }
        }
    });
}

TYPED_TEST(SpscCorruption, AReadPositionAheadOfTheWritePositionIsCorruptForAProducerThatJoins) {
    this->for_each_state([](auto& ring, std::uint64_t read_pos, std::uint64_t level) {
        for (std::uint64_t ahead = 1; ahead <= 3 * ring.positions_per_lap(); ++ahead) {
            ring.arrange(read_pos, read_pos + level);
            ring.control().read_pos.store(read_pos + level + ahead, std::memory_order_relaxed);
            Status status = Status::ok;
            (void)ring.join_producer(status);
            ASSERT_EQ(status, Status::corrupt) << ahead << " ahead";
            world.operations.clear();
        }
    });
}

TYPED_TEST(SpscCorruption, AReadPositionAheadOfTheWritePositionIsCorruptForAConsumerThatJoins) {
    this->for_each_state([](auto& ring, std::uint64_t read_pos, std::uint64_t level) {
        for (std::uint64_t ahead = 1; ahead <= 3 * ring.positions_per_lap(); ++ahead) {
            ring.arrange(read_pos, read_pos + level);
            ring.control().read_pos.store(read_pos + level + ahead, std::memory_order_relaxed);
            Status status = Status::ok;
            auto consumer = ring.join_consumer(status);
            TypeParam message;
            if (status == Status::ok) status = consumer.try_pop(&message);
            ASSERT_EQ(status, Status::corrupt) << ahead << " ahead";
            world.operations.clear();
        }
    });
}

TYPED_TEST(SpscCorruption, AProducerAtWorkNoticesReadPositionsThatCannotBe) {
    this->for_each_state([this](auto& ring, std::uint64_t read_pos, std::uint64_t level) {
        const std::uint64_t write_pos = read_pos + level;
        const std::uint64_t limit = read_pos + ring.capacity();
        for (const bool published : {false, true}) {
            for (const std::uint64_t wrong :
                 {limit + 1, limit + ring.capacity(), kMaxPosition, kMaxPosition + 1, std::uint64_t{1} << 63,
                  ~std::uint64_t{0}, ~std::uint64_t{0} - ring.capacity(), read_pos - 1, read_pos / 2}) {
                if (wrong == read_pos || (published && wrong < read_pos))
                    continue;  // published may lie far behind
                ring.arrange(read_pos, write_pos);
                Status status = Status::corrupt;
                auto producer = ring.join_producer(status);
                auto& word = published ? ring.control().read_pos_published : ring.control().read_pos;
                word.store(wrong, std::memory_order_relaxed);
                while (producer.position() != limit)
                    ASSERT_EQ(producer.try_push(TypeParam::numbered(0)), Status::ok);
                ASSERT_EQ(producer.try_push(TypeParam::numbered(0)), Status::corrupt)
                    << wrong << " from " << read_pos;
                ASSERT_EQ(producer.position(), limit);
                this->expect_copies_inside(ring);
            }
        }
    });
}

TYPED_TEST(SpscCorruption, PositionsNoRingReachesAreRefusedOnJoining) {
    MemoryRing<TypeParam, ShippedEnv> ring(5);
    for (const std::uint64_t position :
         {kMaxPosition, kMaxPosition + 1, std::uint64_t{1} << 63, ~std::uint64_t{0} - 4, ~std::uint64_t{0}}) {
        ring.control().read_pos.store(position, std::memory_order_relaxed);
        Status status = Status::ok;
        (void)ring.join_producer(status);
        EXPECT_EQ(status, Status::corrupt) << position;
        status = Status::ok;
        (void)ring.join_consumer(status);
        EXPECT_EQ(status, Status::corrupt) << position;
        EXPECT_EQ(detail::count_committed<TypeParam>(ring.memory()), 0U);
    }
    ring.arrange(kMaxPosition - 1, kMaxPosition - 1);
    Status status = Status::corrupt;
    (void)ring.join_producer(status);
    EXPECT_EQ(status, Status::ok);
    (void)ring.join_consumer(status);
    EXPECT_EQ(status, Status::ok);
}

// ---- closing ---------------------------------------------------------------------------------------------------------

using Message = Sized<8, 8>;
using CountedRing = MemoryRing<Message, CountingEnv>;

class SpscClose : public ::testing::TestWithParam<std::uint64_t> {
 protected:
    FreshWorld fresh_world_{};
    CountedRing ring_{9};
    Status status_ = Status::ok;
    CountedRing::Producer producer_ = ring_.join_producer(status_);
    CountedRing::Consumer consumer_ = ring_.join_consumer(status_);
};
INSTANTIATE_TEST_SUITE_P(EitherSide, SpscClose,
                         ::testing::Values(detail::kProducerClosed, detail::kConsumerClosed));

TEST_P(SpscClose, RefusesPushesAtOnceAndPopsAfterTheLastMessage) {
    for (std::uint64_t count = 0; count != 10; ++count) {
        ring_.arrange(20, 20 + count);
        producer_ = ring_.join_producer(status_);
        consumer_ = ring_.join_consumer(status_);
        detail::close_stream(ring_.control(), GetParam());
        EXPECT_EQ(producer_.try_push(Message::numbered(0)), Status::closed);
        EXPECT_EQ(producer_.prepare(), Status::closed);
        EXPECT_EQ(producer_.try_push_n(nullptr, 0, status_), 0U);
        const Message one = Message::numbered(0);
        EXPECT_EQ(producer_.try_push_n(&one, 1, status_), 0U);
        EXPECT_EQ(status_, Status::closed);
        Message message;
        for (std::uint64_t at = 20; at != 20 + count; ++at) {
            EXPECT_EQ(consumer_.try_pop(&message), Status::ok);
            EXPECT_EQ(message, Message::numbered(at));
        }
        for (int again = 0; again != 3; ++again) EXPECT_EQ(consumer_.try_pop(&message), Status::closed);
    }
}

TEST_P(SpscClose, DoesNotHideAMessagePushedBetweenTheLookAndTheClose) {
    // The producer publishes and closes after the consumer found nothing and before it learns of the close.
    const auto* closed = &ring_.control().closed;
    bool done = false;
    world.meanwhile = [&](const Operation& operation) {
        if (done || operation.address != closed) return;
        done = true;
        EXPECT_EQ(producer_.try_push(Message::numbered(7)), Status::ok);
        detail::close_stream(ring_.control(), GetParam());
    };
    Message message;
    EXPECT_EQ(consumer_.try_pop(&message), Status::ok);
    EXPECT_EQ(message, Message::numbered(7));
    EXPECT_TRUE(done);
    EXPECT_EQ(consumer_.try_pop(&message), Status::closed);
}

TEST_P(SpscClose, IsReportedByTheBatchThatReadsTheLastMessage) {
    ring_.arrange(0, 3);
    consumer_ = ring_.join_consumer(status_);
    detail::close_stream(ring_.control(), GetParam());
    std::array<Message, 5> messages{};
    EXPECT_EQ(consumer_.try_pop_n(messages.data(), messages.size(), status_), 3U);
    EXPECT_EQ(status_, Status::closed);
}

// ---- what is stored, and when ----------------------------------------------------------------------------------------

TEST(SpscOrder, AMessageIsWholeBeforeItIsPublishedAndCopiedBeforeItsPlaceIsFree) {
    const FreshWorld fresh;
    CountedRing ring(3);
    Status status = Status::ok;
    auto producer = ring.join_producer(status);
    auto consumer = ring.join_consumer(status);
    // Killed before any of the operations of a push, the ring holds what it held; after the commit word, one more.
    std::uint64_t committed_during_copy = 1;
    world.meanwhile = [&](const Operation& operation) {
        if (operation.kind == Kind::copy_in)
            committed_during_copy = detail::count_committed<Message>(ring.memory());
    };
    ASSERT_EQ(producer.try_push(Message::numbered(1)), Status::ok);
    EXPECT_EQ(committed_during_copy, 0U);

    std::uint64_t read_pos_during_copy = 1;
    world.meanwhile = [&](const Operation& operation) {
        if (operation.kind == Kind::copy_out)
            read_pos_during_copy = ring.control().read_pos.load(std::memory_order_relaxed) +
                                   ring.control().read_pos_published.load(std::memory_order_relaxed);
    };
    Message message;
    ASSERT_EQ(consumer.try_pop(&message), Status::ok);
    EXPECT_EQ(read_pos_during_copy, 0U);
}

TEST(SpscOrder, ThePublishedReadPositionIsNeverAheadOfTheExactOne) {
    const FreshWorld fresh;
    CountedRing ring(16);
    Status status = Status::ok;
    auto producer = ring.join_producer(status);
    auto consumer = ring.join_consumer(status);
    world.meanwhile = [&](const Operation&) {
        EXPECT_LE(ring.control().read_pos_published.load(std::memory_order_relaxed),
                  ring.control().read_pos.load(std::memory_order_relaxed));
    };
    Message message;
    std::array<Message, 5> batch{};
    for (std::uint64_t at = 0; at != 100; ++at) {
        ASSERT_EQ(producer.try_push(Message::numbered(at)), Status::ok);
        ASSERT_EQ(consumer.try_pop(&message), Status::ok);
        ASSERT_EQ(producer.try_push_n(batch.data(), batch.size(), status), batch.size());
        ASSERT_EQ(consumer.try_pop_n(batch.data(), batch.size(), status), batch.size());
    }
}

TEST(SpscOrder, ASuccessorWritesOverWhatADeadProducerHadNotPublished) {
    MemoryRing<Message, ShippedEnv> ring(3);
    Status status = Status::ok;
    auto first = ring.join_producer(status);
    ASSERT_EQ(first.try_push(Message::numbered(1)), Status::ok);
    ASSERT_EQ(first.prepare(), Status::ok);
    const Message torn = Message::numbered(99);
    std::memcpy(first.place(), &torn, sizeof torn / 2);

    auto second = ring.join_producer(status);
    ASSERT_EQ(status, Status::ok);
    ASSERT_EQ(second.try_push(Message::numbered(2)), Status::ok);
    auto consumer = ring.join_consumer(status);
    Message message;
    for (const std::uint64_t number : {1U, 2U}) {
        ASSERT_EQ(consumer.try_pop(&message), Status::ok);
        EXPECT_EQ(message, Message::numbered(number));
    }
    EXPECT_EQ(consumer.try_pop(&message), Status::empty);
}

}  // namespace
}  // namespace shmring::test
