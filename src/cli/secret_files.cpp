#include "cli/secret_files.hpp"

#include "base/log.hpp"

#include <sys/stat.h>

#include <utility>

namespace rollcall::cli {
namespace {

bool is_open_to_all(const std::string& path) {
    struct stat facts{};
    return stat(path.c_str(), &facts) == 0 && (facts.st_mode & S_IROTH) != 0;
}

}  // namespace

std::vector<SecretFile> secret_files(const Settings& settings) {
    std::vector<SecretFile> out;
    for (const SettingKey& key : setting_keys()) {
        if (!key.secret) continue;
        const Setting& setting = settings.get(key.name);
        if (setting.text.empty()) continue;
        std::string path = setting.file;
        if (path.empty()) path = setting.source.substr(0, setting.source.rfind(':'));
        if (path == setting.source) continue;  // of no file
        const bool open = is_open_to_all(path);
        out.push_back({.path = std::move(path), .key = key.name, .open = open});
    }
    return out;
}

void tell_open_files(const Settings& settings) {
    for (const SecretFile& file : secret_files(settings)) {
        if (file.open) log::warn("secret_file_open", {{"file", file.path}, {"key", file.key}});
    }
}

}  // namespace rollcall::cli
