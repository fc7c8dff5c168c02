// A flag that is up while this lives: for what runs once at a time in a process, however it ends.
#pragma once

namespace rollcall {

class ScopedFlag {
public:
    // `flag` must outlive this. Whether it is up already is the caller's to look at, before.
    explicit ScopedFlag(bool& flag) : flag_(flag) { flag_ = true; }
    ~ScopedFlag() { flag_ = false; }
    ScopedFlag(const ScopedFlag&) = delete;
    ScopedFlag& operator=(const ScopedFlag&) = delete;

private:
    bool& flag_;
};

}  // namespace rollcall
