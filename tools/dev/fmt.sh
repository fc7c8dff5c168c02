# ./dev fmt: formats the C++ files as .clang-format says
#
# All of them, committed or not. What is already formatted is not written.
need format
cpp_files | xargs -r -P "$(jobs)" -n 32 clang-format-19 -i
