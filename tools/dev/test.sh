# ./dev test [SUITE...]: all that CI runs; the last line says how many checks passed and failed
#
# What failed stands right before the table at the end, with what it said.
#
# SUITEs, in the order in which they run (all of them without SUITE):
#   format   every C++ file is as clang-format writes it
#   unit     the dev build (AddressSanitizer, UBSan, warnings are errors), then all that ctest
#            knows: unit and integration tests, the rules of tools/tidy.py and their own tests
#   headers  every header compiles alone
#   e2e      the release binary from outside, with Node.js: tests/e2e. A rolling upgrade begins
#            with a build of an earlier commit, which the clone must have; it is made at first
#   convergence  twenty fixed seeds of tests/convergence: everybody changes, everything fails, and
#            the table and the mirror end up as Clerk is
#   tsan     under ThreadSanitizer: the tests of what threads share
#   fuzz     each fuzz target over its seeds, then a few seconds on its own
#
# A suite that finds nothing to run has failed. ROLLCALL_FUZZ_SECONDS (5) is the time for a target.
#
# ./dev test --soak MINUTES [--parallel N]: fresh seeds of the convergence test instead, so many at
# the same time (4). Each that fails is printed, with how to repeat it; at the end how many there
# were, and the rate.
source tools/dev/lib/suites.sh

if [[ ${1:-} == --soak ]]; then
    need build database test
    soak "${@:2}"
    exit
fi

suites=(format unit headers e2e convergence tsan fuzz)
if (($#)); then
    for suite in "$@"; do
        [[ " ${suites[*]} " == *" $suite "* ]] || die "no suite '$suite'; there are: ${suites[*]}"
    done
    suites=("$@")
fi

need build database test fuzz format
sanitizers
keep_going=1
results=build/results
rm -rf "$results"
mkdir -p "$results"
export FAILURES=$root/$results/failures

for suite in "${suites[@]}"; do
    say "==== $suite"
    started=$SECONDS
    counted=$("suite_$suite" 3>&1 1>&2) || true
    record "$suite" "$counted" $((SECONDS - started))
done
summary
