// What Clerk said of several users as the statements take it: an array for each column, one element
// for each read. Views into the reads, which must outlive it.
#pragma once

#include "base/random.hpp"
#include "directory/change.hpp"
#include "pg/params.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace rollcall::directory {

class ReadArrays {
public:
    explicit ReadArrays(std::span<const Read> reads);

    [[nodiscard]] pg::Params applied() const;   // of apply_reads
    [[nodiscard]] pg::Params compared() const;  // of compare: snapshots only
    // Of add_newcomers, likewise; `ids` are those of the new rows.
    [[nodiscard]] pg::Params added(std::span<const Uuid> ids) const;

    [[nodiscard]] const std::vector<std::optional<std::string_view>>& clerk_ids() const {
        return clerk_ids_;
    }

private:
    void add(const Read& read);

    std::vector<std::optional<std::string_view>> clerk_ids_;
    std::vector<std::optional<std::int64_t>> versions_;
    std::vector<std::optional<std::string_view>> emails_;
    std::vector<std::optional<std::string_view>> names_;
    std::vector<std::optional<std::string_view>> roles_;
    std::vector<std::optional<bool>> banned_;
    std::vector<std::optional<bool>> locked_;
    std::vector<std::optional<SystemTime>> created_;
    std::vector<std::optional<SystemTime>> deleted_;
    std::vector<std::optional<SystemTime>> asked_;
};

}  // namespace rollcall::directory
