// CRC-32C by the processor's own instruction. Swift cannot ask for an instruction set of one function.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
static inline int kg_crc32c_is_fast(void) {
  unsigned a, b, c = 0, d;
  return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_SSE4_2);
}
__attribute__((target("sse4.2"))) static inline uint32_t kg_crc32c(uint32_t crc, const void *bytes, size_t count) {
  const unsigned char *at = (const unsigned char *)bytes;
  uint64_t state = crc;
  for (; count >= 8; count -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    state = __builtin_ia32_crc32di(state, word);
  }
  for (; count; count--) state = __builtin_ia32_crc32qi((uint32_t)state, *at++);
  return (uint32_t)state;
}
#else
static inline int kg_crc32c_is_fast(void) { return 0; }
static inline uint32_t kg_crc32c(uint32_t crc, const void *bytes, size_t count) { return crc; }
#endif
