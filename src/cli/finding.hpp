// What `rollcall doctor` found, one line each: ok, warn or fail, what it saw and what to do.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rollcall::cli {

enum class Verdict : std::uint8_t { ok, warn, fail };

struct Finding {
    std::string check;  // stable name
    Verdict verdict = Verdict::ok;
    std::string message;
    std::string advice;  // "" when ok
};

class Findings {
public:
    void ok(std::string check, std::string message);
    void warn(std::string check, std::string message, std::string advice);
    void fail(std::string check, std::string message, std::string advice);

    [[nodiscard]] bool any_failed() const;
    [[nodiscard]] std::string as_text() const;  // a line each, its advice below
    [[nodiscard]] std::string as_json() const;  // {"ok":bool,"checks":[…]}

private:
    std::vector<Finding> findings_;
};

}  // namespace rollcall::cli
