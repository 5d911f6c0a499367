// The first include of every public header: says in one sentence what is missing, and puts aside the macros of other libraries.
// Read once for each public header, so without #pragma once; detail/header_end.hpp is its other half.
// SPDX-License-Identifier: MIT

#if __cplusplus < 202002L
#error "shmring needs C++20: compile with -std=c++20 (GCC 11 or Clang 14, or later)"
#include <shmring needs C++20: compile with -std=c++20>  // there is no such file: the compiler stops here
#endif
#if __SIZEOF_POINTER__ != 8
#error "shmring needs a 64-bit target: 32 bits cannot hold the sizes and positions of its segments"
#include <shmring needs a 64-bit target>  // as above
#endif

// X11/Xlib.h
#pragma push_macro("Always")
#undef Always
#pragma push_macro("Bool")
#undef Bool
#pragma push_macro("False")
#undef False
#pragma push_macro("None")
#undef None
#pragma push_macro("Status")
#undef Status
#pragma push_macro("Success")
#undef Success
#pragma push_macro("True")
#undef True
// Qt
#pragma push_macro("emit")
#undef emit
#pragma push_macro("foreach")
#undef foreach
#pragma push_macro("forever")
#undef forever
#pragma push_macro("signals")
#undef signals
#pragma push_macro("slots")
#undef slots
// sys/sysmacros.h
#pragma push_macro("major")
#undef major
#pragma push_macro("makedev")
#undef makedev
#pragma push_macro("minor")
#undef minor
// X11/Xlibint.h, and what was written for Windows
#pragma push_macro("max")
#undef max
#pragma push_macro("min")
#undef min

#include <version>  // behind all that: it may undefine macros itself

#if !defined(__cpp_lib_jthread)
#error "shmring needs std::stop_token: libstdc++, libc++ 20, or libc++ 19 with -fexperimental-library"
#include <shmring needs a standard library with std::stop_token>  // as above
#endif
