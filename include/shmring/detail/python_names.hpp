// The names that Python's multiprocessing has for the calls of a queue.
// SPDX-License-Identifier: MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "shmring/message.hpp"
#include "shmring/result.hpp"

namespace shmring::detail {

/// For those who port from Python: the same calls under the names they know, and nothing else. Where Python raises queue.Full or
/// queue.Empty these answer full, empty or timed_out; a time-out beside `block = false` is ignored, as it is there.
template <class Self, class T>
class PythonPutNames {
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }

 public:
    using Timeout = std::optional<std::chrono::nanoseconds>;

    /// push(), try_push() or try_push_for().
    [[nodiscard]] Result<void> put(const T& value, bool block = true,
                                   const Timeout& timeout = std::nullopt) noexcept {
        if (!block) return put_nowait(value);
        return timeout ? self().try_push_for(value, *timeout) : self().push(value);
    }
    [[nodiscard]] Result<void> put_nowait(const T& value) noexcept { return self().try_push(value); }
    /// count_approx(): old when it arrives, there as here.
    [[nodiscard]] std::uint64_t qsize() noexcept { return self().count_approx(); }
};

template <class Self, class T>
class PythonNames : public PythonPutNames<Self, T> {
    [[nodiscard]] Self& self() noexcept { return static_cast<Self&>(*this); }

 public:
    using typename PythonPutNames<Self, T>::Timeout;

    /// pop(), try_pop() or try_pop_for().
    [[nodiscard]] Result<T> get(bool block = true,
                                const Timeout& timeout = std::nullopt) noexcept(Message<T>) {
        if (!block) return get_nowait();
        return timeout ? self().try_pop_for(*timeout) : self().pop();
    }
    [[nodiscard]] Result<T> get_nowait() noexcept(Message<T>) { return self().try_pop(); }
};

}  // namespace shmring::detail
