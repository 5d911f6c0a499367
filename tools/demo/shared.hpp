// A value in memory that the forked processes of a run share: how they report to the one that started them.
// SPDX-License-Identifier: MIT
#pragma once

#include <sys/mman.h>

#include <new>
#include <type_traits>

#include "demo/descriptor.hpp"

namespace demo {

/// Made before the fork, value-initialised. What a process wrote is there for whoever has waited for its end.
template <class T>
class Shared {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
    Shared() {
        void* memory = ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) fail("get memory to share with the two processes");
        value_ = ::new (memory) T{};
    }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
    ~Shared() { ::munmap(value_, sizeof(T)); }

    T* operator->() const { return value_; }
    T& operator*() const { return *value_; }

 private:
    T* value_;
};

}  // namespace demo
