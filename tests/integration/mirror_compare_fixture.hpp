// What the tests of comparisons share: one over an Auth in memory, by pages of three or by SQL on
// an auth.users, and what it finds in a line each.
#pragma once

#include "mirror_fixture.hpp"

#include "mirror/compare.hpp"

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace rollcall::mirror {

class MirrorCompare : public MirrorTest {
protected:
    MirrorCompare() { make_compare(); }

    void make_compare(SightingsConfig sightings = {.page_users = 3, .table_users = 3}) {
        CompareConfig config;
        config.guard = [this](std::int64_t removed, std::int64_t living) {
            EXPECT_GE(living, 0);
            return removed > allowed;
        };
        config.portion = 2;
        config.sightings = sightings;
        compare = std::make_unique<Compare>(
            Compare::Neighbours{.pool = pool, .directory = *directory, .auth = auth},
            std::move(config));
    }

    // "user_a missing", "user_a different email name", …; an "!" where its job waits.
    std::vector<std::string> differences() {
        std::vector<std::string> out;
        const auto differs = [&out](const CopyDifference& one) {
            std::string line = one.clerk_id + " " + std::string(to_string(one.kind));
            for (const auto field : one.fields) line += " " + std::string(field);
            out.push_back(line + (one.waiting ? "!" : ""));
        };
        summary = run(compare->look(differs));
        if (!summary) out.push_back(summary.error().message);
        return out;
    }
    // What was found that nobody was at: "missing different extra".
    std::string repair() {
        summary = run(compare->repair());
        if (!summary) return std::string(to_string(summary.error().code));
        const CopyDrift drift = summary->found - summary->waiting;
        return fmt::format("{} {} {}", drift.missing, drift.different, drift.extra);
    }
    void people(int count) {
        for (int i = 0; i < count; ++i) {
            tell({.clerk_id = fmt::format("user_{}", i),
                  .email = fmt::format("p{}@example.com", i)});
        }
    }
    void forget_jobs() const { sql("DELETE FROM job_queue WHERE job_type = 'MIRROR_USER'"); }
    [[nodiscard]] std::string waiting() const {
        return sql(
            "SELECT coalesce(string_agg(subject, ' ' ORDER BY subject), '') FROM job_queue "
            "WHERE job_type = 'MIRROR_USER' AND status = 'PENDING'");
    }
    [[nodiscard]] std::string state(const std::string& columns) const {
        return sql("SELECT concat_ws('|', " + columns + ") FROM rollcall.mirror_state");
    }
    [[nodiscard]] std::string seen() const {
        return sql("SELECT count(*) FROM rollcall.mirror_seen");
    }

    // An auth.users as Supabase has it, filled from the Auth in memory before each call of it.
    void with_auth_users() {
        sql("CREATE TABLE auth.users (id uuid PRIMARY KEY, aud text, email text, "
            "raw_app_meta_data jsonb, raw_user_meta_data jsonb, email_confirmed_at timestamptz, "
            "banned_until timestamptz, deleted_at timestamptz, created_at timestamptz)");
        auth.hook = [this](const std::string& operation) {
            if (operation == "page") copy_users();
        };
    }
    void copy_users() const {
        sql("DELETE FROM auth.users");
        for (const auto& [id, user] : auth.users) {
            const auto literal = [](const std::string& text) {
                return text.empty() ? std::string("NULL") : directory::quote_literal(text);
            };
            sql(
                fmt::format("INSERT INTO auth.users VALUES ('{}', 'authenticated', {}, "
                            "jsonb_build_object('clerk_id', {}, 'role', {}), "
                            "jsonb_build_object('full_name', {}), {}, {}, {}, now())",
                            id, literal(user.email), literal(user.clerk_id), literal(user.role),
                            literal(user.full_name), user.email_confirmed ? "now()" : "NULL",
                            literal(user.banned_until), user.soft_deleted ? "now()" : "NULL"));
        }
    }

    std::int64_t allowed = 10;  // removals
    std::unique_ptr<Compare> compare;
    Result<CompareSummary> summary;
};

}  // namespace rollcall::mirror
