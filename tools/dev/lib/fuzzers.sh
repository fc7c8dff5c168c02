# How ./dev fuzz and ./dev test run the libFuzzer targets. Not a verb; runs nothing itself.

# The names of the targets: fuzz/fuzz_<name>.cpp.
fuzzers() {
    local file
    for file in fuzz/fuzz_*.cpp; do
        [[ -f $file ]] || continue
        file=${file##*/fuzz_}
        echo "${file%.cpp}"
    done
}

# fuzz_seeds NAME: runs the kept seeds once.
fuzz_seeds() {
    build/fuzz/fuzz/"fuzz_$1" -runs=0 -timeout=10 "fuzz/corpus/$1"
}

# fuzz_run NAME SECONDS: looks for new inputs, from the seeds and what earlier runs found.
fuzz_run() {
    local found=build/fuzz/corpus/$1 finds=build/fuzz/finds
    mkdir -p "$found" "$finds"
    build/fuzz/fuzz/"fuzz_$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$finds/$1-" "$found" "fuzz/corpus/$1"
}
