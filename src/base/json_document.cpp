#include "base/json_document.hpp"

#include "base/ascii.hpp"
#include "base/json.hpp"

#include <algorithm>
#include <cstring>

namespace rollcall {
namespace {

constexpr std::int64_t latest_ms = 253'402'300'799'999;  // 9999-12-31T23:59:59.999Z

std::size_t digits(std::string_view text, std::size_t at) {
    std::size_t count = 0;
    while (at + count < text.size() && is_digit(text[at + count])) ++count;
    return count;
}

// RFC 8259 section 6, of the whole token.
bool is_number(std::string_view token) {
    std::size_t at = token.starts_with('-') ? 1 : 0;
    const std::size_t whole = digits(token, at);
    if (whole == 0 || (whole > 1 && token[at] == '0')) return false;
    at += whole;
    if (at < token.size() && token[at] == '.') {
        const std::size_t fraction = digits(token, at + 1);
        if (fraction == 0) return false;
        at += 1 + fraction;
    }
    if (at < token.size() && (token[at] == 'e' || token[at] == 'E')) {
        ++at;
        if (at < token.size() && (token[at] == '+' || token[at] == '-')) ++at;
        const std::size_t exponent = digits(token, at);
        if (exponent == 0) return false;
        at += exponent;
    }
    return at == token.size();
}

// Whether simdjson might refuse a well-formed number: beyond 18 digits, or a large exponent.
bool is_extreme(std::string_view token) {
    const std::size_t mark = token.find_first_of("eE");
    return token.size() > 18 || (mark != std::string_view::npos && token.size() - mark > 3);
}

std::optional<unsigned> hex4(std::string_view text, std::size_t at) {
    if (at + 4 > text.size()) return std::nullopt;
    unsigned value = 0;
    for (std::size_t i = at; i < at + 4; ++i) {
        const int digit = hex_value(text[i]);
        if (digit < 0) return std::nullopt;
        value = value << 4U | static_cast<unsigned>(digit);
    }
    return value;
}

bool is_high(unsigned unit) {
    return unit >= 0xD800 && unit < 0xDC00;
}
bool is_low(unsigned unit) {
    return unit >= 0xDC00 && unit < 0xE000;
}

class Tamer {
public:
    explicit Tamer(std::span<char> text) : text_(text), view_(text.data(), text.size()) {}

    Tamed run() {
        while (at_ < view_.size()) {
            const char c = view_[at_];
            if (c == '"') {
                ++at_;
                string();
            } else if (c == '-' || is_digit(c)) {
                number();
            } else {
                level(c);
                ++at_;
            }
        }
        return tamed_;
    }

private:
    void level(char c) {
        if (c == '[' || c == '{') {
            tamed_.nesting = std::max(tamed_.nesting, ++level_);
        } else if ((c == ']' || c == '}') && level_ > 0) {
            --level_;
        }
    }

    void string() {
        while (at_ < view_.size() && view_[at_] != '"') {
            if (view_[at_] == '\\') {
                escape();
            } else {
                character();
            }
        }
        ++at_;
    }

    void character() {
        const std::size_t length = utf8_length(view_, at_);
        if (length == 0) overwrite("?", 1);
        at_ += std::max<std::size_t>(length, 1);
    }

    void escape() {
        const auto unit = view_.substr(at_ + 1, 1) == "u" ? hex4(view_, at_ + 2) : std::nullopt;
        if (!unit) {
            ++at_;
            if (at_ < view_.size()) character();
            return;
        }
        const bool paired = is_high(*unit) && view_.substr(at_ + 6, 2) == "\\u" &&
                            is_low(hex4(view_, at_ + 8).value_or(0));
        if (paired) {
            at_ += 12;
            return;
        }
        if (is_high(*unit) || is_low(*unit)) overwrite("\\ufffd", 6);
        at_ += 6;
    }

    void number() {
        const std::size_t end =
            std::min(view_.find_first_not_of("+-.0123456789eE", at_), view_.size());
        const std::string_view token = view_.substr(at_, end - at_);
        if (is_number(token) && is_extreme(token)) overwrite("null", token.size());
        at_ = end;
    }

    // `width` is at least the replacement's: an extreme number has five characters or more.
    void overwrite(std::string_view replacement, std::size_t width) {
        std::fill_n(text_.data() + at_, width, ' ');
        std::memcpy(text_.data() + at_, replacement.data(), replacement.size());
        tamed_.changed = true;
    }

    std::span<char> text_;
    std::string_view view_;
    std::size_t at_ = 0;
    std::size_t level_ = 0;
    Tamed tamed_;
};

bool may_be_tamed(simdjson::error_code error) {
    return error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR ||
           error == simdjson::TAPE_ERROR || error == simdjson::DEPTH_ERROR ||
           error == simdjson::UTF8_ERROR;
}

// What simdjson keeps of an array or object that is open.
constexpr std::size_t bytes_per_level = 9;

}  // namespace

Tamed tame(std::span<char> text) {
    return Tamer(text).run();
}

std::size_t JsonDocument::Buffers::largest() const {
    return std::max(capacity, bytes_per_level * parser.max_depth());
}

void JsonDocument::Buffers::make_room(std::size_t bytes) {
    if (capacity >= bytes) return;
    capacity = std::max<std::size_t>(bytes, 8192);
    text = std::make_unique<char[]>(capacity + simdjson::SIMDJSON_PADDING);
}

simdjson::simdjson_result<simdjson::dom::element> JsonDocument::Buffers::parse_tamed(
    std::size_t bytes) {
    const Tamed tamed = tame({text.get(), bytes});
    const bool deep = tamed.nesting >= parser.max_depth();
    if (deep) {
        const auto error = parser.allocate(std::max(parser.capacity(), bytes), tamed.nesting + 1);
        if (error != simdjson::SUCCESS) return error;
    }
    if (!deep && !tamed.changed) return simdjson::TAPE_ERROR;
    return parser.parse(text.get(), bytes, /*realloc_if_needed=*/false);
}

std::optional<simdjson::dom::element> JsonDocument::parse(std::string_view text) {
    if (text.empty()) return std::nullopt;
    if (!buffers_ || buffers_->largest() > kept_bytes_max_) buffers_ = std::make_unique<Buffers>();
    Buffers& own = *buffers_;
    own.make_room(text.size());
    std::memcpy(own.text.get(), text.data(), text.size());
    auto result = own.parser.parse(own.text.get(), text.size(), /*realloc_if_needed=*/false);
    if (may_be_tamed(result.error())) result = own.parse_tamed(text.size());
    if (result.error() != simdjson::SUCCESS) return std::nullopt;
    return result.value_unsafe();
}

std::optional<std::string_view> as_string(const simdjson::dom::element& value) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return std::nullopt;
    return text;
}

bool as_flag(const simdjson::dom::element& value) {
    bool flag = false;
    return value.get_bool().get(flag) == simdjson::SUCCESS && flag;
}

std::int64_t as_time(const simdjson::dom::element& value) {
    std::int64_t whole = 0;
    if (value.get_int64().get(whole) == simdjson::SUCCESS) {
        return whole > 0 && whole <= latest_ms ? whole : 0;
    }
    double number = 0;
    if (value.is_double() && value.get_double().get(number) == simdjson::SUCCESS && number >= 1 &&
        number <= static_cast<double>(latest_ms)) {
        return static_cast<std::int64_t>(number);
    }
    return 0;
}

}  // namespace rollcall
