#include "directory/read_arrays.hpp"

#include "base/json.hpp"

#include <algorithm>
#include <string>
#include <variant>

namespace rollcall::directory {
namespace {

// The limits of what a row takes, as directory.sql has them for jobs: applied and compared alike,
// or what was cut would be a difference for ever.
constexpr std::size_t name_characters_max = 1000;
constexpr std::size_t email_bytes_max = 1000;

std::optional<std::string_view> email_of(const Snapshot& snapshot) {
    const auto& email = snapshot.email;
    if (!email || email->empty() || email->size() > email_bytes_max) return std::nullopt;
    return *email;
}

std::optional<std::string_view> name_of(const Snapshot& snapshot) {
    if (!snapshot.name || snapshot.name->empty()) return std::nullopt;
    const std::string_view name = *snapshot.name;
    if (name.size() <= name_characters_max) return name;
    std::size_t end = 0;
    for (std::size_t i = 0; i < name_characters_max && end < name.size(); ++i) {
        end += std::max<std::size_t>(utf8_length(name, end), 1);
    }
    return name.substr(0, end);
}

}  // namespace

ReadArrays::ReadArrays(std::span<const Read> reads) {
    const std::size_t count = reads.size();
    clerk_ids_.reserve(count);
    versions_.reserve(count);
    emails_.reserve(count);
    names_.reserve(count);
    roles_.reserve(count);
    banned_.reserve(count);
    locked_.reserve(count);
    created_.reserve(count);
    deleted_.reserve(count);
    asked_.reserve(count);
    for (const Read& read : reads) add(read);
}

void ReadArrays::add(const Read& read) {
    const auto* snapshot = std::get_if<Snapshot>(&read.state);
    const auto* deletion = std::get_if<Deletion>(&read.state);
    clerk_ids_.emplace_back(read.clerk_id);
    versions_.push_back(snapshot ? std::optional(snapshot->version) : std::nullopt);
    emails_.push_back(snapshot ? email_of(*snapshot) : std::nullopt);
    names_.push_back(snapshot ? name_of(*snapshot) : std::nullopt);
    roles_.push_back(snapshot ? std::optional<std::string_view>(snapshot->role) : std::nullopt);
    banned_.emplace_back(snapshot != nullptr && snapshot->banned);
    locked_.emplace_back(snapshot != nullptr && snapshot->locked);
    created_.push_back(snapshot ? snapshot->clerk_created_at : std::nullopt);
    deleted_.push_back(deletion ? std::optional(deletion->deleted_at) : std::nullopt);
    asked_.emplace_back(read.asked_at);
}

pg::Params ReadArrays::applied() const {
    pg::Params params;
    params.text_array(clerk_ids_).bigint_array(versions_).text_array(emails_).text_array(names_);
    params.text_array(roles_).boolean_array(banned_).boolean_array(locked_);
    params.timestamptz_array(created_).timestamptz_array(deleted_).timestamptz_array(asked_);
    return params;
}

pg::Params ReadArrays::compared() const {
    pg::Params params;
    params.text_array(clerk_ids_).bigint_array(versions_).text_array(emails_).text_array(names_);
    params.text_array(roles_).boolean_array(banned_).boolean_array(locked_);
    params.timestamptz_array(created_);
    return params;
}

pg::Params ReadArrays::added(std::span<const Uuid> ids) const {
    pg::Params params = compared();
    params.timestamptz_array(asked_).uuid_array(ids);
    return params;
}

}  // namespace rollcall::directory
