#include "webhooks_fixture.hpp"

namespace rollcall::webhooks {
namespace {

class DeliveryRecord : public WebhooksTest {
protected:
    ~DeliveryRecord() override { run(pool.stop()); }

    template <class T>
    T run(Task<T> task) {
        return test::run(io, std::move(task));
    }
    std::string rows() const {
        return sql(
            "SELECT string_agg(concat_ws(' ', outcome, nullif(reason, ''), nullif(event_type, ''),"
            " 'x' || count, last_svix_id, last_network), '; ' ORDER BY minute, outcome, reason,"
            " event_type) FROM rollcall.deliveries");
    }

    MetricsRegistry metrics;
    pg::Pool pool{io.get_executor(), "test", 2, db.config(), metrics};
    ManualClock clock{SystemTime(std::chrono::seconds(1'762'340'400))};
    WebhookConfig config;
};

TEST_F(DeliveryRecord, CountsByMinuteOutcomeReasonAndType) {
    DeliveryLog log(pool, clock, config);
    const auto note = [&](std::string_view outcome, std::string_view reason, std::string_view type,
                          std::string_view id) {
        log.note({.outcome = outcome,
                  .reason = reason,
                  .event_type = type,
                  .svix_id = id,
                  .client_address = "203.0.113.77"});
    };
    note("stored", "", "user.created", "msg_1");
    note("stored", "", "user.created", "msg_2");
    note("refused", "stale_timestamp", "", "msg_3");
    run(log.flush());
    EXPECT_EQ(log.pending(), 0U);
    note("stored", "", "user.created", "msg_4");  // the same minute, a later flush
    clock.advance(std::chrono::minutes(1));
    note("stored", "", "user.created", "msg_5");
    run(log.flush());
    EXPECT_EQ(rows(),
              "refused stale_timestamp x1 msg_3 203.0.113.0/24; "
              "stored user.created x3 msg_4; stored user.created x1 msg_5");
}

TEST_F(DeliveryRecord, IsBoundedWhateverComes) {
    config.record_rows_per_minute_max = 5;
    DeliveryLog log(pool, clock, config);
    for (int i = 0; i < 1000; ++i) {
        log.note({.outcome = "ignored",
                  .reason = {},
                  .event_type = fmt::format("made.up{}", i),
                  .svix_id = std::string(10'000, 'x'),
                  .client_address = {}});
    }
    EXPECT_LE(log.pending(), 6U);
    run(log.flush());
    EXPECT_EQ(sql("SELECT sum(count) FROM rollcall.deliveries"), "1000");
    EXPECT_EQ(sql("SELECT count FROM rollcall.deliveries WHERE event_type = 'other'"), "995");
}

TEST_F(DeliveryRecord, KnowsWhichNetworksFailTheSignature) {
    DeliveryLog one(pool, clock, config);
    DeliveryLog two(pool, clock, config);
    const auto refused = [](std::string_view reason, std::string_view address) {
        return DeliveryNote{.outcome = "refused",
                            .reason = reason,
                            .event_type = {},
                            .svix_id = {},
                            .client_address = address};
    };
    for (DeliveryLog* log : {&one, &two}) {
        log->note(refused("no_matching_signature", "203.0.113.7"));
        log->note(refused("stale_timestamp", "203.0.113.8"));
        log->note(refused("missing_header", "203.0.113.9"));  // a scanner's
        log->note(refused("future_timestamp", "2001:db8:1:2::3"));
        run(log->flush());
    }
    EXPECT_EQ(sql("SELECT string_agg(network || ' ' || count, ', ' ORDER BY network) "
                  "FROM rollcall.failing_networks"),
              "2001:db8:1::/48 2, 203.0.113.0/24 4");
    run(prune_deliveries(pool, std::chrono::hours(1), 100));
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.failing_networks"), "0");
}

TEST_F(DeliveryRecord, TakesWhatStrangersSendForWhatItIs) {
    DeliveryLog log(pool, clock, config);
    log.note({.outcome = "refused",
              .reason = "missing_header",
              .event_type = std::string("a\0b\xff", 4),
              .svix_id = "x\n\xff",
              .client_address = "no address"});
    run(log.flush());
    EXPECT_EQ(rows(), "refused missing_header other x1");
}

TEST_F(DeliveryRecord, SeveralInstancesAddUp) {
    DeliveryLog one(pool, clock, config);
    DeliveryLog two(pool, clock, config);
    one.note({.outcome = "stored",
              .reason = {},
              .event_type = "user.created",
              .svix_id = "a",
              .client_address = {}});
    clock.advance(std::chrono::seconds(1));
    two.note({.outcome = "stored",
              .reason = {},
              .event_type = "user.created",
              .svix_id = "b",
              .client_address = {}});
    run(two.flush());
    run(one.flush());
    EXPECT_EQ(rows(), "stored user.created x2 b");
    EXPECT_EQ(sql("SELECT last_seen - first_seen FROM rollcall.deliveries"), "00:00:01");
}

TEST_F(DeliveryRecord, IsPrunedByAge) {
    sql("INSERT INTO rollcall.deliveries SELECT now() - n * interval '1 day', 'stored', '', '', 1, "
        "now(), now() FROM generate_series(0, 39) n");
    EXPECT_EQ(run(prune_deliveries(pool, std::chrono::hours(24 * 30), 4)), 4);
    EXPECT_EQ(run(prune_deliveries(pool, std::chrono::hours(24 * 30), 1000)), 6);
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.deliveries"), "30");
    EXPECT_EQ(sql("SELECT count(*) FROM rollcall.deliveries WHERE minute > now() - interval '1 s'"),
              "1");
}

TEST_F(DeliveryRecord, TheDoorWritesNothingByItself) {
    Door door(io, db.config());
    door.post({.id = "msg_1", .body = user("user.created", "user_a")});
    door.post({.id = "msg_1", .body = user("user.created", "user_a")});
    door.post({.id = "msg_2", .body = user("session.created", "sess_a")});
    door.post({.id = "msg_3", .body = "?"});
    door.post({.id = "msg_4", .body = "{}", .signature = "v1,AAAA"});
    door.post({.id = "msg_5", .body = "{}", .content_type = "text/plain"});
    EXPECT_EQ(rows(), "");
    door.run(door.deliveries.flush());
    EXPECT_EQ(rows(),
              "duplicate user.created x1 msg_1; ignored session.created x1 msg_2; "
              "refused no_matching_signature x1 msg_4 127.0.0.0/24; "
              "refused unsupported_type x1 msg_5 127.0.0.0/24; "
              "review x1 msg_3; stored user.created x1 msg_1");
}

TEST(NetworkOf, HidesTheHost) {
    EXPECT_EQ(network_of("203.0.113.77"), "203.0.113.0/24");
    EXPECT_EQ(network_of("::ffff:203.0.113.77"), "203.0.113.0/24");
    EXPECT_EQ(network_of("2001:db8:1:2::3"), "2001:db8:1::/48");
    EXPECT_EQ(network_of("::1"), "::/48");
    EXPECT_EQ(network_of("203.0.113"), "");
    EXPECT_EQ(network_of(""), "");
}

}  // namespace
}  // namespace rollcall::webhooks
