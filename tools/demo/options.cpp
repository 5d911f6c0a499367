// The words of the command line. `--corrupt WHAT` is for the tests and stays out of the help: it flips one bit
// on the receiving side, and the demo has to notice.
// SPDX-License-Identifier: MIT
#include "demo/options.hpp"

#include <charconv>
#include <string_view>
#include <system_error>

namespace demo {

const char* const kUsage = "usage: demo [--quick] [--most MIB] [--help] [PATH...]\n";

const char* const kHelp =
    "\n"
    "Sends real files from one process to another in messages of 4 KiB, through four transports side by "
    "side:\n"
    "a shmring::SpscRing with blocking calls, the same with spinning ones, a pipe, and a file plus lock. The "
    "receiving\n"
    "process reads the files again and compares every byte. Messages of 64 bytes then make round trips.\n"
    "At last a shmring::ByteRing carries the tree once more, one message per file, written and read in "
    "place; the\n"
    "other process rebuilds it among the temporary files, and diff -r compares the two trees.\n"
    "\n"
    "  PATH      directories and files to send; /usr/include if none is given\n"
    "  --quick   one round instead of three, and shorter round trips\n"
    "  --most    reads at most this many MiB; without it 512, or a sixth of the free memory if that is less\n"
    "  --help    this text\n"
    "\n"
    "Takes less than a minute. Exit status: 0 if every byte compared equal, 1 if not or if something "
    "failed,\n"
    "2 if a path or an option is no good.\n";

namespace {

std::uint64_t parse_mib(const char* word) {
    constexpr std::uint64_t kMost = 1 << 20;
    const std::string_view digits = word == nullptr ? "" : word;
    std::uint64_t mib = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mib);
    if (error != std::errc() || end != digits.data() + digits.size() || mib == 0 || mib > kMost)
        throw UsageError("--most takes a number of MiB from 1 to " + std::to_string(kMost));
    return mib;
}

Corrupt parse_corrupt(const char* word) {
    const std::string_view what = word == nullptr ? "" : word;
    if (what == "stream") return Corrupt::stream;
    if (what == "comparison") return Corrupt::comparison;
    if (what == "checksum") return Corrupt::checksum;
    if (what == "tree") return Corrupt::tree;
    throw UsageError("--corrupt takes stream, comparison, checksum or tree");
}

}  // namespace

Options parse(int argc, char** argv) {
    Options options;
    bool only_paths = false;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (only_paths || !word.starts_with('-')) {
            options.paths.emplace_back(word);
        } else if (word == "--") {
            only_paths = true;
        } else if (word == "--help" || word == "-h") {
            options.help = true;
        } else if (word == "--quick") {
            options.quick = true;
        } else if (word == "--most") {
            options.most_mib = parse_mib(argv[++i]);  // argv ends with a null pointer
        } else if (word == "--corrupt") {
            options.corrupt = parse_corrupt(argv[++i]);
        } else {
            throw UsageError("there is no option " + std::string(word));
        }
    }
    if (options.paths.empty()) options.paths.emplace_back("/usr/include");
    return options;
}

}  // namespace demo
