/* The Proton C half of the link benchmark: one program, either role.
 *
 * link recv|send --port P --count N --mode alo|presettled --credit C --size S
 *
 * The receiver listens on loopback, prints "listening", grants credit C and tops it up at half; it decodes every
 * message, counts it and its body, and accepts it. The sender composes and encodes each message anew, sends whenever
 * it has credit and, in mode alo, waits for the accepted outcome of each before it closes; pre-settled, the receiver closes. One report line per role, as all programs
 * of this benchmark print it. Single-threaded on pn_proactor: the way Proton is meant to be used for one connection.
 */
#include <proton/connection.h>
#include <proton/delivery.h>
#include <proton/event.h>
#include <proton/link.h>
#include <proton/listener.h>
#include <proton/message.h>
#include <proton/proactor.h>
#include <proton/session.h>
#include <proton/transport.h>

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_MESSAGE = 1 << 20 };

static bool sending, presettled;
static long count = 100000;
static int credit = 1000;
static size_t body_size = 100;
static const char *port;

static long moved;      /* messages sent, or received whole */
static long settled;    /* outcomes that came back (sender) */
static long body_bytes; /* octets of data sections received */
static int spent;       /* credit used since the last top-up */

static double wall_start, cpu_start, elapsed, cpu;
static pn_proactor_t *proactor;
static pn_message_t *message;
static char *buffer, *payload;

static void fail(const char *what) {
  fprintf(stderr, "link (proton): %s\n", what);
  exit(1);
}

static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void start_clock(void) {
  wall_start = now(CLOCK_MONOTONIC);
  cpu_start = now(CLOCK_PROCESS_CPUTIME_ID);
}

static void stop_clock(void) {
  elapsed = now(CLOCK_MONOTONIC) - wall_start;
}

static void report(void) {
  cpu = now(CLOCK_PROCESS_CPUTIME_ID) - cpu_start;
  printf("{\"role\":\"%s\",\"count\":%ld,\"elapsed_s\":%.6f,\"cpu_s\":%.6f}\n", sending ? "send" : "recv", moved, elapsed, cpu);
}

/* ---- sender ---- */

static void send_one(pn_link_t *link) {
  uint64_t tag = (uint64_t)moved;
  pn_data_t *body = pn_message_body(message);
  size_t size = MAX_MESSAGE;

  pn_data_clear(body);
  pn_data_put_binary(body, pn_bytes(body_size, payload));
  if (pn_message_encode(message, buffer, &size) != 0) fail("message does not encode");

  pn_delivery_t *delivery = pn_delivery(link, pn_dtag((const char *)&tag, sizeof tag));
  pn_link_send(link, buffer, size);
  pn_link_advance(link);
  if (presettled) pn_delivery_settle(delivery);
  moved += 1;
}

static void send_while_credit(pn_link_t *link) {
  if (moved == 0 && pn_link_credit(link) > 0) start_clock();
  while (moved < count && pn_link_credit(link) > 0) send_one(link);
}

static void take_outcome(pn_delivery_t *delivery) {
  if (!pn_delivery_updated(delivery)) return;
  if (pn_delivery_remote_state(delivery) != PN_ACCEPTED) fail("a message was not accepted");
  pn_link_t *link = pn_delivery_link(delivery);
  pn_delivery_settle(delivery);
  settled += 1;
  if (settled == count) {
    stop_clock();
    pn_connection_close(pn_session_connection(pn_link_session(link)));
  }
}

/* ---- receiver ---- */

static void take_message(pn_delivery_t *delivery) {
  if (!pn_delivery_readable(delivery) || pn_delivery_partial(delivery)) return;
  pn_link_t *link = pn_delivery_link(delivery);
  if (moved == 0) start_clock();

  ssize_t size = pn_link_recv(link, buffer, MAX_MESSAGE);
  if (size < 0 || pn_message_decode(message, buffer, (size_t)size) != 0) fail("message does not decode");
  pn_data_t *body = pn_message_body(message);
  if (!pn_data_next(body) || pn_data_type(body) != PN_BINARY) fail("body is not a data section");
  body_bytes += (long)pn_data_get_binary(body).size;

  if (!pn_delivery_settled(delivery)) pn_delivery_update(delivery, PN_ACCEPTED);
  pn_delivery_settle(delivery); /* advances the link too */
  moved += 1;
  spent += 1;
  if (spent >= credit / 2) {
    pn_link_flow(link, spent);
    spent = 0;
  }
  if (moved == count) {
    stop_clock();
    /* Pre-settled, only the receiver knows when the last one arrived: it closes. */
    if (presettled) pn_connection_close(pn_session_connection(pn_link_session(link)));
  }
}

/* ---- both ---- */

static void open_sender(pn_connection_t *connection) {
  pn_connection_set_container(connection, "bench-send");
  pn_connection_open(connection);
  pn_session_t *session = pn_session(connection);
  pn_session_open(session);
  pn_link_t *link = pn_sender(session, "bench");
  pn_terminus_set_address(pn_link_target(link), "bench");
  pn_link_set_snd_settle_mode(link, presettled ? PN_SND_SETTLED : PN_SND_UNSETTLED);
  pn_link_open(link);
}

static void answer_link(pn_link_t *link) {
  pn_terminus_copy(pn_link_source(link), pn_link_remote_source(link));
  pn_terminus_copy(pn_link_target(link), pn_link_remote_target(link));
  pn_link_set_snd_settle_mode(link, pn_link_remote_snd_settle_mode(link));
  pn_link_open(link);
  pn_link_flow(link, credit);
}

/* Returns true when the connection is over. */
static bool handle(pn_event_t *event) {
  switch (pn_event_type(event)) {
    case PN_LISTENER_OPEN:
      printf("listening\n");
      fflush(stdout);
      break;
    case PN_LISTENER_ACCEPT:
      pn_listener_accept2(pn_event_listener(event), NULL, NULL);
      break;
    case PN_CONNECTION_INIT:
      if (sending) open_sender(pn_event_connection(event));
      break;
    case PN_CONNECTION_REMOTE_OPEN:
      if (!sending) pn_connection_open(pn_event_connection(event));
      break;
    case PN_SESSION_REMOTE_OPEN:
      if (!sending) pn_session_open(pn_event_session(event));
      break;
    case PN_LINK_REMOTE_OPEN:
      if (!sending) answer_link(pn_event_link(event));
      break;
    case PN_LINK_FLOW:
      if (sending) send_while_credit(pn_event_link(event));
      break;
    case PN_DELIVERY:
      if (sending)
        take_outcome(pn_event_delivery(event));
      else
        take_message(pn_event_delivery(event));
      break;
    case PN_CONNECTION_REMOTE_CLOSE:
      if (sending && presettled) stop_clock();
      pn_connection_close(pn_event_connection(event));
      break;
    case PN_TRANSPORT_ERROR: {
      pn_condition_t *c = pn_transport_condition(pn_event_transport(event));
      fprintf(stderr, "%s: %s\n", pn_condition_get_name(c), pn_condition_get_description(c));
      fail("transport error");
      break;
    }
    case PN_LISTENER_CLOSE:
      fail("cannot listen");
      break;
    case PN_TRANSPORT_CLOSED:
      return true;
    default:
      break;
  }
  return false;
}

static void parse(int argc, char **argv) {
  if (argc < 2) fail("usage: link recv|send --port P --count N --mode alo|presettled --credit C --size S");
  sending = strcmp(argv[1], "send") == 0;
  for (int i = 2; i + 1 < argc; i += 2) {
    const char *name = argv[i], *value = argv[i + 1];
    if (strcmp(name, "--port") == 0) port = value;
    else if (strcmp(name, "--count") == 0) count = atol(value);
    else if (strcmp(name, "--mode") == 0) presettled = strcmp(value, "presettled") == 0;
    else if (strcmp(name, "--credit") == 0) credit = atoi(value);
    else if (strcmp(name, "--size") == 0) body_size = (size_t)atol(value);
    else fail("unknown option");
  }
  if (port == NULL) fail("--port is missing");
  if (body_size + 64 > MAX_MESSAGE) fail("--size is too large");
}

int main(int argc, char **argv) {
  char address[64];
  parse(argc, argv);
  message = pn_message();
  pn_message_set_inferred(message, true); /* a binary body is a data section */
  buffer = malloc(MAX_MESSAGE);
  payload = malloc(body_size + 1);
  if (buffer == NULL || payload == NULL) fail("out of memory");
  memset(payload, 'x', body_size);

  proactor = pn_proactor();
  snprintf(address, sizeof address, "127.0.0.1:%s", port);
  if (sending)
    pn_proactor_connect2(proactor, NULL, NULL, address);
  else
    pn_proactor_listen(proactor, pn_listener(), address, 4);

  for (bool done = false; !done;) {
    pn_event_batch_t *batch = pn_proactor_wait(proactor);
    for (pn_event_t *event; !done && (event = pn_event_batch_next(batch)) != NULL;) done = handle(event);
    pn_proactor_done(proactor, batch);
  }

  if (moved != count || (sending && !presettled && settled != count)) fail("the connection ended early");
  if (!sending && body_bytes != count * (long)body_size) fail("bodies have the wrong size");
  report();
  return 0;
}
