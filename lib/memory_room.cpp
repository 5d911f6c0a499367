// Reading what the kernel tells of memory: /proc/meminfo, and the limits of memory cgroups.
//
// A cgroup's usage counts the pages of cached files, and what the kernel keeps of names and inodes, which it drops before it kills; and
// where it may swap, a ring's pages go there. So all of that counts as room: a refusal has to be true. Files that are not there limit
// nothing.
// SPDX-License-Identifier: MIT
#include "shmring/detail/memory_room.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdio>
#include <span>
#include <string_view>

#include "shmring/detail/segment_file.hpp"

namespace shmring::detail {

namespace {

using Text = std::array<char, 8192>;  // memory.stat has some 2000 bytes

[[nodiscard]] std::string_view read_text(const char* path, Text& text) noexcept {
    const Descriptor file{::open(path, O_RDONLY | O_CLOEXEC)};
    const ssize_t size = file ? ::read(file.number(), text.data(), text.size()) : 0;
    return {text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
}

/// The number in `text` behind blanks; `otherwise` where there is none, as in "max".
[[nodiscard]] std::uint64_t number_in(std::string_view text, std::uint64_t otherwise) noexcept {
    text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
    std::uint64_t value = 0;
    return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{} ? value
                                                                                            : otherwise;
}

/// The number in the line of `text` that begins with `name`; 0 where there is none.
[[nodiscard]] std::uint64_t field(std::string_view text, std::string_view name) noexcept {
    while (!text.empty()) {
        if (text.starts_with(name)) return number_in(text.substr(name.size()), 0);
        text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
    }
    return 0;
}

[[nodiscard]] std::uint64_t less(std::uint64_t all, std::uint64_t used) noexcept {
    return all > used ? all - used : 0;
}
[[nodiscard]] std::uint64_t sum(std::uint64_t one, std::uint64_t other) noexcept {
    return one > kUnlimited - other ? kUnlimited : one + other;
}

[[nodiscard]] std::uint64_t free_swap() noexcept {
    Text text;
    return field(read_text("/proc/meminfo", text), "SwapFree:") << 10;
}

/// What a version of cgroups calls its files.
struct Names {
    const char* limit;
    const char* usage;
    std::array<std::string_view, 3> cached;  // lines of memory.stat
    const char* swap_limit;
    const char* swap_usage;
    bool swap_limit_counts_memory;
};
constexpr Names kVersion1{"memory.limit_in_bytes",
                          "memory.usage_in_bytes",
                          {"total_inactive_file ", "total_active_file ", "slab_reclaimable "},
                          "memory.memsw.limit_in_bytes",
                          "memory.memsw.usage_in_bytes",
                          true};
constexpr Names kVersion2{
    "memory.max",      "memory.current",      {"inactive_file ", "active_file ", "slab_reclaimable "},
    "memory.swap.max", "memory.swap.current", false};

/// One cgroup.
class Cgroup {
 public:
    Cgroup(std::string_view folder, const Names& names) noexcept : folder_(folder), names_(names) {}

    /// False: `room` says how little there is.
    [[nodiscard]] bool has_room_for(std::uint64_t needed, CgroupRoom& room) const noexcept {
        const std::uint64_t limit = number(names_.limit, kUnlimited);
        const std::uint64_t usage = number(names_.usage, 0);
        if (needed <= less(limit, usage)) return true;  // as nearly always, without a long look
        std::uint64_t cached = 0;
        Text text;
        const std::string_view statistics = read("memory.stat", text);
        for (const std::string_view name : names_.cached) cached = sum(cached, field(statistics, name));

        const std::uint64_t in_memory = less(limit, less(usage, cached));
        const std::uint64_t swap_limit = number(names_.swap_limit, kUnlimited);
        const std::uint64_t swap_usage = number(names_.swap_usage, 0);
        const std::uint64_t free =
            names_.swap_limit_counts_memory
                ? std::min(sum(in_memory, free_swap()), less(swap_limit, less(swap_usage, cached)))
                : sum(in_memory, std::min(less(swap_limit, swap_usage), free_swap()));
        if (needed <= free) return true;
        room = {free, limit, {}};
        (void)path_of(names_.limit, room.limit_file);
        return false;
    }

 private:
    template <std::size_t kSize>
    [[nodiscard]] bool path_of(const char* file, std::array<char, kSize>& path) const noexcept {
        const int size = std::snprintf(path.data(), kSize, "%.*s/%s", static_cast<int>(folder_.size()),
                                       folder_.data(), file);
        return size >= 0 && static_cast<std::size_t>(size) < kSize;
    }
    [[nodiscard]] std::string_view read(const char* file, Text& text) const noexcept {
        std::array<char, 4096> path{};
        return path_of(file, path) ? read_text(path.data(), text) : std::string_view{};
    }
    [[nodiscard]] std::uint64_t number(const char* file, std::uint64_t otherwise) const noexcept {
        Text text;
        return number_in(read(file, text), otherwise);
    }

    std::string_view folder_;
    const Names& names_;
};

/// From the cgroup `path` below the folder `mount`/`subfolder` up to that folder itself, which in a container is its own cgroup.
[[nodiscard]] bool have_room_for(std::uint64_t needed, const char* mount, const char* subfolder,
                                 std::string_view path, const Names& names, CgroupRoom& room) noexcept {
    std::array<char, 4096> folder{};
    if (path.find("/..") != std::string_view::npos) path = {};  // beyond what a container sees
    const int root = std::snprintf(folder.data(), folder.size(), "%s%s", mount, subfolder);
    const int all = std::snprintf(folder.data(), folder.size(), "%s%s%.*s", mount, subfolder,
                                  static_cast<int>(path.size()), path.data());
    if (root < 0 || all < root || static_cast<std::size_t>(all) >= folder.size()) return true;
    for (std::string_view here(folder.data(), static_cast<std::size_t>(all));;) {
        if (here.ends_with('/')) here.remove_suffix(1);
        if (!Cgroup(here, names).has_room_for(needed, room)) return false;
        if (here.size() <= static_cast<std::size_t>(root)) return true;
        here = here.substr(0, here.rfind('/'));
    }
}

[[nodiscard]] bool names_memory(std::string_view controllers) noexcept {
    while (!controllers.empty()) {
        const std::size_t size = std::min(controllers.find(','), controllers.size());
        if (controllers.substr(0, size) == "memory") return true;
        controllers.remove_prefix(std::min(size + 1, controllers.size()));
    }
    return false;
}

}  // namespace

std::uint64_t available_memory() noexcept {
    Text text;
    const std::string_view lines = read_text("/proc/meminfo", text);
    const std::uint64_t memory = field(lines, "MemAvailable:");
    return memory == 0 ? kUnlimited : (memory + field(lines, "SwapFree:")) << 10;
}

CgroupRoom cgroup_without_room_for(std::uint64_t needed, const char* membership, const char* mount) noexcept {
    CgroupRoom room;
    Text text;
    std::string_view lines = read_text(membership, text);
    while (!lines.empty()) {  // "4:memory:/a/b", "0::/a/b"
        std::string_view line = lines.substr(0, lines.find('\n'));
        lines.remove_prefix(std::min(line.size() + 1, lines.size()));
        const std::size_t first = line.find(':');
        const std::size_t second = first == std::string_view::npos ? first : line.find(':', first + 1);
        if (second == std::string_view::npos) continue;
        const std::string_view controllers = line.substr(first + 1, second - first - 1);
        const std::string_view path = line.substr(second + 1);
        if (controllers.empty()) {
            if (!have_room_for(needed, mount, "", path, kVersion2, room) ||
                !have_room_for(needed, mount, "/unified", path, kVersion2, room))
                break;
        } else if (names_memory(controllers)) {
            if (!have_room_for(needed, mount, "/memory", path, kVersion1, room)) break;
        }
    }
    return room;
}

}  // namespace shmring::detail
