#include "directory/change.hpp"

#include <array>
#include <utility>

namespace rollcall::directory {
namespace {

constexpr std::array<std::pair<Outcome, std::string_view>, 7> names{{
    {Outcome::applied, "applied"},
    {Outcome::deleted, "deleted"},
    {Outcome::unchanged, "unchanged"},
    {Outcome::superseded, "superseded"},
    {Outcome::tie, "tie"},
    {Outcome::conflict, "conflict"},
    {Outcome::unusable, "unusable"},
}};

}  // namespace

std::string_view to_string(Outcome outcome) {
    for (const auto& [value, name] : names) {
        if (value == outcome) return name;
    }
    return "unusable";
}

std::optional<Outcome> parse_outcome(std::string_view name) {
    for (const auto& [value, text] : names) {
        if (text == name) return value;
    }
    return std::nullopt;
}

}  // namespace rollcall::directory
