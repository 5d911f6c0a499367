// Making the stream anew from the files, piece by piece, next to the one that was received.
// SPDX-License-Identifier: MIT
#include "demo/compare.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "demo/source_file.hpp"

namespace demo {

namespace {

class Comparer {
 public:
    Comparer(std::span<const std::byte> received, Comparison& result) : left_(received), result_(result) {}

    [[nodiscard]] bool over() const { return left_.empty() || differs_; }
    [[nodiscard]] bool differs() const { return differs_; }
    [[nodiscard]] std::size_t left() const { return left_.size(); }

    /// The next bytes should be these; what lies behind the end of what was received is not asked for.
    template <class Name>
    void expect(std::span<const std::byte> expected, Name&& name) {
        if (over()) return;
        const std::size_t size = std::min(expected.size(), left_.size());
        std::size_t equal = size;
        if (size != 0 && std::memcmp(expected.data(), left_.data(), size) != 0) {
            equal = static_cast<std::size_t>(std::mismatch(left_.begin(),
                                                           left_.begin() + static_cast<std::ptrdiff_t>(size),
                                                           expected.begin())
                                                 .first -
                                             left_.begin());
            differs_ = true;
            explain("first difference at byte " + std::to_string(result_.equal_bytes + equal) + ", in " +
                    name());
        }
        result_.equal_bytes += equal;
        left_ = left_.subspan(equal);
    }
    void explain(const std::string& text) {
        std::strncpy(result_.where.data(), text.data(), result_.where.size() - 1);
    }

 private:
    std::span<const std::byte> left_;
    Comparison& result_;
    bool differs_ = false;
};

/// The first `size` bytes of the file as it is on disk now, unless it is not the one that was loaded any
/// more.
bool read_again(const LoadedFile& file, std::size_t size, std::vector<std::byte>& to) {
    to.resize(size);
    const std::optional<SourceFile> source = SourceFile::open(file.path);
    return source && source->stamp() == file.stamp && source->read(to) == SourceFile::Outcome::read;
}

}  // namespace

Comparison compare(const Tree& tree, std::size_t sent_blocks, std::span<const Block> received) {
    Comparison result;
    Comparer comparer(std::as_bytes(received), result);
    std::vector<std::byte> contents;
    for (const LoadedFile& file : tree.files()) {
        if (comparer.over()) break;
        comparer.expect(header_of(file), [&] { return "the header of " + quoted(file.path); });
        comparer.expect(std::as_bytes(std::span(file.path)),
                        [&] { return "the name of " + quoted(file.path); });
        if (comparer.over()) break;
        const std::size_t size = std::min<std::size_t>(file.size, comparer.left());
        if (read_again(file, size, contents)) {
            ++result.files_read_again;
            comparer.expect(contents, [&] { return "the contents of " + quoted(file.path); });
        } else {
            ++result.files_not_the_same;
            comparer.expect(tree.bytes().subspan(file.position, size),
                            [&] { return "what was loaded of " + quoted(file.path); });
        }
    }
    if (!comparer.over()) {
        const std::vector<std::byte> zeros(comparer.left());
        comparer.expect(zeros, [] { return std::string("the end of the stream"); });
    }
    if (!comparer.differs() && received.size() != sent_blocks)
        comparer.explain(std::to_string(sent_blocks) + " messages were sent and " +
                         std::to_string(received.size()) + " received");
    result.identical = !comparer.differs() && received.size() == sent_blocks;
    return result;
}

std::uint64_t checksum(std::span<const Block> blocks) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    constexpr std::size_t kWords = sizeof(Block) / sizeof(std::uint64_t);
    std::array<std::uint64_t, 4> sums{1, 2, 3, 4};  // side by side: the multiplications overlap
    for (const Block& block : blocks) {
        std::array<std::uint64_t, kWords> words;
        std::memcpy(words.data(), block.bytes.data(), sizeof words);
        for (std::size_t i = 0; i != kWords; ++i) {
            std::uint64_t& sum = sums[i % sums.size()];
            sum = (sum ^ words[i]) * kOdd;
            sum ^= sum >> 32;
        }
    }
    std::uint64_t whole = blocks.size();
    for (const std::uint64_t sum : sums) whole = (whole ^ sum) * kOdd;
    return whole ^ whole >> 32;
}

}  // namespace demo
