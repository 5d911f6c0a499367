// A folder for one test, gone with all that is in it at the end of the scope.
// SPDX-License-Identifier: MIT
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

namespace shmring::test {

class PrivateFolder {
 public:
    explicit PrivateFolder(std::string_view name = "folder") {
        std::string made = testing::TempDir() + "shmring-" + std::string(name) + "-XXXXXX";
        if (::mkdtemp(made.data()) == nullptr) ADD_FAILURE() << "cannot make " << made;
        path_ = made;
    }
    PrivateFolder(const PrivateFolder&) = delete;
    PrivateFolder& operator=(const PrivateFolder&) = delete;
    ~PrivateFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }
    [[nodiscard]] std::string operator/(std::string_view name) const { return (path_ / name).string(); }

 private:
    std::filesystem::path path_{};
};

}  // namespace shmring::test
