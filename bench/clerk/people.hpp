// Many users as the Backend API lists them, made beforehand: one JSON template in which USERNUMBER
// stands for a user's number (ten digits) and CREATED_AT_MS for the time of creation (13 digits).
// All are equally long, so a page in the order of creation is one piece of memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace rollcall::bench {

// Users by number, from `first` up to `last`, not included.
struct Span {
    std::size_t first = 0;
    std::size_t last = 0;

    [[nodiscard]] std::size_t size() const { return last - first; }
};

class People {
public:
    static constexpr std::int64_t first_created_ms = 1'600'000'000'000;
    static constexpr std::int64_t apart_ms = 60'000;

    // Throws std::runtime_error when the file is not such a template.
    People(const std::string& template_path, std::size_t count);

    [[nodiscard]] std::size_t count() const { return count_; }
    // Created later than `after_ms` and earlier than `before_ms`.
    [[nodiscard]] Span created_between(std::int64_t after_ms, std::int64_t before_ms) const;
    // The number of the user with this id; count() when there is none.
    [[nodiscard]] std::size_t number_of(std::string_view id) const;
    // A JSON array of these users, oldest first.
    [[nodiscard]] std::string page(Span span) const;
    [[nodiscard]] std::string_view one(std::size_t number) const;

private:
    std::string id_prefix_;
    std::size_t count_;
    std::size_t length_ = 0;  // of a user and the comma behind it
    std::string text_;
};

}  // namespace rollcall::bench
