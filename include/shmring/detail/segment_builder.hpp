// The one place that fills the private parts of a Segment.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

#include "shmring/detail/segment_file.hpp"
#include "shmring/detail/segment_memory.hpp"
#include "shmring/segment.hpp"

namespace shmring {

/// Called when nothing can fail any more: what it takes over, it takes for good.
class SegmentBuilder {
 public:
    [[nodiscard]] static Segment of_file(detail::Descriptor& file, detail::Mapping& mapping,
                                         const SegmentGeometry& geometry, const SegmentOptions& options,
                                         std::string_view name) noexcept {
        Segment segment =
            of_memory({mapping.data(), static_cast<std::size_t>(geometry.segment_size)}, geometry, options);
        segment.owns_mapping_ = mapping.release() != nullptr;
        segment.had_name_ = !name.empty() || detail::has_a_name(file);
        if (!name.empty()) segment.folder_ = detail::identity_of_folder();
        give_descriptor(segment, file);
        std::copy(name.begin(), name.end(), segment.name_buffer_.begin());
        return segment;
    }
    [[nodiscard]] static Segment of_memory(std::span<std::byte> memory, const SegmentGeometry& geometry,
                                           const SegmentOptions& options) noexcept {
        Segment segment;
        segment.base_ = memory.data();
        segment.geometry_ = geometry;
        segment.grants_ = detail::ask_kernel_for(memory, options);
        return segment;
    }
    static void give_descriptor(Segment& segment, detail::Descriptor& file) noexcept {
        segment.file_ = detail::identity_of(file);
        segment.descriptor_ = file.release();
    }
    static void give_bells(Segment& segment, detail::Bells& bells) noexcept {
        for (std::size_t lane = 0; lane != bells.size(); ++lane) {
            if (!bells[lane]) continue;
            segment.bell_files_[lane] = detail::identity_of(bells[lane]);
            segment.bells_[lane] = bells[lane].release();
        }
    }
};

}  // namespace shmring
