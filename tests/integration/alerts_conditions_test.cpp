// Each condition over real rows: when it holds, when it just does not, and that it can be switched
// off.
#include "alerts_fixture.hpp"

namespace rollcall::alerts {
namespace {

using testing::HasSubstr;

class AlertConditionsTest : public AlertsTest {};

TEST_F(AlertConditionsTest, NothingFiresOnAnEmptyDatabase) {
    EXPECT_EQ(firing(), "");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.alerts"), "15");
}

TEST_F(AlertConditionsTest, SyncFailingAfterSoManyInARow) {
    pass("full", "completed", 20);
    pass("incremental", "failed", 15);
    pass("incremental", "incomplete", 10);
    EXPECT_EQ(firing(), "");
    pass("user", "completed", 5);
    pass("full", "incomplete", 4, "failure = 'interrupted'");
    EXPECT_EQ(firing(), "");
    pass("incremental", "failed", 3, "error = 'Clerk is away'");
    pass("incremental", "running", 0, "finished_at = NULL");
    EXPECT_EQ(firing(), "SyncFailing");
    EXPECT_THAT(summary("SyncFailing"), HasSubstr("last 3 passes did not complete"));
    EXPECT_THAT(summary("SyncFailing"), HasSubstr("Clerk is away"));
    pass("incremental", "completed", 0);
    later(10);
    EXPECT_EQ(firing(), "SyncFailing");  // gone, but not for long enough
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, SyncStaleSinceTheLastSuccessOrTheBeginning) {
    pass("full", "failed", 29);
    EXPECT_EQ(firing(), "");
    sql("UPDATE rollcall.sync_runs SET started_at = started_at - interval '2 minutes'");
    EXPECT_EQ(firing(), "SyncStale");
    EXPECT_THAT(summary("SyncStale"), HasSubstr("No pass has completed yet"));
    pass("user", "completed", 1);
    EXPECT_THAT(firing(), "SyncStale");
    pass("incremental", "completed", 1);
    later(10);
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, WhoDoesNotPollIsNotStale) {
    pass("full", "failed", 60);
    thresholds.polls = false;
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, DeletesHeldUntilAPersonDecides) {
    pass("full", "completed", 5);
    sql("INSERT INTO rollcall.held_deletes (run_id, clerk_id) SELECT max(id), 'user_' || n FROM "
        "rollcall.sync_runs, generate_series(1, 12) AS n GROUP BY n");
    EXPECT_EQ(firing(), "DeletesHeld");
    EXPECT_THAT(summary("DeletesHeld"), HasSubstr("wait for a person: 12, of pass"));
    EXPECT_THAT(summary("DeletesHeld"), HasSubstr("--approve-deletes"));
    EXPECT_EQ(sql("SELECT labels->>'run' FROM rollcall.alerts WHERE alert = 'DeletesHeld'"),
              sql("SELECT max(id) FROM rollcall.sync_runs"));
    sql("UPDATE rollcall.held_deletes SET decided_at = now(), decision = 'discarded'");
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, DeletesHeldByWebhookUntilTheyAreDecidedAndNoDeadLetters) {
    sql("INSERT INTO public.job_queue (original_event, job_type, status, subject, error, "
        "processed_at) SELECT '{}', 'USER_DELETED', 'FAILED', 'user_' || n, 'held: too many', "
        "now() FROM generate_series(1, 3) AS n");
    sql("INSERT INTO rollcall.ledger (clerk_id, user_id, deleted_at) "
        "VALUES ('user_3', gen_random_uuid(), now())");  // gone in another way
    EXPECT_EQ(firing(), "DeletesHeld");
    EXPECT_THAT(summary("DeletesHeld"), HasSubstr("by webhook that wait for a person: 2"));
    EXPECT_EQ(labels("DeletesHeld"), R"({"by": "webhook"})");
    sql("SELECT rollcall.cancel_jobs(array_agg(job)) FROM rollcall.held_deletions()");
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, RemovalsOfTheMirrorHeldUntilTheyAreApproved) {
    sql("UPDATE rollcall.mirror_state SET held = 12, compared_at = now(), "
        "wanted_until = now() + interval '1 hour'");
    EXPECT_EQ(firing(), "DeletesHeld");
    EXPECT_THAT(summary("DeletesHeld"), HasSubstr("whose removal waits for a person: 12"));
    sql("UPDATE rollcall.mirror_state SET removals_allowed = 12");
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, DeletesHeldOneByOneUntilTheyGoOrComeBack) {
    sql("INSERT INTO rollcall.ledger (clerk_id, version, user_id) "
        "SELECT 'user_' || n, 1, gen_random_uuid() FROM generate_series(1, 3) AS n");
    sql("INSERT INTO rollcall.absences (clerk_id, held_at) VALUES "
        "('user_1', now()), ('user_2', NULL), ('user_adopted', now())");
    EXPECT_EQ(firing(), "DeletesHeld");
    EXPECT_THAT(summary("DeletesHeld"), HasSubstr("one by one: 2 users"));
    EXPECT_THAT(summary("DeletesHeld"), HasSubstr("rollcall sync --full"));
    // A pass that holds some back is what a person decides about.
    pass("full", "completed", 5);
    sql("INSERT INTO rollcall.held_deletes (run_id, clerk_id) "
        "SELECT max(id), 'user_3' FROM rollcall.sync_runs");
    firing();
    EXPECT_THAT(summary("DeletesHeld"), HasSubstr("--approve-deletes"));
    sql("UPDATE rollcall.held_deletes SET decided_at = now(), decision = 'approved'");
    sql("UPDATE rollcall.ledger SET deleted_at = now() WHERE clerk_id = 'user_1'");
    sql("DELETE FROM rollcall.absences WHERE clerk_id = 'user_adopted'");
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, WebhookSilenceOnlyWhilePassesFindChanges) {
    pass("full", "completed", 300, "created = 1000");  // fills the table
    pass("incremental", "completed", 25);
    EXPECT_EQ(firing(), "");
    pass("incremental", "completed", 20, "updated = 1");
    EXPECT_EQ(firing(), "WebhookSilence");
    EXPECT_THAT(summary("WebhookSilence"),
                HasSubstr("360 minutes, while passes found changes (1)"));
}

TEST_F(AlertConditionsTest, AVerifiedDeliveryIsNoSilence) {
    pass("full", "completed", 300);
    pass("incremental", "completed", 20, "updated = 1");
    delivery("refused", "no_matching_signature", 1, 30);
    delivery("ignored", "", 1, 350);
    EXPECT_EQ(firing(), "");
    sql("UPDATE rollcall.deliveries SET minute = minute - interval '20 minutes'");
    EXPECT_EQ(firing(), "WebhookSilence");
}

TEST_F(AlertConditionsTest, AChangeWhoseDeliveryMayStillComeIsNoSilence) {
    pass("full", "completed", 300);
    pass("incremental", "completed", 5, "updated = 1");
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, SignatureFailuresAreAShareOfWhatCameSigned) {
    delivery("stored", "", 95, 2);
    delivery("refused", "no_matching_signature", 5, 2);
    delivery("refused", "missing_header", 1000, 2);
    EXPECT_EQ(firing(), "");
    delivery("refused", "stale_timestamp", 1, 1);
    EXPECT_EQ(firing(), "SignatureFailures");
    EXPECT_THAT(summary("SignatureFailures"), HasSubstr("6 of 101"));
}

TEST_F(AlertConditionsTest, AFewSignatureFailuresAreNone) {
    delivery("refused", "no_matching_signature", 4, 2);
    delivery("refused", "no_matching_signature", 100, 12);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, DeadLettersOfTheLastHour) {
    job("USER_UPDATED", "FAILED", 61);
    job("SEND_NEWSLETTER", "FAILED", 1);  // the application's
    job("USER_UPDATED", "CANCELLED", 1);
    EXPECT_EQ(firing(), "");
    job("UNKNOWN_EVENT", "FAILED", 1);
    EXPECT_EQ(firing(), "DeadLetters");
    EXPECT_THAT(summary("DeadLetters"), HasSubstr("given up within the hour: 1 "));
}

TEST_F(AlertConditionsTest, QueueStuckNamesTheQueue) {
    job("USER_CREATED", "PENDING", 4);
    EXPECT_EQ(firing(), "");
    job("REFRESH_USER", "PENDING", 7);
    EXPECT_EQ(firing(), "QueueStuck");
    EXPECT_THAT(summary("QueueStuck"), HasSubstr("queue effects has been due for 7 minutes"));
    EXPECT_EQ(sql("SELECT labels FROM rollcall.alerts WHERE alert = 'QueueStuck'"),
              R"({"queue": "effects"})");
}

TEST_F(AlertConditionsTest, WhatWaitsForTheMirrorIsAnAlertOfItsOwn) {
    job("MIRROR_USER", "FAILED", 1);
    job("MIRROR_USER", "PENDING", 14);
    job("MIRROR_USER", "PENDING", 2);
    thresholds.dead_letters = 0;
    EXPECT_EQ(firing(), "");  // not QueueStuck
    job("MIRROR_USER", "PENDING", 16);
    EXPECT_EQ(firing(), "MirrorBehind");
    EXPECT_THAT(summary("MirrorBehind"),
                HasSubstr("behind by 16 minutes: 3 users wait, 1 were given up"));
    EXPECT_EQ(labels("MirrorBehind"), R"({"on": "true", "dead": "1", "pending": "3"})");
}

// It is never due for long, nor, while somebody is at it, waiting.
TEST_F(AlertConditionsTest, AJobOfTheMirrorsThatIsPutOffForEverIsBehind) {
    for (const char* state : {"PENDING", "PROCESSING"}) {
        sql("DELETE FROM public.job_queue");
        later(10);
        firing();
        later(10);
        EXPECT_EQ(firing(), "");
        job("MIRROR_USER", state, 16);
        sql("UPDATE public.job_queue SET run_at = now() + interval '1 minute', updated_at = now()");
        EXPECT_EQ(firing(), "MirrorBehind") << state;
        // What a rule of Prometheus goes by says the same.
        EXPECT_EQ(sql("SELECT oldest_seconds BETWEEN 960 AND 1000 FROM rollcall.queue_depths() "
                      "WHERE queue = 'mirror'"),
                  "t")
            << state;
    }
}

TEST_F(AlertConditionsTest, AMirrorsDeadLetterThatAPersonRetriesIsNotBehindAtOnce) {
    thresholds.dead_letters = 0;
    job("MIRROR_USER", "FAILED", 600);
    EXPECT_EQ(sql("SELECT rollcall.retry_failed()"), "1");
    EXPECT_EQ(firing(), "");
    EXPECT_EQ(sql("SELECT oldest_seconds < 60 FROM rollcall.queue_depths() WHERE queue = 'mirror'"),
              "t");
}

// Its jobs wait for ever then, and a deleted user's copy can still sign in.
TEST_F(AlertConditionsTest, AMirrorWhoseSettingsGotLostIsBehind) {
    thresholds.mirrors = false;
    EXPECT_EQ(firing(), "");
    job("MIRROR_USER", "PENDING", 16);
    EXPECT_EQ(firing(), "MirrorBehind");
    EXPECT_THAT(summary("MirrorBehind"), HasSubstr("1 users wait, 0 were given up. Its settings"));
    EXPECT_EQ(labels("MirrorBehind"), R"({"on": "false", "dead": "0", "pending": "1"})");
}

TEST_F(AlertConditionsTest, DriftOnTwoCompletePassesRunning) {
    pass("full", "completed", 29, "found_stale = 3");
    pass("incremental", "completed", 2);
    EXPECT_EQ(firing(), "");
    pass("full", "completed", 1, "found_extra = 1");
    EXPECT_EQ(firing(), "Drift");
    EXPECT_THAT(summary("Drift"), HasSubstr("0 missing, 0 stale and 1 extra"));
    pass("full", "completed", 0);
    firing();
    later(10);
    EXPECT_EQ(firing(), "");
}

TEST_F(AlertConditionsTest, CircuitOpenOnAnyInstanceThatIsAlive) {
    sql("INSERT INTO rollcall.open_circuits VALUES ('gone', 'clerk', now() - interval '1 hour', "
        "now() - interval '6 minutes'), ('new', 'clerk', now() - interval '9 minutes', now())");
    EXPECT_EQ(firing(), "");
    sql("UPDATE rollcall.open_circuits SET since = since - interval '2 minutes'");
    EXPECT_EQ(firing(), "CircuitOpen");
    EXPECT_THAT(summary("CircuitOpen"), HasSubstr("clerk has been open for 11 minutes"));
}

TEST_F(AlertConditionsTest, AnInstanceTellsOfItsCircuitsThoughAnotherEvaluates) {
    bool closed = false;
    circuits = {{"clerk", [&] { return closed; }}};
    evaluates = false;
    const auto instance = evaluator("worker");
    run(instance->run_once());
    EXPECT_EQ(sql("SELECT instance || ' ' || upstream FROM rollcall.open_circuits"),
              "worker clerk");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.alerts"), "0");
    const std::string since = sql("SELECT since FROM rollcall.open_circuits");
    run(instance->run_once());
    EXPECT_EQ(sql("SELECT since FROM rollcall.open_circuits"), since);
    closed = true;
    run(instance->run_once());
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.open_circuits"), "0");
}

TEST_F(AlertConditionsTest, SpoolingWhereNothingComesOutOfASpool) {
    spool("a:/spool", 0, 60, 60, 0);
    spool("b:/spool", 3, 60, 0, 0);  // a long backlog that is being drained
    spool("c:/spool", 3, 0, 60, 0);  // has just begun
    EXPECT_EQ(firing(), "");
    spool("d:/spool", 4, 60, 60, 0);
    EXPECT_EQ(firing(), "Spooling");
    EXPECT_THAT(summary("Spooling"), testing::HasSubstr("in spools: 4"));
    EXPECT_THAT(summary("Spooling"), testing::HasSubstr("d:/spool"));
}

TEST_F(AlertConditionsTest, SpoolingOfWhatCameBeforeWebhooksWereNotTakenAnyMore) {
    thresholds.takes_webhooks = false;
    spool("a:/spool", 4, 60, 60, 0);
    EXPECT_EQ(firing(), "Spooling");
}

TEST_F(AlertConditionsTest, SpoolingWhereAFileOfASpoolIsDamaged) {
    spool("a:/spool", 0, 0, 0, 1);
    EXPECT_EQ(firing(), "Spooling");
}

TEST_F(AlertConditionsTest, EachCanBeSwitchedOff) {
    pass("full", "completed", 300, "found_stale = 1");
    pass("full", "completed", 200, "found_stale = 1, updated = 1");
    for (const int ago : {60, 50, 40}) pass("incremental", "failed", ago);
    sql("INSERT INTO rollcall.held_deletes (run_id, clerk_id) "
        "SELECT max(id), 'u' FROM rollcall.sync_runs");
    delivery("refused", "no_matching_signature", 10, 1);
    job("USER_CREATED", "FAILED", 1);
    job("USER_CREATED", "PENDING", 10);
    sql("INSERT INTO rollcall.open_circuits VALUES ('a', 'clerk', now() - interval '1 hour')");
    spool("a:/spool", 3, 60, 60, 0);
    EXPECT_EQ(firing(),
              "CircuitOpen DeadLetters DeletesHeld Drift QueueStuck SignatureFailures Spooling "
              "SyncFailing SyncStale WebhookSilence");
    thresholds = {.sync_failures = 0,
                  .sync_stale = 0ms,
                  .deletes_held = false,
                  .webhook_silence = 0ms,
                  .signature_failures_ratio = 0,
                  .dead_letters = 0,
                  .queue_stuck = 0ms,
                  .drift_passes = 0,
                  .circuit_open = 0ms,
                  .spooling = 0ms};
    firing();
    later(6);
    EXPECT_EQ(firing(), "");
}

}  // namespace
}  // namespace rollcall::alerts
