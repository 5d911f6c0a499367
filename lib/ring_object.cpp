// What all ring objects and their factories do once, outside the templates.
#include "shmring/detail/ring_object.hpp"

#include <cstdio>
#include <new>

namespace shmring::detail {

std::shared_ptr<Segment> share_segment(Segment&& segment, SetupError& error) noexcept {
    try {
        return std::make_shared<Segment>(std::move(segment));
    } catch (const std::bad_alloc&) {
        error.code = std::make_error_code(std::errc::not_enough_memory);
        std::snprintf(error.text, sizeof error.text, "shmring: no memory for a ring object");
        return {};
    }
}

void refuse_empty_ring(SetupError& error) noexcept {
    error.code = std::make_error_code(std::errc::bad_file_descriptor);
    std::snprintf(error.text, sizeof error.text, "shmring: join: this ring object holds no ring");
}

void throw_foreign_handle() {
    SetupError error;
    error.code = make_error_code(errc::not_owner);
    std::snprintf(error.text, sizeof error.text,
                  "shmring: bind: this handle belongs to the process we were forked from");
    throw_setup_error(error);
}

}  // namespace shmring::detail
