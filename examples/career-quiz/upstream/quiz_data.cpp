#include "quiz_data.hpp"

#include <utility>

namespace quiz {

QuizData::QuizData(std::string database_url) : database_url_(std::move(database_url)) {}

Json QuizData::ask(const std::string& user, const std::string& statement,
                   const std::vector<caller::Value>& values) const {
    thread_local caller::Connections connections(database_url_);
    caller::CallerTransaction tx(connections, {.subject = user, .claims = ""});
    const caller::Rows rows = tx.execute(statement, values);
    tx.commit();
    return rows.empty() ? Json() : rows.front().front();
}

Json QuizData::subjects(const caller::Value& kind) const {
    return ask("", R"(
        SELECT jsonb_build_object('subjects', coalesce(jsonb_agg(s ORDER BY s.name), '[]'))
        FROM quiz.subjects s WHERE $1::text IS NULL OR s.kind = $1)",
               {kind});
}

// More than one row would be an error here: a policy that is missing shows at once.
Json QuizData::preferences(const std::string& user) const {
    return ask(user, "SELECT coalesce((SELECT preferences FROM quiz.preferences), '{}')");
}

Json QuizData::save_preferences(const std::string& user, const std::string& json) const {
    return ask(user, R"(
        INSERT INTO quiz.preferences (preferences) VALUES ($1::jsonb)
        ON CONFLICT (user_id) DO UPDATE SET preferences = excluded.preferences
        RETURNING preferences)",
               {json});
}

Json QuizData::session(const std::string& user, const std::string& id) const {
    return ask(user, "SELECT to_jsonb(s) - 'user_id' FROM quiz.sessions s WHERE id = $1::uuid",
               {id});
}

Json QuizData::save_session(const std::string& user, const std::string& json) const {
    return ask(user, R"(
        WITH asked AS (
            SELECT ($1::jsonb ->> 'session_id')::uuid AS id, $1::jsonb -> 'answers' AS new),
        begun AS (
            INSERT INTO quiz.sessions (answers) SELECT new FROM asked WHERE asked.id IS NULL
            RETURNING *),
        added AS (
            UPDATE quiz.sessions s SET answers = s.answers || asked.new, saved_at = now()
            FROM asked WHERE s.id = asked.id
            RETURNING s.*)
        SELECT to_jsonb(s) - 'user_id' FROM (TABLE begun UNION ALL TABLE added) s)",
               {json});
}

Json QuizData::exported(const std::string& user) const {
    return ask(user, R"(
        SELECT jsonb_build_object(
            'profile', (SELECT to_jsonb(u) FROM public.users u),
            'preferences', coalesce((SELECT preferences FROM quiz.preferences), '{}'),
            'sessions', (
                SELECT coalesce(jsonb_agg(to_jsonb(s) - 'user_id' ORDER BY started_at), '[]')
                FROM quiz.sessions s)))");
}

// What destroys names its rows itself, too, and does not leave that to a policy alone.
Json QuizData::erase(const std::string& user) const {
    return ask(user, R"(
        WITH sessions AS (
            DELETE FROM quiz.sessions WHERE user_id = (SELECT rollcall.user_id()) RETURNING 1),
        preferences AS (
            DELETE FROM quiz.preferences WHERE user_id = (SELECT rollcall.user_id()) RETURNING 1)
        SELECT jsonb_build_object('deleted', jsonb_build_object(
            'sessions', (SELECT count(*) FROM sessions),
            'preferences', (SELECT count(*) FROM preferences))))");
}

}  // namespace quiz
