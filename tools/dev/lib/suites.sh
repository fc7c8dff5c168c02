# The suites of ./dev test. Each is a function that runs its checks, shows what they say, and writes
# "PASSED FAILED" to descriptor 3; one that breaks off before that counts as a failure. What failed
# is added to the file FAILURES, which is shown at the end.

suite_format() {
    local passed=0 failed=0 file
    while read -r file; do
        if clang-format-19 --dry-run -Werror "$file"; then
            passed=$((passed + 1))
        else
            failed=$((failed + 1))
            echo "not ok  format $file" >>"$FAILURES"
        fi
    done < <(cpp_files)
    ((failed == 0)) || say "format: ./dev fmt puts that right"
    echo "$passed $failed" >&3
}

# run_ctest PRESET [CTEST-OPTION...]: counts the cases in the programs, not the programs.
run_ctest() {
    local preset=$1 folder=$root/$results/$1
    shift
    mkdir -p "$folder"
    GTEST_OUTPUT="xml:$folder/" ctest --test-dir "build/$preset" --parallel 2 \
        --output-on-failure --no-tests=error --output-junit "$folder/ctest.junit" "$@" || true
    python3 tools/dev/lib/results.py ctest "$folder/ctest.junit" "$folder" >&3
}

suite_unit() {
    compile dev all || return 1
    run_ctest dev
}

suite_headers() {
    compile dev headers || return 1
    python3 tools/dev/lib/results.py objects build/dev/headers.txt build/dev >&3
}

suite_tsan() {
    compile tsan threads_tests || return 1
    run_ctest tsan --label-regex threads
}

# The release binary, the one with fail points beside it, Node.js and the packages of the tests.
outside() {
    compile release rollcall rollcall_faults bench_load || return 1
    # As a user builds it, from the example alone.
    cmake -S examples/career-quiz/upstream -B build/examples/career-quiz -G Ninja \
        -DCMAKE_CXX_COMPILER=clang++-19 -DCMAKE_BUILD_TYPE=Release >/dev/null &&
        cmake --build build/examples/career-quiz --target career_quiz >&2 || return 1
    source tools/dev/lib/node.sh
    local folder=tests/e2e
    if [[ ! $folder/node_modules/.package-lock.json -nt $folder/package-lock.json ]]; then
        (cd "$folder" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error) || return 1
    fi
    export ROLLCALL_BINARY=$root/build/release/rollcall
}

# run_node SUITE TEST...: two files at once, on every machine: each has its own database and ports,
# and waits most of its time, but some bound how long an answer takes.
run_node() {
    local report=$root/$results/$1.tap
    shift
    [[ -f $1 ]] || { echo "0 0" >&3; return; }
    outside || return 1
    node --test --test-concurrency=2 --test-timeout=1200000 \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination="$report" "$@" || true
    python3 tools/dev/lib/results.py tap "$report" >&3
}

suite_e2e() {
    source tools/dev/lib/previous.sh
    build_previous || true  # the test that wants it says what is missing
    run_node e2e tests/e2e/*.test.mjs
}

suite_convergence() {
    run_node convergence tests/convergence/*.test.mjs
}

# soak MINUTES [OPTION...]: fresh seeds of the convergence test for so long.
soak() {
    [[ ${1:-} =~ ^[1-9][0-9]*$ ]] || die "--soak wants minutes"
    outside || return 1
    node tests/convergence/run.mjs --minutes "$@"
}

suite_fuzz() {
    source tools/dev/lib/fuzzers.sh
    local passed=0 failed=0 name names step log
    mapfile -t names < <(fuzzers)
    ((${#names[@]})) || { echo "0 0" >&3; return; }
    compile fuzz "${names[@]/#/fuzz_}" || return 1
    for name in "${names[@]}"; do
        for step in "fuzz_seeds $name" "fuzz_run $name ${ROLLCALL_FUZZ_SECONDS:-5}"; do
            log=$results/$(tr ' ' - <<<"$step").log
            if $step >"$log" 2>&1; then
                passed=$((passed + 1))
                say "ok      $step"
            else
                failed=$((failed + 1))
                {
                    echo "not ok  $step"
                    tail -n 60 "$log"
                } >>"$FAILURES"
            fi
        done
    done
    echo "$passed $failed" >&3
}

# record SUITE COUNTED SECONDS: adds a suite's result; nothing counted is a failure.
record() {
    local passed=0 failed=1 note=
    if [[ $2 =~ ^([0-9]+)\ ([0-9]+)$ ]]; then
        passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
        if ((passed + failed == 0)); then
            failed=1 note="nothing was run"
        fi
    else
        note="broke off"
    fi
    printf '%s %s %s %s %s\n' "$1" "$passed" "$failed" "$3" "$note" >>"$results/summary"
}

# What failed, the table of all suites, then the closing line; fails when anything failed.
summary() {
    local suite passed failed seconds note passed_all=0 failed_all=0
    echo
    [[ ! -s $FAILURES ]] || { cat "$FAILURES"; echo; }
    while read -r suite passed failed seconds note; do
        printf '%-11s %6d ok %4d not ok %5d s  %s\n' "$suite" "$passed" "$failed" "$seconds" "$note"
        passed_all=$((passed_all + passed))
        failed_all=$((failed_all + failed))
    done <"$results/summary"
    echo "$passed_all passed, $failed_all failed"
    ((failed_all == 0))
}
