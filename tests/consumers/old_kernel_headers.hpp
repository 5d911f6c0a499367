// Put before a source of lib/ (-include): the kernel's headers as of Linux 5.4, which Debian 11's 5.10 and older distributions resemble.
// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#undef FUTEX_32
#undef MADV_POPULATE_READ
#undef MADV_POPULATE_WRITE
#undef MADV_COLLAPSE
#undef MFD_EXEC
#undef MFD_NOEXEC_SEAL
#undef SYS_futex_waitv
#undef __NR_futex_waitv
#define futex_waitv there_is_no_futex_waitv_in_old_headers
