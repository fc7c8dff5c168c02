// The career quiz behind rollcall's gate: career_quiz PORT DATABASE-URL PAGE
// Listens on the loopback only, for a proxy that asks the gate; PAGE is ../quiz.html.
#include "routes.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>

int main(int count, char** words) {
    int port = 0;
    if (count != 4 ||
        std::from_chars(words[1], words[1] + std::strlen(words[1]), port).ec != std::errc()) {
        std::fputs("usage: career_quiz PORT DATABASE-URL PAGE\n", stderr);
        return 2;
    }
    std::ifstream file(words[3], std::ios::binary);
    std::string page{std::istreambuf_iterator<char>(file), {}};
    if (!file || page.empty()) {
        std::fprintf(stderr, "career_quiz: cannot read %s\n", words[3]);
        return 1;
    }

    const quiz::QuizData data(words[2]);
    httplib::Server server;
    // The library has a thread for each connection; more of them wait in its queue.
    server.new_task_queue = [] { return new httplib::ThreadPool(8); };
    server.set_keep_alive_max_count(1);  // none keeps a thread that has nothing to do
    server.set_read_timeout(5);
    server.set_write_timeout(5);
    server.set_payload_max_length(64 * 1024);
    quiz::add_routes(server, data, std::move(page));
    if (!server.bind_to_port("127.0.0.1", port)) {
        std::fprintf(stderr, "career_quiz: cannot listen on 127.0.0.1:%d\n", port);
        return 1;
    }
    std::printf("career_quiz: http://127.0.0.1:%d/quiz\n", port);
    std::fflush(stdout);
    return server.listen_after_bind() ? 0 : 1;
}
