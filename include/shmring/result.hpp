// What calls answer: Status for the states of a live stream, Result<T> for a value or a Status, errc for set-up that failed.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <system_error>
#include <type_traits>
#include <utility>

namespace shmring {

/// The state of a live stream as one call saw it. Values, not errors: a full ring is a fact of life.
/// Numbered because tools and bindings carry it across processes: part of the ABI, only ever extended at the end.
enum class Status : std::uint32_t {
    ok = 0,         ///< it was done
    empty = 1,      ///< nothing to read now
    full = 2,       ///< no room now, and the exact read position was looked at
    busy = 3,       ///< the oldest message is claimed and not yet published
    timed_out = 4,  ///< the deadline passed first; a zero or negative time-out is one attempt
    closed = 5,     ///< the stream has ended: for readers, after the last message
    peer_lost =
        6,  ///< the other side died and nobody has taken its place: for readers, after the last message
    too_large = 7,     ///< the message can never fit, or the buffer is too small (the message stays)
    corrupt = 8,       ///< the segment holds what no correct program writes
    not_owner = 9,     ///< this handle belongs to another process (it was bound before a fork)
    interrupted = 10,  ///< the wait was cancelled by its stop token, or by a signal where that was asked for
    overflow =
        11,  ///< more than there can be: claims or views in hand, participant records, calls of task_done()
    invalid = 12,  ///< the call makes no sense: the wrong end of a one-way pipe, a part outside its buffer
    /// The handle's first use, and the system refused what a handle takes: a descriptor for a moment, a page, a lock. The handle's bind
    /// calls say in words what it was; it may work later.
    unavailable = 13,
};

/// The English name of a status, as in this file. Never null, static storage.
[[nodiscard]] const char* to_string(Status status) noexcept;

/// Why a ring could not be created, opened or joined. Carried by std::error_code; system errors travel as themselves.
enum class errc : int {
    bad_name = 1,            ///< a name is one path component of 1 to 250 bytes, with an optional leading '/'
    bad_option,              ///< an option is outside its range
    not_a_segment,           ///< no magic number: something else has this name
    wrong_layout_version,    ///< another version of this library made it
    corrupt_header,          ///< a header field contradicts another, or its checksum
    wrong_kind,              ///< a ring of another kind
    wrong_type,              ///< another message type: size, alignment or schema differ
    wrong_capacity,          ///< open_or_create found another capacity than the one asked for
    wrong_size,              ///< the file is not as long as its header says
    untrusted_owner,         ///< the file belongs to a user that was not named as trusted
    untrusted_mode,          ///< the file can be written by users that were not allowed to
    not_a_regular_file,      ///< a directory, link, FIFO or device has this name
    unsealed,                ///< a descriptor without seals: its memory could vanish under us
    memory_too_small,        ///< caller-provided memory cannot hold what was asked for
    memory_misaligned,       ///< caller-provided memory must start on a page
    seat_taken,              ///< a live participant is the producer (or consumer) already
    participants_exhausted,  ///< every participant record is held by a live handle
    unsupported_feature,     ///< the segment requires a feature that this version does not know
    corrupt_positions,       ///< the ring's positions and commit words contradict each other
    retired,                 ///< the name was removed; a new ring may have been made under it
    no_bell,                 ///< readable_fd(): the ring was made, or joined, without a bell
    untrusted_bell,  ///< readable_fd(): what stands at the bell's name is no FIFO of the ring's owner and mode
    not_owner,       ///< this handle belongs to another process (it was bound before a fork)
    pipe_ended,  ///< this end of the pipe was closed, or died: a pipe has no successors; open_or_create() makes a new one when both are
};

/// The category of errc: `std::error_code code = errc::seat_taken;` works through make_error_code.
[[nodiscard]] const std::error_category& error_category() noexcept;
[[nodiscard]] std::error_code make_error_code(errc code) noexcept;

namespace detail {

/// Trivially copyable values need no destructor and are filled by copying bytes: the data path.
template <class T, bool = std::is_trivially_copyable_v<T>>
class ResultStorage {
 public:
    explicit ResultStorage(Status status) noexcept : status_(status) {}
    explicit ResultStorage(const T& value) noexcept requires(!std::is_same_v<T, Status>) {
        std::construct_at(&value_, value);
    }
    template <class Fill>
    ResultStorage(std::in_place_t, Fill&& fill) noexcept(noexcept(fill(static_cast<void*>(nullptr)))) {
        status_ = fill(static_cast<void*>(&value_));
    }
    // Spelled out, so that a result is returned in place: a small one that may travel in registers is first written in two parts
    // and then read as one, which stalls for its stores (8-byte blocking pop: 9.7 ns with, see docs/algorithms/spsc.md).
    ResultStorage(const ResultStorage& other) noexcept : status_(other.status_) { take_value(other); }
    ResultStorage& operator=(const ResultStorage& other) noexcept {
        if (this == &other) return *this;
        status_ = other.status_;
        take_value(other);
        return *this;
    }
    ~ResultStorage() = default;

 protected:
    T* address() noexcept { return &value_; }
    const T* address() const noexcept { return &value_; }
    Status status_ = Status::ok;

 private:
    void take_value(const ResultStorage& other) noexcept {
        if (status_ == Status::ok) std::construct_at(&value_, other.value_);
    }

    union {
        T value_;
    };
};

template <class T>
class ResultStorage<T, false> {
    std::optional<T> value_{};  // before the status: an assignment that throws here leaves that as it was

 public:
    explicit ResultStorage(Status status) noexcept : status_(status) {}
    explicit ResultStorage(T&& value) noexcept(std::is_nothrow_move_constructible_v<T>)
        : value_(std::move(value)), status_(Status::ok) {}
    template <class Fill>
    ResultStorage(std::in_place_t, Fill&& fill) : status_(fill(value_)) {
        if (status_ != Status::ok) value_.reset();
    }

 protected:
    T* address() noexcept { return &*value_; }
    const T* address() const noexcept { return &*value_; }
    Status status_;
};

}  // namespace detail

/// A value, or the Status that says why there is none. Member names of std::expected, which C++20 lacks; there is no
/// throwing value(): test it, then use `*`. Reading the value of a failed Result is a programmer's error (assert).
template <class T>
class [[nodiscard]] Result : private detail::ResultStorage<T> {
    using Storage = detail::ResultStorage<T>;

 public:
    using value_type = T;
    using error_type = Status;

    Result(Status status) noexcept : Storage(status) { assert(status != Status::ok); }
    /// Not for a Result<Status>, where a Status is the reason why there is none: its value is filled in place.
    Result(T value) noexcept(std::is_nothrow_move_constructible_v<T>) requires(!std::is_same_v<T, Status>)
        : Storage(std::move(value)) {}
    /// Lets `fill(void*)` write the bytes of the value in place and say how that went; where T is not trivially copyable,
    /// `fill(std::optional<T>&)` makes it.
    template <class Fill>
    Result(std::in_place_t tag,
           Fill&& fill) noexcept(std::is_nothrow_constructible_v<Storage, std::in_place_t, Fill>)
        : Storage(tag, std::forward<Fill>(fill)) {}

    [[nodiscard]] bool has_value() const noexcept { return this->status_ == Status::ok; }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] Status error() const noexcept { return this->status_; }

    [[nodiscard]] T& operator*() & noexcept { return *checked(); }
    [[nodiscard]] const T& operator*() const& noexcept { return *checked(); }
    [[nodiscard]] T&& operator*() && noexcept { return std::move(*checked()); }
    [[nodiscard]] T* operator->() noexcept { return checked(); }
    [[nodiscard]] const T* operator->() const noexcept { return checked(); }

    template <class U>
    [[nodiscard]] T value_or(U&& other) const& {
        return has_value() ? **this : static_cast<T>(std::forward<U>(other));
    }

 private:
    T* checked() noexcept {
        assert(has_value());
        return this->address();
    }
    const T* checked() const noexcept {
        assert(has_value());
        return this->address();
    }
};

/// Done, or the Status that says why not.
template <>
class [[nodiscard]] Result<void> {
 public:
    using value_type = void;
    using error_type = Status;

    Result() noexcept = default;
    Result(Status status) noexcept : status_(status) {}

    [[nodiscard]] bool has_value() const noexcept { return status_ == Status::ok; }
    [[nodiscard]] explicit operator bool() const noexcept { return has_value(); }
    [[nodiscard]] Status error() const noexcept { return status_; }

 private:
    Status status_ = Status::ok;
};

}  // namespace shmring

/// Makes an errc comparable with, and convertible to, a std::error_code.
namespace std {
template <>
struct is_error_code_enum<shmring::errc> : true_type {};
}  // namespace std

#include "shmring/detail/header_end.hpp"
