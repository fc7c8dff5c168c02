#include "pg/failure.hpp"

#include "base/result.hpp"

#include <libpq-fe.h>
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace rollcall::pg {
namespace {

constexpr std::string_view raise_exception = "P0001";

std::string_view field(const pg_result* result, int code) {
    const char* value = PQresultErrorField(result, code);
    return value == nullptr ? std::string_view() : std::string_view(value);
}

// Messages of class 22 quote the value ("invalid input syntax for type integer: "…""), in the
// server's language, so only the name of the condition is passed on.
std::string_view data_exception(std::string_view sqlstate) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 14> names{{
        {"22001", "text too long for its column"},
        {"22003", "number out of range"},
        {"22004", "NULL not allowed"},
        {"22007", "invalid date or time"},
        {"22008", "date or time out of range"},
        {"22012", "division by zero"},
        {"22021", "invalid byte sequence for the encoding"},
        {"22023", "invalid parameter value"},
        {"22030", "duplicate JSON key"},
        {"22032", "invalid JSON"},
        {"22P02", "invalid input syntax"},
        {"22P03", "invalid binary representation"},
        {"22P05", "character that the encoding cannot hold"},
        {"22026", "string length mismatch"},
    }};
    for (const auto& [code, name] : names) {
        if (code == sqlstate) return name;
    }
    return "data exception";
}

bool is_ours(std::string_view line) {
    return line.contains("rollcall.") || line.contains("inline_code_block");
}

// RAISE in an application's trigger may say anything about anybody, with any SQLSTATE; our own
// functions do not. The names of the server's functions are the same in every language.
bool raised_by_others(const pg_result* result, std::string_view sqlstate) {
    const std::string_view function = field(result, PG_DIAG_SOURCE_FUNCTION);
    if (!sqlstate.starts_with("P0") && function != "exec_stmt_raise") return false;
    const std::string_view context = field(result, PG_DIAG_CONTEXT);
    return !is_ours(context.substr(0, context.find('\n')));
}

// A statement that an application's trigger puts together quotes what it is made of, where it does
// not work ("column "ada@example.com" does not exist"). Broken constraints name only themselves.
bool failed_in_others(const pg_result* result, std::string_view sqlstate) {
    if (sqlstate.starts_with("23")) return false;
    std::string_view context = field(result, PG_DIAG_CONTEXT);
    while (!context.empty()) {
        const std::string_view line = context.substr(0, context.find('\n'));
        if (line.starts_with("PL/") && !is_ours(line)) return true;
        context.remove_prefix(std::min(line.size() + 1, context.size()));
    }
    return false;
}

// A row that row-level security or a view's CHECK OPTION does not let in.
bool against_a_policy(const pg_result* result) {
    return field(result, PG_DIAG_SOURCE_FUNCTION) == "ExecWithCheckOptions";
}

std::string_view speakable(const pg_result* result, std::string_view sqlstate) {
    if (sqlstate.starts_with("22")) return data_exception(sqlstate);
    if (raised_by_others(result, sqlstate) || failed_in_others(result, sqlstate)) {
        return "refused by a trigger or function";
    }
    return field(result, PG_DIAG_MESSAGE_PRIMARY);
}

bool means_away(std::string_view sqlstate, bool fatal) {
    return fatal || sqlstate.starts_with("08") || sqlstate.starts_with("53") ||
           sqlstate.starts_with("57P") || sqlstate.starts_with("58") || sqlstate == "57014" ||
           sqlstate == "25006";
}

// A read-only server is a standby, or was the primary until now: look for the new one.
bool means_reconnect(std::string_view sqlstate, bool fatal) {
    return fatal || sqlstate.starts_with("08") || sqlstate.starts_with("57P") ||
           sqlstate == "25006";
}

bool means_stale_plan(const pg_result* result, std::string_view sqlstate) {
    if (sqlstate == "26000" || sqlstate == "42P05") return true;
    // "cached plan must not change result type" has no SQLSTATE of its own.
    return sqlstate == "0A000" &&
           field(result, PG_DIAG_SOURCE_FUNCTION).starts_with("RevalidateCached");
}

}  // namespace

Failure refusal(const pg_result* result, std::string_view statement) {
    const std::string_view sqlstate = field(result, PG_DIAG_SQLSTATE);
    const std::string_view severity = field(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    if (sqlstate.empty()) {  // libpq's own words: the connection broke
        return unavailable("database connection lost, outcome unknown: " +
                           flatten(PQresultErrorMessage(result)));
    }
    const bool fatal = severity == "FATAL" || severity == "PANIC";
    // The server is there all the same: of such a code only the message tells.
    const bool raised = raised_by_others(result, sqlstate);
    const bool pretended = raised && means_away(sqlstate, fatal);

    Failure failure;
    failure.kind = means_away(sqlstate, fatal) && !pretended ? Failure::Kind::unavailable
                                                             : Failure::Kind::refused;
    failure.message = std::string(statement);
    failure.message.append(": ").append(speakable(result, sqlstate));
    failure.message.append(" [").append(sqlstate).append("]");
    failure.sqlstate = pretended ? raise_exception : sqlstate;
    failure.constraint = field(result, PG_DIAG_CONSTRAINT_NAME);
    failure.by_application =
        raised || failed_in_others(result, sqlstate) || against_a_policy(result);
    failure.connection_spent = means_reconnect(sqlstate, fatal) && !pretended;
    failure.plan_stale = means_stale_plan(result, sqlstate);
    const std::string_view position = field(result, PG_DIAG_STATEMENT_POSITION);
    std::from_chars(position.data(), position.data() + position.size(), failure.position);
    return failure;
}

Failure unavailable(std::string message, std::string_view sqlstate) {
    return {.kind = Failure::Kind::unavailable,
            .message = std::move(message),
            .sqlstate = std::string(sqlstate),
            .connection_spent = true};
}

SqlError to_sql_error(const Failure& failure) {
    return {failure.message, failure.sqlstate, failure.constraint, failure.by_application};
}

void raise(const Failure& failure) {
    if (failure.kind == Failure::Kind::refused) throw to_sql_error(failure);
    throw Unavailable(failure.message);
}

std::string flatten(std::string_view libpq_message) {
    std::string line;
    for (const char c : libpq_message) {
        if (c == '\n') {
            if (!line.empty()) line.append("; ");
        } else if (c != '\t') {
            line.push_back(c);
        }
    }
    while (line.ends_with(' ') || line.ends_with(';')) line.pop_back();
    return line;
}

void rethrow(const SqlError& error) {
    throw SqlError(error);
}

}  // namespace rollcall::pg
