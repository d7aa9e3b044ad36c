#pragma once
#include <yaml.h>

// The event's data is a union of anonymous structs, which Swift sees as opaque names.
static inline const unsigned char *kg_scalar(const yaml_event_t *e) { return e->data.scalar.value; }
static inline size_t kg_scalar_size(const yaml_event_t *e) { return e->data.scalar.length; }
static inline int kg_scalar_plain(const yaml_event_t *e) { return e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE; }
static inline const unsigned char *kg_tag(const yaml_event_t *e) {
  switch (e->type) {
    case YAML_SCALAR_EVENT: return e->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return e->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return e->data.mapping_start.tag;
    default: return 0;
  }
}
static inline const unsigned char *kg_anchor(const yaml_event_t *e) {
  switch (e->type) {
    case YAML_ALIAS_EVENT: return e->data.alias.anchor;
    case YAML_SCALAR_EVENT: return e->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return e->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return e->data.mapping_start.anchor;
    default: return 0;
  }
}
