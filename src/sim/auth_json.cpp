#include "sim/auth_json.hpp"

#include "base/ascii.hpp"
#include "base/clock.hpp"

#include <fmt/format.h>
#include <array>
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <charconv>
#include <cmath>
#include <utility>

namespace rollcall::sim {

namespace json = boost::json;

namespace {

constexpr std::int64_t micros_of_second = 1'000'000;

AuthResult<json::object> parse_object(std::string_view body) {
    boost::system::error_code error;
    auto value = json::parse(body, error);
    if (error) return std::unexpected(auth_errors::bad_json("unexpected end of JSON input"));
    if (value.is_null()) return json::object();
    if (!value.is_object()) {
        return std::unexpected(auth_errors::bad_json("json: cannot unmarshal into an object"));
    }
    return std::move(value.get_object());
}

// Reads members by type and keeps the first complaint. Null leaves what was there, as Go does.
class Members {
public:
    explicit Members(const json::object& object) : object_(object) {}

    template <class Target>
    void read(std::string_view name, Target& target) {
        const auto* value = object_.if_contains(name);
        if (value == nullptr || value->is_null()) return;
        if (!take(*value, target) && wrong_.empty()) wrong_ = name;
    }

    [[nodiscard]] const std::string& wrong() const { return wrong_; }

private:
    static bool take(const json::value& value, std::string& target) {
        if (value.is_string()) target = value.get_string();
        return value.is_string();
    }
    static bool take(const json::value& value, std::optional<std::string>& target) {
        if (value.is_string()) target = value.get_string();
        return value.is_string();
    }
    static bool take(const json::value& value, bool& target) {
        if (value.is_bool()) target = value.get_bool();
        return value.is_bool();
    }
    static bool take(const json::value& value, std::optional<json::object>& target) {
        if (value.is_object()) target = value.get_object();
        return value.is_object();
    }

    const json::object& object_;
    std::string wrong_;
};

AuthError wrong_type(const std::string& name) {
    return auth_errors::bad_json("json: cannot unmarshal into the type of field " + name);
}

struct Unit {
    std::string_view name;
    double micros;
};

// Longer names stand before what they begin with.
constexpr std::array units{Unit{"ns", 1e-3}, Unit{"us", 1},   Unit{"ms", 1e3},
                           Unit{"s", 1e6},   Unit{"m", 60e6}, Unit{"h", 3600e6}};

void set_time(json::object& object, std::string_view name, const std::optional<std::int64_t>& at) {
    if (at) object[name] = auth_time(*at);
}

json::object identity_to_json(const AuthUser& user, const AuthIdentity& identity) {
    return {{"identity_id", identity.identity_id},
            {"id", user.id},
            {"user_id", user.id},
            {"identity_data", identity.data},
            {"provider", identity.provider},
            {"last_sign_in_at", auth_time(identity.created_at)},
            {"created_at", auth_time(identity.created_at)},
            {"updated_at", auth_time(identity.updated_at)}};
}

}  // namespace

AuthResult<AuthUserParams> parse_user_params(std::string_view body) {
    const auto object = parse_object(body);
    if (!object) return std::unexpected(object.error());
    AuthUserParams params;
    Members members(*object);
    members.read("id", params.id);
    members.read("aud", params.aud);
    members.read("role", params.role);
    members.read("email", params.email);
    members.read("phone", params.phone);
    members.read("password", params.password);
    members.read("password_hash", params.password_hash);
    members.read("email_confirm", params.email_confirm);
    members.read("phone_confirm", params.phone_confirm);
    members.read("user_metadata", params.user_metadata);
    members.read("app_metadata", params.app_metadata);
    members.read("ban_duration", params.ban_duration);
    if (!members.wrong().empty()) return std::unexpected(wrong_type(members.wrong()));
    return params;
}

AuthResult<bool> parse_soft_delete(std::string_view body) {
    if (body.empty()) return false;
    const auto object = parse_object(body);
    if (!object) return std::unexpected(object.error());
    bool soft = false;
    Members members(*object);
    members.read("should_soft_delete", soft);
    if (!members.wrong().empty()) return std::unexpected(wrong_type(members.wrong()));
    return soft;
}

std::optional<std::string> parse_uuid(std::string_view text) {
    if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
    if (text.size() != 36 && text.size() != 32) return std::nullopt;
    const bool dashed = text.size() == 36;
    std::string uuid;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const bool place_of_dash = dashed && (at == 8 || at == 13 || at == 18 || at == 23);
        if (place_of_dash) {
            if (text[at] != '-') return std::nullopt;
            continue;
        }
        if (hex_value(text[at]) < 0) return std::nullopt;
        uuid += to_lower(text[at]);
    }
    for (const std::size_t at : {8U, 13U, 18U, 23U}) uuid.insert(at, 1, '-');
    return uuid;
}

std::optional<std::chrono::microseconds> parse_go_duration(std::string_view text) {
    const bool negative = text.starts_with('-');
    if (negative || text.starts_with('+')) text.remove_prefix(1);
    if (text == "0") return std::chrono::microseconds(0);
    if (text.empty()) return std::nullopt;
    double micros = 0;
    while (!text.empty()) {
        // from_chars would also take a sign, an exponent and words.
        const auto digits = text.substr(0, text.find_first_not_of("0123456789."));
        double number = 0;
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), number);
        if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
        text.remove_prefix(digits.size());
        const auto* unit = units.begin();
        while (unit != units.end() && !text.starts_with(unit->name)) ++unit;
        if (unit == units.end()) return std::nullopt;
        text.remove_prefix(unit->name.size());
        micros += number * unit->micros;
    }
    // Go counts nanoseconds in 64 bits.
    constexpr double most = 9'223'372'036'854'775.0;
    if (micros > most) return std::nullopt;
    return std::chrono::microseconds(std::llround(negative ? -micros : micros));
}

std::string auth_time(std::int64_t unix_microseconds) {
    auto seconds = unix_microseconds / micros_of_second;
    auto micros = unix_microseconds % micros_of_second;
    if (micros < 0) {
        micros += micros_of_second;
        --seconds;
    }
    const auto whole = to_rfc3339(SystemTime(std::chrono::seconds(seconds)));
    auto digits = fmt::format("{:06}", micros);
    digits.erase(digits.find_last_not_of('0') + 1);
    const auto to_second = whole.substr(0, whole.find('.'));
    return to_second + (digits.empty() ? "" : '.' + digits) + 'Z';
}

json::object to_json(const AuthUser& user, bool in_list) {
    json::object object{{"id", user.id},
                        {"aud", user.aud},
                        {"role", user.role},
                        {"email", user.email},
                        {"phone", user.phone}};
    set_time(object, "email_confirmed_at", user.email_confirmed_at);
    set_time(object, "phone_confirmed_at", user.phone_confirmed_at);
    auto confirmed_at = user.email_confirmed_at;
    if (!confirmed_at || (user.phone_confirmed_at && *user.phone_confirmed_at < *confirmed_at)) {
        confirmed_at = user.phone_confirmed_at;
    }
    set_time(object, "confirmed_at", confirmed_at);
    object["app_metadata"] = user.app_metadata;
    object["user_metadata"] = user.user_metadata;
    object["identities"] = nullptr;
    if (!in_list) {
        json::array identities;
        for (const auto& one : user.identities) {
            identities.emplace_back(identity_to_json(user, one));
        }
        object["identities"] = std::move(identities);
    }
    object["created_at"] = auth_time(user.created_at);
    object["updated_at"] = auth_time(user.updated_at);
    set_time(object, "banned_until", user.banned_until);
    set_time(object, "deleted_at", user.deleted_at);
    object["is_anonymous"] = false;
    return object;
}

}  // namespace rollcall::sim
