# Which Debian packages a job needs, how they come, and how tools/dev speaks. Sourced by it.
# SPDX-License-Identifier: MIT

# ---- packages -------------------------------------------------------------------------------------------------------

declare -A packages=(
    [build]="g++ cmake ninja-build"
    [test]="libgtest-dev libboost-dev strace procps"
    [format]="clang-format-14"
    [lint]="clang-14 clang-tidy-14 libclang-rt-14-dev"
    [fuzz]="clang-14 libclang-rt-14-dev"
    [coverage]="gcovr"
    [models]="python3"
    [bench]="libbenchmark-dev libboost-dev"
    [reference]="doxygen"
    [portability]="pkg-config"
)
groups=(build test format lint fuzz coverage models bench reference)    # portability is a gigabyte of compilers, and only for itself
# What the benchmarks compare with and what portability compiles with, if it can be had: nothing needs it, every report says what is absent.
declare -A optional_packages=(
    # Not libdpdk-dev (rte_ring): 165 MB with what it depends on. Where it is installed it is used.
    [bench]="libatomic-queue-dev libconcurrentqueue-dev libreaderwriterqueue-dev libck-dev libzmq3-dev python3"
    # Not g++-multilib: it cannot be installed beside cross compilers. Not musl-tools: Debian has no C++ library for musl.
    [portability]="g++-11 g++-12 g++-13 g++-14 clang-14 clang-15 clang-16 clang-17 clang-18 clang-19 libc++-19-dev libc++abi-19-dev
        g++-aarch64-linux-gnu g++-i686-linux-gnu qemu-user-static libx11-dev debootstrap"
)

# need <group>...: what these groups lack is installed; where nothing lacks, nothing runs.
need() {
    local group package wanted=() missing=()
    for group in "$@"; do
        [[ -v packages[$group] ]] || fail "there is no package group '$group', only: ${groups[*]}"
        read -ra wanted <<<"${wanted[*]} ${packages[$group]}"
    done
    if ! type -P dpkg-query >/dev/null; then
        note "not a Debian machine, so nothing is checked or installed; this job uses: ${wanted[*]}"
        return
    fi
    for package in "${wanted[@]}"; do
        installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0

    note "installing what is missing: ${missing[*]}"
    install_packages "${missing[@]}" ||
        fail "these packages are missing and could not be installed: ${missing[*]}" \
            "Run as root, or with sudo before each of the two:" \
            "  apt-get update && apt-get install --no-install-recommends ${missing[*]}"
}

# try <group>: what can be had of its optional packages is installed; what cannot is named.
try() {
    local package missing=()
    type -P dpkg-query >/dev/null || return 0
    for package in ${optional_packages[$1]:-}; do
        installed "$package" || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    refresh_packages || true
    for package in "${missing[@]}"; do
        apt_get install --yes --no-install-recommends "$package" || note "not to be had, but not needed: $package"
    done
}

install_packages() { refresh_packages && apt_get install --yes --no-install-recommends "$@"; }
refresh_packages() { apt_get update; }
apt_get() { as_root env DEBIAN_FRONTEND=noninteractive apt-get --quiet -o DPkg::Lock::Timeout=120 "$@"; }

installed() { [[ $(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null) == installed* ]]; }

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif ! type -P sudo >/dev/null; then
        return 1
    elif [[ -t 0 ]]; then
        sudo "$@"
    else
        sudo -n "$@"    # nobody is there to type a password
    fi
}

# ---- speaking -------------------------------------------------------------------------------------------------------

if [[ -t 1 && -z ${NO_COLOR:-} ]]; then bold=$'\e[1m' normal=$'\e[0m'; else bold='' normal=''; fi

note() {
    printf '%s== %s%s\n' "$bold" "$1" "$normal"
    print_indented "${@:2}"
}

fail() {
    printf 'tools/dev: %s\n' "$1" >&2
    print_indented "${@:2}" >&2
    exit 1
}

print_indented() { (($# == 0)) || printf '   %s\n' "$@"; }
