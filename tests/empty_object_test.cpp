// Objects that hold nothing, of every kind: made so, what a noexcept factory returns when it fails, or moved from. Every call on them
// answers; only segment(), which has nothing to refer to, is not for them.
// SPDX-License-Identifier: MIT

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <system_error>
#include <utility>

#include "shmring/shmring.hpp"

namespace shmring::test {
namespace {

using namespace std::chrono_literals;

const std::error_code kHoldsNothing = std::make_error_code(std::errc::bad_file_descriptor);

/// What is tried on each: the ways to come by an empty object, of one that is full at first.
template <class Object, class Check>
void at_each_empty(Object full, Check&& check) {
    Object made;
    check(made, "made so");
    Object taken = std::move(full);
    check(full, "moved from");  // NOLINT(bugprone-use-after-move): what it is then
    made = std::move(taken);
    check(taken, "assigned from");  // NOLINT(bugprone-use-after-move): likewise
    made = Object{};
    check(made, "emptied");
}
template <class Object, class Options, class Check>
void at_each_empty_of(const Options& options, Check&& check) {
    at_each_empty(Object::anonymous(options), check);
    std::error_code code;
    Object failed = Object::open("nobody has made this one", {}, code);
    EXPECT_TRUE(code);
    check(failed, "what a factory returned");
}

class EmptyObject : public testing::Test {
 protected:
    void SetUp() override { ::alarm(100); }  // the watchdog of calls that should not wait
    void TearDown() override { ::alarm(0); }
};

// ---- rings and their ends ------------------------------------------------------------------------------------------

template <class Ring>
void expect_no_ring(const Ring& ring, const char* how) {
    SCOPED_TRACE(how);
    EXPECT_FALSE(ring);
    EXPECT_FALSE(ring.was_closed());
    if constexpr (requires { ring.capacity(); }) {
        EXPECT_EQ(ring.capacity(), 0U);
    }
    if constexpr (requires { ring.capacity_bytes(); }) {
        EXPECT_EQ(ring.capacity_bytes(), 0U);
    }
    if constexpr (requires { ring.capacity_messages(); }) {
        EXPECT_EQ(ring.capacity_messages(), 0U);
    }
    if constexpr (requires { ring.max_message_bytes(); }) {
        EXPECT_EQ(ring.max_message_bytes(), 0U);
    }
    if constexpr (requires { ring.count_approx(); }) {
        EXPECT_EQ(ring.count_approx(), 0U);
        EXPECT_TRUE(ring.was_empty());
        EXPECT_FALSE(ring.was_full());
    }
    if constexpr (requires { ring.losses(); }) {
        const Losses losses = ring.losses();
        EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U);
        EXPECT_EQ(ring.delivery(), Delivery::at_most_once);
    }
    std::error_code code;
    EXPECT_FALSE(ring.producer({}, code));
    EXPECT_EQ(code, kHoldsNothing);
    EXPECT_FALSE(ring.consumer({}, code));
    EXPECT_EQ(code, kHoldsNothing);
    EXPECT_THROW((void)ring.producer(), std::system_error);
    EXPECT_THROW((void)ring.consumer(), std::system_error);
}

/// What every end has, whatever it moves.
template <class End>
void expect_no_end(End& end) {
    EXPECT_FALSE(end);
    end.close();  // does nothing
    end.detach();
    end.set_wait_policy({});
    if constexpr (requires { end.recover(); }) {
        EXPECT_FALSE(end.usable());
        EXPECT_FALSE(end.recover());
        EXPECT_FALSE(end.blocker());
    }
    if constexpr (requires { end.readable_fd(); }) {
        std::error_code code;
        EXPECT_EQ(end.readable_fd(code), -1);
        EXPECT_EQ(code, kHoldsNothing);
        EXPECT_THROW((void)end.readable_fd(), std::system_error);
        EXPECT_EQ(*wait_any_for(0s, end), 0U);  // ready: the call on it says what it is
    }
    if constexpr (requires { end.redeliveries(); }) {
        EXPECT_EQ(end.redeliveries(), 0U);
    }
    if constexpr (requires { end.needed_bytes(); }) {
        EXPECT_EQ(end.needed_bytes(), 0U);
    }
    if constexpr (requires { end.max_message_bytes(); }) (void)end.max_message_bytes();
}

struct Numbers {
    using Value = std::uint64_t;

    template <class Out>
    static void expect_no_sending(Out& out, const char* how) {
        SCOPED_TRACE(how);
        expect_no_end(out);
        const std::array<Value, 2> numbers{};
        EXPECT_EQ(out.try_push(1).error(), Status::not_owner);
        EXPECT_EQ(out.push(1).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_for(1, 1h).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_n(numbers).error(), Status::not_owner);
        EXPECT_EQ(out.try_claim().error(), Status::not_owner);
        EXPECT_EQ(out.claim().error(), Status::not_owner);
    }
    template <class In>
    static void expect_no_receiving(In& in, const char* how) {
        SCOPED_TRACE(how);
        expect_no_end(in);
        std::array<Value, 2> numbers{};
        EXPECT_EQ(in.try_pop().error(), Status::not_owner);
        EXPECT_EQ(in.pop().error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_for(1h).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_n(numbers).error(), Status::not_owner);
        EXPECT_EQ(in.try_next().error(), Status::not_owner);
        EXPECT_EQ(in.next().error(), Status::not_owner);
    }
};

struct Letters {
    template <class Out>
    static void expect_no_sending(Out& out, const char* how) {
        SCOPED_TRACE(how);
        expect_no_end(out);
        const std::array<std::byte, 8> bytes{};
        const std::array<Bytes, 2> parts{bytes, bytes};
        EXPECT_EQ(out.try_push(bytes).error(), Status::not_owner);
        EXPECT_EQ(out.push(bytes).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_for(bytes, 1h).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_n(parts).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_gathered(parts).error(), Status::not_owner);
        EXPECT_EQ(out.try_push_value(std::string("x")).error(), Status::not_owner);
        EXPECT_EQ(out.try_claim(8).error(), Status::not_owner);
    }
    template <class In>
    static void expect_no_receiving(In& in, const char* how) {
        SCOPED_TRACE(how);
        expect_no_end(in);
        std::array<std::byte, 8> bytes{};
        std::array<std::span<std::byte>, 2> messages;
        std::string text;
        EXPECT_EQ(in.try_pop(std::span<std::byte>(bytes)).error(), Status::not_owner);
        EXPECT_EQ(in.pop(std::span<std::byte>(bytes)).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop(text).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_value(text).error(), Status::not_owner);
        EXPECT_EQ(in.try_pop_n(bytes, messages).error(), Status::not_owner);
        EXPECT_EQ(in.try_next().error(), Status::not_owner);
    }
};

template <class Messages, class Ring, class Options>
void try_ring_and_ends(const Options& options) {
    at_each_empty_of<Ring>(options, expect_no_ring<Ring>);
    const Ring ring = Ring::anonymous(options);
    at_each_empty(ring.producer(), [](auto& out, const char* how) { Messages::expect_no_sending(out, how); });
    at_each_empty(ring.consumer(), [](auto& in, const char* how) { Messages::expect_no_receiving(in, how); });
}

TEST_F(EmptyObject, OfASpscRingAnswers) {
    try_ring_and_ends<Numbers, SpscRing<std::uint64_t>>(RingOptions{.capacity = 4});
}
TEST_F(EmptyObject, OfAByteRingAnswers) {
    try_ring_and_ends<Letters, ByteRing>(ByteRingOptions{.capacity_bytes = 256});
}
TEST_F(EmptyObject, OfAnMpmcRingAnswers) {
    try_ring_and_ends<Numbers, MpmcRing<std::uint64_t>>(MpmcRingOptions{.capacity = 4});
}
TEST_F(EmptyObject, OfAnMpmcByteRingAnswers) {
    try_ring_and_ends<Letters, MpmcByteRing>(MpmcByteRingOptions{.capacity_bytes = 256});
}

// ---- queues --------------------------------------------------------------------------------------------------------

/// What both queues have.
template <class AnyQueue>
void expect_no_queue(AnyQueue& queue) {
    const typename AnyQueue::value_type value{};
    EXPECT_FALSE(queue);
    EXPECT_EQ(queue.capacity() + queue.count_approx() + queue.qsize(), 0U);
    EXPECT_TRUE(queue.was_empty());
    EXPECT_FALSE(queue.was_full() || queue.was_closed());
    const Losses losses = queue.losses();
    EXPECT_EQ(losses.skipped + losses.lost + losses.redelivered, 0U);
    EXPECT_EQ(queue.try_push(value).error(), Status::not_owner);
    EXPECT_EQ(queue.push(value).error(), Status::not_owner);
    EXPECT_EQ(queue.try_push_for(value, 1h).error(), Status::not_owner);
    EXPECT_EQ(queue.try_push_n(std::span(&value, 1)).error(), Status::not_owner);
    EXPECT_EQ(queue.put(value).error(), Status::not_owner);
    EXPECT_EQ(queue.try_pop().error(), Status::not_owner);
    EXPECT_EQ(queue.pop().error(), Status::not_owner);
    EXPECT_EQ(queue.try_pop_for(1h).error(), Status::not_owner);
    EXPECT_EQ(queue.get().error(), Status::not_owner);
    queue.close();  // does nothing
    queue.detach();
    queue.set_wait_policy({});
    EXPECT_FALSE(queue.attach());
}

template <class T>
class EmptyQueue : public EmptyObject {};
using Types = testing::Types<std::uint64_t, std::string>;
TYPED_TEST_SUITE(EmptyQueue, Types);

TYPED_TEST(EmptyQueue, OfAQueueAnswers) {
    at_each_empty_of<Queue<TypeParam>>(
        QueueOptions{.capacity = 4, .capacity_bytes = Message<TypeParam> ? 0U : 1024U},
        [](Queue<TypeParam>& queue, const char* how) {
            SCOPED_TRACE(how);
            expect_no_queue(queue);
            std::array<TypeParam, 2> values{};
            EXPECT_EQ(queue.try_pop_n(values).error(), Status::not_owner);
            std::error_code code;
            queue.bind_producer(code);
            EXPECT_EQ(code, kHoldsNothing);
            queue.bind_consumer(code);
            EXPECT_EQ(code, kHoldsNothing);
            EXPECT_THROW(queue.bind_producer(), std::system_error);
            EXPECT_THROW((void)queue.readable_fd(), std::system_error);
            EXPECT_EQ(*wait_any_for(0s, queue), 0U);
            for (const TypeParam& value : queue) ADD_FAILURE() << value;
            EXPECT_EQ(queue.error(), Status::not_owner);
        });
}
TYPED_TEST(EmptyQueue, OfAJoinableQueueAnswers) {
    at_each_empty_of<JoinableQueue<TypeParam>>(
        JoinableQueueOptions{.capacity = 4,
                             .capacity_bytes = Message<TypeParam> ? 0U : 1024U,
                             .delivery = Delivery::at_least_once},
        [](JoinableQueue<TypeParam>& queue, const char* how) {
            SCOPED_TRACE(how);
            expect_no_queue(queue);
            EXPECT_EQ(queue.unfinished(), 0U);
            EXPECT_EQ(queue.delivery(), Delivery::at_most_once);
            EXPECT_EQ(queue.task_done().error(), Status::overflow);
            EXPECT_EQ(queue.join().error(), Status::not_owner);
            EXPECT_EQ(queue.join_for(0s).error(), Status::not_owner);
        });
}
TEST_F(EmptyObject, OfAQueueThatWasInUseAnswers) {
    auto queue = JoinableQueue<std::uint64_t>::anonymous({.capacity = 4});
    ASSERT_TRUE(queue.push(1));
    ASSERT_TRUE(queue.push(2));
    ASSERT_TRUE(queue.get());  // in hand
    at_each_empty(std::move(queue), [](auto& none, const char* how) {
        SCOPED_TRACE(how);
        expect_no_queue(none);
        EXPECT_EQ(none.unfinished(), 0U);
        EXPECT_EQ(none.join().error(), Status::not_owner);
    });
}

// ---- pipes ---------------------------------------------------------------------------------------------------------

template <class AnyPipe>
void expect_no_pipe(const AnyPipe& pipe, const char* how) {
    SCOPED_TRACE(how);
    EXPECT_FALSE(pipe);
    EXPECT_FALSE(pipe.duplex());
    std::error_code code;
    EXPECT_FALSE(pipe.first(code));
    EXPECT_EQ(code, kHoldsNothing);
    EXPECT_FALSE(pipe.second(code));
    EXPECT_EQ(code, kHoldsNothing);
    EXPECT_THROW((void)pipe.first(), std::system_error);
}

/// What every end has, whatever it moves.
template <class End>
void expect_no_pipe_end(End& end) {
    EXPECT_FALSE(end);
    EXPECT_FALSE(end.readable() || end.writable());
    EXPECT_EQ(end.peer(), PeerState::left);
    EXPECT_EQ(end.poll().error(), Status::closed);
    EXPECT_EQ(end.poll_for(1h).error(), Status::closed);
    EXPECT_TRUE(end.eof());
    end.set_wait_policy({});
    std::error_code code;
    end.bind(code);
    EXPECT_EQ(code, kHoldsNothing);
    EXPECT_THROW(end.bind(), std::system_error);
    EXPECT_EQ(end.readable_fd(code), -1);
    EXPECT_EQ(code, kHoldsNothing);
    EXPECT_EQ(end.to_descriptor(code), -1);
    EXPECT_EQ(code, errc::not_owner);
    EXPECT_EQ(*wait_any_for(0s, end), 0U);
    end.close();
    EXPECT_FALSE(end);
}

TYPED_TEST(EmptyQueue, OfAPipeAnswers) {
    const PipeOptions options{.capacity = 4, .capacity_bytes = Message<TypeParam> ? 0U : 1024U};
    at_each_empty_of<Pipe<TypeParam>>(options, expect_no_pipe<Pipe<TypeParam>>);
    const auto check = [](PipeEnd<TypeParam>& end, const char* how) {
        SCOPED_TRACE(how);
        expect_no_pipe_end(end);
        EXPECT_EQ(end.try_send(TypeParam{}).error(), Status::closed);
        EXPECT_EQ(end.send(TypeParam{}).error(), Status::closed);
        EXPECT_EQ(end.try_recv().error(), Status::closed);
        EXPECT_EQ(end.recv().error(), Status::closed);
        EXPECT_EQ(end.try_recv_for(1h).error(), Status::closed);
    };
    auto [bound, unbound] = Pipe<TypeParam>::pair(options);
    bound.bind();
    at_each_empty(std::move(bound), check);
    at_each_empty(std::move(unbound), check);
}
TEST_F(EmptyObject, OfABytePipeAnswers) {
    at_each_empty_of<BytePipe>(PipeOptions{.capacity_bytes = 256}, expect_no_pipe<BytePipe>);
    const auto check = [](BytePipeEnd& end, const char* how) {
        SCOPED_TRACE(how);
        expect_no_pipe_end(end);
        std::array<std::byte, 8> bytes{};
        std::string text;
        EXPECT_EQ(end.max_message_bytes(), 0U);
        EXPECT_EQ(end.needed_bytes(), 0U);
        EXPECT_EQ(end.try_send(bytes).error(), Status::closed);
        EXPECT_EQ(end.send(bytes).error(), Status::closed);
        EXPECT_EQ(end.try_recv(bytes).error(), Status::closed);
        EXPECT_EQ(end.recv(text).error(), Status::closed);
    };
    auto [bound, unbound] = BytePipe::pair({.capacity_bytes = 256});
    bound.bind();
    at_each_empty(std::move(bound), check);
    at_each_empty(std::move(unbound), check);
}

}  // namespace
}  // namespace shmring::test
