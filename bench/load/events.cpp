#include "events.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>

namespace rollcall::bench {

namespace {
constexpr std::string_view place = "USERNUMBER";
}

EventTemplate::EventTemplate(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    text_ = text.str();
    while (!text_.empty() && text_.back() == '\n') {
        text_.pop_back();
    }
    for (auto at = text_.find(place); at != std::string::npos; at = text_.find(place, at + 1)) {
        places_.push_back(at);
    }
    if (places_.empty()) {
        throw std::runtime_error(path + ": no template with " + std::string(place) + " in it");
    }
}

std::string EventTemplate::body(std::uint64_t user) const {
    const std::string number = user_number(user);
    std::string body = text_;
    for (const std::size_t at : places_) {
        body.replace(at, place.size(), number);
    }
    return body;
}

std::string user_number(std::uint64_t user) {
    return fmt::format("{:010}", user);
}

}  // namespace rollcall::bench
