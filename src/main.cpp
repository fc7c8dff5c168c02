#include "cli/cli.hpp"

int main(int argc, char** argv) {
    return rollcall::cli::run(argc, argv);
}
