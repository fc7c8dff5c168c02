// What the tests of row level security share: a database with a users table of any shape, made by
// migrate, and a small language to ask it as somebody.
#pragma once

#include "directory_fixture.hpp"

namespace rollcall::directory {

class RlsTest : public DirectoryTest {
protected:
    RlsTest() : DirectoryTest({}, /*create=*/false) {}

    // Two users, after what migrate does.
    void make(UsersTableOptions options = {}) {
        migrate(options);
        open();
        tell({.clerk_id = "user_a", .email = "a@example.com"});
        tell({.clerk_id = "user_b", .email = "b@example.com"});
    }
    std::vector<std::string> migrate(UsersTableOptions options = {}) {
        auto made = run(ensure_users_table(pool, config.columns, options));
        if (!made) throw std::runtime_error(made.error().message);
        notes = made->notes;
        std::vector<std::string> done;
        for (const auto& step : made->steps) done.push_back(step.what);
        return done;
    }

    // What `text` gives to that role with these claims, in one transaction; "denied" when it is
    // forbidden, else the server's words.
    std::string with_claims(std::string_view role, std::string_view claims,
                            const std::string& text) const {
        try {
            return sql(fmt::format(
                "SELECT set_config('request.jwt.claims', {}, true); SET LOCAL ROLE {}; {}",
                quote_literal(claims), role, text));
        } catch (const std::exception& refused) {
            const std::string message = refused.what();
            if (message.find("permission denied") != std::string::npos) return "denied";
            return message;
        }
    }
    std::string as(std::string_view subject, const std::string& text,
                   std::string_view role = "authenticated") const {
        return with_claims(
            role, fmt::format(R"({{"sub": "{}", "role": "{}", "aal": "aal1"}})", subject, role),
            text);
    }
    std::string id_of(std::string_view clerk_id) const {
        return sql(fmt::format("SELECT id FROM users WHERE clerk_id = '{}'", clerk_id));
    }
    // Both kinds of subjects: Clerk's, and the internal id.
    std::vector<std::string> subjects(const std::string& clerk_id) const {
        return {clerk_id, id_of(clerk_id)};
    }

    std::vector<std::string> notes;  // of the last migrate()
};

inline constexpr const char* whose_rows =
    "SELECT coalesce(string_agg(clerk_id, ' ' ORDER BY clerk_id), '') FROM users";

}  // namespace rollcall::directory
