// A message is: 4 bytes with the length of the path, the path, contents. In the pieces after the first only contents. The tag
// tells which piece of a file it is.
// SPDX-License-Identifier: MIT
#include "demo/file_messages.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <string>

#include "demo/source_file.hpp"
#include "shmring/byte_ring.hpp"

namespace demo {

namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t kFirstPiece = 1;
constexpr std::uint32_t kLastPiece = 2;
using PathLength = std::uint32_t;

[[noreturn]] void fail_with(shmring::Status status) {
    throw std::runtime_error(std::string("the ByteRing answered ") + shmring::to_string(status));
}

/// Each side maps the ring for itself, as the other demo rings do.
shmring::ByteRing map_here(const shmring::ByteRing& ring) {
    return shmring::ByteRing::from_descriptor(ring.segment().descriptor());
}

class FileSender {
 public:
    FileSender(const shmring::ByteRing& ring, const Tree& tree, FileRun& run)
        : out_(map_here(ring).producer()), tree_(tree), run_(run) {}

    void send(const LoadedFile& file) {
        const std::string name = name_below(file).string();
        source_ = SourceFile::open(file.path);
        if (source_ && source_->stamp() != file.stamp) source_.reset();
        std::uint32_t piece = kFirstPiece;
        for (std::uint64_t done = 0; piece != 0;) {
            const std::size_t head = piece == kFirstPiece ? sizeof(PathLength) + name.size() : 0;
            if (head > out_.max_message_bytes()) throw std::runtime_error("a path longer than a message");
            const std::size_t size =
                std::min<std::uint64_t>(file.size - done, out_.max_message_bytes() - head);
            auto claim = out_.claim(head + size);
            if (!claim) fail_with(claim.error());
            std::byte* to = claim->bytes().data();
            if (head != 0) {
                const auto length = static_cast<PathLength>(name.size());
                std::memcpy(to, &length, sizeof length);
                std::memcpy(to + sizeof length, name.data(), name.size());
            }
            fill(claim->bytes().subspan(head), file, done);
            done += size;
            const bool last = done == file.size;
            claim->commit(head + size, piece | (last ? kLastPiece : 0));
            ++run_.messages;
            piece = last ? 0 : 4;  // a middle piece, unless it turns out to be the last
        }
        run_.content_bytes += file.size;
        ++run_.files_sent;
    }
    void finish() { out_.close(); }

 private:
    /// From the disk into the ring, unless the file is not the one any more that was loaded.
    void fill(std::span<std::byte> to, const LoadedFile& file, std::uint64_t offset) {
        if (source_ && source_->read(to) == SourceFile::Outcome::read) return;
        source_.reset();
        if (!to.empty()) std::memcpy(to.data(), tree_.bytes().data() + file.position + offset, to.size());
    }

    shmring::ByteRingProducer out_;
    const Tree& tree_;
    FileRun& run_;
    std::optional<SourceFile> source_{};
};

class Rebuilder {
 public:
    Rebuilder(const shmring::ByteRing& ring, fs::path folder, FileRun& run)
        : in_(map_here(ring).consumer()), folder_(std::move(folder)), run_(run) {}

    void rebuild_all() {
        for (;;) {
            const auto view = in_.next();
            if (!view && view.error() == shmring::Status::closed) return;
            if (!view) fail_with(view.error());
            take(view->bytes(), view->tag());
        }
    }
    /// Flips a bit in the middle of the first file that has a middle.
    void corrupt_one() const {
        for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder_)) {
            if (!entry.is_regular_file() || entry.file_size() == 0) continue;
            const Descriptor file(::open(entry.path().c_str(), O_RDWR | O_CLOEXEC), "open a rebuilt file");
            const auto middle = static_cast<off_t>(entry.file_size() / 2);
            char byte = 0;
            if (::pread(file.number(), &byte, 1, middle) != 1) fail("read a rebuilt file");
            byte = static_cast<char>(byte ^ 1);
            if (::pwrite(file.number(), &byte, 1, middle) != 1) fail("write a rebuilt file");
            return;
        }
    }

 private:
    void take(std::span<const std::byte> message, std::uint32_t tag) {
        if ((tag & kFirstPiece) != 0) {
            PathLength length = 0;
            if (message.size() < sizeof length) throw std::runtime_error("a message without a path came");
            std::memcpy(&length, message.data(), sizeof length);
            message = message.subspan(sizeof length);
            if (message.size() < length) throw std::runtime_error("a message with half a path came");
            open({reinterpret_cast<const char*>(message.data()), length});
            message = message.subspan(length);
        }
        while (!message.empty()) {
            const ssize_t written = ::write(file_.number(), message.data(), message.size());
            if (written < 0 && errno != EINTR) fail("write a rebuilt file");
            if (written > 0) message = message.subspan(static_cast<std::size_t>(written));
        }
        if ((tag & kLastPiece) != 0) {
            file_.close();
            ++run_.files_rebuilt;
        }
    }
    void open(std::string_view name) {
        const fs::path path = folder_ / fs::path(name);
        if (path.parent_path() != made_) fs::create_directories(made_ = path.parent_path());
        file_ = Descriptor(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600),
                           "make a rebuilt file");
    }

    shmring::ByteRingConsumer in_;
    fs::path folder_;
    fs::path made_{};
    FileRun& run_;
    Descriptor file_{};
};

}  // namespace

fs::path name_below(const LoadedFile& file) {
    return fs::absolute(file.path).lexically_normal().relative_path();
}

FileRun send_files(const Stage& stage, const fs::path& folder, const FileLimits& limits) {
    const Shared<FileRun> run;
    const auto ring = shmring::ByteRing::anonymous({.capacity_bytes = kFileRingBytes});
    run->largest_message = ring.max_message_bytes();
    Pair pair(stage.cpus);
    pair.start(Side::sender, [&](StartLine& start) {
        FileSender sender(ring, stage.tree, *run);
        start.wait();
        measure(run->sender, [&] {
            const std::int64_t end_ns = now_ns() + static_cast<std::int64_t>(limits.seconds * 1e9);
            for (const LoadedFile& file : stage.tree.files()) {
                if (now_ns() > end_ns || file.size > limits.bytes - run->content_bytes) break;
                sender.send(file);
            }
            sender.finish();
        });
    });
    pair.start(Side::receiver, [&](StartLine& start) {
        Rebuilder rebuilder(ring, folder, *run);
        start.wait();
        measure(run->receiver, [&] { rebuilder.rebuild_all(); });
        if (stage.corrupt == Corrupt::tree) rebuilder.corrupt_one();
    });
    pair.finish(kLongestRun_s, stage.tick);
    return *run;
}

}  // namespace demo
