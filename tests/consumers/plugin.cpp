// A plug-in has the library inside, and shows the program that loads it one function.
// SPDX-License-Identifier: MIT
#include <shmring/shmring.hpp>

extern "C" int use() { return shmring::Queue<int>::anonymous({.capacity = 8}).try_push(1) ? 0 : 1; }
