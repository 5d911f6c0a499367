// The files segments live in: named ones in /dev/shm, memfds, and descriptors that came from elsewhere.
// Every function that can fail fills the report and returns an empty Descriptor or false.
// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <system_error>

#include "shmring/detail/platform.hpp"
#include "shmring/detail/segment_header.hpp"
#include "shmring/detail/setup_report.hpp"
#include "shmring/segment.hpp"

struct stat;  // of <sys/stat.h>

namespace shmring::detail {

/// Owns one file descriptor.
class Descriptor {
 public:
    Descriptor() noexcept = default;
    explicit Descriptor(int number) noexcept : number_(number) {}
    Descriptor(Descriptor&& other) noexcept : number_(other.release()) {}
    Descriptor& operator=(Descriptor&& other) noexcept;
    ~Descriptor();

    [[nodiscard]] int number() const noexcept { return number_; }
    [[nodiscard]] explicit operator bool() const noexcept { return number_ >= 0; }
    [[nodiscard]] int release() noexcept {
        const int number = number_;
        number_ = -1;
        return number;
    }

 private:
    int number_ = -1;
};

inline constexpr std::size_t kMaxNameSize = 250;

/// The name without its leading '/', or an empty one: not a name.
[[nodiscard]] std::string_view plain_name(std::string_view name) noexcept;

/// Whether something in /dev/shm has this name. Only a hint: publish() decides.
[[nodiscard]] bool name_is_taken(std::string_view plain) noexcept;
/// A file in /dev/shm of this size, all of it really there, and without a name: gone if we die.
[[nodiscard]] Descriptor make_unnamed_file(std::uint64_t size, unsigned mode, SetupReport& report) noexcept;
/// Gives it its name, if that is free.
[[nodiscard]] bool publish(const Descriptor& file, std::string_view plain, SetupReport& report) noexcept;
/// An existing one: a regular file with one name, of an owner and a mode that the options allow.
[[nodiscard]] Descriptor open_named_file(std::string_view plain, const SegmentOptions& options,
                                         std::uint64_t& size, SetupReport& report) noexcept;
/// What it means that a named segment is marked as removed: that it was removed just now, or that somebody meddled.
bool refuse_retired(const Descriptor& file, SetupReport& report) noexcept;
/// Deletes the name of a regular file of ours, and marks what is in it as retired if that is a segment.
/// no_such_file_or_directory: there is none, or another was quicker. resource_unavailable_try_again: another has been at it for a
/// second, so it is stopped. `only`: nothing, and no_such_file_or_directory, if the name leads to another file than that.
[[nodiscard]] std::error_code remove_named_file(std::string_view plain,
                                                const platform::FileIdentity* only = nullptr) noexcept;

/// Whether the file stands in a folder: no memfd, and not deleted.
[[nodiscard]] bool has_a_name(const Descriptor& file) noexcept;
/// /dev/shm as this process sees it now; zeros where it sees none.
[[nodiscard]] platform::FileIdentity identity_of_folder() noexcept;
/// Whether the file has no more this name in that folder, or, where none is given, none at all. False when `number` is not that file any
/// more, and where the system refuses the answer. Where another folder is at /dev/shm by now, only whether it has none at all.
[[nodiscard]] bool has_lost_its_name(int number, const platform::FileIdentity& file, std::string_view plain,
                                     const platform::FileIdentity& folder) noexcept;

/// Anonymous memory of this size, all of it really there. Seal it when it is ready.
[[nodiscard]] Descriptor make_memfd(std::uint64_t size, SetupReport& report) noexcept;
[[nodiscard]] bool seal(const Descriptor& memfd, SetupReport& report) noexcept;
/// A duplicate of somebody's descriptor: a sealed memfd, or a file that open_named_file() would accept.
[[nodiscard]] Descriptor adopt_descriptor(int number, const SegmentOptions& options, std::uint64_t& size,
                                          SetupReport& report) noexcept;
/// A duplicate of the caller's liveness descriptor, which must be a regular file.
[[nodiscard]] Descriptor adopt_liveness_descriptor(int number, platform::FileIdentity& file,
                                                   SetupReport& report) noexcept;

/// The FIFO NAME.bell (of a pipe's second lane NAME.bel2) beside a named segment, which `ring` must still be; made if it is missing and `make`. It must have the
/// segment's owner and at most its mode, for whoever can open it can take strokes away.
[[nodiscard]] Descriptor open_bell_file(std::string_view plain, std::size_t lane,
                                        const platform::FileIdentity& ring, bool make,
                                        SetupReport& report) noexcept;
using Bells = std::array<Descriptor, 2>;
/// Deletes them, if they are FIFOs that we may delete; anything else keeps the name. Answers what was deleted, open.
[[nodiscard]] Bells remove_bell_files(std::string_view plain) noexcept;
/// Joining makes no bell: that would be another one than the others have.
[[nodiscard]] bool check_joining_options(const SegmentOptions& options, SetupReport& report) noexcept;
/// The bells of a segment without a name as the options want them: made, duplicated from the caller's eventfds, or none. Two
/// for a duplex pipe, else one.
[[nodiscard]] bool prepare_bells(const SegmentOptions& options, std::uint32_t pipe_shape, Bells& bells,
                                 SetupReport& report) noexcept;

/// Reads the header through the file, not through a mapping: a file that is truncated meanwhile cannot cause a SIGBUS.
void read_header(const Descriptor& file, HeaderCopy& copy) noexcept;

/// False: a file of a file system that is memory, and ends with the machine's boot.
[[nodiscard]] bool may_outlive_boots(const Descriptor& file) noexcept;

[[nodiscard]] platform::FileIdentity identity_of(const Descriptor& file) noexcept;
/// Closes a descriptor that stood open for long, unless the application closed it and its number means another file by now.
void close_if_still(int number, const platform::FileIdentity& file) noexcept;
[[nodiscard]] std::uint32_t effective_user() noexcept;

/// Makes an empty file this long, with memory behind every page. Returns 0 or an errno, EFBIG instead of the signal
/// SIGXFSZ.
[[nodiscard]] int allocate(const Descriptor& file, std::uint64_t size) noexcept;
bool refuse_allocation(int number, std::uint64_t size, SetupReport& report) noexcept;

/// Whether owner and mode are as the options allow.
[[nodiscard]] bool check_owner_and_mode(const struct stat& status, const SegmentOptions& options,
                                        SetupReport& report) noexcept;

}  // namespace shmring::detail
