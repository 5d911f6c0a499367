// The words for a handle that could not be had. The errno says which step of it failed: each is one that only one of them answers.
// SPDX-License-Identifier: MIT
#include "shmring/detail/attach_refusal.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cinttypes>

#include "shmring/detail/layout.hpp"

namespace shmring::detail {

namespace {

bool refuse_full_table(SetupReport& report, std::uint32_t records) noexcept {
    const std::error_code code = make_error_code(errc::participants_exhausted);
    if (records >= kMaxParticipants)
        return report.refuse(
            code, "all %u participant records are held by live handles, and there can be no more", records);
    return report.refuse(code,
                         "all %u participant records are held by live handles; make the ring with more, as "
                         ".participants = %u (at most %u)",
                         records, std::min(2 * records, kMaxParticipants), kMaxParticipants);
}

[[nodiscard]] std::uint64_t limit_of_descriptors() noexcept {
    struct rlimit limit {};
    return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? std::uint64_t{limit.rlim_cur} : 0;
}

}  // namespace

bool refuse_attach(SetupReport& report, const std::error_code& code, std::uint32_t records) noexcept {
    if (code == errc::participants_exhausted) return refuse_full_table(report, records);
    if (code.category() != std::generic_category()) return report.refuse(code, "it cannot be joined");
    switch (code.value()) {
        case EMFILE:
            return report.refuse_errno(EMFILE,
                                       "a new handle takes a descriptor for a moment, and all of this "
                                       "process are in use (ulimit -n is "
                                       "%" PRIu64 ")",
                                       limit_of_descriptors());
        case ENFILE:
            return report.refuse_errno(ENFILE, "a new handle takes a descriptor for a moment (fs.file-max)");
        case ENOENT:
        case ENOTDIR:
            return report.refuse_errno(
                code.value(), "cannot open its memory anew through /proc/thread-self/fd, is /proc mounted?");
        case EACCES:
            return report.refuse_errno(
                EACCES,
                "this user may not open its memory anew for writing (/proc/thread-self/fd); take handles "
                "before "
                "changing the user, or give the ring an owner and a mode that let this one");
        case ENOMEM:
            return report.refuse_errno(
                ENOMEM,
                "no page of address space for its lock: too many mappings (vm.max_map_count), ulimit -v, or "
                "locked memory (ulimit -l)");
        case EBADF:
            return report.refuse_errno(
                EBADF, "this program closed the ring's descriptor, or opened something else in its place");
        case ENOLCK:
            return report.refuse_errno(ENOLCK,
                                       "its lock on life does not show (does a sandbox refuse fcntl's "
                                       "F_OFD_GETLK and F_GETLK, or has "
                                       "the file system no locks?): a death would go unnoticed");
        default:
            return report.refuse_errno(code.value(), "cannot lock its record (a sandbox, a file system?)");
    }
}

Status status_of_refusal(const std::error_code& code) noexcept {
    if (code == errc::participants_exhausted) return Status::overflow;
    if (code == errc::seat_taken || code == errc::not_owner) return Status::not_owner;
    if (code == errc::pipe_ended) return Status::closed;
    if (code == errc::corrupt_positions) return Status::corrupt;
    return Status::unavailable;
}

}  // namespace shmring::detail
