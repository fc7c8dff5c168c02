# ./dev lint [FILE...]: tools/tidy.py, the format, and clang-tidy
#
# clang-tidy looks at the .cpp files of src/ (or FILEs), with .clang-tidy. A file that passed is
# remembered in build/clang-tidy by the content of all it includes and is not looked at again.
need build database test format lint
compile dev generated rollcall_precompiled
status=0
tools/tidy.py || status=1
cpp_files | xargs -r -n 64 clang-format-19 --dry-run -Werror || status=1
tools/clang_tidy.py --build build/dev --jobs "$(jobs)" "$@" || status=1
exit $status
