// Walking directories and reading files.
// SPDX-License-Identifier: MIT
#include "demo/tree.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace demo {

namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;
constexpr std::uint64_t kMiB = 1 << 20;
constexpr std::uint64_t kFilesPerTick = 64;

/// The number that follows `word` at the start of a line; `otherwise` where there is no such file or number.
std::uint64_t number_in(const char* path, const std::string& word, std::uint64_t otherwise) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);)
        if (line.starts_with(word)) return std::strtoull(line.c_str() + word.size(), nullptr, 10);
    return otherwise;
}

}  // namespace

LoadLimits sensible_limits() {
    constexpr std::uint64_t kMost = 512 * kMiB;
    constexpr double kLongest_s = 12;
    const std::uint64_t free = number_in("/proc/meminfo", "MemAvailable:", kMost / 1024) * 1024;
    constexpr std::uint64_t kShare =
        6;  // three copies at most: loaded, received, read again; in half of what is free
    return {.bytes = std::clamp(free / kShare, kMiB, kMost), .seconds = kLongest_s};
}

FileHeader header_of(const LoadedFile& file) {
    const std::array<std::uint64_t, 2> fields{file.size, file.path.size()};
    FileHeader header;
    std::memcpy(header.data(), fields.data(), header.size());
    return header;
}

/// Fills a Tree: where the stream ends now, and when to stop.
class Loader {
 public:
    Loader(Tree& tree, const LoadLimits& limits, const std::function<void(const Tree&)>& tick)
        : tree_(tree), limits_(limits), tick_(tick) {}

    void add_root(const fs::path& path) {
        std::error_code error;
        const fs::file_status status = fs::status(path, error);  // follows a link that was named by the user
        if (!fs::exists(status))
            refuse(path, error ? error.message()
                               : std::make_error_code(std::errc::no_such_file_or_directory).message());
        if (fs::is_directory(status)) {
            const fs::directory_iterator first(path, error);
            if (error) refuse(path, error.message());
            if (!stopped()) add_directory(path);
        } else if (fs::is_regular_file(status)) {
            if (!SourceFile::open(path)) refuse(path, "cannot be read");
            if (!stopped()) add_file(path);
        } else {
            refuse(path, "is neither a directory nor a regular file");
        }
    }
    void finish() {
        extend(sizeof(FileHeader));  // of no file: zeros
        std::memset(tree_bytes() + used_ - sizeof(FileHeader), 0,
                    tree_.bytes().size() - used_ + sizeof(FileHeader));
    }

 private:
    [[noreturn]] static void refuse(const fs::path& path, const std::string& why) {
        throw std::invalid_argument(quoted(path.string()) + ": " + why);
    }

    void add_directory(const fs::path& directory) {
        std::vector<fs::directory_entry> entries;
        std::error_code error;
        for (fs::directory_iterator at(directory, error); !error && at != fs::directory_iterator();
             at.increment(error))
            entries.push_back(*at);
        if (error) ++tree_.skipped_.unreadable;
        std::ranges::sort(entries);
        for (const fs::directory_entry& entry : entries) {
            if (stopped()) return;
            const fs::file_status status = entry.symlink_status(error);
            if (fs::is_directory(status)) {
                add_directory(entry.path());
            } else if (fs::is_regular_file(status)) {
                add_file(entry.path());
            } else {
                ++tree_.skipped_.not_regular;
            }
        }
    }

    void add_file(const fs::path& path) {
        const std::optional<SourceFile> source = SourceFile::open(path);
        if (!source) {
            ++tree_.skipped_.unreadable;
            return;
        }
        LoadedFile file{.path = path.string(), .size = source->stamp().size, .stamp = source->stamp()};
        const std::uint64_t room = limits_.bytes - std::min<std::uint64_t>(used_, limits_.bytes);
        if (file.size > room) {
            file.size = room;
            tree_.skipped_.why_stopped =
                "there is more than " + std::to_string(limits_.bytes / kMiB) + " MiB";
        }
        const std::size_t start = used_;
        append(header_of(file));
        append(std::as_bytes(std::span(file.path)));
        file.position = used_;
        const SourceFile::Outcome outcome = source->read({extend(file.size), file.size});
        if (outcome != SourceFile::Outcome::read) {
            used_ = start;
            ++(outcome == SourceFile::Outcome::failed ? tree_.skipped_.unreadable : tree_.skipped_.changed);
            return;
        }
        tree_.content_bytes_ += file.size;
        tree_.files_.push_back(std::move(file));
        if (tree_.files_.size() % kFilesPerTick == 0) tick_(tree_);
    }

    [[nodiscard]] bool stopped() {
        if (!tree_.skipped_.why_stopped.empty()) return true;
        if (std::chrono::duration<double>(Clock::now() - start_).count() > limits_.seconds)
            tree_.skipped_.why_stopped =
                "reading took more than " + std::to_string(static_cast<int>(limits_.seconds)) + " s";
        return !tree_.skipped_.why_stopped.empty();
    }

    [[nodiscard]] std::byte* tree_bytes() { return std::as_writable_bytes(std::span(tree_.blocks_)).data(); }
    /// Makes the stream `size` bytes longer; where they start.
    std::byte* extend(std::size_t size) {
        const std::size_t start = used_;
        used_ += size;
        tree_.blocks_.resize((used_ + sizeof(Block) - 1) / sizeof(Block));
        return tree_bytes() + start;
    }
    void append(std::span<const std::byte> bytes) {
        std::memcpy(extend(bytes.size()), bytes.data(), bytes.size());
    }

    Tree& tree_;
    LoadLimits limits_;
    const std::function<void(const Tree&)>& tick_;
    Clock::time_point start_ = Clock::now();
    std::size_t used_ = 0;
};

Tree::Tree(const std::vector<std::string>& paths, const LoadLimits& limits,
           const std::function<void(const Tree&)>& tick) {
    Loader loader(*this, limits, tick);
    for (const std::string& path : paths) loader.add_root(path);
    loader.finish();
}

std::string quoted(const std::string& path) {
    std::string text = "\"";
    for (const char byte : path) {
        constexpr const char* kDigits = "0123456789abcdef";
        const auto code = static_cast<unsigned char>(byte);
        if (code >= ' ' && code != 0x7f) {
            text += byte;
        } else {
            text += {'\\', 'x', kDigits[code / 16], kDigits[code % 16]};
        }
    }
    return text + "\"";
}

}  // namespace demo
