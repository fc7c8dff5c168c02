// What the program answers. Who asks is what rollcall's gate said to the proxy, in
// X-Rollcall-User-Id: let nobody but that proxy reach this server. What a protected endpoint is
// asked by nobody is 401 here, too, in case the proxy was set up without the gate.
// Refusals and failures are RFC 9457 documents that tell nothing of the database.
#pragma once

#include "quiz_data.hpp"

#include <httplib.h>

#include <string>

namespace quiz {

// `data` must outlive `server`; `page` is the quiz itself, served at /quiz.
void add_routes(httplib::Server& server, const QuizData& data, std::string page);

}  // namespace quiz
