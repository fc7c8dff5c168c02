#include "gate/script.hpp"

#include "base/ascii.hpp"

#include <algorithm>
#include <array>

namespace rollcall::gate {
namespace {

using Kind = ScriptToken::Kind;

constexpr unsigned template_depth_max = 64;

// After these a slash begins a regular expression, after other words it divides.
constexpr std::array<std::string_view, 14> before_expressions{
    "return", "typeof", "case", "in", "of",    "delete", "void",
    "throw",  "new",    "else", "do", "await", "yield",  "instanceof"};

constexpr std::array<std::string_view, 4> before_conditions{"if", "while", "for", "with"};

bool is_word(char c) {
    return is_alphanumeric(c) || c == '_' || c == '$' || static_cast<unsigned char>(c) >= 0x80;
}

}  // namespace

ScriptReader::ScriptReader(std::string_view source) : source_(source) {
    if (source_.starts_with("\xEF\xBB\xBF")) at_ = 3;
    if (source_.substr(at_).starts_with("#!")) {
        at_ = std::min(source_.find('\n', at_), source_.size());
    }
}

void ScriptReader::skip_blank(bool& line) {
    while (at_ < source_.size()) {
        const char c = source_[at_];
        if (c == '\n' || c == '\r') line = true;
        if (c == ' ' || (c >= '\t' && c <= '\r')) {
            ++at_;
        } else if (source_.substr(at_).starts_with("//")) {
            at_ = std::min(source_.find_first_of("\r\n", at_), source_.size());
        } else if (source_.substr(at_).starts_with("/*")) {
            const std::size_t end = source_.find("*/", at_ + 2);
            const std::string_view comment = source_.substr(at_, end - at_);
            line = line || comment.contains('\n');
            at_ = end == std::string_view::npos ? source_.size() : end + 2;
        } else {
            return;
        }
    }
}

// A string ends with its line at the latest: one quote in the text of JSX hides no more.
void ScriptReader::skip_string(char quote) {
    for (++at_; at_ < source_.size(); ++at_) {
        const char c = source_[at_];
        if (c == '\\') {
            ++at_;
        } else if (c == quote) {
            ++at_;
            return;
        } else if (c == '\n') {
            return;
        }
    }
    at_ = source_.size();
}

void ScriptReader::skip_template() {
    for (++at_; at_ < source_.size();) {
        const char c = source_[at_];
        if (c == '\\') {
            at_ += 2;
        } else if (c == '`') {
            ++at_;
            return;
        } else if (c == '$' && source_.substr(at_).starts_with("${")) {
            at_ += 2;
            skip_substitution();
        } else {
            ++at_;
        }
    }
    at_ = source_.size();
}

// Up to the brace that ends `${`.
void ScriptReader::skip_substitution() {
    if (++depth_ > template_depth_max) {
        at_ = source_.size();
        return;
    }
    const ScriptToken before = last_;
    last_ = {Kind::mark, "{", false};
    unsigned braces = 1;
    while (braces > 0) {
        const ScriptToken token = next();
        if (token.kind == Kind::end) break;
        if (token.is("{")) ++braces;
        if (token.is("}")) --braces;
    }
    last_ = before;
    --depth_;
}

void ScriptReader::skip_expression() {
    bool in_class = false;
    for (++at_; at_ < source_.size(); ++at_) {
        const char c = source_[at_];
        if (c == '\n') return;
        if (c == '\\') {
            ++at_;
        } else if (c == '[') {
            in_class = true;
        } else if (c == ']') {
            in_class = false;
        } else if (c == '/' && !in_class) {
            ++at_;
            return;
        }
    }
    at_ = source_.size();
}

bool ScriptReader::expression_may_begin() const {
    if (last_.kind == Kind::word) {
        return std::ranges::find(before_expressions, last_.text) != before_expressions.end();
    }
    if (last_.is(")")) return condition_ended_;
    return last_.kind != Kind::literal && !last_.is("]") && !last_.is("}");
}

void ScriptReader::note_bracket(char c) {
    if (c == '(') {
        conditions_.push_back(last_.kind == Kind::word &&
                              std::ranges::find(before_conditions, last_.text) !=
                                  before_conditions.end());
    } else if (c == ')') {
        condition_ended_ = !conditions_.empty() && conditions_.back();
        if (!conditions_.empty()) conditions_.pop_back();
    }
}

ScriptToken ScriptReader::next() {
    ScriptToken token;
    skip_blank(token.line_before);
    const std::size_t from = at_;
    if (at_ >= source_.size()) return last_ = token;
    const char c = source_[at_];
    if (is_word(c)) {
        token.kind = Kind::word;
        while (at_ < source_.size() && is_word(source_[at_])) ++at_;
    } else if (c == '"' || c == '\'') {
        token.kind = Kind::literal;
        skip_string(c);
    } else if (c == '`') {
        token.kind = Kind::literal;
        skip_template();
    } else if (c == '/' && expression_may_begin()) {
        token.kind = Kind::literal;
        skip_expression();
    } else {
        token.kind = Kind::mark;
        ++at_;
        note_bracket(c);
    }
    at_ = std::min(at_, source_.size());
    token.text = source_.substr(from, at_ - from);
    return last_ = token;
}

}  // namespace rollcall::gate
