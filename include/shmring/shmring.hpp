// Everything a program that uses shmring needs, and nothing of what is inside.
// SPDX-License-Identifier: MIT
#pragma once

#include "shmring/detail/header_begin.hpp"

#include "shmring/byte_pipe.hpp"
#include "shmring/byte_ring.hpp"
#include "shmring/codec.hpp"
#include "shmring/interrupt.hpp"
#include "shmring/joinable_queue.hpp"
#include "shmring/message.hpp"
#include "shmring/mpmc_byte_ring.hpp"
#include "shmring/mpmc_ring.hpp"
#include "shmring/options.hpp"
#include "shmring/peer.hpp"
#include "shmring/pipe.hpp"
#include "shmring/queue.hpp"
#include "shmring/result.hpp"
#include "shmring/segment.hpp"
#include "shmring/spsc_ring.hpp"
#include "shmring/version.hpp"
#include "shmring/wait.hpp"
#include "shmring/wait_any.hpp"

#include "shmring/detail/header_end.hpp"
