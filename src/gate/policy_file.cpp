#include "gate/policy_file.hpp"

#include "base/ascii.hpp"
#include "base/clock.hpp"
#include "base/json.hpp"
#include "base/nearest.hpp"
#include "base/toml_text.hpp"
#include "http/syntax.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace rollcall::gate {
namespace {

using enum PolicyFault;

constexpr std::size_t id_bytes_max = 100;
constexpr std::size_t summary_bytes_max = 1000;
constexpr std::size_t list_max = 1000;  // of hosts, of methods
constexpr std::size_t shown_bytes_max = 100;

constexpr std::array<std::string_view, 3> file_keys{"version", "default", "rule"};
constexpr std::array<std::string_view, 8> rule_keys{
    "id", "hosts", "methods", "path", "access", "summary", "client", "max_staleness"};

bool is_id(std::string_view id) {
    return !id.empty() && id.size() <= id_bytes_max && std::ranges::all_of(id, [](char c) {
        return is_alphanumeric(c) || c == '-' || c == '_' || c == '.';
    });
}

// A line of text, for a table.
bool is_line(std::string_view text) {
    return text.size() <= summary_bytes_max && std::ranges::none_of(text, [](char c) {
               return static_cast<std::uint8_t>(c) < 0x20 || c == 0x7F;
           });
}

// A method that requests can have: exact case, and none is written in lower case.
bool is_method(std::string_view method) {
    return http::is_token(method) &&
           std::ranges::none_of(method, [](char c) { return c >= 'a' && c <= 'z'; });
}

// A value of the file, in one line of a message.
std::string shown(std::string_view value) {
    std::string text(value.substr(0, shown_bytes_max));
    if (value.size() > shown_bytes_max) text += "…";
    return json_string(text);
}

unsigned line_of(const toml::node& node) {
    return node.source().begin.line;
}

// Reads one file, up to the first thing that is wrong.
class Reader {
public:
    explicit Reader(std::string_view file) : file_(file) {}

    std::expected<Policy, PolicyError> read(const toml::table& table) {
        known_keys(table, file_keys, "");
        read_version(table);
        const Access fallback = read_default(table);
        read_rules(table);
        if (error_) return std::unexpected(*std::move(error_));
        auto policy = Policy::make(fallback, rules_);
        if (!policy) {
            refuse_overlap(policy.error());
            return std::unexpected(*std::move(error_));
        }
        return *std::move(policy);
    }

private:
    // `where` is "" or `rule "id": `.
    void refuse(PolicyFault fault, unsigned line, std::string_view where, std::string_view what) {
        if (error_) return;
        error_ = PolicyError{fault, fmt::format("{}:{}: {}{}", file_, line, where, what)};
    }

    template <std::size_t N>
    void known_keys(const toml::table& table, const std::array<std::string_view, N>& known,
                    std::string_view where) {
        for (const auto& [key, node] : table) {
            if (std::ranges::find(known, key.str()) != known.end()) continue;
            const std::vector<std::string> names(known.begin(), known.end());
            const auto meant = nearest(key.str(), names);
            refuse(unknown_key, key.source().begin.line, where,
                   fmt::format("{}: there is no such key{}", shown(toml_restored(key.str())),
                               meant ? "; is it " + *meant + "?" : ""));
        }
    }

    // A string of `table`; nothing when it is absent or another type, which is said.
    std::optional<std::string> text(const toml::table& table, std::string_view key,
                                    std::string_view where) {
        const toml::node* node = table.get(key);
        if (node == nullptr) return std::nullopt;
        const auto value = node->value_exact<std::string>();
        if (!value) {
            refuse(wrong_type, line_of(*node), where, fmt::format("{}: must be a string", key));
            return std::nullopt;
        }
        return toml_restored(*value);
    }

    std::vector<std::string> list(const toml::table& table, std::string_view key,
                                  std::string_view where) {
        std::vector<std::string> out;
        const toml::node* node = table.get(key);
        if (node == nullptr) return out;
        const toml::array* array = node->as_array();
        if (array == nullptr) {
            refuse(wrong_type, line_of(*node), where,
                   fmt::format("{}: must be a list of strings", key));
            return out;
        }
        if (array->empty() || array->size() > list_max) {
            refuse(bad_value, line_of(*node), where,
                   fmt::format("{}: must have 1 to {} values; without it the rule is for any", key,
                               list_max));
            return out;
        }
        for (const toml::node& element : *array) {
            const auto value = element.value_exact<std::string>();
            if (!value) {
                refuse(wrong_type, line_of(element), where,
                       fmt::format("{}: must be a list of strings", key));
                return out;
            }
            out.push_back(toml_restored(*value));
        }
        return out;
    }

    void read_version(const toml::table& table) {
        const toml::node* node = table.get("version");
        if (node == nullptr) {
            return refuse(missing_key, 1, "", "version: is missing; write version = 1");
        }
        const auto version = node->value_exact<std::int64_t>();
        if (!version) {
            return refuse(wrong_type, line_of(*node), "", "version: must be a whole number");
        }
        if (*version != 1) {
            refuse(
                bad_value, line_of(*node), "",
                fmt::format("version: {} is not known; this rollcall reads version 1", *version));
        }
    }

    Access read_default(const toml::table& table) {
        if (!table.contains("default")) return Access::protected_;
        const auto value = text(table, "default", "");
        if (!value) return Access::deny;
        if (*value == "protected") return Access::protected_;
        if (*value == "deny") return Access::deny;
        const unsigned line = line_of(*table.get("default"));
        if (*value == "public") {
            refuse(public_default, line, "",
                   "default: \"public\" would open every endpoint that nobody thought of; must be "
                   "protected or deny");
        } else {
            refuse(bad_value, line, "",
                   fmt::format("default: {} must be protected or deny", shown(*value)));
        }
        return Access::deny;
    }

    void read_rules(const toml::table& table) {
        const toml::node* node = table.get("rule");
        if (node == nullptr) return;
        const toml::array* array = node->as_array();
        if (array == nullptr) return refuse(wrong_type, line_of(*node), "", "rule: write [[rule]]");
        if (array->size() > policy_rules_max) {
            return refuse(
                too_large, line_of(*node), "",
                fmt::format("rule: {} rules are more than {}", array->size(), policy_rules_max));
        }
        rules_.reserve(array->size());
        for (const toml::node& element : *array) {
            const toml::table* rule = element.as_table();
            if (rule == nullptr) {
                return refuse(wrong_type, line_of(element), "", "rule: write [[rule]]");
            }
            read_rule(*rule);
            if (error_) return;
        }
    }

    void read_rule(const toml::table& table) {
        const unsigned line = line_of(table);
        const auto id = text(table, "id", "rule: ");
        if (!id) return refuse(missing_key, line, "rule: ", "id: is missing");
        const std::string where = fmt::format("rule {}: ", shown(*id));
        if (!is_id(*id)) {
            return refuse(
                bad_value, line_of(*table.get("id")), where,
                fmt::format("id: must be 1 to {} letters, digits, -, _ and .", id_bytes_max));
        }
        if (*id == "default") {
            return refuse(bad_value, line_of(*table.get("id")), where,
                          "id: stands for what holds where there is no rule");
        }
        known_keys(table, rule_keys, where);
        const auto [known, fresh] = lines_.try_emplace(*id, line);
        if (!fresh) {
            return refuse(duplicate_id, line_of(*table.get("id")), where,
                          fmt::format("id: line {} has a rule of this id already", known->second));
        }
        for (const std::string_view key : {"path", "access"}) {
            if (!table.contains(key)) {
                return refuse(missing_key, line, where, fmt::format("{}: is missing", key));
            }
        }
        const auto path = read_path(table, where);
        if (!path) return;
        Rule rule{*id, read_hosts(table, where), read_methods(table, where), *path};
        rule.line = line;
        read_access(rule, table, where);
        read_notes(rule, table, where);
        rules_.push_back(std::move(rule));
    }

    std::optional<PathPattern> read_path(const toml::table& table, std::string_view where) {
        const auto value = text(table, "path", where);
        if (!value) return std::nullopt;
        auto pattern = PathPattern::parse(*value);
        if (!pattern) {
            refuse(bad_value, line_of(*table.get("path")), where,
                   fmt::format("path: {} {}", shown(*value), pattern.error()));
            return std::nullopt;
        }
        return *std::move(pattern);
    }

    // `values` without equal ones, which are refused.
    void unique(const std::vector<std::string>& values, const toml::table& table,
                std::string_view key, std::string_view where) {
        auto sorted = values;
        std::ranges::sort(sorted);
        const auto twice = std::ranges::adjacent_find(sorted);
        if (twice != sorted.end()) {
            refuse(bad_value, line_of(*table.get(key)), where,
                   fmt::format("{}: has {} twice", key, shown(*twice)));
        }
    }

    std::vector<std::string> read_hosts(const toml::table& table, std::string_view where) {
        std::vector<std::string> hosts = list(table, "hosts", where);
        for (std::string& host : hosts) {
            const auto name = canonical_host(host);
            const bool port = host.starts_with('[') ? !host.ends_with(']') : host.contains(':');
            if (!name || port) {
                refuse(bad_value, line_of(*table.get("hosts")), where,
                       fmt::format("hosts: {} must be a host's name or address, without a port",
                                   shown(host)));
                return {};
            }
            host = *name;
        }
        unique(hosts, table, "hosts", where);
        return hosts;
    }

    std::vector<std::string> read_methods(const toml::table& table, std::string_view where) {
        std::vector<std::string> methods = list(table, "methods", where);
        for (const std::string& method : methods) {
            if (is_method(method)) continue;
            refuse(bad_value, line_of(*table.get("methods")), where,
                   fmt::format("methods: {} must be a method in capital letters, as GET",
                               shown(method)));
        }
        unique(methods, table, "methods", where);
        return methods;
    }

    void read_access(Rule& rule, const toml::table& table, std::string_view where) {
        const auto value = text(table, "access", where);
        if (!value) return;
        const auto access = parse_access(*value);
        if (!access || *access == Access::deny) {
            return refuse(
                bad_value, line_of(*table.get("access")), where,
                fmt::format("access: {} must be public, protected or admin", shown(*value)));
        }
        rule.access = *access;
    }

    void read_notes(Rule& rule, const toml::table& table, std::string_view where) {
        rule.summary = text(table, "summary", where).value_or("");
        if (!is_line(rule.summary)) {
            refuse(bad_value, line_of(*table.get("summary")), where,
                   fmt::format("summary: must be one line of at most {} bytes", summary_bytes_max));
        }
        if (const auto client = text(table, "client", where)) {
            if (*client != "user" && *client != "admin") {
                refuse(bad_value, line_of(*table.get("client")), where,
                       fmt::format("client: {} must be user or admin", shown(*client)));
            }
            rule.client = *client == "admin" ? Client::admin : Client::user;
        }
        if (const auto staleness = text(table, "max_staleness", where)) {
            rule.max_staleness = parse_duration(*staleness);
            if (!rule.max_staleness) {
                refuse(bad_value, line_of(*table.get("max_staleness")), where,
                       fmt::format("max_staleness: {} is no duration with its unit, as \"10m\"",
                                   shown(*staleness)));
            }
        }
    }

    void refuse_overlap(const Overlap& overlap) {
        const Rule& first = rules_[overlap.first];
        const Rule& second = rules_[overlap.second];
        refuse(PolicyFault::overlap, second.line, fmt::format("rule \"{}\": ", second.id),
               fmt::format("path: {} and rule \"{}\" (line {}, path {}) are equally specific and "
                           "both cover {}{}{}{}",
                           shown(second.path.text()), first.id, first.line,
                           shown(first.path.text()), overlap.method,
                           overlap.method.empty() ? "" : " ", overlap.host, overlap.path));
    }

    std::string_view file_;
    std::vector<Rule> rules_;
    std::map<std::string, unsigned, std::less<>> lines_;
    std::optional<PolicyError> error_;
};

}  // namespace

std::string_view to_string(PolicyFault fault) {
    switch (fault) {
        case syntax:
            return "syntax";
        case too_large:
            return "too_large";
        case unknown_key:
            return "unknown_key";
        case missing_key:
            return "missing_key";
        case wrong_type:
            return "wrong_type";
        case bad_value:
            return "bad_value";
        case public_default:
            return "public_default";
        case duplicate_id:
            return "duplicate_id";
        case PolicyFault::overlap:
            return "overlap";
    }
    return "";
}

std::expected<Policy, PolicyError> parse_policy(std::string_view text, std::string_view file) {
    if (text.size() > policy_bytes_max) {
        return std::unexpected(PolicyError{
            too_large,
            fmt::format("{}: {} bytes are more than {}", file, text.size(), policy_bytes_max)});
    }
    const auto refused = [&](std::string_view why) {
        return std::unexpected(PolicyError{syntax, fmt::format("{}:1: {}", file, why)});
    };
    const auto ascii = toml_in_ascii(text);
    if (!ascii) return refused(ascii.error());
    const toml::parse_result parsed = toml::parse(*ascii, file);
    if (!parsed) {
        return std::unexpected(
            PolicyError{syntax, fmt::format("{}:{}: {}", file, parsed.error().source().begin.line,
                                            parsed.error().description())});
    }
    return Reader(file).read(parsed.table());
}

}  // namespace rollcall::gate
