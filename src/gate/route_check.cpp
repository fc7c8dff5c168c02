#include "gate/route_check.hpp"

#include "gate/route_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

namespace rollcall::gate {
namespace {

using enum RouteFault;

// Next.js, "pageExtensions".
constexpr std::array<std::string_view, 4> extensions{".ts", ".js", ".tsx", ".jsx"};
// What stands for a segment that nobody wrote a rule for.
constexpr std::string_view some_segment = "0-some-0";

bool is_file(std::string_view path, std::string_view stem) {
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return std::ranges::any_of(extensions, [&](std::string_view extension) {
        return name.size() == stem.size() + extension.size() && name.starts_with(stem) &&
               name.ends_with(extension);
    });
}

std::vector<std::string_view> folders_of(std::string_view path) {
    std::vector<std::string_view> out;
    for (std::size_t from = 0;;) {
        const std::size_t slash = path.find('/', from);
        if (slash == std::string_view::npos) return out;
        out.push_back(path.substr(from, slash - from));
        from = slash + 1;
    }
}

// A folder's name as a literal of a pattern; Next.js keeps its escapes (`%5Fx` is `_x`).
std::string literal(std::string_view folder) {
    std::string out;
    for (const char c : folder) {
        if (c == '%') {
            out += c;
        } else if (c == '*') {
            out += "%2A";
        } else {
            out += encoded_path(std::string_view(&c, 1));
        }
    }
    return out;
}

// The inside of `[name]`, by what stands before and behind it.
std::optional<std::string_view> between(std::string_view text, std::string_view before,
                                        std::string_view after) {
    if (text.size() <= before.size() + after.size() || !text.starts_with(before) ||
        !text.ends_with(after)) {
        return std::nullopt;
    }
    return text.substr(before.size(), text.size() - before.size() - after.size());
}

// An endpoint under construction: its text for people, its patterns, some of its paths.
struct Building {
    std::string shown, pattern;
    std::vector<std::string> examples{""};
    bool optional_rest = false;
    int names = 0;

    void segment(std::string_view text, std::string_view pattern_text, std::string_view example) {
        shown += "/" + std::string(text);
        pattern += "/" + std::string(pattern_text);
        for (std::string& path : examples) path += "/" + std::string(example);
    }

    void rest() {
        shown += "/**";
        pattern += "/**";
        std::vector<std::string> longer;
        for (const std::string& path : examples) {
            longer.push_back(fmt::format("{}/{}", path, some_segment));
            longer.push_back(fmt::format("{}/{}/{}", path, some_segment, some_segment));
        }
        examples = std::move(longer);
    }
};

// Whether the folder belongs to a URL at all.
bool add_folder(Building& building, std::string_view folder) {
    if (is_private_folder(folder)) return false;
    if (folder.starts_with("(.")) return false;  // an intercepting route
    if (folder.starts_with('@') || between(folder, "(", ")")) return true;
    if (between(folder, "[[...", "]]")) {
        const std::vector<std::string> without = building.examples;
        building.optional_rest = true;
        building.rest();
        building.examples.insert(building.examples.end(), without.begin(), without.end());
    } else if (between(folder, "[...", "]")) {
        building.rest();
    } else if (const auto one = between(folder, "[", "]")) {
        std::string shown(*one);
        std::ranges::replace_if(shown, [](char c) { return c == '-' || c == ' '; }, '_');
        building.segment("{" + shown + "}", fmt::format("{{p{}}}", building.names++), some_segment);
    } else {
        const std::string text = literal(folder);
        building.segment(text, text, text);
    }
    return true;
}

bool listed(const std::vector<std::string>& list, std::string_view value) {
    return list.empty() || std::ranges::find(list, value) != list.end();
}

// Collects what there is to say, file by file.
class Checker {
public:
    explicit Checker(const Policy& policy) : policy_(policy), used_(policy.rules().size()) {
        for (const Rule& rule : policy.rules()) hosts_.insert(rule.hosts.begin(), rule.hosts.end());
    }

    void look_at(const AppFile& file) {
        const AppFileKind kind = kind_of(file.path);
        if (kind == AppFileKind::other) return;
        const auto url = url_of(file.path);
        if (!url) {
            if (kind == AppFileKind::route) say(no_url, file.path, "no URL leads to this file");
            return;
        }
        if (kind == AppFileKind::page) return use(*url, {"GET", "HEAD"});
        const RouteExports exports = exported_methods(file.source);
        if (exports.others) {
            say(unknown_methods, file.path,
                "exports by *: name the methods, or nobody can tell which there are");
        } else if (exports.methods.empty()) {
            say(no_method, file.path, "exports no method");
        }
        use(*url, exports.others ? std::vector<std::string>{} : exports.methods);
        std::vector<MethodAccess> methods;
        for (const std::string& method : exports.methods) {
            ++report_.endpoints;
            if (const auto access = access_of(file, *url, method)) methods.push_back(*access);
        }
        // Where a method has no rule, nobody can say what the comment should be.
        if (methods.size() == exports.methods.size()) look_at_comment(file, methods);
    }

    RouteReport finish() {
        for (std::size_t i = 0; i < used_.size(); ++i) {
            if (used_[i]) continue;
            const Rule& rule = policy_.rules()[i];
            say(rule_without_endpoint, rule.id,
                fmt::format("line {}, {}: nothing of the application is there", rule.line,
                            rule.path.text()));
        }
        return std::move(report_);
    }

private:
    void say(RouteFault fault, std::string where, std::string message) {
        report_.findings.push_back({fault, std::move(where), std::move(message)});
    }

    // The rules that an endpoint with these methods (none: any) makes sense of.
    void use(const RouteUrl& url, const std::vector<std::string>& methods) {
        for (std::size_t i = 0; i < used_.size(); ++i) {
            const Rule& rule = policy_.rules()[i];
            const bool called = methods.empty() || std::ranges::any_of(methods, [&](const auto& m) {
                                    return listed(rule.methods, m);
                                });
            used_[i] = used_[i] ||
                       (called && std::ranges::any_of(url.patterns, [&](const auto& p) {
                            return PathPattern::common(p, Slash::exact, rule.path, rule.slash())
                                .has_value();
                        }));
        }
    }

    // What the rules say of one method, on whatever host a rule names.
    std::optional<MethodAccess> access_of(const AppFile& file, const RouteUrl& url,
                                          const std::string& method) {
        const Rule* first = nullptr;
        for (const std::string& path : url.examples) {
            const Rule* rule = rule_of(path, method);
            if (rule == nullptr) {
                say(endpoint_without_rule, file.path,
                    fmt::format("{} {} has no rule; the default is {}", method, url.text,
                                to_string(policy_.fallback())));
                return std::nullopt;
            }
            if (first == nullptr) first = rule;
            if (first->access != rule->access || first->client != rule->client) {
                say(rules_differ, file.path,
                    fmt::format("{} {} is decided by rule {} and by rule {}, which differ", method,
                                url.text, first->id, rule->id));
                return std::nullopt;
            }
        }
        return MethodAccess{method, first->access, first->client};
    }

    const Rule* rule_of(const std::string& path, const std::string& method) const {
        Target target{method, "", path, path};
        if (auto canonical = canonical_path(path)) target.decoded = canonical->decoded;
        if (const Rule* rule = policy_.decide(target).rule) return rule;
        for (const std::string& host : hosts_) {
            target.host = host;
            if (const Rule* rule = policy_.decide(target).rule) return rule;
        }
        return nullptr;
    }

    void look_at_comment(const AppFile& file, const std::vector<MethodAccess>& methods) {
        NoticeCheck found = check_notices(file.source, methods);
        for (const std::string& line : found.contradicting) {
            say(other_comment, file.path,
                fmt::format("the comment \"{}\" is not what the policy says", line));
        }
        for (const std::string& line : found.missing) {
            say(missing_comment, file.path, fmt::format("should begin with // {}", line));
        }
        if (!found.missing.empty() && found.contradicting.empty()) {
            report_.comments.push_back({file.path, std::move(found.missing)});
        }
    }

    const Policy& policy_;
    std::vector<bool> used_;
    std::set<std::string> hosts_;
    RouteReport report_;
};

}  // namespace

AppFileKind kind_of(std::string_view path) {
    if (is_file(path, "route")) return AppFileKind::route;
    return is_file(path, "page") ? AppFileKind::page : AppFileKind::other;
}

bool is_private_folder(std::string_view name) {
    return name.starts_with('_') || name == "node_modules";
}

std::optional<RouteUrl> url_of(std::string_view path) {
    Building building;
    for (const std::string_view folder : folders_of(path)) {
        if (!add_folder(building, folder)) return std::nullopt;
    }
    std::vector<std::string> texts{building.pattern};
    if (building.optional_rest) {
        texts.push_back(building.pattern.substr(0, building.pattern.size() - 3));
    }
    RouteUrl out{building.shown.empty() ? "/" : building.shown, {}, {}};
    for (const std::string& text : texts) {
        auto pattern = PathPattern::parse(text.empty() ? "/" : text);
        if (!pattern) return std::nullopt;
        out.patterns.push_back(*std::move(pattern));
    }
    for (std::string& example : building.examples) {
        const auto canonical = canonical_path(example.empty() ? "/" : example);
        if (!canonical) return std::nullopt;
        out.examples.push_back(canonical->path);
    }
    return out;
}

std::string_view to_string(RouteFault fault) {
    switch (fault) {
        case endpoint_without_rule:
            return "endpoint_without_rule";
        case rule_without_endpoint:
            return "rule_without_endpoint";
        case rules_differ:
            return "rules_differ";
        case missing_comment:
            return "missing_comment";
        case other_comment:
            return "other_comment";
        case no_method:
            return "no_method";
        case unknown_methods:
            return "unknown_methods";
        case no_url:
            return "no_url";
    }
    return "";
}

RouteReport check_routes(const Policy& policy, std::span<const AppFile> files) {
    Checker checker(policy);
    for (const AppFile& file : files) checker.look_at(file);
    return checker.finish();
}

}  // namespace rollcall::gate
