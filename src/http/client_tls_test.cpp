// The client against a TLS server whose certificates are made here.
#include "http/client.hpp"
#include "http/loopback_test.hpp"
#include "http/relay.hpp"

#include <gmock/gmock.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/ssl.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>

namespace rollcall::http {
namespace {

namespace ssl = boost::asio::ssl;
using testing::HasSubstr;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* pointer) const {
        Free(pointer);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;

struct Identity {
    Key key;
    Certificate certificate;
};

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
    ensure(extension != nullptr, "test certificate: extension");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
}

// Signed by `issuer`, or by itself as a CA when that is null. Valid from `days` before now on for
// two days.
Identity make_identity(const std::string& name, const std::string& alternative_names,
                       const Identity* issuer, int days_ago = 1) {
    Identity identity{.key = Key(EVP_EC_gen("P-256")), .certificate = Certificate(X509_new())};
    X509* certificate = identity.certificate.get();
    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), issuer == nullptr ? 1 : 2);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -86'400L * days_ago);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400L * (2 - days_ago));
    X509_set_pubkey(certificate, identity.key.get());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* signer = issuer == nullptr ? certificate : issuer->certificate.get();
    X509_set_issuer_name(certificate, X509_get_subject_name(signer));
    add_extension(certificate, signer, NID_basic_constraints,
                  issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!alternative_names.empty()) {
        add_extension(certificate, signer, NID_subject_alt_name, alternative_names);
    }
    EVP_PKEY* signing_key = issuer == nullptr ? identity.key.get() : issuer->key.get();
    ensure(X509_sign(certificate, signing_key, EVP_sha256()) > 0, "test certificate: signature");
    return identity;
}

class ClientTlsTest : public LoopbackTest {
public:
    ClientTlsTest()
        : authority_(make_identity("test CA", "", nullptr)),
          folder_(std::filesystem::temp_directory_path() /
                  ("rollcall_tls_test_" + std::to_string(getpid()))) {
        std::filesystem::create_directories(folder_);
        write(authority_, "ca.pem");
    }
    ~ClientTlsTest() override { std::filesystem::remove_all(folder_); }

    void write(const Identity& identity, const std::string& name) const {
        std::FILE* file = std::fopen((folder_ / name).c_str(), "w");
        ensure(file != nullptr, "test certificate: file");
        PEM_write_X509(file, identity.certificate.get());
        std::fclose(file);
    }

    // Serves one answer a request, on any number of connections.
    void serve(const Identity& identity, int newest_version = TLS1_3_VERSION) {
        SSL_CTX* native = context_.native_handle();
        ensure(SSL_CTX_use_certificate(native, identity.certificate.get()) == 1 &&
                   SSL_CTX_use_PrivateKey(native, identity.key.get()) == 1,
               "test server: certificate");
        SSL_CTX_set_security_level(native, 0);
        SSL_CTX_set_min_proto_version(native, TLS1_VERSION);
        SSL_CTX_set_max_proto_version(native, newest_version);
        SSL_CTX_set_tlsext_servername_callback(native, &note_name);
        SSL_CTX_set_tlsext_servername_arg(native, this);
        spawn(io_.get_executor(), "tls server", accept_all());
    }

    std::string get(const std::string& host, const std::string& ca_file = "ca.pem") {
        Client client(io_.get_executor(),
                      {.ca_file = ca_file.empty() ? "" : (folder_ / ca_file).string()});
        try {
            std::string body;
            for (int i = 0; i < 2; ++i) {  // the second on the kept connection
                body += run(client.send({.url = "https://" + host + ":" +
                                                std::to_string(acceptor_.local_endpoint().port())}))
                            .body;
            }
            return body;
        } catch (const Unavailable& away) {
            return away.what();
        }
    }

    int connections_ = 0;
    std::string asked_name_;

    static int note_name(SSL* handle, int*, void* self) {
        const char* name = SSL_get_servername(handle, TLSEXT_NAMETYPE_host_name);
        static_cast<ClientTlsTest*>(self)->asked_name_ = name == nullptr ? "(none)" : name;
        return SSL_TLSEXT_ERR_OK;
    }
    Task<> accept_all() {
        for (;;) {
            Socket socket = co_await acceptor_.async_accept(use_task);
            ++connections_;
            spawn(io_.get_executor(), "tls connection", answer(std::move(socket)));
        }
    }
    Task<> answer(Socket socket) {
        ssl::stream<Socket> stream(std::move(socket), context_);
        boost::system::error_code error;
        co_await stream.async_handshake(ssl::stream_base::server,
                                        asio::redirect_error(use_task, error));
        std::string received(4096, '\0');
        const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        while (!error) {
            co_await stream.async_read_some(asio::buffer(received),
                                            asio::redirect_error(use_task, error));
            if (error) break;
            co_await asio::async_write(stream, asio::buffer(ok),
                                       asio::redirect_error(use_task, error));
        }
    }

    Identity authority_;
    std::filesystem::path folder_;
    ssl::context context_{ssl::context::tls_server};
    asio::basic_socket_acceptor<asio::ip::tcp, Executor> acceptor_{
        io_.get_executor(), {asio::ip::address_v4::loopback(), 0}};
};

TEST_F(ClientTlsTest, TrustsTheGivenAuthority) {
    serve(make_identity("x", "DNS:localhost", &authority_));
    EXPECT_EQ(get("localhost"), "okok");
    EXPECT_EQ(asked_name_, "localhost");
    EXPECT_EQ(connections_, 1);
}

TEST_F(ClientTlsTest, ChecksAddressesToo) {
    serve(make_identity("x", "IP:127.0.0.1", &authority_));
    EXPECT_EQ(get("127.0.0.1"), "okok");
    EXPECT_EQ(asked_name_, "(none)");
    EXPECT_THAT(get("localhost"), HasSubstr(": tls: "));
}

// fault 43
TEST_F(ClientTlsTest, RefusesAnotherHostsCertificate) {
    serve(make_identity("localhost", "DNS:other.example", &authority_));
    EXPECT_THAT(get("localhost"), HasSubstr(": tls: hostname mismatch"));
    EXPECT_THAT(get("127.0.0.1"), HasSubstr(": tls: IP address mismatch"));
}

TEST_F(ClientTlsTest, RefusesAnUnknownAuthority) {
    serve(make_identity("x", "DNS:localhost", &authority_));
    EXPECT_THAT(get("localhost", ""), HasSubstr(": tls: unable to get local issuer certificate"));
    write(make_identity("another CA", "", nullptr), "other.pem");
    EXPECT_THAT(get("localhost", "other.pem"), HasSubstr(": tls: "));
}

TEST_F(ClientTlsTest, RefusesASelfSignedCertificate) {
    serve(make_identity("x", "DNS:localhost", nullptr));
    EXPECT_THAT(get("localhost"), HasSubstr(": tls: self-signed certificate"));
}

TEST_F(ClientTlsTest, RefusesAnExpiredCertificate) {
    serve(make_identity("x", "DNS:localhost", &authority_, 30));
    EXPECT_THAT(get("localhost"), HasSubstr(": tls: certificate has expired"));
}

TEST_F(ClientTlsTest, RefusesOldTls) {
    serve(make_identity("x", "DNS:localhost", &authority_), TLS1_1_VERSION);
    EXPECT_THAT(get("localhost"), HasSubstr(": tls: "));
}

TEST_F(ClientTlsTest, TakesTls12) {
    serve(make_identity("x", "DNS:localhost", &authority_), TLS1_2_VERSION);
    EXPECT_EQ(get("localhost"), "okok");
}

TEST_F(ClientTlsTest, SaysThatTheFileOfAuthoritiesIsMissing) {
    serve(make_identity("x", "DNS:localhost", &authority_));
    EXPECT_THAT(get("localhost", "missing.pem"), HasSubstr("tls: the file of CA certificates"));
}

TEST_F(ClientTlsTest, ARelaySpeaksItToo) {
    serve(make_identity("x", "DNS:localhost", &authority_));
    const std::string port = std::to_string(acceptor_.local_endpoint().port());
    Relay relay(io_.get_executor(),
                {.upstream = "https://localhost:" + port, .ca_file = (folder_ / "ca.pem").string()},
                registry_);
    Relay wary(io_.get_executor(), {.upstream = "https://127.0.0.1:" + port}, registry_);
    router_.add_stream("tls", [&](ServerStream& client) {
        return (client.request().path == "/" ? relay : wary)
            .forward(client, {.target = "/", .fields = client.request().headers, .own = {}});
    });
    start();
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n";
    const std::string two = talk(get + "\r\n" + get + "Connection: close\r\n\r\n");
    EXPECT_THAT(two, HasSubstr("\r\n\r\nokHTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(two, testing::EndsWith("\r\n\r\nok"));
    EXPECT_EQ(connections_, 1);
    EXPECT_EQ(asked_name_, "localhost");
    EXPECT_THAT(talk("GET /wary HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                HasSubstr("HTTP/1.1 502 "));
}

TEST_F(ClientTlsTest, SomethingThatDoesNotSpeakTls) {
    router_.add({"GET"}, "/", [](Request&) -> Task<Response> { co_return Response{}; });
    start();
    Client client(io_.get_executor(), {.ca_file = (folder_ / "ca.pem").string()});
    std::string reason;
    try {
        run(client.send({.url = "https://localhost:" + std::to_string(server_->port())}));
    } catch (const Unavailable& away) {
        reason = away.what();
    }
    EXPECT_THAT(reason, HasSubstr(": tls: "));
}

}  // namespace
}  // namespace rollcall::http
