// Order does not matter: every permutation of a user's changes, one by one, in one batch and in two
// batches at once, ends in the same row.
#include "base/random.hpp"
#include "directory_fixture.hpp"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <map>

namespace rollcall::directory {
namespace {

// A short life. `life()[i]` is always the same change.
std::vector<Told> life(const std::string& id) {
    return {
        {.clerk_id = id, .version = 1000, .name = "Created", .role = "user"},
        {.clerk_id = id, .version = 2000, .name = "Updated", .role = "admin", .banned = true},
        {.clerk_id = id, .version = 2000, .name = "Updated", .role = "admin", .banned = true},
        {.clerk_id = id, .version = 3000, .name = "Last", .role = "user"},
        {.clerk_id = id, .version = 2500, .deletion = true},
    };
}

class DirectoryOrder : public DirectoryTest {
protected:
    // How many different ends there are, rows and ledger; times of this run left out.
    [[nodiscard]] std::string ends() const {
        return sql(
            "SELECT count(DISTINCT (u.name, u.email, u.role, u.deleted_at, l.version, "
            "l.content_hash, l.banned, l.locked, l.deleted_at, u.id = l.user_id)) "
            "FROM rollcall.ledger l LEFT JOIN users u USING (clerk_id)");
    }
    // Applies the one job that is due, and returns when that waits for another session's lock;
    // `done` when it has got it.
    void apply_behind_a_lock(bool& done) {
        asio::co_spawn(
            io,
            [this, &done]() -> Task<> {
                const auto batch =
                    co_await directory->apply_due(pool, ClaimPosition{.priority = 1});
                EXPECT_TRUE(batch && batch->size() == 1);
                done = true;
            },
            [](std::exception_ptr failure) { EXPECT_EQ(failure, nullptr); });
        ASSERT_TRUE(test::wait_until(io, [&] {
            return sql("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                       "AND datname = current_database()") == "1";
        }));
    }
};

// fault 3
TEST_F(DirectoryOrder, EveryPermutationOneByOne) {
    std::vector<int> order{0, 1, 2, 3, 4};
    int users = 0;
    do {
        const std::string id = fmt::format("user_{:03}", users++);
        const auto changes = life(id);
        for (const int step : order) tell(changes.at(static_cast<std::size_t>(step)));
    } while (std::ranges::next_permutation(order).found);
    EXPECT_EQ(users, 120);
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "120");
    EXPECT_EQ(ends(), "1");
    EXPECT_EQ(row("user_007"), "Last|-|user|deleted");
    // Everything once more: nothing is written.
    const std::string before =
        sql("SELECT md5(string_agg(u::text || u.xmin, '' ORDER BY u.id)) "
            "FROM users u");
    for (int i = 0; i < users; ++i) {
        for (const Told& told : life(fmt::format("user_{:03}", i))) enqueue(told);
    }
    drain();
    EXPECT_EQ(sql("SELECT md5(string_agg(u::text || u.xmin, '' ORDER BY u.id)) FROM users u"),
              before);
}

TEST_F(DirectoryOrder, EveryPermutationInOneBatch) {
    std::vector<int> order{0, 1, 2, 3, 4};
    int users = 0;
    do {
        const auto changes = life(fmt::format("user_{:03}", users++));
        for (const int step : order) enqueue(changes.at(static_cast<std::size_t>(step)));
    } while (std::ranges::next_permutation(order).found);
    drain();
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "120");
    EXPECT_EQ(ends(), "1");
}

TEST_F(DirectoryOrder, TwoDeletionsOfDifferentTimes) {
    for (const auto& [id, first, second] :
         {std::tuple{"user_a", 5000, 9000}, std::tuple{"user_b", 9000, 5000}}) {
        tell({.clerk_id = id, .version = 1000});
        tell({.clerk_id = id, .version = first, .deletion = true});
        tell({.clerk_id = id, .version = second, .deletion = true});
    }
    EXPECT_EQ(ends(), "1");
    EXPECT_EQ(sql("SELECT DISTINCT deleted_at = to_timestamp(5) FROM users"), "t");
}

TEST_F(DirectoryOrder, WithoutAskingTheLaterArrivalWinsATie) {
    config.can_ask = false;
    open();
    tell({.version = 1000, .name = "First"});
    EXPECT_EQ(tell({.version = 1000, .name = "Second"}), Outcome::applied);
    EXPECT_EQ(row(), "Second|-|user|alive");
    enqueue({.version = 2000, .name = "Third"});
    enqueue({.version = 2000, .name = "Fourth"});
    drain();
    EXPECT_EQ(row(), "Fourth|-|user|alive");
    EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE job_type = 'REFRESH_USER'"), "0");
}

TEST_F(DirectoryOrder, WithoutAskingTheLaterArrivalWinsInWhateverOrderItIsWorkedOff) {
    config.can_ask = false;
    open();
    std::vector<int> order{0, 1, 2, 3};
    constexpr std::array<const char*, 4> names{"First", "Second", "First", "Third"};
    int users = 0;
    do {
        const std::string id = fmt::format("user_{:03}", users++);
        for (const int step : order) {
            // Of one version; they arrived in the order of their numbers.
            const std::string job = enqueue(
                {.clerk_id = id, .version = 1000, .name = names.at(static_cast<std::size_t>(step))},
                step % 2 == 0 ? "USER_CREATED" : "USER_UPDATED");
            sql(fmt::format(
                "UPDATE job_queue SET created_at = now() - interval '1 hour' + {} * "
                "interval '1 second', run_at = now() - interval '1 day' WHERE id = '{}'",
                step, job));
            if (users % 2 == 0) drain();  // the others in one batch for each priority
        }
        drain();
    } while (std::ranges::next_permutation(order).found);
    EXPECT_EQ(sql("SELECT string_agg(DISTINCT name, ',') FROM users"), "Third");
    EXPECT_EQ(sql("SELECT count(*) FROM users"), "24");
    EXPECT_EQ(ends(), "1");
}

TEST_F(DirectoryOrder, ADeletionFromBeforeTheUserWasSeenAgainDoesNotCount) {
    tell({.version = 1000});
    tell({.version = 2000, .deletion = true});
    EXPECT_TRUE(read({.version = 1000}).restored);
    EXPECT_EQ(row(), "Ann|-|user|alive");
    for (const std::int64_t version : {2000, 1500, 3000}) {
        EXPECT_EQ(tell({.version = version, .deletion = true}), Outcome::unchanged);
    }
    EXPECT_EQ(row(), "Ann|-|user|alive");
    const std::string later = sql("SELECT (extract(epoch FROM now()) * 1000)::bigint + 1000");
    // In one batch with an old one.
    enqueue({.version = 2000, .deletion = true});
    enqueue({.version = std::stoll(later), .deletion = true});
    EXPECT_THAT(drain(), testing::UnorderedElementsAre(Outcome::unchanged, Outcome::deleted));
    EXPECT_EQ(row(), "Ann|-|user|deleted");
}

TEST_F(DirectoryOrder, ADeletionThatClerkMayHaveTakenBackIsAsked) {
    const auto asked = [&] {
        return sql(
            "SELECT coalesce(string_agg(subject, ',' ORDER BY subject), '') FROM job_queue "
            "WHERE job_type = 'REFRESH_USER'");
    };
    for (const char* id : {"user_a", "user_b", "user_c"}) tell({.clerk_id = id, .version = 1000});
    tell({.clerk_id = "user_a", .version = 2000, .deletion = true});
    tell({.clerk_id = "user_a", .version = 1500});  // late
    EXPECT_EQ(asked(), "");
    // One from after it: in whatever order they come.
    tell({.clerk_id = "user_a", .version = 3000});
    tell({.clerk_id = "user_b", .version = 3000});
    tell({.clerk_id = "user_b", .version = 2000, .deletion = true});
    enqueue({.clerk_id = "user_c", .version = 3000});
    enqueue({.clerk_id = "user_c", .version = 2000, .deletion = true});
    drain();
    EXPECT_EQ(asked(), "user_a,user_b,user_c");
    for (const char* id : {"user_a", "user_b", "user_c"}) {
        EXPECT_EQ(row(id), "Ann|-|user|deleted");
        EXPECT_TRUE(read({.clerk_id = id, .version = 3000}).restored);
    }
    // And one that the read outdated.
    sql("DELETE FROM job_queue");
    EXPECT_EQ(tell({.version = 2000, .deletion = true}), Outcome::unchanged);
    EXPECT_EQ(asked(), "user_a");
    EXPECT_EQ(row(), "Ann|-|user|alive");
}

TEST_F(DirectoryOrder, AChangeWhosePersonalDataIsGoneWritesNothing) {
    tell({.version = 1000, .email = "a@example.com"});
    const std::string job = enqueue({.version = 2000, .email = "new@example.com"});
    sql("UPDATE job_queue SET payload = payload - 'email' - 'name', blanked_at = now() "
        "WHERE id = '" +
        job + "'");
    EXPECT_EQ(drain(), std::vector{Outcome::superseded});
    EXPECT_EQ(row(), "Ann|a@example.com|user|alive");
    EXPECT_EQ(sql("SELECT version FROM rollcall.ledger"), "1000");
    EXPECT_EQ(
        sql("SELECT status || (result ->> 'outcome') FROM job_queue WHERE id = '" + job + "'"),
        "COMPLETEDsuperseded");
    // A deletion needs nothing of what was removed.
    const std::string deletion = enqueue({.version = 3000, .deletion = true});
    sql("UPDATE job_queue SET blanked_at = now() WHERE id = '" + deletion + "'");
    EXPECT_EQ(drain(), std::vector{Outcome::deleted});
}

// The same user's row is inserted by another transaction while the deletion waits for it: the
// deletion's statement cannot see that row, and must delete it all the same.
TEST_F(DirectoryOrder, ADeletionThatWaitedForTheInsertIsNotLost) {
    const std::string creation = enqueue({.version = 1000, .email = "a@example.com"});
    pg::Transaction first = run(directory->begin(pool));
    ASSERT_TRUE(run(directory->apply_job(first, creation)));
    enqueue({.version = 2000, .deletion = true});

    bool done = false;
    apply_behind_a_lock(done);
    EXPECT_FALSE(done);
    run(first.commit());
    ASSERT_TRUE(test::wait_until(io, [&] { return done; }));
    EXPECT_EQ(row(), "Ann|-|user|deleted");
}

TEST_F(DirectoryOrder, ASnapshotThatWaitedForTheDeletionDoesNotRevive) {
    tell({.version = 1000, .email = "a@example.com"});
    const std::string deletion = enqueue({.version = 2000, .deletion = true});
    pg::Transaction first = run(directory->begin(pool));
    ASSERT_TRUE(run(directory->apply_job(first, deletion)));
    enqueue({.version = 3000, .email = "a@example.com", .name = "Late"});

    bool done = false;
    apply_behind_a_lock(done);
    run(first.commit());
    ASSERT_TRUE(test::wait_until(io, [&] { return done; }));
    EXPECT_EQ(row(), "Late|-|user|deleted");
}

// The whole rule as a value: what a user's row must be once all changes were applied.
struct Model {
    std::optional<Told> newest;
    bool deleted = false;

    void add(const Told& told) {
        if (told.deletion) {
            deleted = true;
        } else if (!newest || told.version > newest->version) {
            newest = told;
        }
    }
    [[nodiscard]] std::string row() const {
        if (!newest) return "";
        return fmt::format("{}|{}|{}|{}", newest->name.value_or("-"),
                           deleted ? "-" : newest->email.value_or("-"), newest->role,
                           deleted ? "deleted" : "alive");
    }
};

// A change of one of a few users. The same version always says the same.
Told random_change(Random& random) {
    const auto user = random.between(0, 7);
    const auto version = random.between(1, 12);
    Told told{.clerk_id = fmt::format("user_{}", user), .version = version};
    told.deletion = random.between(0, 19) == 0;
    if (told.deletion) return told;
    // An address of the user's own: conflicts have tests of their own.
    if (version % 3 != 0) told.email = fmt::format("{}-{}@example.com", user, version % 2);
    told.name = version % 4 == 0 ? std::nullopt : std::optional(fmt::format("Name {}", version));
    told.role = version % 5 == 0 ? "admin" : "user";
    return told;
}

Task<> work_off(Directory& directory, pg::Pool& pool, int& idle) {
    while (idle < 6) {
        const auto batch = co_await directory.apply_due(pool, ClaimPosition{.priority = 1});
        if (!batch) {
            EXPECT_TRUE(batch.error().transient()) << batch.error().what();
            continue;
        }
        idle = batch->size() == 0 ? idle + 1 : 0;
    }
}

TEST_F(DirectoryOrder, RandomSchedulesOnThreeAppliersEndLikeTheModel) {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        Random random(seed);
        sql("TRUNCATE job_queue, users, rollcall.ledger");
        config.batch = static_cast<int>(random.between(1, 9));
        open();
        std::map<std::string, Model> models;
        for (int i = 0; i < 150; ++i) {
            const Told told = random_change(random);
            enqueue(told);
            models[told.clerk_id].add(told);
        }
        int idle = 0;
        int ended = 0;
        for (int lane = 0; lane < 3; ++lane) {
            asio::co_spawn(io, work_off(*directory, pool, idle), [&](std::exception_ptr failure) {
                EXPECT_EQ(failure, nullptr);
                ++ended;
            });
        }
        ASSERT_TRUE(test::wait_until(io, [&] { return ended == 3; }));
        for (const auto& [id, model] : models) EXPECT_EQ(row(id), model.row()) << id;
        EXPECT_EQ(sql("SELECT count(*) FROM job_queue WHERE status <> 'COMPLETED' "
                      "AND job_type <> 'REFRESH_USER'"),
                  "0");
    }
}

}  // namespace
}  // namespace rollcall::directory
