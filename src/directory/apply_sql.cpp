#include "directory/apply_sql.hpp"

#include "base/ascii.hpp"
#include "base/result.hpp"
#include "directory/erasure.hpp"
#include "directory/sql.hpp"

#include <map>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::directory {
namespace {

using Values = std::map<std::string, std::string, std::less<>>;

// Replaces every {{name}}; values are not looked into again.
constexpr std::string_view blanks = " \n";  // between the named sections of a file

std::string fill(std::string_view text, const Values& values) {
    std::string out;
    while (true) {
        const std::size_t open = text.find("{{");
        if (open == std::string_view::npos) break;
        const std::size_t close = text.find("}}", open);
        ensure(close != std::string_view::npos, "directory.sql: {{ without }}");
        const auto value = values.find(text.substr(open + 2, close - open - 2));
        ensure(value != values.end(), "directory.sql: a placeholder that nothing fills");
        out += text.substr(0, open);
        out += value->second;
        text.remove_prefix(close + 2);
    }
    return out += text;
}

std::string filled(const pg::Statement& statement, const Values& values) {
    return fill(trimmed(statement.text, blanks), values);
}

// A template that stands inside another one, without its comments.
std::string part(const pg::Statement& statement) {
    std::string out;
    std::string_view rest = trimmed(statement.text, blanks);
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string_view line = rest.substr(0, end);
        if (!line.starts_with("--")) {
            if (!out.empty()) out += '\n';
            out += line;
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return out;
}

std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
    std::string out;
    for (const std::string& one : parts) {
        if (!out.empty()) out += separator;
        out += one;
    }
    return out;
}

std::string role_rule(const ColumnMap& columns) {
    std::string rule = "CASE payload ->> 'user_role'";
    for (const std::string& role : columns.roles) {
        const std::string literal = quote_literal(role);
        rule.append(" WHEN ").append(literal).append(" THEN ").append(literal);
    }
    return rule + " ELSE " + quote_literal(columns.default_role) + " END";
}

// One column that an upsert writes: what is inserted, and what an existing row gets.
struct Written {
    const ShapeColumn* column;
    std::string inserted;
    std::string updated;
};

// What a change writes beside id, Clerk id and times. An event leaves a row that is marked as
// deleted so, whoever marked it; a read says how things are.
std::vector<Written> written_columns(const TableShape& shape, bool event) {
    std::vector<Written> out;
    std::string deleted_at = "excluded.";
    if (shape.deleted_at) {
        deleted_at += shape.deleted_at->name;
        if (event) deleted_at = "coalesce(" + deleted_at + ", u." + shape.deleted_at->name + ")";
    }
    if (shape.email) {
        const std::string excluded = "excluded." + shape.email->name;
        out.push_back(
            {&*shape.email,
             "CASE WHEN l.deleted_at IS NULL THEN " + shape.email->cast("c.email") + " END",
             shape.deleted_at && event
                 ? "CASE WHEN " + deleted_at + " IS NULL THEN " + excluded + " END"
                 : excluded});
    }
    if (shape.name) {
        out.push_back({&*shape.name, shape.name->cast("c.name"), "excluded." + shape.name->name});
    }
    if (shape.role) {
        out.push_back({&*shape.role, shape.role->cast("c.role"), "excluded." + shape.role->name});
    }
    if (shape.deleted_at) {
        out.push_back({&*shape.deleted_at, shape.deleted_at->time("l.deleted_at"), deleted_at});
    }
    return out;
}

// What follows ON CONFLICT … DO: an update of rows that differ, which alone moves their updated_at.
std::string update_rows(const TableShape& shape, bool event) {
    const std::vector<Written> written = written_columns(shape, event);
    if (written.empty()) return "NOTHING";
    std::vector<std::string> set;
    std::vector<std::string> old_values;
    std::vector<std::string> new_values;
    for (const Written& one : written) {
        set.push_back(one.column->name + " = " + one.updated);
        old_values.push_back("u." + one.column->name);
        new_values.push_back(one.updated);
    }
    for (const ShapeColumn& column : shape.updated_at) {
        set.push_back(column.name + " = excluded." + column.name);
    }
    return "UPDATE SET " + joined(set, ",\n        ") + "\n    WHERE (" + joined(old_values, ", ") +
           ") IS DISTINCT FROM\n        (" + joined(new_values, ", ") + ")";
}

// The row beside what a read says of it; only rows that are not deleted are compared.
std::string row_as_told(const TableShape& shape) {
    std::vector<std::string> row{"u." + shape.clerk_id.name};
    std::vector<std::string> told{shape.clerk_id.cast("c.clerk_id")};
    const auto add = [&](const std::optional<ShapeColumn>& column, std::string_view value) {
        if (!column) return;
        row.push_back("u." + column->name);
        told.push_back(column->cast(value));
    };
    add(shape.email, "c.email");
    add(shape.name, "c.name");
    add(shape.role, "c.role");
    add(shape.deleted_at, "NULL");
    return "(" + joined(row, ", ") + ") IS NOT DISTINCT FROM (" + joined(told, ", ") + ")";
}

// For each mirrored column whether the row differs from what Clerk says, and what the row has.
std::string compared_columns(const TableShape& shape) {
    std::string out;
    const auto add = [&](const std::optional<ShapeColumn>& column, std::string_view told) {
        if (!column) {
            out += "false, NULL,\n    ";
            return;
        }
        const std::string row = "u." + column->name;
        const std::string value = told == "NULL" ? "NULL" : column->cast(told);
        out += row + " IS DISTINCT FROM " + value + ", " + row + "::text,\n    ";
    };
    add(shape.email, "c.email");
    add(shape.name, "c.name");
    add(shape.role, "c.role");
    add(shape.deleted_at, "NULL");
    return out.substr(0, out.rfind('\n'));
}

// A column of the row as text, whatever its type; nothing where it is not mirrored.
std::string row_text(const std::optional<ShapeColumn>& column) {
    return column ? "u." + column->name + "::text" : "NULL::text";
}

std::string email_held(const TableShape& shape) {
    if (!shape.email || shape.email_key == EmailKey::none) return "false";
    const std::string other =
        " AND h." + shape.clerk_id.name + " IS DISTINCT FROM " + shape.clerk_id.value("c.clerk_id");
    if (shape.email_key == EmailKey::folded) {
        return "lower(h." + shape.email->name + "::text) = lower(c.email)" + other;
    }
    return "h." + shape.email->name + " = " + shape.email->value("c.email") + other;
}

// What removes the rows of deleted users, or marks them and lets their e-mail go; with `mark_only`
// at most the mark is written.
std::string delete_users(const TableShape& shape, const ColumnMap& columns, bool mark_only) {
    if (mark_only && columns.delete_mode == DeleteMode::hard) return "SELECT";
    const std::string mine =
        "u." + shape.clerk_id.name + " = " + shape.clerk_id.value("t.clerk_id");
    if (columns.delete_mode == DeleteMode::hard) {
        return "DELETE FROM " + shape.table + " u USING told t\n    WHERE " + mine +
               " AND t.deleted_at IS NOT NULL";
    }
    ensure(shape.deleted_at.has_value(), "soft deletion without its column");
    const std::string gone =
        shape.deleted_at->name + " = " + shape.deleted_at->time("t.deleted_at");
    std::vector<std::string> set{gone};
    std::string differs = "u." + shape.deleted_at->name + " IS DISTINCT FROM " +
                          shape.deleted_at->time("t.deleted_at");
    if (shape.email && !mark_only) {
        set.push_back(shape.email->name + " = NULL");
        differs = "(" + differs + " OR u." + shape.email->name + " IS NOT NULL)";
    }
    for (const ShapeColumn& column : shape.updated_at) {
        set.push_back(column.name + " = " + column.time("now()"));
    }
    return "UPDATE " + shape.table + " u SET " + joined(set, ", ") +
           "\n    FROM told t\n    WHERE " + mine + " AND t.deleted_at IS NOT NULL\n      AND " +
           differs;
}

Values values_of_table(const TableShape& shape) {
    Values values;
    values["users"] = shape.table;
    values["id"] = shape.id.name;
    values["clerk_id"] = shape.clerk_id.name;
    values["change_clerk_id"] = shape.clerk_id.value("c.clerk_id");
    values["told_clerk_id"] = shape.clerk_id.value("t.clerk_id");
    values["ledger_clerk_id"] = shape.clerk_id.value("l.clerk_id");
    values["adopter"] = shape.clerk_id.cast("$2::text");
    values["arbiter"] =
        "(" + shape.clerk_id.name + ")" +
        (shape.clerk_id_predicate.empty() ? "" : " WHERE " + shape.clerk_id_predicate);
    values["email_held"] = email_held(shape);
    values["row_deleted"] =
        shape.deleted_at ? "h." + shape.deleted_at->name + " IS NOT NULL" : "false";
    values["row_as_told"] = row_as_told(shape);
    values["living"] = shape.deleted_at ? "u." + shape.deleted_at->name + " IS NULL" : "true";
    values["compared_columns"] = compared_columns(shape);
    values["row_email"] = row_text(shape.email);
    values["row_name"] = row_text(shape.name);
    values["row_role"] = row_text(shape.role);
    values["creation_known"] =
        "(c.clerk_created_at IS NULL OR l.clerk_created_at = c.clerk_created_at)";
    values["written_columns"] = "u." + shape.clerk_id.name +
                                "::text COLLATE \"C\" AS clerk_id, u." + shape.id.name + " AS id";

    std::vector<std::string> names{shape.id.name, shape.clerk_id.name};
    std::vector<std::string> inserted{"l.user_id", shape.clerk_id.cast("c.clerk_id")};
    for (const Written& one : written_columns(shape, true)) {
        names.push_back(one.column->name);
        inserted.push_back(one.inserted);
    }
    for (const auto* times : {&shape.created_at, &shape.updated_at}) {
        for (const ShapeColumn& column : *times) {
            names.push_back(column.name);
            inserted.push_back(column.time("now()"));
        }
    }
    values["insert_columns"] = joined(names, ", ");
    values["insert_values"] = joined(inserted, ",\n        ");
    values["event_update"] = update_rows(shape, true);
    values["read_update"] = update_rows(shape, false);
    return values;
}

// What arms the mirror's jobs. `cause`: the trace that they belong to, of what `causes` joins.
std::string arm(Values values, std::string cause, std::string causes) {
    values["cause"] = std::move(cause);
    values["causes"] = std::move(causes);
    return fill(part(sql::arm), values);
}

// Whether a read that finds an older version than the ledger's counts all the same. Clerk's answers
// may lag behind what it said before, though not by a day; behind a version that an application
// made up they do not lag: they are how things are.
std::string settled(const std::string& ledger, const std::string& asked_at) {
    return "(" + asked_at + " >= " + ledger + ".changed_at + CASE WHEN " + ledger +
           ".dated_by_clerk THEN interval '1 day' ELSE interval '0' END)";
}

// A time that the ledger has of what was learned, for a read that was asked at `asked_at`. One that
// lies well ahead is from before the clock was set back, and so from before what was asked since.
std::string learned(const std::string& time, const std::string& asked_at) {
    return "CASE WHEN " + asked_at + " <= now() AND " + time +
           " > now() + interval '10 minutes' THEN '-infinity' ELSE " + time + " END";
}

// Which of two snapshots of one user counts; {{…}} of the ledger's upsert.
void add_order(Values& values, const ApplyOptions& options) {
    // Where Clerk cannot be asked, of two of one version the one that arrived later counts,
    // whichever is worked off first.
    const std::string ledger =
        "(coalesce(l.version, -1), coalesce(l.arrived_at, '-infinity'),\n"
        "             coalesce(l.arrived_as, '00000000-0000-0000-0000-000000000000'))";
    values["newer"] =
        options.can_ask
            ? "excluded.version > coalesce(l.version, -1)"
            : "(excluded.version, excluded.arrived_at, excluded.arrived_as)\n            > " +
                  ledger;
    values["told_new"] = options.can_ask
                             ? "excluded.version >= coalesce(l.version, -1)\n          AND "
                               "(excluded.version, excluded.content_hash)\n              IS "
                               "DISTINCT FROM (l.version, l.content_hash)"
                             : values["newer"];
    values["deleting"] = "(excluded.deleted_at > coalesce(l.lifted_at, '-infinity')) IS TRUE";
    values["outdated"] =
        "(SELECT to_timestamp(c.version / 1000.0) <= k.lifted_at FROM rollcall.ledger k\n"
        "            WHERE k.clerk_id = c.clerk_id)";
    values["same_version"] = options.can_ask ? "'tie'" : "'superseded'";
    values["tied"] = options.can_ask
                         ? "lead(version) OVER newest = version\n"
                           "            AND lead(content_hash) OVER newest <> content_hash"
                         : "false";
    values["doubtful"] = options.can_ask ? part(sql::doubtful) : "false";
    values["once_more"] = part(sql::once_more);
    values["worth_arming"] = "q.status <> 'PENDING' OR q.attempts > 0 OR q.run_at > now()";
    values["arm"] = arm(values, "NULL", "");
    values["mirror"] = "\n" + fill(part(sql::mirror), values);
    Values of_jobs = values;
    of_jobs["arm"] = arm(values, "coalesce(c.trace, rollcall.trace_of(c.event_id))",
                         "\n    LEFT JOIN ranked c ON c.clerk_id = l.clerk_id AND c.rank < 2 AND "
                         "NOT c.conflict");
    values["mirror_of_jobs"] = "\n" + fill(part(sql::mirror), of_jobs);
    values["ask"] = options.can_ask ? "\n" + fill(part(sql::ask), values) : "";
    // A read that was asked before the last change was learned has been overtaken.
    values["settled"] = settled("l", "c.asked_at");
    values["erased_version"] = std::to_string(erased_version);
    const std::string settled_read = settled("l", "excluded.changed_at");
    const std::string not_overtaken =
        "excluded.changed_at >= " + learned("l.changed_at", "excluded.changed_at");
    values["newer_read"] =
        "(excluded.version > coalesce(l.version, -1)\n             OR excluded.version = l.version "
        "AND " +
        not_overtaken + "\n             OR excluded.version < l.version AND " + settled_read + ")";
    values["deleting_read"] = "(excluded.deleted_at IS NOT NULL AND " + not_overtaken + ")";
    values["deletion_seen"] = learned("l.deletion_seen_at", "c.asked_at");
    values["lifting_read"] =
        "(excluded.deleted_at IS NULL AND excluded.changed_at\n                > " +
        learned("l.deletion_seen_at", "excluded.changed_at") +
        "\n             AND (excluded.version >= coalesce(l.version, -1) OR " + settled_read + "))";
}

// What a change leaves in the audit log; `tellings` are the changes, `teller` who told them.
std::string grants(const TableShape& shape, const ColumnMap& columns, Values values,
                   std::string tellings, std::string teller, std::string told_by) {
    if (!shape.role) return "";
    values["default_role"] = quote_literal(columns.default_role);
    values["old_role"] = fill(part(sql::old_role), values);
    values["tellings"] = std::move(tellings);
    values["teller"] = std::move(teller);
    values["told_by"] = std::move(told_by);
    return "\n" + fill(part(sql::granted), values);
}

// What a row is set to when another user gets its address.
std::string release(const TableShape& shape) {
    std::vector<std::string> changes;
    if (shape.email) changes.push_back(shape.email->name + " = NULL");
    for (const ShapeColumn& column : shape.updated_at) {
        changes.push_back(column.name + " = " + column.time("now()"));
    }
    return joined(changes, ", ");
}

void add_settling(ApplySql& out, const TableShape& shape, const ColumnMap& columns, Values values) {
    const auto settle = [&](std::string rows) {
        values["delete_users"] = std::move(rows);
        return filled(sql::settle, values);
    };
    out.settle = settle(delete_users(shape, columns, /*mark_only=*/false));
    out.mark_deleted = settle(delete_users(shape, columns, /*mark_only=*/true));
    out.forget = settle("SELECT");
}

// Where only a partial index makes the Clerk id unique, its condition is named, or the index is no
// help.
void add_standings(ApplySql& out, const TableShape& shape, Values values) {
    values["keyed_users"] =
        shape.clerk_id_predicate.empty()
            ? shape.table
            : "(SELECT * FROM " + shape.table + " WHERE " + shape.clerk_id_predicate + ")";
    out.standings = filled(sql::standings, values);
}

void add_curbs(ApplySql& out, const TableShape& shape, const ColumnMap& columns, Values values) {
    const auto make = [&](const pg::Statement& teller, std::string& bar, std::string& assign) {
        values["told"] = fill(part(teller), values);
        bar = filled(sql::bar, values);
        if (shape.role) assign = filled(sql::assign, values);
    };
    if (shape.role) {
        std::vector<std::string> changes{shape.role->name + " = " + shape.role->cast("c.role")};
        for (const ShapeColumn& column : shape.updated_at) {
            changes.push_back(column.name + " = " + column.time("now()"));
        }
        values["assign_role"] = joined(changes, ", ");
    }
    values["default_role"] = quote_literal(columns.default_role);
    make(sql::told_by_job, out.bar_by_job, out.assign_by_job);
    make(sql::told_by_read, out.bar_by_read, out.assign_by_read);
}

void add_outbox(ApplySql& out, Values values) {
    out.mirrored_row = filled(sql::mirrored_row, values);
    out.arm_one = filled(sql::arm_one, values);
    out.arm_again = filled(sql::arm_again, values);
    // One that waits reads the row later; one that failed, or that somebody cancelled, stays so.
    values["worth_arming"] = "q.status = 'PROCESSING'";
    values["arm"] = arm(values, "NULL", "");
    out.arm_lost = filled(sql::arm_again, values);
}

void add_copy_comparison(ApplySql& out, Values values) {
    values["job_status"] = part(sql::job_status);
    const auto rows = [&](const pg::Statement& chosen) {
        values["chosen"] = fill(part(chosen), values);
        return filled(sql::compared_rows, values);
    };
    out.compared_rows = rows(sql::rows_in_order);
    out.compared_users = rows(sql::rows_of_users);
    const auto copies = [&](const pg::Statement& chosen) {
        values["chosen"] = part(chosen);
        return filled(sql::compared_copies, values);
    };
    out.compared_copies = copies(sql::copies_in_order);
    out.compared_some = copies(sql::some_copies);
}

}  // namespace

ApplySql make_apply_sql(const TableShape& shape, const ColumnMap& columns,
                        const ApplyOptions& options) {
    ensure(options.batch > 0, "a batch of at least one job");
    Values values = values_of_table(shape);
    add_order(values, options);
    values["batch"] = std::to_string(options.batch);
    values["role_rule"] = role_rule(columns);
    values["alive"] =
        columns.delete_mode == DeleteMode::hard ? "\n           AND l.deleted_at IS NULL" : "";
    values["email_identity"] = shape.email_key == EmailKey::exact && !shape.email->folds_case
                                   ? "c.email COLLATE \"C\""
                                   : "lower(c.email) COLLATE \"C\"";
    const bool unique_email = shape.email && shape.email_key != EmailKey::none;
    const auto conflict = [&](std::string lifts, std::string known) {
        if (!unique_email) return std::string("false");
        Values own = values;
        own["lifts"] = std::move(lifts);
        own["known"] = std::move(known);
        return fill(part(sql::conflict), own);
    };
    values["release"] = release(shape);
    values["email"] = shape.email ? shape.email->name : "";

    ApplySql out;
    Values event = values;
    event["conflict"] =
        conflict("false", options.can_ask ? "k.version >= c.version"
                                          : "(k.version, k.arrived_at, k.arrived_as)\n"
                                            "                               >= (c.version, "
                                            "c.created_at, c.id)");
    event["granted"] =
        grants(shape, columns, values, "(SELECT * FROM ranked WHERE rank = 1 AND NOT conflict)",
               part(sql::teller), " || jsonb_build_object('job', c.id)");
    const auto apply = [&](const pg::Statement& claim) {
        event["claim"] = fill(part(claim), event);
        return filled(sql::apply_jobs, event);
    };
    event["alone"] = options.deletions_alone ? " OR c.deletion" : "";
    out.apply_due = apply(sql::claim_due);
    out.apply_scheduled = apply(sql::claim_scheduled);
    event["alone"] = "";
    out.apply_one = apply(sql::claim_one);
    const std::string ids = "SELECT j.id FROM public.job_queue j\nWHERE ";
    out.due_ids = ids + fill(part(sql::claim_due), values);
    out.scheduled_ids = ids + fill(part(sql::claim_scheduled), values);

    Values read = values;
    read["conflict"] = conflict("c.asked_at > " + learned("k.deletion_seen_at", "c.asked_at"),
                                "k.version > c.version AND NOT " + settled("k", "c.asked_at"));
    read["granted"] = grants(shape, columns, values, "judged", "'system'", "");
    out.apply_reads = filled(sql::apply_reads, read);
    values["granted"] = grants(shape, columns, values, "told", "'system'", "");
    out.add_newcomers = filled(sql::add_newcomers, values);
    add_settling(out, shape, columns, values);
    out.situation = filled(sql::situation, values);
    out.ask_again = filled(sql::ask_again, values);
    if (shape.email) out.release_email = filled(sql::release_email, values);
    out.adopt_row = filled(sql::adopt_row, values);
    out.renew_user_id = filled(sql::renew_user_id, values);
    Values compared = values;
    compared["as_known"] = fill(part(sql::as_known), values);
    compared["in_span"] = part(sql::in_span);
    out.compare = filled(sql::compare, compared);
    out.balanced = filled(sql::balanced, values);
    out.blank = filled(sql::blank, values);
    out.strangers = filled(sql::strangers, values);
    add_standings(out, shape, values);
    add_curbs(out, shape, columns, values);
    add_outbox(out, values);
    add_copy_comparison(out, values);
    return out;
}

}  // namespace rollcall::directory
