// A name in /dev/shm that nobody else uses, gone at the end of the scope whatever stands under it by then.
// SPDX-License-Identifier: MIT
#pragma once

#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace shmring::test {

class UniqueName {
 public:
    UniqueName() : UniqueName("") {}
    /// `suffix` tells several names of one test apart for people who look into /dev/shm.
    explicit UniqueName(std::string_view suffix) {
        static std::atomic<unsigned> made{0};
        name_ = "shmring-test-" + std::to_string(owner_) + "-" +
                std::to_string(made.fetch_add(1, std::memory_order_relaxed)) + std::string(suffix);
        remove();  // a former process of this number may have been killed
    }
    UniqueName(const UniqueName&) = delete;
    UniqueName& operator=(const UniqueName&) = delete;
    ~UniqueName() {
        if (::getpid() == owner_) remove();  // not in a forked child
    }

    [[nodiscard]] const std::string& name() const { return name_; }
    [[nodiscard]] std::string path() const { return "/dev/shm/" + name_; }
    operator std::string_view() const { return name_; }

 private:
    void remove() const {
        std::error_code ignored;
        std::filesystem::remove_all(path(), ignored);
        std::filesystem::remove_all(path() + ".bell", ignored);  // a named ring's FIFO for readable_fd(),
        std::filesystem::remove_all(path() + ".bel2", ignored);  // and that of a pipe's second lane
    }

    pid_t owner_ = ::getpid();
    std::string name_;
};

}  // namespace shmring::test
