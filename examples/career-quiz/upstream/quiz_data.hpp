// The quiz's data, read and written as the caller: which rows those are decides PostgreSQL, by row
// level security (../schema.sql). It also reads and makes all JSON.
// Failures are thrown as caller::DatabaseError. Any thread may ask; each keeps its own connections.
#pragma once

#include "caller_transaction.hpp"

#include <optional>
#include <string>
#include <vector>

namespace quiz {

// Nothing: there is no such row, or it is somebody else's. The two look the same.
using Json = std::optional<std::string>;

class QuizData {
public:
    explicit QuizData(std::string database_url);

    // Everybody's; without `kind` all of them.
    [[nodiscard]] Json subjects(const caller::Value& kind) const;

    // The own ones of `user`, rollcall's internal id, which is never empty here.
    [[nodiscard]] Json preferences(const std::string& user) const;
    [[nodiscard]] Json save_preferences(const std::string& user, const std::string& json) const;
    [[nodiscard]] Json session(const std::string& user, const std::string& id) const;
    // {"answers": {…}} begins a session; with "session_id" the answers are added to that one.
    [[nodiscard]] Json save_session(const std::string& user, const std::string& json) const;

    // All that is stored of `user`, the row of the users table with it.
    [[nodiscard]] Json exported(const std::string& user) const;
    // What the quiz has stored; the account itself is ended in Clerk. Says how much it was.
    [[nodiscard]] Json erase(const std::string& user) const;

private:
    // One statement in a transaction of its own, as `user`; "" is anybody.
    [[nodiscard]] Json ask(const std::string& user, const std::string& statement,
                           const std::vector<caller::Value>& values = {}) const;

    std::string database_url_;
};

}  // namespace quiz
