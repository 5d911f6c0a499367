// What other libraries define before this one is included, and want back: Xlib.h, Qt without QT_NO_KEYWORDS, sys/sysmacros.h, and code that
// was written for Windows.
// SPDX-License-Identifier: MIT
#define Always 2
#define Bool int
#define False 0
#define None 0L
#define Status int
#define Success 0
#define True 1
#define emit
#define foreach(variable, container) for (variable : container)
#define forever for (;;)
#define signals public
#define slots
#define major(device) ((device) >> 8)
#define makedev(major, minor) ((major) << 8 | (minor))
#define minor(device) ((device)&255)
#define max(a, b) ((a) > (b) ? (a) : (b))
#define min(a, b) ((a) < (b) ? (a) : (b))

#include <shmring/shmring.hpp>

#if !defined(Always) || !defined(Bool) || !defined(False) || !defined(None) || !defined(Status) || \
    !defined(Success) || !defined(True)
#error "the macros of Xlib.h are lost"
#endif
#if !defined(emit) || !defined(foreach) || !defined(forever) || !defined(signals) || !defined(slots)
#error "the macros of Qt are lost"
#endif
#if !defined(major) || !defined(makedev) || !defined(minor) || !defined(max) || !defined(min)
#error "other macros are lost"
#endif

#undef Status  // README.md: what a program does that names shmring::Status behind Xlib.h

int main() {
    auto queue = shmring::Queue<int>::anonymous({.capacity = 8});
    return queue.try_pop().error() == shmring::Status::empty ? 0 : 1;
}
