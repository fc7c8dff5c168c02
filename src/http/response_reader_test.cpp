#include "http/response_reader.hpp"

#include <gtest/gtest.h>
#include <string>

namespace rollcall::http {
namespace {

using Phase = ResponseReader::Phase;

struct Read {
    Phase phase;
    unsigned status;
    std::string body;
    std::size_t left;  // bytes that were not taken
    bool keep_alive;
};

// All of `bytes`, so many at a time; then the end, where that is said.
Read read(std::string bytes, std::size_t step, bool ends = false, bool head_only = false) {
    ResponseReader reader(head_only, 1000);
    std::string unread;
    std::string body;
    while (!bytes.empty()) {
        unread += bytes.substr(0, step);
        bytes.erase(0, step);
        for (std::size_t taken = 1; taken > 0;) {
            taken = reader.parse(unread);
            body += reader.piece();
            unread.erase(0, taken);
        }
    }
    if (ends) reader.end_of_input();
    const bool done = reader.phase() == Phase::complete;
    return {.phase = reader.phase(),
            .status = reader.head().status,
            .body = body,
            .left = unread.size(),
            .keep_alive = done && reader.keep_alive()};
}

TEST(ResponseReader, ReadsABodyByLengthByChunksAndToTheEnd) {
    for (const std::size_t step : {1U, 3U, 1000U}) {
        const Read length = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloNEXT", step);
        EXPECT_EQ(length.phase, Phase::complete);
        EXPECT_EQ(length.body, "hello");
        EXPECT_EQ(length.left, 4U);
        EXPECT_TRUE(length.keep_alive);
        const Read chunks = read(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
            "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: trailer\r\n\r\nNEXT",
            step);
        EXPECT_EQ(chunks.phase, Phase::complete);
        EXPECT_EQ(chunks.body, "abcde");
        EXPECT_EQ(chunks.left, 4U);
        const Read to_end = read("HTTP/1.1 200 OK\r\n\r\nall of it", step, true);
        EXPECT_EQ(to_end.phase, Phase::complete);
        EXPECT_EQ(to_end.body, "all of it");
        EXPECT_FALSE(to_end.keep_alive);
        const Read empty = read("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", step);
        EXPECT_EQ(empty.phase, Phase::complete);
        const Read head = read("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", step, false, true);
        EXPECT_EQ(head.phase, Phase::complete);
        EXPECT_TRUE(head.keep_alive);
    }
}

TEST(ResponseReader, SkipsInterimAnswersButNotTheSwitch) {
    const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n";
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
    const std::string hints_and_ok = "HTTP/1.1 100 Continue\r\n\r\n" + hints + ok;
    std::string endless;
    for (int i = 0; i < 9; ++i) endless += hints;
    endless += ok;
    for (const std::size_t step : {1U, 1000U}) {
        const Read after = read(hints_and_ok, step);
        EXPECT_EQ(after.status, 200U);
        EXPECT_EQ(after.body, "x");
        const Read switched = read("HTTP/1.1 101 Switching Protocols\r\n\r\nbytes", step);
        EXPECT_EQ(switched.status, 101U);
        EXPECT_EQ(switched.left, 5U);
        EXPECT_EQ(read(endless, step).phase, Phase::fault);
    }
}

TEST(ResponseReader, WhatIsCutOffOrAmbiguousIsAFault) {
    for (const char* bytes :
         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", "HTTP/1.1 200 OK\r\nA: b\r\n", "x",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
          "HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 099 Odd\r\n\r\n",
          "HTTP/2.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n"}) {
        EXPECT_EQ(read(bytes, 1000, true).phase, Phase::fault) << bytes;
        EXPECT_EQ(read(bytes, 1, true).phase, Phase::fault) << bytes;
    }
    EXPECT_EQ(read("HTTP/1.1 200 OK\r\nA: " + std::string(1000, 'a') + "\r\n\r\n", 7).phase,
              Phase::fault);
}

}  // namespace
}  // namespace rollcall::http
