# tools/dev portability: what users build with, and into what, as far as this machine can. Sourced by tools/dev.
# A check that cannot run here is left out, and the table says why. Logs: build/portability/logs.
# SPDX-License-Identifier: MIT

out=$root/build/portability
consumers=$root/tests/consumers
only_the_library=(-D SHMRING_BUILD_TESTS=OFF -D SHMRING_BUILD_BENCH=OFF -D SHMRING_BUILD_TOOLS=OFF -D SHMRING_BUILD_EXAMPLES=OFF)
warnings=(-Wall -Wextra -Werror -Wshadow -Wconversion -Wold-style-cast -Wnull-dereference)
rows=()
failures=0

check_portability() {
    rm -rf "$out"
    mkdir -p "$out/logs"
    local compiler
    for compiler in g++-11 g++-12 g++-13 g++-14 clang++-14 clang++-15 clang++-16 clang++-17 clang++-18 clang++-19; do
        check "$compiler: the library, and a program of every type, -O2, -O0, without exceptions" compiles_with "$compiler"
    done
    check "clang++-19 with libc++: the same" compiles_with clang++-19 -stdlib=libc++ -fexperimental-library
    check "libc++ without std::stop_token: refused in one sentence" is_refused "needs std::stop_token" clang++-19 -std=c++20 -stdlib=libc++
    check "C++17: refused in one sentence" is_refused "needs C++20" g++ -std=c++17
    check "32 bits: refused by the headers in one sentence" is_refused "needs a 64-bit target" i686-linux-gnu-g++ -std=c++20
    check "32 bits: refused by CMake in one sentence" cmake_refuses_32_bits
    check "aarch64: the library and a program of every type, cross-compiled and run under qemu-user" crosses_to_aarch64
    check "aarch64: unit tests under qemu-user" tests_under_qemu
    check "behind Xlib.h" compiles_behind_xlib
    check "part of a project: static, into a program and a plug-in" serves_a_project part_static
    check "part of a project that hides symbols and unites sources: shared" serves_a_project part_shared "${hiding[@]}" -D BUILD_SHARED_LIBS=ON
    check "part of a project that hides symbols and unites sources: static" serves_a_project part_hidden "${hiding[@]}"
    check "part of a project that hides symbols by CXXFLAGS: shared" serves_a_project part_flags -D BUILD_SHARED_LIBS=ON \
        -D CMAKE_CXX_FLAGS="-fvisibility=hidden -fvisibility-inlines-hidden"
    check "installed, static: find_package and pkg-config" serves_when_installed static -D BUILD_SHARED_LIBS=OFF
    check "installed, shared: find_package and pkg-config" serves_when_installed shared -D BUILD_SHARED_LIBS=ON
    check "Debian 13: by CMake, and g++-13, g++-14, clang++-17, clang++-18: the library and a program of every type" \
        serves_in_debian trixie "g++ g++-13 g++-14 clang-17 clang-18 cmake ninja-build" g++-13 g++-14 clang++-17 clang++-18
    check "Debian 11 (kernel headers of 5.10, libstdc++ 10), clang++-16: the library and a program of every type" \
        serves_in_debian bullseye "g++ clang-16" clang++-16
    leave_row_out "CMake 3.22 to 3.24" "Debian 12 offers $(cmake --version | sed -n '1s/cmake version //p') only"
    leave_row_out "musl" "Debian has no C++ library for it"
    leave_row_out "Qt" "its macros are in tests/consumers/behind_macros.cpp, which ctest compiles"
    note "portability" "${rows[@]}"
    ((failures == 0)) || fail "$failures of these checks failed; their logs are in build/portability/logs"
}

# check <what> <function> [arguments]: one row of the table. 77 means: cannot run here, for the reason in the last line of the log.
check() {
    local log=$out/logs/${#rows[@]}.txt code=0
    note "$1"
    "${@:2}" >"$log" 2>&1 &    # not in a condition, or a command that fails would not end it
    wait $! || code=$?
    case $code in
        0) row "$1" passed ;;
        77) leave_row_out "$1" "$(tail -n 1 "$log")" ;;
        *)
            ((++failures))
            row "$1" "FAILED (${log#"$root"/})"
            tail -n 15 "$log"
            ;;
    esac
}
row() { rows+=("$(printf '%-84s %s' "$1" "$2")"); }
leave_row_out() { row "$1" "left out: $2"; }

cannot_run() {
    echo "$1"
    exit 77
}
wants() { type -P "$1" >/dev/null || cannot_run "no $1 to be had here"; }

# library <folder> [cmake arguments]: a release build of the library, warnings are errors.
library() {
    cmake -S "$root" -B "$out/$1" -G Ninja -D CMAKE_BUILD_TYPE=Release -D CMAKE_COMPILE_WARNING_AS_ERROR=ON \
        "${only_the_library[@]}" "${@:2}"
    cmake --build "$out/$1"
}

compiles_with() {
    wants "$1"
    local compiler=("$@") folder=$1${2:-}
    library "$folder" -D CMAKE_CXX_COMPILER="$1" -D CMAKE_CXX_FLAGS="${*:2}"
    compile_every_type "$out/$folder"
    "$out/$folder/every_type"
}
# By the command in `compiler`, with the library in the folder.
compile_every_type() {
    local compile=("${compiler[@]}" -std=c++20 "${warnings[@]}" -I"$root/include" "$consumers/every_type.cpp")
    "${compile[@]}" -O2 "$1/lib/libshmring.a" -pthread -o "$1/every_type"
    "${compile[@]}" -O0 -fno-exceptions -fno-rtti -c -o "$1/every_type.o"
}

# is_refused <words> <compiler> [options]: they are in the first error, and the compiler stops behind it.
is_refused() {
    wants "$2"
    local said
    said=$("${@:2}" -fsyntax-only -I"$root/include" "$consumers/plugin.cpp" 2>&1) && return 1
    printf '%s\n' "$said"
    grep -m 1 'error: ' <<<"$said" | grep -F "$1"
    [[ $(grep -c 'error: ' <<<"$said") == 2 ]]
}
cmake_refuses_32_bits() {
    wants i686-linux-gnu-g++
    local said
    said=$(library i686 -D CMAKE_SYSTEM_NAME=Linux -D CMAKE_CXX_COMPILER=i686-linux-gnu-g++ 2>&1) && return 1
    printf '%s\n' "$said"
    grep -F "shmring needs a 64-bit target; this one has 32 bits" <<<"$said"
}

under_qemu=(qemu-aarch64-static -L /usr/aarch64-linux-gnu)
to_aarch64=(-D CMAKE_SYSTEM_NAME=Linux -D CMAKE_SYSTEM_PROCESSOR=aarch64 -D CMAKE_CXX_COMPILER=aarch64-linux-gnu-g++)
crosses_to_aarch64() {
    wants aarch64-linux-gnu-g++
    local compiler=(aarch64-linux-gnu-g++)
    library aarch64 "${to_aarch64[@]}"
    compile_every_type "$out/aarch64"
    wants qemu-aarch64-static
    timeout 600 "${under_qemu[@]}" "$out/aarch64/every_type"
}
# Quick ones: those of the algorithms take qemu more than ten minutes.
tests_under_qemu() {
    wants aarch64-linux-gnu-g++
    wants qemu-aarch64-static
    local folder=$out/aarch64_tests name
    local tests=(result message codec)
    cmake -S /usr/src/googletest -B "$out/aarch64_gtest" -G Ninja "${to_aarch64[@]}" -D BUILD_GMOCK=OFF \
        -D CMAKE_INSTALL_PREFIX="$out/aarch64_prefix"
    cmake --build "$out/aarch64_gtest" --target install
    cmake -S "$root" -B "$folder" -G Ninja "${to_aarch64[@]}" "${only_the_library[@]}" -D SHMRING_BUILD_TESTS=ON \
        -D CMAKE_BUILD_TYPE=Debug -D SHMRING_PRECOMPILE_FOR_TESTS=ON -D GTest_DIR="$out/aarch64_prefix/lib/cmake/GTest"
    cmake --build "$folder" --target "${tests[@]/%/_test}"
    for name in "${tests[@]}"; do
        timeout 600 "${under_qemu[@]}" "$folder/tests/${name}_test" --gtest_brief=1
    done
}

# serves_in_debian <suite> <packages> <compiler>...: another release of Debian, in a folder of its own.
serves_in_debian() {
    wants debootstrap
    ((EUID == 0)) || cannot_run "needs root, for debootstrap and chroot"
    local folder=$out/$1
    debootstrap --variant=minbase --include="${2// /,}" "$1" "$folder" || cannot_run "debootstrap could not make a $1 here"
    mkdir -p "$folder/shmring" "$folder/dev/shm"
    mount=$folder source=$root unshare --mount --propagation private bash -euc '
        mount -t proc proc "$mount/proc"
        mount -t tmpfs tmpfs "$mount/dev/shm"
        mount --bind "$source" "$mount/shmring"
        exec chroot "$mount" bash -euc "$@"' in_debian "$(declare -p only_the_library; declare -f compiles_in_debian); compiles_in_debian \"\$@\"" in_debian "${@:3}"
}
# Inside. Without CMake where the release has one that is too old for us.
compiles_in_debian() {
    local compiler compile
    if type -P cmake; then
        cmake -S /shmring -B /by_cmake -G Ninja -D CMAKE_BUILD_TYPE=Release "${only_the_library[@]}"
        cmake --build /by_cmake
    fi
    for compiler in "$@"; do
        mkdir "/$compiler"
        cd "/$compiler"
        compile=("$compiler" -std=c++20 -O2 -Wall -Wextra -Werror -I/shmring/include)
        printf '%s\0' /shmring/lib/*.cpp | xargs -0 -n 1 -P "$(nproc)" "${compile[@]}" -c
        "${compile[@]}" /shmring/tests/consumers/every_type.cpp ./*.o -pthread -o every_type
        ./every_type
    done
}

compiles_behind_xlib() {
    [[ -e /usr/include/X11/Xlib.h ]] || cannot_run "no libx11-dev to be had here"
    g++ -std=c++20 -fsyntax-only -I"$root/include" -x c++ - <<'END'
#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <shmring/shmring.hpp>
Status of_xlib = Success;
#undef Status
auto of_shmring = shmring::Status::ok;
int main() {}
END
}

hiding=(-D CMAKE_CXX_VISIBILITY_PRESET=hidden -D CMAKE_VISIBILITY_INLINES_HIDDEN=ON -D CMAKE_UNITY_BUILD=ON)
# serves_a_project <folder> [cmake arguments]: its program runs, and so does one that loads its plug-in.
serves_a_project() {
    local folder=$out/$1
    cmake -S "$consumers" -B "$folder" -G Ninja "${@:2}"
    cmake --build "$folder"
    "$folder/program"
    "$folder/load_plugin" "$folder/plugin.so"
}
serves_when_installed() {
    local prefix=$out/prefix_$1 config
    library "install_$1" "${@:2}" -D CMAKE_INSTALL_PREFIX="$prefix" -D SHMRING_INSTALL=ON
    cmake --install "$out/install_$1"
    mv "$prefix" "$prefix-moved"    # whoever packs it installs it elsewhere
    prefix=$prefix-moved
    serves_a_project "installed_$1" -D CMAKE_PREFIX_PATH="$prefix" -D SHMRING_INSTALLED=ON
    config=$(find "$prefix" -name shmring.pc)
    local flags
    read -ra flags <<<"$(PKG_CONFIG_PATH=${config%/*} pkg-config --cflags --libs shmring)"
    g++ -std=c++20 "$consumers/behind_macros.cpp" "${flags[@]}" -Wl,-rpath,"$(dirname "${config%/*}")" -o "$out/installed_$1/by_pkg_config"
    "$out/installed_$1/by_pkg_config"
}
