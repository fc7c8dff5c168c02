#include "sim/clerk_state.hpp"

#include "sim/clerk_instance.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

namespace rollcall::sim {

namespace {

std::unexpected<Error> unusable(const std::string& path, std::string_view why) {
    return fail(ErrorCode::bad_configuration, "simulator state " + path + " cannot be used (" +
                                                  std::string(why) +
                                                  "): remove the file to start afresh");
}

// Ids that were given out after the last writing, before a crash, must not be given again: a
// receiver would take a new message for one that it has seen.
constexpr std::uint64_t ids_skipped = 100'000;

// A seed above 2^63 does not fit a JSON int64: Boost reads it as uint64.
std::optional<std::uint64_t> unsigned_of(const json::value* value) {
    if (value == nullptr) return std::nullopt;
    boost::system::error_code error;
    const auto number = value->to_number<std::uint64_t>(error);
    if (error) return std::nullopt;
    return number;
}

Result<ClerkState> parse_state(const json::object& object, const std::string& path) {
    ClerkState state;
    const auto seed = unsigned_of(object.if_contains("seed"));
    const auto people = unsigned_of(object.if_contains("people_made"));
    const auto* made = object.if_contains("ids_made");
    const auto* users = object.if_contains("users");
    if (!seed || !people || made == nullptr || !made->is_object() || users == nullptr ||
        !users->is_array()) {
        return unusable(path, "not a simulator's state");
    }
    state.seed = *seed;
    state.people_made = *people;
    for (const auto& [prefix, count] : made->get_object()) {
        const auto number = unsigned_of(&count);
        if (!number) return unusable(path, "ids_made");
        state.ids_made[std::string(prefix)] = *number + ids_skipped;
    }
    state.users.reserve(users->get_array().size());
    for (const auto& value : users->get_array()) {
        auto user = user_from_json(value);
        if (!user) return unusable(path, user.error().message);
        state.users.push_back(std::move(*user));
    }
    return state;
}

}  // namespace

Result<std::optional<ClerkState>> load_state(const std::string& path) {
    std::error_code missing;
    if (!std::filesystem::exists(path, missing)) return std::nullopt;
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) return unusable(path, "not readable");
    boost::system::error_code error;
    const auto value = json::parse(std::move(text).str(), error);
    if (error || !value.is_object()) return unusable(path, "not JSON");
    auto state = parse_state(value.get_object(), path);
    if (!state) return std::unexpected(state.error());
    return std::move(*state);
}

Result<void> save_state(const std::string& path, const ClerkInstance& clerk) {
    json::object made;
    for (const auto& [prefix, count] : clerk.ids.made()) made[prefix] = count;
    json::array users;
    users.reserve(clerk.users.size());
    clerk.users.for_each([&](const ClerkUser& user) { users.emplace_back(to_json(user)); });
    const auto text = json::serialize(json::object{{"seed", clerk.ids.seed()},
                                                   {"people_made", clerk.people_made},
                                                   {"ids_made", std::move(made)},
                                                   {"users", std::move(users)}});
    const auto fresh = path + ".new";
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << text;
    file.close();
    if (!file || std::rename(fresh.c_str(), path.c_str()) != 0) {
        return fail(ErrorCode::unavailable, "simulator state " + path + " cannot be written");
    }
    return {};
}

}  // namespace rollcall::sim
