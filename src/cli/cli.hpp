// The program: picks the command, runs it, returns its exit code (0 ok, 1 found something wrong,
// 2 usage, 69 upstream unavailable, 75 try again, 78 bad configuration).
#pragma once

namespace rollcall::cli {

int run(int argc, char** argv);

}  // namespace rollcall::cli
