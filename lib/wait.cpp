// The sleeping of all rings' waits.
// SPDX-License-Identifier: MIT
#include "shmring/wait.hpp"

#include "shmring/detail/waiter_sleep.hpp"

namespace shmring::detail {

template class Waiter<ShippedEnv>;

}  // namespace shmring::detail
