// A value that must not be printed. It has no operator<<, its memory is wiped when it goes, and
// `masked()` is what a person may see: the first four characters at most.
#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace rollcall {

class Secret {
public:
    Secret() = default;
    explicit Secret(std::string value) : value_(std::move(value)) {}
    Secret(const Secret&) = default;
    Secret(Secret&& other) noexcept;
    Secret& operator=(const Secret& other);
    Secret& operator=(Secret&& other) noexcept;
    ~Secret();

    [[nodiscard]] bool empty() const { return value_.empty(); }
    // The value itself: for the call that needs it, never for a message.
    [[nodiscard]] std::string_view reveal() const { return value_; }
    [[nodiscard]] std::string masked() const;

private:
    std::string value_;
};

}  // namespace rollcall
