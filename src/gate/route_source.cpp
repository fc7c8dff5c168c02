#include "gate/route_source.hpp"

#include "base/ascii.hpp"
#include "gate/script.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace rollcall::gate {
namespace {

using Kind = ScriptToken::Kind;

// Next.js, "Route Handlers", supported HTTP methods.
constexpr std::array<std::string_view, 7> methods_known{"GET",    "POST", "PUT",    "PATCH",
                                                        "DELETE", "HEAD", "OPTIONS"};

// With these a statement begins where a line does; none continues the one before.
constexpr std::array<std::string_view, 19> statement_words{
    "export", "const",  "let",    "var",   "function", "async",     "class",
    "import", "type",   "enum",   "if",    "for",      "interface", "while",
    "do",     "return", "switch", "throw", "try"};

constexpr std::string_view client_head = "Database client:";
constexpr std::array<std::string_view, 5> heads{
    "Public endpoint:", "Protected endpoint:", "Admin endpoint:", "Service endpoint:", client_head};

std::string_view unquoted(const ScriptToken& token) {
    if (token.kind != Kind::literal || token.text.size() < 2) return token.text;
    return token.text.substr(1, token.text.size() - 2);
}

// Finds `export` where a statement may begin, and reads what follows it.
class ExportReader {
public:
    explicit ExportReader(std::string_view source) : script_(source) { advance(); }

    RouteExports read() {
        bool fresh = true;  // a statement may begin here
        int depth = 0;
        while (token_.kind != Kind::end) {
            if (depth == 0 && token_.is("export") && (fresh || token_.line_before)) {
                advance();
                read_export();
                fresh = true;
                continue;
            }
            depth += deeper(token_);
            fresh = depth == 0 && (token_.is(";") || token_.is("}"));
            advance();
        }
        RouteExports out;
        for (const std::string_view method : methods_known) {
            if (found_.contains(method)) out.methods.emplace_back(method);
        }
        out.others = others_;
        return out;
    }

private:
    void advance() {
        continues_ =
            token_.kind == Kind::mark && !token_.is(")") && !token_.is("]") && !token_.is("}");
        token_ = script_.next();
    }

    // By its line alone, without a semicolon before.
    [[nodiscard]] bool begins_statement() const {
        return token_.line_before && !continues_ && token_.kind == Kind::word &&
               std::ranges::find(statement_words, token_.text) != statement_words.end();
    }

    static int deeper(const ScriptToken& token) {
        if (token.is("{") || token.is("(") || token.is("[")) return 1;
        return token.is("}") || token.is(")") || token.is("]") ? -1 : 0;
    }

    void read_export() {
        if (token_.is("type")) {
            advance();  // a type is no handler; of `export type { … }` neither are its names
            if (token_.is("{")) skip_braces();
        } else if (token_.is("*")) {
            advance();
            if (!token_.is("as")) others_ = true;
        } else if (token_.is("{")) {
            read_list();
        } else if (token_.is("const") || token_.is("let") || token_.is("var")) {
            advance();
            read_variables();
        } else {
            if (token_.is("async")) advance();
            if (!token_.is("function")) return;
            advance();
            if (token_.is("*")) advance();
            if (token_.kind == Kind::word) found_.insert(token_.text);
        }
    }

    void skip_braces() {
        int depth = 0;
        while (token_.kind != Kind::end) {
            depth += deeper(token_);
            advance();
            if (depth <= 0) return;
        }
    }

    // { GET, handler as POST, "x" as PUT, type T }: the last word of each counts.
    void read_list() {
        std::string_view name;
        bool type = false;
        for (advance(); token_.kind != Kind::end; advance()) {
            const bool ends = token_.is("}");
            if (ends || token_.is(",")) {
                if (!type && !name.empty()) found_.insert(name);
                name = {};
                type = false;
                if (ends) return advance();
                continue;
            }
            type = type || (name == "type" && !token_.is("as"));
            name = unquoted(token_);
        }
    }

    // GET = …, POST: Handler = …; or { GET, x: POST } = …
    void read_variables() {
        while (token_.kind != Kind::end) {
            if (token_.is("{")) {
                read_pattern();
            } else if (token_.kind == Kind::word) {
                const std::string_view name = token_.text;
                advance();
                if (token_.is("=") || token_.is(":")) found_.insert(name);
            }
            int depth = 0;
            while (token_.kind != Kind::end && !(depth == 0 && token_.is(","))) {
                if (depth == 0 && (token_.is(";") || begins_statement())) return;
                depth += deeper(token_);
                if (depth < 0) return;
                advance();
            }
            if (token_.is(",")) advance();
        }
    }

    // What { … } before = binds: the name before a comma, a default or the end.
    void read_pattern() {
        std::string_view name;
        bool binding = true;  // not inside a default
        int depth = 0;
        for (advance(); token_.kind != Kind::end; advance()) {
            const bool ends = depth == 0 && token_.is("}");
            if (depth == 0 && (ends || token_.is(",") || token_.is("="))) {
                if (binding && !name.empty()) found_.insert(name);
                binding = !token_.is("=");
                name = {};
                if (ends) return advance();
                continue;
            }
            depth += deeper(token_);
            name = depth == 0 && token_.kind == Kind::word ? token_.text : std::string_view();
        }
    }

    ScriptReader script_;
    ScriptToken token_;
    bool continues_ = false;  // the token before wants another: `=`, `=>`, `,`, …
    std::set<std::string_view> found_;
    bool others_ = false;
};

constexpr std::string_view comment_blanks = " \t\r*";

// The lines of the comments before the first statement, directives ('use server') aside.
std::vector<std::string_view> leading_comments(std::string_view source) {
    std::vector<std::string_view> out;
    std::size_t at = source.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    while (at < source.size()) {
        const std::string_view rest = source.substr(at);
        std::size_t length = rest.find_first_not_of(" \t\r\n;");
        if (length == 0 && rest.starts_with("//")) {
            length = std::min(rest.find('\n'), rest.size());
            out.push_back(trimmed(rest.substr(2, length - 2), comment_blanks));
        } else if (length == 0 && rest.starts_with("/*")) {
            const std::size_t end = rest.find("*/", 2);
            if (end == std::string_view::npos) return out;
            length = end + 2;
            std::string_view lines = rest.substr(2, end - 2);
            while (!lines.empty()) {
                const std::size_t line = std::min(lines.find('\n'), lines.size());
                out.push_back(trimmed(lines.substr(0, line), comment_blanks));
                lines.remove_prefix(std::min(line + 1, lines.size()));
            }
        } else if (length == 0 && (rest.starts_with("'use ") || rest.starts_with("\"use "))) {
            const std::size_t end = rest.find(rest.front(), 1);
            if (end == std::string_view::npos) return out;
            length = end + 1;
        } else if (length == 0 || length == std::string_view::npos) {
            return out;
        }
        at += length;
    }
    return out;
}

std::string_view sentence(const MethodAccess& method) {
    switch (method.access) {
        case Access::public_:
            return method.client == Client::admin
                       ? "Service endpoint: Verified by its own signature or key, not by a JWT"
                       : "Public endpoint: No authentication required";
        case Access::protected_:
            return "Protected endpoint: Requires valid JWT";
        case Access::admin:
            return "Admin endpoint: Requires valid JWT of an admin";
        case Access::deny:
            break;
    }
    return "";
}

// As said in the two sentences that are about a token alone.
std::vector<MethodAccess> in_plain_words(std::span<const MethodAccess> methods) {
    std::vector<MethodAccess> out(methods.begin(), methods.end());
    for (MethodAccess& method : out) {
        if (method.access == Access::admin) method.access = Access::protected_;
        if (method.access == Access::public_) method.client.reset();
    }
    return out;
}

std::string_view sentence(Client client) {
    return client == Client::user
               ? "Database client: user (row level security applies)"
               : "Database client: admin (service role, bypasses row level security)";
}

}  // namespace

RouteExports exported_methods(std::string_view source) {
    return ExportReader(source).read();
}

std::vector<std::string> notices(std::span<const MethodAccess> methods) {
    std::vector<std::pair<std::string_view, std::vector<std::string_view>>> lines;
    const auto say = [&](std::string_view line, std::string_view method) {
        if (line.empty()) return;
        const auto known =
            std::ranges::find(lines, line, [](const auto& each) { return each.first; });
        if (known != lines.end()) {
            known->second.push_back(method);
        } else {
            lines.push_back({line, {method}});
        }
    };
    for (const MethodAccess& method : methods) say(sentence(method), method.method);
    for (const MethodAccess& method : methods) {
        if (method.client) say(sentence(*method.client), method.method);
    }
    std::vector<std::string> out;
    out.reserve(lines.size());
    for (const auto& [line, about] : lines) {
        out.push_back(about.size() == methods.size()
                          ? std::string(line)
                          : fmt::format("{} [{}]", line, fmt::join(about, ", ")));
    }
    return out;
}

NoticeCheck check_notices(std::string_view source, std::span<const MethodAccess> methods) {
    NoticeCheck out;
    const auto comments = leading_comments(source);
    const auto has = [](const auto& lines, std::string_view line) {
        return std::ranges::find(lines, line) != lines.end();
    };
    const std::vector<std::string> precise = notices(methods);
    const std::vector<std::string> plain = notices(in_plain_words(methods));
    const bool is_plain = std::ranges::all_of(plain, [&](const std::string& line) {
        return line.starts_with(client_head) || has(comments, line);
    });
    for (const std::string& line : precise) {
        const bool said = is_plain && !line.starts_with(client_head);
        if (!said && !has(comments, line)) out.missing.push_back(line);
    }
    for (const std::string_view comment : comments) {
        const bool speaks = std::ranges::any_of(
            heads, [&](std::string_view head) { return comment.starts_with(head); });
        if (speaks && !has(precise, comment) && !has(plain, comment)) {
            out.contradicting.emplace_back(comment);
        }
    }
    return out;
}

std::string with_notices(std::string_view source, std::span<const std::string> lines) {
    const std::size_t mark = source.starts_with("\xEF\xBB\xBF") ? 3 : 0;
    const std::size_t first_end = source.find('\n');
    const bool crlf =
        first_end != std::string_view::npos && first_end > 0 && source[first_end - 1] == '\r';
    std::string out(source.substr(0, mark));
    for (const std::string& line : lines) out += "// " + line + (crlf ? "\r\n" : "\n");
    return out += source.substr(mark);
}

}  // namespace rollcall::gate
