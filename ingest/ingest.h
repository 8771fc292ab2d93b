/*
 * ingest/ingest.h - the public face of ingest/: records in, batches out.
 *
 * Layer:     base < event < ingest
 * Ownership, threads, failures: as each header says.
 */
#pragma once

#include "event/zone.h"
#include "ingest/domain.h"
#include "ingest/feed.h"
#include "ingest/geo.h"
#include "ingest/kafka.h"
#include "ingest/kafka_mock.h"
#include "ingest/kafka_send.h"
#include "ingest/parser.h"
#include "ingest/template.h"
#include "ingest/tenant.h"
