// Links to what was sent, and diff as a process of its own.
// SPDX-License-Identifier: MIT
#include "demo/rebuilt_tree.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <map>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "demo/interruption.hpp"

namespace demo {

namespace fs = std::filesystem;

namespace {

constexpr int kDifferent = 1;  // what diff ends with; 2 and more is trouble
constexpr int kNoSuchProgram = 127;

/// The files that were sent, as links to them: diff follows links to files, so it reads what is on disk now.
class SentTree {
 public:
    SentTree(const Tree& tree, std::uint64_t files_sent, fs::path folder)
        : tree_(tree), folder_(std::move(folder)) {
        fs::create_directory(folder_);
        for (const LoadedFile& file : tree.files()) {
            if (files_sent-- == 0) break;
            const fs::path path = folder_ / name_below(file);
            fs::create_directories(path.parent_path());
            fs::remove(path);  // a file that was named twice was sent twice, too
            fs::create_symlink(fs::absolute(file.path), path);
            linked_[path] = &file;
        }
    }
    /// Puts what was loaded where a file is not the same any more, or was not sent to its end. How many there were.
    std::uint64_t replace_changed() {
        return std::erase_if(linked_, [this](const auto& entry) {
            const auto& [path, file] = entry;
            const std::optional<SourceFile> source = SourceFile::open(file->path);
            if (source && source->stamp() == file->stamp && file->stamp.size == file->size) return false;
            fs::remove(path);
            const auto bytes = tree_.bytes().subspan(file->position, file->size);
            std::ofstream out(path, std::ios::binary);
            out.write(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::streamsize>(bytes.size()));
            if (!out.flush()) throw std::runtime_error("cannot write to " + quoted(path.string()));
            return true;
        });
    }

 private:
    const Tree& tree_;
    fs::path folder_;
    std::map<fs::path, const LoadedFile*> linked_{};
};

/// Runs `diff -r --brief one other`. What it says first, nothing if it finds no difference.
std::string diff(const fs::path& one, const fs::path& other) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail("make a pipe for diff");
    Descriptor reading(ends[0], "make a pipe for diff");
    Descriptor writing(ends[1], "make a pipe for diff");
    const pid_t process = ::fork();
    if (process < 0) fail("fork diff");
    if (process == 0) {
        ::dup2(writing.number(), STDOUT_FILENO);
        ::execlp("diff", "diff", "-r", "--brief", "--", one.c_str(), other.c_str(), nullptr);
        ::_exit(kNoSuchProgram);
    }
    writing.close();
    std::string said;
    std::array<char, 4096> bytes{};
    constexpr std::size_t kEnough = 2000;
    for (ssize_t got = 1; got > 0 || (got < 0 && errno == EINTR);) {
        got = ::read(reading.number(), bytes.data(), bytes.size());
        if (got > 0 && said.size() < kEnough) said.append(bytes.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    while (::waitpid(process, &status, 0) < 0)
        if (errno != EINTR) fail("wait for diff");
    if (!WIFEXITED(status)) return "diff was killed";
    if (WEXITSTATUS(status) == kNoSuchProgram) throw std::runtime_error("there is no program diff here");
    if (WEXITSTATUS(status) > kDifferent) throw std::runtime_error("diff could not compare the trees");
    if (WEXITSTATUS(status) == 0) return {};
    return said.empty() ? "diff found a difference" : said.substr(0, said.find('\n'));
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "shmring-demo-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) fail("make a temporary folder");
    path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
    std::error_code ignored;  // nothing can be done about it here
    fs::remove_all(path_, ignored);
}

TreeProof rebuild_and_compare(const Stage& stage, double limit_s) {
    const Interruption interruption;  // outlives the folder: that is removed in peace
    const TemporaryFolder folder;
    const fs::path sent = folder.path() / "sent";
    const fs::path rebuilt = folder.path() / "rebuilt";
    fs::create_directory(rebuilt);
    TreeProof proof;
    Stage watched = stage;
    watched.tick = [&] {
        stage.tick();
        interruption.check();
    };
    proof.run = send_files(watched, rebuilt, {.seconds = limit_s, .bytes = fs::space(rebuilt).available / 2});
    bool looked = false;
    SentTree originals(stage.tree, proof.run.files_sent, sent);
    // A file may change while diff reads it: then what was loaded is put there, and diff looks again.
    for (std::uint64_t replaced = originals.replace_changed();; replaced = originals.replace_changed()) {
        proof.files_as_loaded += replaced;
        const bool first = !std::exchange(looked, true);
        if (!first && replaced == 0) break;
        interruption.check();
        proof.differences = diff(sent, rebuilt);
        interruption.check();
        if (proof.differences.empty()) break;
    }
    return proof;
}

}  // namespace demo
