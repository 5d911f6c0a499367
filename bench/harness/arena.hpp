// Memory that the two processes of a run share: one anonymous shared mapping, handed out from the front, never given
// back before the run ends. Header-only queues without pointers work in it as they are.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <new>
#include <utility>

namespace bench {

class Arena {
 public:
    explicit Arena(std::size_t size);
    ~Arena();
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;

    /// Throws std::bad_alloc when the arena is used up. The bytes are zero.
    [[nodiscard]] void* allocate(std::size_t size, std::size_t alignment);

    template <class T, class... Arguments>
    T& make(Arguments&&... arguments) {
        return *::new (allocate(sizeof(T), alignof(T))) T(std::forward<Arguments>(arguments)...);
    }

    /// Maps every page into the calling process, so that no page fault falls into a measurement, and locks the pages
    /// where the limit allows. Returns whether they are locked.
    bool prefault() const;

 private:
    std::byte* memory_;
    std::size_t size_;
    std::size_t used_ = 0;
};

}  // namespace bench
