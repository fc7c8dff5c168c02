#include "crypto/trace_of.hpp"

#include "crypto/digest.hpp"

#include <algorithm>

namespace rollcall::crypto {

TraceContext trace_of(std::string_view name) {
    const Sha256 hash = sha256(name);
    TraceContext out;
    std::copy_n(hash.begin(), out.trace.size(), out.trace.begin());
    std::copy_n(hash.begin() + out.trace.size(), out.span.size(), out.span.begin());
    return out;
}

}  // namespace rollcall::crypto
