// What the tests of directory/ and sync/ share: a migrated database with a users table, the
// directory over it, and a small language to say what happened to users and to see their rows.
#pragma once

#include "directory/directory.hpp"
#include "directory/users_table.hpp"
#include "pg/pool.hpp"
#include "support/postgres.hpp"
#include "support/run.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rollcall::directory {

using namespace std::chrono_literals;

// What a job says of a user. Versions are milliseconds.
struct Told {
    std::string clerk_id = "user_a";
    std::int64_t version = 1000;
    std::optional<std::string> email = std::nullopt;
    std::optional<std::string> name = "Ann";
    std::string role = "user";
    bool banned = false;
    bool deletion = false;
};

class DirectoryTest : public testing::Test {
protected:
    explicit DirectoryTest(DirectoryConfig c = {}, bool create = true)
        : config(std::move(c)), pool(io.get_executor(), "main", 8, db.config(), metrics) {
        if (!create) return;
        const auto made = run(ensure_users_table(pool, config.columns, {}));
        if (!made) throw std::runtime_error(made.error().message);
        open();
    }
    ~DirectoryTest() override { run(pool.stop()); }

    void open() {
        auto opened = run(Directory::open(pool, config));
        if (!opened) throw std::runtime_error(opened.error().message);
        directory = std::move(*opened);
    }

    template <class T>
    T run(Task<T> task, std::chrono::milliseconds limit = test::deadline) {
        return test::run(io, std::move(task), limit);
    }

    static std::string literal(const std::optional<std::string>& text) {
        return text ? quote_literal(*text) : "NULL";
    }

    // As the webhook door writes it. Returns the job's id.
    std::string enqueue(const Told& told, std::string_view kind = "") {
        if (kind.empty()) kind = told.deletion ? "USER_DELETED" : "USER_UPDATED";
        const std::string payload =
            told.deletion
                ? fmt::format("jsonb_build_object('clerk_id', {})", quote_literal(told.clerk_id))
                : fmt::format(
                      "jsonb_build_object('clerk_id', {}, 'email', {}, 'name', {}, "
                      "'user_role', {})",
                      quote_literal(told.clerk_id), literal(told.email), literal(told.name),
                      quote_literal(told.role));
        return db.sql(fmt::format(
            "INSERT INTO public.job_queue (job_type, payload, subject, version, banned, priority) "
            "VALUES ('{}', {}, {}, {}, {}, {}) RETURNING id",
            kind, payload, quote_literal(told.clerk_id), told.version, told.banned,
            kind == "USER_CREATED" ? 2 : 1));
    }

    // Works off everything that is due; the outcomes in order of application.
    std::vector<Outcome> drain() {
        std::vector<Outcome> out;
        for (const int priority : {2, 1}) {
            for (int applied = 1; applied > 0;) {
                auto batch = run(directory->apply_due(pool, ClaimPosition{.priority = priority}));
                if (!batch) throw std::runtime_error(batch.error().what());
                applied = batch->size();
                for (int i = 0; i < applied; ++i) out.push_back((*batch)[i].outcome);
            }
        }
        return out;
    }
    Outcome tell(const Told& told, std::string_view kind = "") {
        enqueue(told, kind);
        const auto outcomes = drain();
        return outcomes.size() == 1 ? outcomes.front() : Outcome::unusable;
    }

    // The database's time a millisecond after what went before: a read does not count as later than
    // what shares its millisecond.
    SystemTime later() {
        const SystemTime before = run(database_now(pool));
        SystemTime now = before;
        while (now == before) now = run(database_now(pool));
        return now;
    }

    // What Clerk answered, asked now unless said otherwise.
    AppliedRead read(const Told& told, std::optional<SystemTime> asked_at = std::nullopt) {
        Read one{.clerk_id = told.clerk_id, .state = {}, .asked_at = {}};
        one.asked_at = asked_at ? *asked_at : later();
        if (told.deletion) {
            one.state = Deletion{one.asked_at};
        } else {
            one.state = Snapshot{.version = told.version,
                                 .email = told.email,
                                 .name = told.name,
                                 .role = told.role,
                                 .banned = told.banned,
                                 .locked = false,
                                 .clerk_created_at = std::nullopt};
        }
        return run(apply_read(std::move(one)));
    }
    Task<AppliedRead> apply_read(Read one) {
        pg::Transaction tx = co_await directory->begin(pool);
        const auto applied = co_await directory->apply(tx, {&one, 1});
        if (!applied) throw std::runtime_error(applied.error().what());
        co_await tx.commit();
        co_return applied->front();
    }

    // "name|email|role|deleted" of the row, "" when there is none.
    std::string row(std::string_view clerk_id = "user_a") const {
        return db.sql(
            fmt::format("SELECT concat_ws('|', coalesce(name, '-'), coalesce(email, '-'), role, "
                        "CASE WHEN deleted_at IS NULL THEN 'alive' ELSE 'deleted' END) "
                        "FROM public.users WHERE clerk_id = {}",
                        quote_literal(clerk_id)));
    }
    std::string sql(const std::string& text) const { return db.sql(text, io); }

    mutable asio::io_context io;
    MetricsRegistry metrics;
    DirectoryConfig config;
    test::Database db{test::Database::Content::migrated};
    pg::Pool pool;
    std::unique_ptr<Directory> directory;
};

}  // namespace rollcall::directory
