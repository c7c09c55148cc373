#!/usr/bin/env node
// A foreign AMQP client on rhea; README.md beside this file describes the command line.
'use strict';

const { readFileSync } = require('node:fs');
const { parseArgs } = require('node:util');
const rhea = require('rhea');

const text = { type: 'string' };
const { values: given, positionals: [command] } = parseArgs({
  allowPositionals: true,
  options: {
    host: { ...text, default: '127.0.0.1' }, port: { ...text, default: '5672' }, user: text, password: text,
    address: { ...text, default: 'interop' }, count: { ...text, default: '1' }, size: { ...text, default: '100' },
    outcome: { ...text, default: 'accepted' }, 'delivery-count': text, window: { ...text, default: '100' },
    ca: text, certificate: text, key: text, websocket: { type: 'boolean', default: false },
    timeout: { ...text, default: '60' }, refused: { type: 'boolean', default: false },
    fails: text, tls12: { type: 'boolean', default: false },
  },
});
const count = Number(given.count);
const size = Number(given.size);
const window = Number(given.window);
const started = Date.now();

// The octets of message `number`.
function body(number) {
  const octets = Buffer.alloc(size);
  for (let i = 0; i < size; i++) octets[i] = (number + i) % 251;
  return octets;
}

let ended = false;
let progress = () => 'connecting';

function end(stream, code, line) {
  if (ended) return;
  ended = true;
  stream.write(`rhea ${command}: ${line}\n`, () => process.exit(code));
}
const fail = (error) => {
  const seen = `${error}`.toLowerCase().replace(/[ _]/g, '-');
  if (given.fails !== undefined && seen.includes(given.fails)) end(process.stdout, 0, `failed, ${error}`);
  else end(process.stderr, 1, error);
};
function finish(connection, report) {
  // The peer's close says that it has read all that was sent before ours.
  connection.once('connection_close', () => {
    end(process.stdout, 0, `${report} in ${((Date.now() - started) / 1000).toFixed(2)} s`);
  });
  connection.close();
}
setTimeout(() => fail(`nothing settled the matter within ${given.timeout} s: ${progress()}`), given.timeout * 1000);

function connect() {
  const options = { host: given.host, port: Number(given.port), reconnect: false, container_id: `rhea-${process.pid}` };
  const tls = {};
  if (given.ca !== undefined) tls.ca = readFileSync(given.ca);
  if (given.tls12) tls.maxVersion = 'TLSv1.2';
  if (given.certificate !== undefined) {
    Object.assign(tls, { cert: readFileSync(given.certificate), key: readFileSync(given.key), enable_sasl_external: true });
  } else {
    Object.assign(options, { username: given.user ?? 'anonymous', password: given.password });
  }
  if (given.websocket) {
    const url = `${given.ca === undefined ? 'ws' : 'wss'}://${given.host}:${given.port}/`;
    options.connection_details = rhea.websocket_connect(require('ws').WebSocket)(url, 'amqp', tls);
  } else if (given.ca !== undefined) {
    Object.assign(options, tls, { transport: 'tls' });
  }
  const connection = rhea.create_container().connect(options);
  const condition = (thing) => thing.error && `${thing.error.condition}: ${thing.error.description}`;
  connection.on('connection_error', () => fail(`connection closed with ${condition(connection)}`));
  connection.on('session_error', (context) => fail(`session ended with ${condition(context.session)}`));
  connection.on('sender_error', (context) => fail(`link detached with ${condition(context.sender)}`));
  connection.on('receiver_error', (context) => fail(`link detached with ${condition(context.receiver)}`));
  connection.on('protocol_error', (error) => fail(`protocol error: ${error}`));
  connection.on('error', (error) => fail(`error: ${error}`));
  connection.on('connection_close', () => {});
  connection.on('disconnected', (context) => fail(`the connection was lost: ${context.error}`));
  return connection;
}

function send() {
  const settled = given.outcome === 'settled';
  const connection = connect();
  const sender = connection.open_sender({ target: given.address, snd_settle_mode: settled ? 1 : 0, name: `s-${process.pid}` });
  let [sent, answered, done] = [0, 0, false];
  progress = () => `${sent} sent, ${answered} answered of ${count}`;
  // Messages wait inside the library, and its close would overtake them: the link's delivery count tells what has gone out.
  const whenWritten = () => {
    if (sender.delivery_count === sent) finish(connection, `sent ${sent} pre-settled messages of ${size} octets`);
    else setImmediate(whenWritten);
  };
  const pump = () => {
    // A transfer before the attach has gone out would precede it on the wire.
    if (!sender.is_open()) return;
    while (sender.sendable() && sent < count && (settled || sent - answered < window)) {
      sender.send({ message_id: sent, body: rhea.message.data_section(body(sent)) });
      sent += 1;
    }
    if (settled && sent === count && !done) {
      done = true;
      whenWritten();
    }
  };
  connection.on('sender_open', pump);
  connection.on('sendable', pump);
  for (const outcome of ['accepted', 'rejected', 'released', 'modified']) {
    connection.on(outcome, () => {
      answered += 1;
      if (outcome !== given.outcome) fail(`message ${answered - 1} was ${outcome}, not ${given.outcome}`);
      else if (answered === count) finish(connection, `sent ${answered} messages of ${size} octets, all ${outcome}`);
      else pump();
    });
  }
}

function receive() {
  const connection = connect();
  const receiver = connection.open_receiver({
    source: given.address, credit_window: 0, autoaccept: false, autosettle: false, name: `r-${process.pid}`,
  });
  let [received, asked] = [0, 0];
  progress = () => `${received} of ${count} received`;
  // Never asks for more than is wanted, so that nothing is taken from others or comes twice.
  const topUp = () => {
    const missing = Math.min(window, count - received) - (asked - received);
    if (missing > 0) {
      receiver.add_credit(missing);
      asked += missing;
    }
  };
  const check = (message) => {
    const id = Buffer.isBuffer(message.message_id) ? Number(message.message_id.readBigUInt64BE()) : message.message_id;
    if (id !== received) return `id is ${message.message_id}`;
    const content = message.body && message.body.typecode === 0x75 ? message.body.content : message.body;
    if (!Buffer.isBuffer(content) || !content.equals(body(received))) return `body differs (${content && content.length} octets for ${size})`;
    const wanted = given['delivery-count'];
    if (wanted !== undefined && (message.delivery_count ?? 0) !== Number(wanted)) return `delivery count is ${message.delivery_count}, not ${wanted}`;
    return undefined;
  };
  const answer = {
    accepted: (delivery) => delivery.accept(),
    rejected: (delivery) => delivery.reject({ condition: 'amqp:precondition-failed', description: 'as asked' }),
    released: (delivery) => delivery.release({}),
    modified: (delivery) => delivery.modified({ delivery_failed: true }),
  }[given.outcome];
  connection.once('receiver_open', topUp);
  connection.on('message', ({ message, delivery }) => {
    // What was released may come back before the peer has read our detach.
    if (received === count) return;
    const error = check(message);
    if (error) return fail(`message ${received}: ${error}`);
    answer(delivery);
    received += 1;
    if (received === count) receiver.close();
    else if (asked - received <= window / 2) topUp();
  });
  connection.on('receiver_close', () => {
    if (received === count) finish(connection, `received ${received} messages of ${size} octets, all ${given.outcome}`);
    else fail(`the peer closed the link after ${received} messages`);
  });
}

function empty() {
  const connection = connect();
  const receiver = connection.open_receiver({
    source: given.address, credit_window: 0, autoaccept: false, autosettle: false, name: `e-${process.pid}`,
  });
  progress = () => 'the drain was not answered';
  connection.on('message', ({ message }) => fail(`there is a message: id ${message.message_id}`));
  connection.once('receiver_drained', () => finish(connection, 'the node is empty'));
  connection.once('receiver_open', () => {
    receiver.drain = true;
    receiver.add_credit(1);
  });
}

function open() {
  const connection = connect();
  connection.once('connection_open', () => {
    if (given.refused || given.fails !== undefined) fail('the peer let us in');
    else finish(connection, 'opened and closed');
  });
  if (given.refused) {
    connection.removeAllListeners('connection_error');
    connection.once('connection_error', ({ error: { condition } }) => {
      if (condition === 'amqp:unauthorized-access') end(process.stdout, 0, 'refused');
      else fail(`connection closed with ${condition}`);
    });
  }
}

const commands = { send, receive, empty, connect: open };
if (commands[command]) commands[command]();
else fail(`no such command; there are ${Object.keys(commands).join(', ')}`);
