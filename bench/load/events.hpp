// Events for the benchmark: one JSON template in which every USERNUMBER stands for a user's number,
// ten digits. Two numbers give two users whose events have the same length.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rollcall::bench {

class EventTemplate {
public:
    // Throws std::runtime_error when the file cannot be read or has no USERNUMBER in it.
    explicit EventTemplate(const std::string& path);

    [[nodiscard]] std::string body(std::uint64_t user) const;

private:
    std::string text_;
    std::vector<std::size_t> places_;
};

// "0000000042"
[[nodiscard]] std::string user_number(std::uint64_t user);

}  // namespace rollcall::bench
