#pragma once
// So that glibc's types, which OpenSSL's headers bring along, stay Glibc's own for Swift.
#pragma clang module import SwiftGlibc
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

static inline unsigned long kg_name_format(void) { return XN_FLAG_RFC2253; }
