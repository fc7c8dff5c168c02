#include "sim/gateway_page.hpp"

#include <string>

namespace rollcall::sim {

http::Response gateway_page(unsigned status) {
    http::Response page;
    page.status = status;
    page.headers.set("Content-Type", "text/html; charset=UTF-8");
    page.body = "<!DOCTYPE html><html><head><title>Error " + std::to_string(status) +
                "</title></head><body><h1>The origin did not answer</h1></body></html>\n";
    return page;
}

}  // namespace rollcall::sim
