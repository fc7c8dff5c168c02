// Addresses that go from one user to another, against the simulated Supabase Auth, which has the
// real one's errors: whatever the order in which the copies are looked at, they end up as the rows.
#include "mirror_fixture.hpp"

#include "http/server.hpp"
#include "sim/auth_simulator.hpp"
#include "supabase/http_auth_api.hpp"

#include <fmt/ranges.h>
#include <algorithm>
#include <functional>

namespace rollcall::mirror {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

// Clerk ids, and addresses by a letter.
using Who = std::vector<std::string>;
using At = std::function<std::string(char)>;
using Scene = std::function<void(const Who&, const At&)>;

// Whether Supabase Auth says that an address is taken, or hides it.
class MirrorSwapTest : public MirrorTest, public testing::WithParamInterface<bool> {
protected:
    MirrorSwapTest() {
        EXPECT_TRUE(faults.merge({{"auth_opaque", GetParam()}}));
        EXPECT_TRUE(sim.start());
        channel.emplace(io.get_executor(), config(), metrics);
        api.emplace(*channel);
        mirror = std::make_unique<MirrorUser>(Neighbours{.pool = pool,
                                                         .outbox = directory->outbox(),
                                                         .copies = copies,
                                                         .auth = *api,
                                                         .clerk = &clerk,
                                                         .metrics = mirror_metrics},
                                              [](const jobs::Job& /*job*/) { return true; });
    }
    ~MirrorSwapTest() override { run(sim.drain(1s)); }

    supabase::AuthConfig config() const {
        supabase::AuthConfig made;
        made.url = sim.url();
        made.key = Secret(sim.key());
        made.timeout = 10s;
        return made;
    }
    // Everybody's job runs, at first in this order; what is put off comes again.
    void mirror_in(const std::vector<std::string>& order) {
        int place = 0;
        for (const std::string& who : order) {
            sql(
                fmt::format("UPDATE public.job_queue SET run_at = now() - interval '1 hour' + {} * "
                            "interval '1 second' WHERE event_id = 'mirror:{}'",
                            place++, who));
        }
        for (int round = 0; round < 5 && waiting() != "0"; ++round) {
            for (const std::string& end : work()) EXPECT_THAT(end, Not(HasSubstr("failed")));
            pass_time();
        }
        EXPECT_EQ(waiting(), "0");
    }
    std::string waiting() const {
        return sql(
            "SELECT count(*) FROM public.job_queue WHERE job_type = 'MIRROR_USER' AND "
            "status = 'PENDING'");
    }
    std::string address(const std::string& who) const {
        const auto* const user = sim.instance().users.find(auth_id_of(who));
        return user == nullptr ? "" : user->email;
    }
    // A story once for each order of its people; they are others each time.
    void in_all_orders(int people, const Scene& before, const Scene& after, const Scene& then) {
        std::vector<int> order;
        for (int i = 0; i < people; ++i) order.push_back(i);
        int story = 0;
        do {
            std::vector<std::string> who;
            for (int i = 0; i < people; ++i) who.push_back(fmt::format("user_{}x{}", story, i));
            const auto at = [story](char name) {
                return fmt::format("{}{}@example.com", name, story);
            };
            before(who, at);
            mirror_in(who);
            after(who, at);
            std::vector<std::string> first;
            for (const int i : order) first.push_back(who[static_cast<std::size_t>(i)]);
            SCOPED_TRACE(fmt::format("{}", fmt::join(first, " ")));
            mirror_in(first);
            then(who, at);
            ++story;
        } while (std::ranges::next_permutation(order).found);
    }

    sim::Faults faults{1};
    sim::AuthSimulator sim{io.get_executor(), {}, faults, 1, http::make_server_metrics(metrics)};
    std::optional<supabase::AuthChannel> channel;
    std::optional<supabase::HttpAuthApi> api;
};

TEST_P(MirrorSwapTest, TwoWhoSwap) {
    in_all_orders(
        2,
        [&](const Who& who, const At& at) {
            tell({.clerk_id = who[0], .email = at('a')});
            tell({.clerk_id = who[1], .email = at('b')});
        },
        [&](const Who& who, const At& at) {
            // As the table lets an address go before another takes it.
            tell({.clerk_id = who[0], .version = 2000, .email = std::nullopt});
            tell({.clerk_id = who[1], .version = 2000, .email = at('a')});
            tell({.clerk_id = who[0], .version = 3000, .email = at('b')});
        },
        [&](const Who& who, const At& at) {
            EXPECT_EQ(address(who[0]), at('b'));
            EXPECT_EQ(address(who[1]), at('a'));
        });
}

TEST_P(MirrorSwapTest, ARingOfThree) {
    in_all_orders(
        3,
        [&](const Who& who, const At& at) {
            tell({.clerk_id = who[0], .email = at('a')});
            tell({.clerk_id = who[1], .email = at('b')});
            tell({.clerk_id = who[2], .email = at('c')});
        },
        [&](const Who& who, const At& at) {
            tell({.clerk_id = who[0], .version = 2000, .email = std::nullopt});
            tell({.clerk_id = who[2], .version = 2000, .email = at('a')});
            tell({.clerk_id = who[1], .version = 2000, .email = at('c')});
            tell({.clerk_id = who[0], .version = 3000, .email = at('b')});
        },
        [&](const Who& who, const At& at) {
            EXPECT_EQ(address(who[0]), at('b'));
            EXPECT_EQ(address(who[1]), at('c'));
            EXPECT_EQ(address(who[2]), at('a'));
        });
}

// The table tells addresses apart by case, Supabase Auth does not.
TEST_P(MirrorSwapTest, TwoWhoSwapInCapitals) {
    in_all_orders(
        2,
        [&](const Who& who, const At& at) {
            tell({.clerk_id = who[0], .email = at('a')});
            tell({.clerk_id = who[1], .email = at('b')});
        },
        [&](const Who& who, const At& at) {
            tell({.clerk_id = who[0], .version = 2000, .email = at('B')});
            tell({.clerk_id = who[1], .version = 2000, .email = at('A')});
        },
        [&](const Who& who, const At& at) {
            EXPECT_EQ(address(who[0]), at('b'));
            EXPECT_EQ(address(who[1]), at('a'));
        });
}

TEST_P(MirrorSwapTest, WhoSignsUpAgainWithTheAddressTheyHad) {
    in_all_orders(
        2, [&](const Who& who, const At& at) { tell({.clerk_id = who[0], .email = at('a')}); },
        [&](const Who& who, const At& at) {
            tell({.clerk_id = who[0], .version = 2000, .deletion = true});
            tell({.clerk_id = who[1], .email = at('a')});
        },
        [&](const Who& who, const At& at) {
            EXPECT_EQ(address(who[0]), "");
            EXPECT_EQ(address(who[1]), at('a'));
        });
}

TEST_P(MirrorSwapTest, OneAddressInTwoCasesIsOneCopyUntilOneOfThemLetsItGo) {
    tell({.clerk_id = "user_a", .email = "ann@example.com"});
    tell({.clerk_id = "user_b", .email = "ANN@example.com"});
    const auto ends = work();
    ASSERT_EQ(ends.size(), 2U);
    const auto failed =
        std::ranges::find_if(ends, [](const std::string& end) { return end.ends_with("failed"); });
    ASSERT_NE(failed, ends.end());
    const std::string loser = failed->substr(0, failed->find(' '));
    const std::string winner = loser == "user_a" ? "user_b" : "user_a";
    EXPECT_THAT(reason(loser), AllOf(HasSubstr(winner), HasSubstr(auth_id_of(winner))));
    tell({.clerk_id = winner, .version = 2000, .email = "else@example.com"});
    tell({.clerk_id = loser, .version = 2000, .email = "aNN@example.com"});
    mirror_in({loser, winner});
    EXPECT_EQ(address(loser), "ann@example.com");
    EXPECT_EQ(address(winner), "else@example.com");
}

INSTANTIATE_TEST_SUITE_P(Auth, MirrorSwapTest, testing::Bool(),
                         [](const auto& each) { return each.param ? "Hides" : "Tells"; });

}  // namespace
}  // namespace rollcall::mirror
