// The shared mapping behind every transport that lives in plain memory.
// SPDX-License-Identifier: MIT
#include "harness/arena.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <system_error>

namespace bench {

Arena::Arena(std::size_t size) : size_(size) {
    void* mapping = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "map shared memory");
    memory_ = static_cast<std::byte*>(mapping);
}

Arena::~Arena() { ::munmap(memory_, size_); }

void* Arena::allocate(std::size_t size, std::size_t alignment) {
    const std::size_t begin =
        (used_ + alignment - 1) / alignment * alignment;  // the mapping itself is page-aligned
    if (begin > size_ || size > size_ - begin) throw std::bad_alloc();
    used_ = begin + size;
    return memory_ + begin;
}

bool Arena::prefault() const {
    if (::madvise(memory_, size_, MADV_POPULATE_WRITE) != 0)
        throw std::system_error(errno, std::generic_category(), "prefault shared memory");
    return ::mlock(memory_, size_) == 0;
}

}  // namespace bench
