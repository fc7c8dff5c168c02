// The short account that `rollcall dev` gives on the terminal: events as they are stored, rows as
// they change, passes as they end. Its people are the simulator's, so it may show names and e-mail
// addresses; nothing here is logged.
#pragma once

#include <string>
#include <string_view>

namespace rollcall::cli {

class Account {
public:
    explicit Account(bool colours) : colours_(colours) {}

    void heading(std::string_view text) const;
    void line(std::string_view label, std::string_view text) const;  // where to look
    void event(std::string_view kind, std::string_view subject, std::string_view detail) const;
    void row(std::string_view subject, std::string_view detail) const;
    void pass(std::string_view mode, std::string_view detail) const;

private:
    void moment(std::string_view what, std::string_view colour, std::string_view subject,
                std::string_view detail) const;
    bool colours_;
};

}  // namespace rollcall::cli
