# What the verbs of ./dev share. Sourced by ./dev with `root` set and the repository's root as the
# current folder; it runs nothing itself.

say() { printf '%s\n' "$*" >&2; }

die() {
    say "dev: $*"
    exit 1
}

# Installs what sets "$@" of tools/packages.txt need and this machine lacks.
need() { tools/install.sh "$@"; }

# How many compilers at once: one for each core, but each wants about 1.5 GB.
jobs() {
    local cores memory
    cores=$(nproc)
    memory=$(awk '/^MemAvailable/ { print int($2 / 1500000) }' /proc/meminfo)
    ((memory < 1)) && memory=1
    echo $((cores < memory ? cores : memory))
}

# configure PRESET: makes build/PRESET ready; does nothing when it is.
configure() {
    local folder=build/$1 cache=build/$1/CMakeCache.txt fresh=()
    if [[ -e build && ! -w build ]]; then
        die "build/ belongs to $(stat -c %U build), who ran ./dev here before; remove it first"
    fi
    if [[ -f $cache ]] && ! grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$root" "$cache"; then
        fresh=(--fresh)  # the clone was moved or copied
    elif [[ -f $folder/build.ninja && $cache -nt CMakePresets.json ]]; then
        return 0
    fi
    mkdir -p "$folder"
    if ! cmake "${fresh[@]}" --preset "$1" >"$folder/configure.log" 2>&1; then
        cat "$folder/configure.log" >&2
        die "cmake --preset $1 failed"
    fi
}

# compile PRESET TARGET...: configures and builds. With keep_going=1 it shows all errors, not the
# first ones.
compile() {
    local preset=$1
    shift
    configure "$preset"
    say "build: $preset ($*)"
    cmake --build "build/$preset" --parallel "$(jobs)" --target "$@" -- \
        ${keep_going:+-k 0} >&2 || {
        say "dev: the $preset build failed"
        return 1
    }
}

# cpp_files: the project's C++ files, also those not committed yet.
cpp_files() {
    git ls-files --cached --others --exclude-standard --deduplicate -- '*.cpp' '*.hpp' |
        while read -r file; do
            [[ ! -f $file ]] || echo "$file"
        done
}

# Sanitizers: leaks count, reports carry names.
sanitizers() {
    export ASAN_SYMBOLIZER_PATH=/usr/lib/llvm-19/bin/llvm-symbolizer
    export ASAN_OPTIONS=detect_leaks=1:abort_on_error=1
    export UBSAN_OPTIONS=print_stacktrace=1:external_symbolizer_path=$ASAN_SYMBOLIZER_PATH
    export TSAN_OPTIONS=halt_on_error=1:external_symbolizer_path=$ASAN_SYMBOLIZER_PATH
}
