#!/usr/bin/env python3
"""A foreign AMQP client on Qpid Proton; README.md beside this file describes the command line."""

import argparse
import sys
import time

from proton import Delivery, Message, SSLDomain, symbol
from proton.handlers import MessagingHandler
from proton.reactor import AtLeastOnce, AtMostOnce, Container

OUTCOMES = {
    Delivery.ACCEPTED: "accepted",
    Delivery.REJECTED: "rejected",
    Delivery.RELEASED: "released",
    Delivery.MODIFIED: "modified",
}
STATES = {name: code for code, name in OUTCOMES.items()}
PATTERN = bytes(i % 251 for i in range(251)) * 2


def body(number, size):
    """The octets of message `number`."""
    turn = PATTERN[number % 251:number % 251 + 251]
    return (turn * (size // 251 + 1))[:size]


class Client(MessagingHandler):
    """What all commands share: the connection, the deadline, and how it ends."""

    def __init__(self, options):
        super().__init__(prefetch=0, auto_accept=False, auto_settle=False)
        self.options = options
        self.error = None
        self.report = None
        self.started = time.monotonic()

    def on_start(self, event):
        options = self.options
        container = self.container = event.container
        container.schedule(options.timeout, self)
        mechanism = "EXTERNAL" if options.certificate else "ANONYMOUS" if options.user is None else "PLAIN"
        self.connection = container.connect(
            f"{'amqps' if options.ca else 'amqp'}://{options.host}:{options.port}",
            user=options.user,
            password=options.password,
            allowed_mechs=options.mechanism or mechanism,
            allow_insecure_mechs=True,
            ssl_domain=self.tls() if options.ca else None,
            reconnect=False,
        )
        self.open_link(container)

    def tls(self):
        options = self.options
        domain = SSLDomain(SSLDomain.MODE_CLIENT)
        domain.set_trusted_ca_db(options.ca)
        domain.set_peer_authentication(SSLDomain.VERIFY_PEER_NAME)
        if options.certificate:
            domain.set_credentials(options.certificate, options.key, None)
        return domain

    def open_link(self, container):
        """A command opens its link here."""

    def on_timer_task(self, event):
        self.fail(f"nothing settled the matter within {self.options.timeout} s: {self.progress()}")

    def progress(self):
        return "connecting"

    def finish(self, report):
        if self.report is None and self.error is None:
            self.report = report
            self.connection.close()

    def fail(self, error):
        if self.report is None and self.error is None:
            self.error = error
            self.connection.close()
            self.container.stop()

    def on_connection_closed(self, event):
        event.container.stop()

    def on_connection_error(self, event):
        self.fail(f"connection closed with {event.connection.remote_condition}")

    def on_session_error(self, event):
        self.fail(f"session ended with {event.session.remote_condition}")

    def on_link_error(self, event):
        self.fail(f"link detached with {event.link.remote_condition}")

    def on_transport_error(self, event):
        self.fail(f"transport: {event.transport.condition}")

    def on_disconnected(self, event):
        self.fail("the connection was lost")


class Send(Client):
    """Sends with a window of unsettled deliveries and counts outcomes."""

    def open_link(self, container):
        settled = self.options.outcome == "settled"
        self.sent = self.answered = 0
        self.sender = container.create_sender(
            self.connection, self.options.address, options=AtMostOnce() if settled else AtLeastOnce()
        )

    def progress(self):
        return f"{self.sent} sent, {self.answered} answered of {self.options.count}"

    def on_sendable(self, event):
        self.pump()

    def pump(self):
        options = self.options
        settled = options.outcome == "settled"
        while self.sender.credit and self.sent < options.count:
            if not settled and self.sent - self.answered >= options.window:
                return
            message = Message(id=self.sent, body=body(self.sent, options.size), inferred=True)
            self.sender.send(message)
            self.sent += 1
        if settled and self.sent == options.count and not self.sender.queued:
            self.finish(f"sent {self.sent} pre-settled messages of {options.size} octets")

    def on_delivery(self, event):
        delivery = event.delivery
        if not delivery.link.is_sender or not delivery.updated:
            return
        outcome = OUTCOMES.get(delivery.remote_state)
        if outcome is None and not delivery.settled:
            return
        delivery.settle()
        self.answered += 1
        if outcome != self.options.outcome:
            self.fail(f"message {self.answered - 1} was {outcome or 'settled without an outcome'}, not {self.options.outcome}")
        elif self.answered == self.options.count:
            self.finish(f"sent {self.answered} messages of {self.options.size} octets, all {outcome}")
        else:
            self.pump()


class Receive(Client):
    """Receives exactly as many as asked for, checks each, answers each."""

    def open_link(self, container):
        self.received = 0
        self.asked = 0
        self.receiver = container.create_receiver(self.connection, self.options.address)

    def progress(self):
        return f"{self.received} of {self.options.count} received"

    def on_link_opened(self, event):
        if event.link.is_receiver:
            self.top_up()

    def top_up(self):
        """Never asks for more than is wanted, so that nothing is taken from others or comes twice."""
        missing = min(self.options.window, self.options.count - self.received) - (self.asked - self.received)
        if missing > 0:
            self.receiver.flow(missing)
            self.asked += missing

    def on_message(self, event):
        options = self.options
        delivery, message = event.delivery, event.message
        error = self.check(message)
        if error:
            self.fail(f"message {self.received}: {error}")
            return
        state = STATES[options.outcome]
        if state == Delivery.MODIFIED:
            delivery.local.failed = True
        delivery.update(state)
        delivery.settle()
        self.received += 1
        if self.received == options.count:
            # The link's end tells that the peer has read what was settled before it.
            self.receiver.close()
        elif self.asked - self.received <= options.window // 2:
            self.top_up()

    def check(self, message):
        options = self.options
        if message.id != self.received:
            return f"id is {message.id!r}"
        content = bytes(message.body) if message.body is not None else b""
        if content != body(self.received, options.size):
            return f"body differs ({len(content)} octets for {options.size})"
        if options.delivery_count is not None and message.delivery_count != options.delivery_count:
            return f"delivery count is {message.delivery_count}, not {options.delivery_count}"
        return None

    def on_link_closed(self, event):
        options = self.options
        if self.received == options.count:
            self.finish(f"received {self.received} messages of {options.size} octets, all {options.outcome}")
        else:
            self.fail(f"the peer closed the link after {self.received} messages")


class Empty(Client):
    """Drains one credit and expects it back unused."""

    def open_link(self, container):
        self.receiver = container.create_receiver(self.connection, self.options.address)

    def progress(self):
        return "the drain was not answered"

    def on_link_opened(self, event):
        if event.link.is_receiver:
            self.receiver.drain(1)

    def on_message(self, event):
        self.fail(f"there is a message: id {event.message.id!r}")

    def on_link_flow(self, event):
        if event.link.is_receiver and event.link.drained():
            self.finish("the node is empty")


class Connect(Client):
    """Opens and closes, or is refused by SASL."""

    def on_connection_opened(self, event):
        if self.options.refused:
            self.fail("the peer let us in")
        else:
            self.finish("opened and closed")

    def on_transport_error(self, event):
        condition = event.transport.condition
        if self.options.refused and condition is not None and condition.name == symbol("amqp:unauthorized-access"):
            self.report = "refused"
            event.container.stop()
        else:
            super().on_transport_error(event)


COMMANDS = {"send": Send, "receive": Receive, "empty": Empty, "connect": Connect}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=5672)
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("--mechanism")
    parser.add_argument("--ca")
    parser.add_argument("--certificate")
    parser.add_argument("--key")
    parser.add_argument("--address", default="interop")
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--outcome", default="accepted", choices=[*STATES, "settled"])
    parser.add_argument("--delivery-count", type=int)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--timeout", type=int, default=60)
    parser.add_argument("--refused", action="store_true")
    parser.add_argument("--fails")
    client = COMMANDS[parser.parse_args().command](parser.parse_args())
    Container(client).run()
    wanted = client.options.fails
    if wanted is not None:
        seen = str(client.error).lower().replace(" ", "-").replace("_", "-")
        client.report, client.error = (f"failed, {client.error}", None) if wanted in seen else (None, client.error or "no failure")
    if client.report is None:
        print(f"proton {client.options.command}: {client.error or 'ended without a result'}", file=sys.stderr)
        return 1
    print(f"proton {client.options.command}: {client.report} in {time.monotonic() - client.started:.2f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
