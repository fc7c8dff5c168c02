#include "cli/shell_actor.hpp"

#include <pwd.h>
#include <unistd.h>
#include <array>
#include <cstdlib>
#include <string>

namespace rollcall::cli {
namespace {

std::string user_name() {
    if (const char* caller = std::getenv("SUDO_USER"); caller != nullptr && *caller != '\0') {
        return caller;
    }
    std::array<char, 4096> text{};
    passwd entry{};
    passwd* found = nullptr;
    const uid_t user = geteuid();
    if (getpwuid_r(user, &entry, text.data(), text.size(), &found) == 0 && found != nullptr) {
        return found->pw_name;
    }
    return "uid " + std::to_string(user);
}

}  // namespace

Actor shell_actor() {
    return {.kind = Actor::Kind::cli, .name = user_name()};
}

}  // namespace rollcall::cli
