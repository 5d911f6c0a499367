// The ways to come by a ring, each once throwing and once noexcept: what all kinds of ring share.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <system_error>

#include "shmring/options.hpp"
#include "shmring/segment.hpp"

namespace shmring::detail {

/// Moves a segment into shared ownership. An empty pointer and not_enough_memory when that fails.
[[nodiscard]] std::shared_ptr<Segment> share_segment(Segment&& segment, SetupError& error) noexcept;

/// `Ring` provides `static SegmentSpec spec(const Options&)` and a constructor from shared_ptr<Segment>. Opening asks for
/// `spec(Options{})`, whose capacity 0 stands for whatever the ring has, and for the schema named in SegmentOptions where no type has one.
/// The throwing forms throw std::system_error whose code() is an errc or a system error and whose what() names the ring, what
/// was expected and what was found. The noexcept forms return an empty ring and set `code`.
template <class Ring, class Options>
class RingFactory {
 public:
    /// Makes a new named ring in /dev/shm; std::errc::file_exists if the name is taken. The name shows a whole ring or none.
    [[nodiscard]] static Ring create(std::string_view name, const Options& options) {
        return or_throw(options, [&](auto& spec, auto& error) {
            return Segment::create(name, spec, options.segment, error);
        });
    }
    [[nodiscard]] static Ring create(std::string_view name, const Options& options,
                                     std::error_code& code) noexcept {
        return or_code(options, code, [&](auto& spec, auto& error) {
            return Segment::create(name, spec, options.segment, error);
        });
    }
    /// Opens a named ring of this type; every header field is checked before use.
    [[nodiscard]] static Ring open(std::string_view name, const SegmentOptions& options = {}) {
        return or_throw(options,
                        [&](auto& spec, auto& error) { return Segment::open(name, spec, options, error); });
    }
    [[nodiscard]] static Ring open(std::string_view name, const SegmentOptions& options,
                                   std::error_code& code) noexcept {
        return or_code(options, code,
                       [&](auto& spec, auto& error) { return Segment::open(name, spec, options, error); });
    }
    /// Opens the named ring or makes it; many processes may do so at once and all get the same ring.
    [[nodiscard]] static Ring open_or_create(std::string_view name, const Options& options) {
        return or_throw(options, [&](auto& spec, auto& error) {
            return Segment::open_or_create(name, spec, options.segment, error);
        });
    }
    [[nodiscard]] static Ring open_or_create(std::string_view name, const Options& options,
                                             std::error_code& code) noexcept {
        return or_code(options, code, [&](auto& spec, auto& error) {
            return Segment::open_or_create(name, spec, options.segment, error);
        });
    }
    /// A ring without a name, for forked children and for those who are handed segment().descriptor().
    [[nodiscard]] static Ring anonymous(const Options& options) {
        return or_throw(options, [&](auto& spec, auto& error) {
            return Segment::anonymous(spec, options.segment, error);
        });
    }
    [[nodiscard]] static Ring anonymous(const Options& options, std::error_code& code) noexcept {
        return or_code(options, code, [&](auto& spec, auto& error) {
            return Segment::anonymous(spec, options.segment, error);
        });
    }
    /// A ring whose descriptor came from another process. The descriptor is duplicated; the caller keeps its own.
    [[nodiscard]] static Ring from_descriptor(int descriptor, const SegmentOptions& options = {}) {
        return or_throw(options, [&](auto& spec, auto& error) {
            return Segment::from_descriptor(descriptor, spec, options, error);
        });
    }
    [[nodiscard]] static Ring from_descriptor(int descriptor, const SegmentOptions& options,
                                              std::error_code& code) noexcept {
        return or_code(options, code, [&](auto& spec, auto& error) {
            return Segment::from_descriptor(descriptor, spec, options, error);
        });
    }
    /// A ring in shared memory that the caller mapped, page-aligned, at least required_bytes(options) long.
    [[nodiscard]] static Ring create_in(std::span<std::byte> memory, const Options& options) {
        return or_throw(options, [&](auto& spec, auto& error) {
            return Segment::create_in(memory, spec, options.segment, error);
        });
    }
    [[nodiscard]] static Ring create_in(std::span<std::byte> memory, const Options& options,
                                        std::error_code& code) noexcept {
        return or_code(options, code, [&](auto& spec, auto& error) {
            return Segment::create_in(memory, spec, options.segment, error);
        });
    }
    /// Joins a ring that create_in() made in this memory, here or in another process.
    [[nodiscard]] static Ring open_in(std::span<std::byte> memory, const SegmentOptions& options = {}) {
        return or_throw(
            options, [&](auto& spec, auto& error) { return Segment::open_in(memory, spec, options, error); });
    }
    [[nodiscard]] static Ring open_in(std::span<std::byte> memory, const SegmentOptions& options,
                                      std::error_code& code) noexcept {
        return or_code(options, code, [&](auto& spec, auto& error) {
            return Segment::open_in(memory, spec, options, error);
        });
    }
    /// Bytes that a ring of these options takes: for create_in, and for planning /dev/shm.
    [[nodiscard]] static std::uint64_t required_bytes(const Options& options) noexcept {
        return Segment::required_size(wanted(options));
    }
    /// Deletes the name. Whoever has the ring open keeps it; segment().retired() tells them.
    static std::error_code remove(std::string_view name) noexcept { return Segment::remove(name); }

 private:
    /// Making: as the options say.
    [[nodiscard]] static SegmentSpec wanted(const Options& options) noexcept {
        SegmentSpec spec = Ring::spec(options);
        spec.has_misplaced_schema = spec.has_misplaced_schema || !options.segment.schema.empty();
        return spec;
    }
    /// Opening: whatever capacity it has.
    [[nodiscard]] static SegmentSpec wanted(const SegmentOptions& options) noexcept {
        SegmentSpec spec = Ring::spec(Options{});
        if (spec.schema_is_an_option)
            spec.schema = options.schema;
        else
            spec.has_misplaced_schema = !options.schema.empty();
        return spec;
    }

    template <class AnyOptions, class Make>
    static Ring make(const AnyOptions& options, SetupError& error, Make&& how) noexcept {
        const SegmentSpec spec = wanted(options);
        Segment segment = how(spec, error);
        if (error.code) return Ring{};
        return Ring{share_segment(std::move(segment), error)};
    }

 protected:
    // For kinds that come by their segments in a way of their own.
    template <class AnyOptions, class Make>
    static Ring or_throw(const AnyOptions& options, Make&& how) {
        SetupError error;
        Ring ring = make(options, error, how);
        if (error.code) throw_setup_error(error);
        return ring;
    }
    template <class AnyOptions, class Make>
    static Ring or_code(const AnyOptions& options, std::error_code& code, Make&& how) noexcept {
        SetupError error;
        Ring ring = make(options, error, how);
        code = error.code;
        return ring;
    }
};

}  // namespace shmring::detail
