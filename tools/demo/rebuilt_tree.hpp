// The proof that a tree was rebuilt: `diff -r` between it and a tree of links to the files that were sent.
// SPDX-License-Identifier: MIT
#pragma once

#include <filesystem>
#include <string>

#include "demo/file_messages.hpp"

namespace demo {

/// A folder of our own among the temporary files, removed at the end with all that is in it.
class TemporaryFolder {
 public:
    TemporaryFolder();
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();
    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
    std::filesystem::path path_;
};

struct TreeProof {
    FileRun run{};
    std::uint64_t files_as_loaded =
        0;                      // changed on disk since, or sent in part: compared as they were loaded
    std::string differences{};  // what diff said first; empty: nothing
    [[nodiscard]] bool identical() const {
        return differences.empty() && run.files_rebuilt == run.files_sent;
    }
};

/// Sends the tree's files over the ByteRing, has them rebuilt, and compares. Throws where that cannot be done.
[[nodiscard]] TreeProof rebuild_and_compare(const Stage& stage, double limit_s);

}  // namespace demo
