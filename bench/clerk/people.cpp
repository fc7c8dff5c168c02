#include "people.hpp"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <vector>

namespace rollcall::bench {

namespace {

constexpr std::string_view number_place = "USERNUMBER";
constexpr std::string_view time_place = "CREATED_AT_MS";

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    std::string out = text.str();
    while (!out.empty() && out.back() == '\n') out.pop_back();
    return out;
}

std::vector<std::size_t> places_of(std::string_view text, std::string_view place) {
    std::vector<std::size_t> out;
    for (auto at = text.find(place); at != std::string_view::npos; at = text.find(place, at + 1)) {
        out.push_back(at);
    }
    if (out.empty()) throw std::runtime_error(fmt::format("no {} in the template", place));
    return out;
}

// What stands before the number in the user's id.
std::string prefix_of(std::string_view text) {
    constexpr std::string_view key = R"("id":")";
    const auto begin = text.find(key);
    const auto end = text.find(number_place);
    if (begin == std::string_view::npos || end < begin + key.size()) {
        throw std::runtime_error("the template does not begin with the user's id");
    }
    return std::string(text.substr(begin + key.size(), end - begin - key.size()));
}

}  // namespace

People::People(const std::string& template_path, std::size_t count) : count_(count) {
    std::string user = read_file(template_path);
    const auto numbers = places_of(user, number_place);
    const auto times = places_of(user, time_place);
    id_prefix_ = prefix_of(user);
    user += ',';
    length_ = user.size();
    text_.reserve(count * length_);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t at = text_.size();
        text_ += user;
        const std::string number = fmt::format("{:010}", i);
        for (const auto place : numbers) text_.replace(at + place, number.size(), number);
        const std::string time =
            fmt::format("{:013}", first_created_ms + apart_ms * static_cast<std::int64_t>(i));
        for (const auto place : times) text_.replace(at + place, time.size(), time);
    }
    simdjson::dom::parser parser;
    if (count > 0 && parser.parse(page({0, 1})).error() != simdjson::SUCCESS) {
        throw std::runtime_error("the template is not JSON");
    }
}

Span People::created_between(std::int64_t after_ms, std::int64_t before_ms) const {
    const auto users = static_cast<std::int64_t>(count_);
    // The first one created at `ms` or later.
    const auto from = [&](std::int64_t ms) {
        const std::int64_t past = std::max<std::int64_t>(ms - first_created_ms, 0);
        return static_cast<std::size_t>(
            std::min(past / apart_ms + (past % apart_ms > 0 ? 1 : 0), users));
    };
    const std::size_t first = from(after_ms + 1);
    return {first, std::max(first, from(before_ms))};
}

std::size_t People::number_of(std::string_view id) const {
    std::size_t number = 0;
    if (!id.starts_with(id_prefix_)) return count_;
    id.remove_prefix(id_prefix_.size());
    const auto [end, error] = std::from_chars(id.data(), id.data() + id.size(), number);
    const bool whole = error == std::errc() && end == id.data() + id.size();
    return whole ? std::min(number, count_) : count_;
}

std::string_view People::one(std::size_t number) const {
    return std::string_view(text_).substr(number * length_, length_ - 1);
}

std::string People::page(Span span) const {
    std::string out;
    const std::size_t bytes = span.size() * length_;
    out.reserve(bytes + 2);
    out += '[';
    out += std::string_view(text_).substr(span.first * length_, bytes);
    if (span.size() > 0) {
        out.back() = ']';
    } else {
        out += ']';
    }
    return out;
}

}  // namespace rollcall::bench
