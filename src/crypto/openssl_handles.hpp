// What OpenSSL allocates, freed when its owner goes. For the .cpp files of this folder.
#pragma once

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <memory>

namespace rollcall::crypto {

template <auto free_it>
struct FreedBy {
    template <class T>
    void operator()(T* object) const {
        free_it(object);
    }
};

using BioHandle = std::unique_ptr<BIO, FreedBy<BIO_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using NumberHandle = std::unique_ptr<BIGNUM, FreedBy<BN_clear_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;
using ParamBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreedBy<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, FreedBy<OSSL_PARAM_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, FreedBy<ECDSA_SIG_free>>;

}  // namespace rollcall::crypto
