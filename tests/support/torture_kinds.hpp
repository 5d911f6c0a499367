// The rings and queues in the same words, for tests that do to all of them what can be done to each: numbers go in and come out, however
// they travel. What a kind does not know it does not have: a Queue has no claims, a ring with seats no repair.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "shmring/byte_ring.hpp"
#include "shmring/detail/env.hpp"
#include "shmring/detail/event_count.hpp"
#include "shmring/detail/layout.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/queue.hpp"
#include "shmring/spsc_ring.hpp"
#include "support/crowd_stand.hpp"
#include "support/ring_internals.hpp"

namespace shmring::test {

/// What a pop gave: a status, and with ok the number.
struct Taken {
    Status status = Status::empty;
    std::uint64_t number = 0;
    bool redelivered = false;
};
/// A number that came out of bytes that no push wrote.
inline constexpr std::uint64_t kTorn = ~std::uint64_t{0};

/// How a number travels as a T.
template <class T>
struct Numbered;
template <>
struct Numbered<std::uint64_t> {
    [[nodiscard]] static std::uint64_t value(std::uint64_t number) { return number; }
    [[nodiscard]] static std::uint64_t number(std::uint64_t value) { return value; }
};
/// 26 bytes, of which the last 16 follow from the first ten.
template <>
struct Numbered<std::string> {
    [[nodiscard]] static std::string value(std::uint64_t number) {
        std::string text = std::to_string(10'000'000'00U + number);
        return text + std::string(16, static_cast<char>('a' + number % 26));
    }
    [[nodiscard]] static std::uint64_t number(const std::string& text) {
        const std::uint64_t found = std::strtoull(text.c_str(), nullptr, 10) - 10'000'000'00U;
        return text == value(found) ? found : kTorn;
    }
};

/// The words of handles that move a T: rings of fixed-size messages, and queues.
template <class T>
struct ValueWords {
    template <class Out>
    [[nodiscard]] static Status push(Out& out, std::uint64_t number) {
        return out.try_push(Numbered<T>::value(number)).error();
    }
    template <class Out>
    [[nodiscard]] static Status push_within(Out& out, std::uint64_t number, std::chrono::nanoseconds time) {
        return out.try_push_for(Numbered<T>::value(number), time).error();
    }
    template <class Out>
    static void push_three(Out& out, std::uint64_t first) {
        const std::array<T, 3> values{Numbered<T>::value(first), Numbered<T>::value(first + 1),
                                      Numbered<T>::value(first + 2)};
        (void)out.try_push_n(values);
    }
    template <class In>
    [[nodiscard]] static Taken pop(In& in) {
        return taken(in, in.try_pop());
    }
    template <class In>
    [[nodiscard]] static Taken pop_within(In& in, std::chrono::nanoseconds time) {
        return taken(in, in.try_pop_for(time));
    }
    template <class In>
    static void pop_three(In& in) {
        std::array<T, 3> values{};
        (void)in.try_pop_n(values);
    }

 private:
    template <class In, class Result>
    [[nodiscard]] static Taken taken(const In& in, const Result& value) {
        if (!value) return {value.error(), 0, false};
        bool redelivered = false;
        if constexpr (requires { in.redeliveries(); }) redelivered = in.redeliveries() != 0;
        return {Status::ok, Numbered<T>::number(*value), redelivered};
    }
};

/// The words of handles that move bytes: 8 of them, all of which follow from the number.
struct ByteWords {
    static constexpr std::size_t kSize = 8;
    using Buffer = std::array<std::byte, kSize>;

    [[nodiscard]] static Buffer value(std::uint64_t number) {
        const std::array<std::uint32_t, 2> halves{static_cast<std::uint32_t>(number),
                                                  ~static_cast<std::uint32_t>(number)};
        Buffer bytes;
        std::memcpy(bytes.data(), halves.data(), kSize);
        return bytes;
    }
    [[nodiscard]] static std::uint64_t number(const Buffer& bytes) {
        std::array<std::uint32_t, 2> halves{};
        std::memcpy(halves.data(), bytes.data(), kSize);
        return halves[0] == ~halves[1] ? halves[0] : kTorn;
    }

    template <class Out>
    [[nodiscard]] static Status push(Out& out, std::uint64_t number) {
        return out.try_push(value(number)).error();
    }
    template <class Out>
    [[nodiscard]] static Status push_within(Out& out, std::uint64_t number, std::chrono::nanoseconds time) {
        return out.try_push_for(value(number), time).error();
    }
    template <class Out>
    static void push_three(Out& out, std::uint64_t first) {
        const std::array<Buffer, 3> values{value(first), value(first + 1), value(first + 2)};
        const std::array<Bytes, 3> messages{values[0], values[1], values[2]};
        (void)out.try_push_n(messages);
    }
    template <class In>
    [[nodiscard]] static Taken pop(In& in) {
        Buffer buffer{};
        const auto got = in.try_pop(std::span<std::byte>(buffer));
        return taken(in, got, buffer);
    }
    template <class In>
    [[nodiscard]] static Taken pop_within(In& in, std::chrono::nanoseconds time) {
        Buffer buffer{};
        const auto got = in.try_pop_for(std::span<std::byte>(buffer), time);
        return taken(in, got, buffer);
    }
    template <class In>
    static void pop_three(In& in) {
        std::array<std::byte, 3 * kSize> buffer{};
        std::array<std::span<std::byte>, 3> messages;
        (void)in.try_pop_n(buffer, messages);
    }

 private:
    template <class In, class Result>
    [[nodiscard]] static Taken taken(const In& in, const Result& got, const Buffer& buffer) {
        if (!got) return {got.error(), 0, false};
        bool redelivered = false;
        if constexpr (requires { in.redeliveries(); }) redelivered = in.redeliveries() != 0;
        return {Status::ok, got->size == kSize ? number(buffer) : kTorn, redelivered};
    }
};

/// A ring's ends are handles of their own; a queue's handle is both.
template <class Ring>
struct EndsOf {
    static constexpr bool kAreOne = false;
    using Out = typename Ring::Producer;
    using In = typename Ring::Consumer;
};
template <class T>
struct EndsOf<Queue<T>> {
    static constexpr bool kAreOne = true;
    using Out = Queue<T>;
    using In = Queue<T>;
};

/// What kinds have in common. `Words`: the verbs; `Options`: of a ring that holds exactly `capacity` of our messages.
template <class RingType, class WordsType>
struct TortureKind : WordsType {
    using Ring = RingType;
    static constexpr bool kSizesVary = !std::is_same_v<WordsType, ValueWords<std::uint64_t>>;
    using Out = typename EndsOf<Ring>::Out;
    using In = typename EndsOf<Ring>::In;
    static constexpr bool kIsQueue = EndsOf<Ring>::kAreOne;
    static constexpr bool kHasSeats =
        std::is_same_v<Ring, SpscRing<std::uint64_t>> || std::is_same_v<Ring, ByteRing>;

    /// Handles that go to sleep at once when they have to wait.
    [[nodiscard]] static Out out(const Ring& ring) {
        if constexpr (kIsQueue) {
            Ring handle = patient(ring);
            handle.bind_producer();
            return handle;
        } else {
            return ring.producer({.spin = std::chrono::nanoseconds(0)});
        }
    }
    [[nodiscard]] static In in(const Ring& ring) {
        if constexpr (kIsQueue) {
            Ring handle = patient(ring);
            handle.bind_consumer();
            return handle;
        } else {
            return ring.consumer({.spin = std::chrono::nanoseconds(0)});
        }
    }

    /// A place for a message, in hand.
    [[nodiscard]] static auto claim(Out& out) requires(!kIsQueue) {
        if constexpr (std::is_same_v<WordsType, ByteWords>)
            return out.try_claim(ByteWords::kSize);
        else
            return out.try_claim();
    }
    static void claim_and_commit(Out& out, std::uint64_t number) requires(!kIsQueue) {
        if constexpr (std::is_same_v<WordsType, ByteWords>) {
            const ByteWords::Buffer bytes = ByteWords::value(number);
            auto place = claim(out);
            if (!place) return;
            std::memcpy(place->bytes().data(), bytes.data(), bytes.size());
            place->commit(bytes.size());
        } else {
            auto place = claim(out);
            if (!place) return;
            **place = number;
            place->commit();
        }
    }
    static void claim_and_drop(Out& out) requires(!kIsQueue) { (void)claim(out); }
    static void view(In& in) requires(!kIsQueue) { (void)in.try_next(); }

    /// Where readers sleep, and where writers do.
    [[nodiscard]] static const Line& readable(const Ring& ring) {
        if constexpr (kHasSeats)
            return control_of(ring.segment()).readable;
        else
            return crowd_control(ring.segment()).readable;
    }
    [[nodiscard]] static const Line& writable(const Ring& ring) {
        if constexpr (kHasSeats)
            return control_of(ring.segment()).writable;
        else
            return crowd_control(ring.segment()).writable;
    }

 private:
    [[nodiscard]] static Ring patient(const Ring& ring) requires(kIsQueue) {
        Ring handle = ring.attach();
        handle.set_wait_policy({.spin = std::chrono::nanoseconds(0)});
        return handle;
    }
};

inline constexpr std::chrono::nanoseconds kTorturePeriod = std::chrono::milliseconds(2);
inline constexpr std::uint32_t kTortureRecords = 6;

struct SpscNumbers : TortureKind<SpscRing<std::uint64_t>, ValueWords<std::uint64_t>> {
    static constexpr const char* kName = "SpscRing";
    static constexpr std::uint64_t kLeast = 1;
    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery /*delivery*/) {
        return Ring::anonymous(
            {.capacity = capacity, .participants = kTortureRecords, .liveness_period = kTorturePeriod});
    }
};
struct SpscBytes : TortureKind<ByteRing, ByteWords> {
    static constexpr const char* kName = "ByteRing";
    static constexpr std::uint64_t kLeast = 2;  // a message takes up to half of it
    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery /*delivery*/) {
        return Ring::anonymous({.capacity_bytes = capacity * (detail::kRecordHeaderSize + ByteWords::kSize),
                                .participants = kTortureRecords,
                                .liveness_period = kTorturePeriod});
    }
};
/// Many to many, as a ring or as a queue.
template <class RingType>
struct NumbersOfMany : TortureKind<RingType, ValueWords<std::uint64_t>> {
    static constexpr std::uint64_t kLeast = 1;
    [[nodiscard]] static RingType make(std::uint64_t capacity, Delivery delivery) {
        return RingType::anonymous({.capacity = capacity,
                                    .delivery = delivery,
                                    .participants = kTortureRecords,
                                    .liveness_period = kTorturePeriod});
    }
};
struct CrowdNumbers : NumbersOfMany<MpmcRing<std::uint64_t>> {
    static constexpr const char* kName = "MpmcRing";
};
struct CrowdBytes : TortureKind<MpmcByteRing, ByteWords> {
    static constexpr const char* kName = "MpmcByteRing";
    /// What a pop does whose decoding throws, without the exception, of which no two are as many steps.
    static void leave_unread(In& in) {
        struct Leaver : In {
            explicit Leaver(In&& in) : In(std::move(in)) {}
            void leave() {
                const auto claim = [this]() noexcept { return side_.claim(ByteWords::kSize); };
                if (once(claim) == Status::ok) const Reading unread(*this);
            }
        };
        Leaver leaver(std::move(in));
        leaver.leave();
        in = std::move(leaver);
    }
    static constexpr std::uint64_t kLeast = 1;
    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery delivery) {
        return Ring::anonymous({.capacity_bytes = 64 * capacity,
                                .delivery = delivery,
                                .participants = kTortureRecords,
                                .liveness_period = kTorturePeriod});
    }
};
struct QueueOfNumbers : NumbersOfMany<Queue<std::uint64_t>> {
    static constexpr const char* kName = "Queue<uint64>";
};
struct QueueOfText : TortureKind<Queue<std::string>, ValueWords<std::string>> {
    static constexpr const char* kName = "Queue<string>";
    static constexpr std::uint64_t kLeast = 1;
    [[nodiscard]] static Ring make(std::uint64_t capacity, Delivery delivery) {
        return Ring::anonymous({.capacity = capacity,
                                .capacity_bytes = 64 * capacity,
                                .delivery = delivery,
                                .participants = kTortureRecords,
                                .liveness_period = kTorturePeriod});
    }
};

}  // namespace shmring::test
