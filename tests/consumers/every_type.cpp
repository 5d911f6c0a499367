// A program that uses every type of the library in every way, without exceptions and run-time type information. Users compile with
// warnings of their own, and as errors: tests/compile_test.cpp and tools/dev portability compile this file so.
// SPDX-License-Identifier: MIT

#include <shmring/shmring.hpp>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using namespace std::chrono_literals;

struct Tick {
    std::uint64_t seq;
    double price;
};

struct Wide {
    alignas(64) std::array<std::byte, 100> bytes;
};

}  // namespace

template <>
inline constexpr std::string_view shmring::schema<Tick> = "Tick/1";

namespace {

[[nodiscard]] auto soon() { return std::chrono::steady_clock::now() + 1ms; }

int failed = 0;
void check(bool holds) { failed += holds ? 0 : 1; }

/// Every way to make a ring; the one without a name is used.
template <class Ring, class Options>
[[nodiscard]] Ring made(const Options& options) {
    std::error_code code;
    {
        const Ring named = Ring::create("every_type", options, code);
        const Ring opened = Ring::open("every_type", {}, code);
        const Ring both = Ring::open_or_create("every_type", options, code);
        code = Ring::remove("every_type");
        const Ring nothing = Ring::from_descriptor(-1, {}, code);
        const Ring in_memory = Ring::create_in({}, options, code);
        const Ring in_nothing = Ring::open_in({}, {}, code);
        check(Ring::required_bytes(options) != 0 && !nothing && !in_memory && !in_nothing);
    }
    Ring ring = Ring::anonymous(options, code);
    check(!code && static_cast<bool>(ring));
    return ring;
}

template <class Out, class T>
void push_all_ways(Out& out, const T& value) {
    check(out.try_push(value).has_value());
    check(out.push(value).has_value());
    check(out.try_push_for(value, 1ms).has_value());
    check(out.try_push_until(value, soon()).has_value());
    check(out.try_push_n(std::array{value, value}).has_value());
}
template <class Out>
void claim_all_ways(Out& out) {
    auto once = out.try_claim();
    if (once) once->commit();
    auto waiting = out.claim();
    if (waiting) waiting->commit();
    (void)out.try_claim_for(1ms);
    (void)out.try_claim_until(soon());
}
template <class In, class T>
void pop_all_ways(In& in, T& value) {
    for (auto popped : {in.try_pop(), in.pop(), in.try_pop_for(1ms), in.try_pop_until(soon())})
        if (popped) value = *popped;
    std::array<T, 2> several{};
    check(in.try_pop_n(several).has_value());
}
template <class In>
void look_all_ways(In& in) {
    if (auto view = in.try_next()) view->hand_back();
    (void)in.next();
    (void)in.try_next_for(1ms);
    (void)in.try_next_until(soon());
}

template <class Ring, class T, class Options>
void use_ring_of(const Options& options, const T& value) {
    const Ring ring = made<Ring>(options);
    std::error_code code;
    auto out = ring.producer({}, code);
    auto in = ring.consumer({}, code);
    T got{};
    push_all_ways(out, value);
    pop_all_ways(in, got);
    check(ring.capacity() != 0 && ring.was_empty() == (ring.count_approx() == 0) && !ring.was_full());
    claim_all_ways(out);
    push_all_ways(out, value);
    look_all_ways(in);
    (void)shmring::wait_any(in);
    (void)shmring::wait_any_for(1ms, in);
    (void)shmring::wait_any_until(soon(), in);
    (void)out.close();
}

template <class Ring, class Options>
void use_byte_ring(const Options& options) {
    const Ring ring = made<Ring>(options);
    std::error_code code;
    auto out = ring.producer({}, code);
    auto in = ring.consumer({}, code);
    const std::array<std::byte, 3> bytes{};
    const std::array<shmring::Bytes, 2> parts{shmring::Bytes(bytes), shmring::Bytes(bytes)};
    std::array<std::byte, 64> buffer{};
    std::vector<std::byte> grown;
    std::string text = "text";
    push_all_ways(out, shmring::Bytes(bytes));
    check(out.push_gathered(parts).has_value() && out.try_push_gathered(parts, 1).has_value());
    check(out.push_value(text).has_value() && out.try_push_value(text).has_value());
    check(out.try_push_value_for(text, 1ms).has_value() &&
          out.try_push_value_until(text, soon()).has_value());
    check(in.try_pop(buffer).has_value() && in.pop(buffer).has_value() &&
          in.try_pop_for(buffer, 1ms).has_value());
    check(in.try_pop_until(buffer, soon()).has_value() && in.pop(grown).has_value());
    check(in.try_pop(grown).has_value() && in.try_pop_for(grown, 1ms).has_value() && in.needed_bytes() < 64);
    check(in.pop_value(text).has_value() && in.try_pop_value(text).has_value());
    check(in.try_pop_value_for(text, 1ms).has_value() && in.try_pop_value_until(text, soon()).has_value());
    check(out.max_message_bytes() != 0 && ring.max_message_bytes() != 0);
    if (auto claim = out.try_claim(8)) claim->commit(4);
    (void)out.claim(8);
    (void)out.try_claim_for(8, 1ms);
    (void)out.try_claim_until(8, soon());
    push_all_ways(out, shmring::Bytes(bytes));
    std::array<std::span<std::byte>, 2> messages{};
    check(in.try_pop_n(buffer, messages).has_value());
    look_all_ways(in);
    (void)out.close();
}

template <class T>
void use_queue(const shmring::QueueOptions& options, const T& value) {
    shmring::Queue<T> queue = made<shmring::Queue<T>>(options);
    std::error_code code;
    queue.bind_producer(code);
    queue.bind_consumer(code);
    push_all_ways(queue, value);
    T got{};
    pop_all_ways(queue, got);
    check(queue.put(value).has_value() && queue.get().has_value() && queue.count_approx() < queue.capacity());
    check(queue.try_push(value).has_value());
    for (const T& left : queue.drain()) got = left;
    shmring::Queue<T> another = queue.attach();
    (void)shmring::wait_any_for(1ms, another, queue);
    another.detach();
    (void)queue.close();
    for (const T& left : queue) got = left;
    check(queue.error() == shmring::Status::closed);
}

template <class T>
void use_joinable_queue(const shmring::JoinableQueueOptions& options, const T& value) {
    shmring::JoinableQueue<T> queue = made<shmring::JoinableQueue<T>>(options);
    push_all_ways(queue, value);
    if (auto task = queue.try_pop()) (void)task->done();
    (void)queue.pop();
    (void)queue.try_pop_for(1ms);
    (void)queue.try_pop_until(soon());
    (void)queue.put(value);
    (void)queue.join_for(1ms);
    (void)queue.join_until(soon());
    check(queue.unfinished() != 0);
    while (auto task = queue.try_pop()) (void)task->done();
    check(queue.join().has_value());
    (void)queue.close();
}

template <class T>
void use_pipe(const shmring::PipeOptions& options, const T& value) {
    const auto pipe = made<shmring::Pipe<T>>(options);
    std::error_code code;
    auto here = pipe.first(code);
    auto there = pipe.second(code);
    check(!code && here.send(value).has_value() && here.try_send(value).has_value());
    (void)here.try_send_for(value, 1ms);
    (void)here.try_send_until(value, soon());
    check(there.recv().has_value() && there.try_recv().has_value());
    (void)there.try_recv_for(1ms);
    (void)there.try_recv_until(soon());
    (void)here.close();
    (void)shmring::wait_any_for(1ms, there);
}

void use_byte_pipe() {
    const auto pipe = made<shmring::BytePipe>(shmring::PipeOptions{.capacity_bytes = 4096});
    std::error_code code;
    auto here = pipe.first(code);
    auto there = pipe.second(code);
    const std::array<std::byte, 3> bytes{};
    std::array<std::byte, 64> buffer{};
    std::vector<std::byte> grown;
    check(here.send(bytes).has_value() && here.try_send(bytes).has_value());
    (void)here.try_send_for(bytes, 1ms);
    check(there.recv(grown).has_value() && there.recv(buffer).has_value());
    (void)there.try_recv_for(grown, 1ms);
    (void)here.close();
}

void use_wait_set() {
    const auto ring = made<shmring::MpmcRing<int>>(shmring::MpmcRingOptions{.capacity = 4});
    std::error_code code;
    auto in = ring.consumer({}, code);
    shmring::WaitSet set;
    set.set_wait_policy({});
    set.add(in);
    (void)set.wait_for(1ms);
    (void)set.wait_until(soon());
    check(set.size() == 1);
    set.clear();
    check(set.wait().error() == shmring::Status::empty);
}

}  // namespace

int main() {
    use_ring_of<shmring::SpscRing<Tick>>(shmring::RingOptions{.capacity = 64}, Tick{1, 2.0});
    use_ring_of<shmring::SpscRing<Wide>>(shmring::RingOptions{.capacity = 64}, Wide{});
    use_ring_of<shmring::MpmcRing<Tick>>(shmring::MpmcRingOptions{.capacity = 64}, Tick{1, 2.0});
    use_ring_of<shmring::MpmcRing<char>>(
        shmring::MpmcRingOptions{.capacity = 64, .delivery = shmring::Delivery::at_least_once}, 'a');
    use_byte_ring<shmring::ByteRing>(shmring::ByteRingOptions{.capacity_bytes = 4096});
    use_byte_ring<shmring::MpmcByteRing>(
        shmring::MpmcByteRingOptions{.capacity_bytes = 4096, .capacity_messages = 64});
    use_queue<Tick>({.capacity = 64}, Tick{1, 2.0});
    use_queue<std::string>({.capacity = 64, .capacity_bytes = 4096}, "text");
    use_joinable_queue<Tick>({.capacity = 64}, Tick{1, 2.0});
    use_joinable_queue<std::vector<int>>({.capacity = 64, .capacity_bytes = 4096}, {1, 2, 3});
    use_pipe<Tick>({.capacity = 8}, Tick{1, 2.0});
    use_pipe<std::string>({.capacity_bytes = 4096}, "text");
    use_byte_pipe();
    use_wait_set();
    return failed;
}
