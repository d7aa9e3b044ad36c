// curl_easy_setopt and curl_easy_getinfo are variadic, which Swift cannot call.
#pragma once
#include <curl/curl.h>

static inline CURLcode kg_set_long(CURL *h, CURLoption o, long v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode kg_set_offset(CURL *h, CURLoption o, curl_off_t v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode kg_set_text(CURL *h, CURLoption o, const char *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode kg_set_pointer(CURL *h, CURLoption o, void *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode kg_set_list(CURL *h, CURLoption o, struct curl_slist *v) { return curl_easy_setopt(h, o, v); }
static inline CURLcode kg_set_blob(CURL *h, CURLoption o, const void *data, size_t size) {
  struct curl_blob blob = {(void *)data, size, CURL_BLOB_COPY};
  return curl_easy_setopt(h, o, &blob);
}
typedef size_t (*kg_data)(char *, size_t, size_t, void *);
static inline CURLcode kg_set_data(CURL *h, CURLoption o, kg_data f) { return curl_easy_setopt(h, o, f); }
typedef int (*kg_progress)(void *, curl_off_t, curl_off_t, curl_off_t, curl_off_t);
static inline CURLcode kg_set_progress(CURL *h, kg_progress f) { return curl_easy_setopt(h, CURLOPT_XFERINFOFUNCTION, f); }
typedef int (*kg_seek)(void *, curl_off_t, int);
static inline CURLcode kg_set_seek(CURL *h, kg_seek f) { return curl_easy_setopt(h, CURLOPT_SEEKFUNCTION, f); }
static inline CURLcode kg_get_long(CURL *h, CURLINFO i, long *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode kg_get_text(CURL *h, CURLINFO i, char **v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode kg_get_offset(CURL *h, CURLINFO i, curl_off_t *v) { return curl_easy_getinfo(h, i, v); }
static inline CURLcode kg_set_host_key(CURL *h, curl_sshkeycallback f) { return curl_easy_setopt(h, CURLOPT_SSH_KEYFUNCTION, f); }
