// What somebody sees of the users table: caller_example URL [SUBJECT]
// As role authenticated with that `sub`, a Clerk id or an internal id; without one as anon.
#include "caller_transaction.hpp"

#include <cstdio>

int main(int count, char** words) {
    if (count < 2 || count > 3) {
        std::fputs("usage: caller_example URL [SUBJECT]\n", stderr);
        return 2;
    }
    try {
        caller::Connections connections(words[1]);
        caller::CallerTransaction tx(connections,
                                     {.subject = count == 3 ? words[2] : "", .claims = ""});
        for (const auto& row : tx.execute("SELECT to_jsonb(u) FROM public.users u")) {
            std::puts(row[0]->c_str());
        }
        tx.commit();
        return 0;
    } catch (const caller::DatabaseError& refused) {
        std::fprintf(stderr, "%s %s\n", refused.sqlstate.c_str(), refused.what());
        return 1;
    }
}
