// What a proxy says when the server behind it did not answer: a page of HTML.
#pragma once

#include "http/message.hpp"

namespace rollcall::sim {

[[nodiscard]] http::Response gateway_page(unsigned status);

}  // namespace rollcall::sim
