// An Env whose user can be killed before any of its operations on shared memory (and half-way through a copy), or held up there
// while others do what they like. For one thread: a death is a jump out of the call, which leaves the shared words as they are.
// SPDX-License-Identifier: MIT
#pragma once

#include <atomic>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <utility>

namespace shmring::test {

/// What becomes of whoever runs now.
struct Fate {
    static constexpr std::uint64_t kNever = ~std::uint64_t{0};

    std::uint64_t left = kNever;        // operations until fate strikes
    std::function<void()> meanwhile{};  // what others do when it strikes; none: it is death
    void (*before_each)() = nullptr;    // lets others have their turn
    bool weak = false;                  // every second weak exchange fails for no reason
    bool fails_now = false;
    std::jmp_buf grave{};

    void happens() {
        if (before_each != nullptr) before_each();
        if (left == kNever || left-- != 0) return;
        left = kNever;
        if (!meanwhile)
            std::longjmp(grave, 1);  // NOLINT(cert-err52-cpp): nothing on the way has a destructor
        const auto others = std::exchange(meanwhile, nullptr);
        others();
    }
    [[nodiscard]] bool spurious() { return weak && (fails_now = !fails_now); }
};
inline Fate fate;

/// Runs `body` until it has done so many operations, and then no further. `body` must hold nothing that needs a destructor.
template <class Body>
[[nodiscard]] bool is_killed_after(std::uint64_t operations, Body&& body) {
    fate.left = operations;
    // NOLINTNEXTLINE(cert-err52-cpp): an exception cannot leave the calls, which are noexcept
    if (setjmp(fate.grave) != 0) return true;
    body();
    fate.left = Fate::kNever;
    return false;
}
/// Runs `body`, and `others` in the middle of it. Answers false when `body` was done before.
template <class Body>
[[nodiscard]] bool is_stopped_after(std::uint64_t operations, const std::function<void()>& others,
                                    Body&& body) {
    bool stopped = false;
    fate.left = operations;
    fate.meanwhile = [&] {
        stopped = true;
        others();
    };
    body();
    fate.left = Fate::kNever;
    fate.meanwhile = nullptr;
    return stopped;
}

struct MortalEnv {
    template <class T>
    class Atom {
     public:
        Atom() noexcept = default;
        explicit Atom(T value) noexcept : value_(value) {}

        [[nodiscard]] T load(std::memory_order order) const noexcept {
            fate.happens();
            return value_.load(order);
        }
        void store(T value, std::memory_order order) noexcept {
            fate.happens();
            value_.store(value, order);
        }
        T fetch_add(T value, std::memory_order order) noexcept {
            fate.happens();
            return value_.fetch_add(value, order);
        }
        T fetch_sub(T value, std::memory_order order) noexcept {
            fate.happens();
            return value_.fetch_sub(value, order);
        }
        T fetch_or(T value, std::memory_order order) noexcept {
            fate.happens();
            return value_.fetch_or(value, order);
        }
        bool compare_exchange_weak(T& expected, T desired, std::memory_order success,
                                   std::memory_order failure) noexcept {
            fate.happens();
            if (fate.spurious()) {
                expected = value_.load(failure);
                return false;
            }
            return value_.compare_exchange_strong(expected, desired, success, failure);
        }
        bool compare_exchange_strong(T& expected, T desired, std::memory_order success,
                                     std::memory_order failure) noexcept {
            fate.happens();
            return value_.compare_exchange_strong(expected, desired, success, failure);
        }
        /// What a test sees or sets: no operation of anybody's.
        [[nodiscard]] T now() const noexcept { return value_.load(std::memory_order_relaxed); }
        void set(T value) noexcept { value_.store(value, std::memory_order_relaxed); }

     private:
        std::atomic<T> value_{};
    };

    static void copy_in(void* ring, const void* from, std::size_t size) noexcept { copy(ring, from, size); }
    static void copy_out(void* to, const void* ring, std::size_t size) noexcept { copy(to, ring, size); }
    static void pause() noexcept {}

 private:
    static void copy(void* to, const void* from, std::size_t size) noexcept {
        fate.happens();
        std::memcpy(to, from, size / 2);
        fate.happens();
        std::memcpy(static_cast<std::byte*>(to) + size / 2, static_cast<const std::byte*>(from) + size / 2,
                    size - size / 2);
    }
};
static_assert(sizeof(MortalEnv::Atom<std::uint64_t>) == 8);

}  // namespace shmring::test
