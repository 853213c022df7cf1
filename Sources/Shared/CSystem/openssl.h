// OpenSSL 3, and what of it is macros.
#ifndef REILETA_OPENSSL_H
#define REILETA_OPENSSL_H

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

static inline void reileta_bio_want_read(BIO *bio) { BIO_set_retry_read(bio); }
static inline void reileta_bio_clear_retry(BIO *bio) { BIO_clear_retry_flags(bio); }

static inline int reileta_ctx_tls_versions(SSL_CTX *ctx) {
    return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION)
        && SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION);
}
static inline void reileta_ctx_mode(SSL_CTX *ctx) {
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY);
}
static inline void reileta_ctx_no_session_cache(SSL_CTX *ctx) {
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
}
static inline int reileta_ctx_groups(SSL_CTX *ctx, const char *groups) {
    return (int)SSL_CTX_set1_groups_list(ctx, groups);
}
static inline int reileta_ssl_server_name(SSL *ssl, const char *name) {
    return (int)SSL_set_tlsext_host_name(ssl, name);
}
static inline STACK_OF(X509) *reileta_chain_new(void) { return sk_X509_new_null(); }
static inline int reileta_chain_push(STACK_OF(X509) *chain, X509 *certificate) {
    return sk_X509_push(chain, certificate);
}
static inline void reileta_chain_free(STACK_OF(X509) *chain) { sk_X509_pop_free(chain, X509_free); }

#endif
