// What `rollcall doctor` found, one line each: ok, warn or fail, what it saw and what to do.
#pragma once

#include "base/result.hpp"

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
    void fail(std::string check, const Error& error, std::string advice);

    [[nodiscard]] bool any_failed() const;
    // Whether one failed by what the settings say, not by the state of things.
    [[nodiscard]] bool bad_configuration() const { return bad_configuration_; }
    [[nodiscard]] std::string as_text() const;  // a line each, its advice below
    [[nodiscard]] std::string as_json() const;  // {"ok":bool,"checks":[…]}

private:
    std::vector<Finding> findings_;
    bool bad_configuration_ = false;
};

}  // namespace rollcall::cli
