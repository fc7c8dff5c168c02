#include "spool/spool.hpp"

#include "spool/folder_test.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <future>
#include <memory>
#include <set>

namespace rollcall::spool {
namespace {

using namespace std::chrono_literals;

const SystemTime noon{1'700'000'000'000ms};

// Holds every sync until it is let go; the thread of the spool waits in it.
class HeldDisk final : public Disk {
public:
    ssize_t write(int file, const char* bytes, std::size_t size) override {
        return real_disk().write(file, bytes, size);
    }
    int sync(int file) override {
        let_go_.get_future().wait();
        return real_disk().sync(file);
    }
    int sync_folder(int folder) override { return real_disk().sync_folder(folder); }
    void let_go() { let_go_.set_value(); }

private:
    std::promise<void> let_go_;
};

class SpoolTest : public testing::Test {
protected:
    void open(Disk& on) {
        spool = std::make_unique<Spool>(loop.get_executor(), config(), on);
        const auto opened = spool->open([this](std::string_view one) { found.emplace_back(one); });
        ASSERT_TRUE(opened) << opened.error().message;
    }
    SpoolConfig config() {
        return {.dir = folder.dir(), .bytes_max = bytes_max, .segment_max = 64UL * 1024};
    }
    // Starts appending; what it came to stands in `answers`.
    void append(const std::string& record, Duration limit = 20s) {
        asio::co_spawn(loop, spool->append({noon, record}, limit),
                       [this, record](const std::exception_ptr& failure, Result<void> answer) {
                           EXPECT_FALSE(failure);
                           answers.emplace_back(record,
                                                answer ? "kept" : to_string(answer.error().code));
                       });
    }
    template <class T>
    T run(Task<T> task) {
        std::optional<T> out;
        asio::co_spawn(loop, std::move(task), [&](const std::exception_ptr& failure, T value) {
            EXPECT_FALSE(failure);
            out = std::move(value);
        });
        loop.restart();
        while (!out) loop.run_one();  // beside it something may hang
        return *std::move(out);
    }
    void run() {
        loop.restart();
        loop.run();
    }
    std::vector<std::string> drain() {
        std::vector<std::string> all;
        for (;;) {
            auto batch = run(spool->oldest(7, 20s));
            EXPECT_TRUE(batch);
            if (batch->records.empty()) return all;
            all.insert(all.end(), batch->records.begin(), batch->records.end());
            EXPECT_TRUE(run(spool->done(*std::move(batch), false, 20s)));
        }
    }

    TestFolder folder;
    asio::io_context loop;
    std::size_t bytes_max = 1UL << 20;
    TestDisk disk;
    std::vector<std::string> found;
    std::vector<std::pair<std::string, std::string>> answers;
    std::unique_ptr<Spool> spool;
};

TEST_F(SpoolTest, WhatIsKeptIsThereAfterARestartAndDrainedInOrder) {
    open(disk);
    std::vector<std::string> all;
    all.reserve(50);
    for (int i = 0; i < 50; ++i) all.push_back("record " + std::to_string(i));
    for (const auto& one : all) append(one);
    run();
    EXPECT_EQ(answers.size(), 50U);
    for (const auto& [record, answer] : answers) EXPECT_EQ(answer, "kept") << record;
    EXPECT_EQ(spool->stats().records, 50U);
    EXPECT_TRUE(run(spool->stop(20s)));
    spool.reset();
    open(disk);
    EXPECT_EQ(found, all);
    EXPECT_EQ(drain(), all);
    EXPECT_EQ(spool->stats(), SpoolStats{});
}

TEST_F(SpoolTest, WhatComesTogetherSharesASync) {
    open(disk);
    for (int i = 0; i < 100; ++i) append(std::to_string(i));
    run();
    EXPECT_EQ(answers.size(), 100U);
    EXPECT_LE(disk.syncs, 5);
}

TEST_F(SpoolTest, NothingIsAcknowledgedBeforeItsSync) {
    HeldDisk held;
    open(held);
    append("one");
    loop.restart();
    loop.run_for(50ms);
    EXPECT_TRUE(answers.empty());
    held.let_go();
    run();
    EXPECT_EQ(answers.size(), 1U);
}

TEST_F(SpoolTest, WhatItHoldsIsBoundedAndRoomComesBack) {
    bytes_max = 256UL * 1024;
    open(disk);
    for (int i = 0; i < 8; ++i) append(std::to_string(i) + std::string(50UL * 1024, 'x'));
    run();
    std::multiset<std::string> ends;
    for (const auto& [record, answer] : answers) ends.insert(answer);
    EXPECT_EQ(ends.count("kept"), 5U);
    EXPECT_EQ(ends.count("rate_limited"), 3U);
    EXPECT_LE(spool->stats().bytes, bytes_max);
    EXPECT_EQ(drain().size(), 5U);
    answers.clear();
    append(std::string(50UL * 1024, 'y'));
    run();
    EXPECT_EQ(answers.at(0).second, "kept");
}

TEST_F(SpoolTest, AFullDiskIsSaidToAllOfThatWrite) {
    open(disk);
    disk.room = 10;
    append("one");
    append("two");
    run();
    for (const auto& [record, answer] : answers) EXPECT_EQ(answer, "unavailable");
    disk.room = 1L << 40;
    append("three");
    run();
    EXPECT_EQ(answers.back().second, "kept");
    EXPECT_EQ(drain(), std::vector<std::string>{"three"});
}

TEST_F(SpoolTest, ADiskThatHangsHoldsNobodyUp) {
    HeldDisk held;
    open(held);
    append("being written", 50ms);
    append("waits", 50ms);
    loop.restart();
    while (answers.size() < 2) loop.run_one();
    for (const auto& [record, answer] : answers) EXPECT_EQ(answer, "unavailable");
    EXPECT_FALSE(run(spool->survey(50ms)));
    EXPECT_FALSE(run(spool->stop(50ms)));
    held.let_go();
    EXPECT_TRUE(run(spool->stop(20s)));
}

TEST_F(SpoolTest, ARecordBeyondTheLimitIsRefused) {
    open(disk);
    append(std::string(record_bytes_max + 1, 'x'));
    run();
    EXPECT_EQ(answers.at(0).second, "invalid_input");
}

TEST_F(SpoolTest, AfterItsStopItTakesNothing) {
    open(disk);
    EXPECT_TRUE(run(spool->stop(20s)));
    append("late");
    run();
    EXPECT_EQ(answers.at(0).second, "unavailable");
}

}  // namespace
}  // namespace rollcall::spool
