// A foreign AMQP client on Qpid JMS; README.md in the folder above describes the command line.

import jakarta.jms.*;
import jakarta.jms.Queue;
import java.io.FileInputStream;
import java.nio.file.*;
import java.security.*;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import javax.net.ssl.*;
import org.apache.qpid.jms.JmsConnectionFactory;

public final class JmsClient {
  // JMS knows accepted alone: the library's own acknowledgement, one message at a time, knows the others.
  private static final int INDIVIDUAL_ACKNOWLEDGE = 101;
  private static final List<String> OUTCOMES = List.of("accepted", "rejected", "released", "modified");

  private final Map<String, String> given = new HashMap<>();
  private final int count, size, window;
  private final String outcome;

  private JmsClient(String[] arguments) {
    for (int i = 1; i < arguments.length; i++) {
      String name = arguments[i].substring(2);
      boolean flag = List.of("refused", "websocket", "tls12").contains(name);
      given.put(name, flag ? "" : arguments[++i]);
    }
    count = Integer.parseInt(given.getOrDefault("count", "1"));
    size = Integer.parseInt(given.getOrDefault("size", "100"));
    window = Integer.parseInt(given.getOrDefault("window", "100"));
    outcome = given.getOrDefault("outcome", "accepted");
  }

  public static void main(String[] arguments) throws Exception {
    String command = arguments.length > 0 ? arguments[0] : "";
    JmsClient client = new JmsClient(arguments);
    long started = System.nanoTime();
    Timer timer = new Timer(true);
    String patience = client.given.getOrDefault("timeout", "60");
    timer.schedule(new TimerTask() {
      @Override public void run() {
        end(command, "nothing settled the matter within " + patience + " s", 1);
      }
    }, Long.parseLong(patience) * 1000);
    String report, wanted = client.given.get("fails");
    for (int attempt = 1; ; attempt++) {
      try {
        report = client.run(command);
        if (wanted == null) break;
        end(command, "no failure", 1);
      } catch (Exception error) {
        String seen = error.toString();
        for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) seen += ": " + cause;
        boolean right = wanted != null && seen.toLowerCase().replaceAll("[ _]", "-").contains(wanted);
        // The library may find out by its own next write, and then keeps to itself what the peer said.
        boolean again = wanted != null && attempt < 20 && seen.contains("non-connected transport");
        if (right || !again) end(command, right ? "failed, " + seen : seen, right ? 0 : 1);
      }
    }
    end(command, String.format("%s in %.2f s", report, (System.nanoTime() - started) / 1e9), 0);
  }

  private String run(String command) throws Exception {
    return switch (command) {
      case "connect" -> connect();
      case "send" -> send();
      case "receive" -> receive();
      case "empty" -> empty();
      case "request" -> request();
      case "browse" -> browse();
      default -> throw new IllegalArgumentException("there are connect, send, receive, empty, request, browse");
    };
  }

  private static void end(String command, String line, int code) {
    (code == 0 ? System.out : System.err).println("jms " + command + ": " + line);
    System.exit(code);
  }

  // The octets of message number.
  private byte[] body(int number) {
    byte[] octets = new byte[size];
    for (int i = 0; i < size; i++) octets[i] = (byte) ((number + i) % 251);
    return octets;
  }

  private Connection open() throws Exception {
    boolean tls = given.containsKey("ca"), certificate = given.containsKey("certificate");
    String scheme = (given.containsKey("websocket") ? "amqpws" : "amqp") + (tls ? "s" : "");
    String mechanism = given.getOrDefault("mechanism", certificate ? "EXTERNAL" : given.containsKey("user") ? "PLAIN" : "ANONYMOUS");
    String url = scheme + "://" + given.getOrDefault("host", "127.0.0.1") + ":" + given.getOrDefault("port", "5672")
        + "?amqp.saslMechanisms=" + mechanism
        // Credit for nothing but what is wanted: what is given back must not come to the same receiver again.
        + "&jms.prefetchPolicy.all=" + (count == 1 ? 0 : window)
        + (given.containsKey("tls12") ? "&transport.enabledProtocols=TLSv1.2" : "")
        + "&jms.presettlePolicy.presettleProducers=" + outcome.equals("settled");
    JmsConnectionFactory factory = new JmsConnectionFactory(url);
    if (tls) factory.setSslContext(trust(certificate));
    Connection connection = factory.createConnection(given.get("user"), given.get("password"));
    connection.start();
    return connection;
  }

  private SSLContext trust(boolean certificate) throws Exception {
    KeyStore trusted = KeyStore.getInstance("PKCS12"), own = KeyStore.getInstance("PKCS12");
    trusted.load(null, null);
    own.load(null, null);
    trusted.setCertificateEntry("ca", certificate(given.get("ca")));
    if (certificate) {
      String pem = Files.readString(Path.of(given.get("key"))).replaceAll("-----[^-]*-----|\\s", "");
      Key key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(Base64.getDecoder().decode(pem)));
      own.setKeyEntry("own", key, new char[0], new java.security.cert.Certificate[] {certificate(given.get("certificate"))});
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
    trust.init(trusted);
    KeyManagerFactory keys = KeyManagerFactory.getInstance("PKIX");
    keys.init(own, new char[0]);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
    return context;
  }

  private static java.security.cert.Certificate certificate(String path) throws Exception {
    try (FileInputStream file = new FileInputStream(path)) {
      return CertificateFactory.getInstance("X.509").generateCertificate(file);
    }
  }

  private String connect() throws Exception {
    try {
      open().close();
      if (given.containsKey("refused")) throw new RuntimeException("the peer let us in");
      return "opened and closed";
    } catch (JMSSecurityException error) {
      if (given.containsKey("refused")) return "refused";
      throw error;
    }
  }

  private Queue queue(Session session) throws JMSException {
    return session.createQueue(given.getOrDefault("address", "interop"));
  }

  private BytesMessage message(Session session, int number) throws JMSException {
    BytesMessage message = session.createBytesMessage();
    message.writeBytes(body(number));
    // JMS makes message ids of its own.
    message.setIntProperty("number", number);
    return message;
  }

  private String send() throws Exception {
    try (Connection connection = open()) {
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageProducer producer = session.createProducer(queue(session));
      var answers = new java.util.concurrent.LinkedBlockingQueue<Optional<Exception>>();
      CompletionListener answer = new CompletionListener() {
        @Override public void onCompletion(Message message) { answers.add(Optional.empty()); }
        @Override public void onException(Message message, Exception error) { answers.add(Optional.of(error)); }
      };
      for (int number = 0, answered = 0; answered < count; ) {
        if (number < count && number - answered < window) {
          producer.send(message(session, number++), answer);
        } else {
          Optional<Exception> error = answers.take();
          if (error.isPresent()) throw error.get();
          answered++;
        }
      }
      return "sent " + count + " messages of " + size + " octets, all " + outcome;
    }
  }

  private String receive() throws Exception {
    try (Connection connection = open()) {
      Session session = connection.createSession(false, INDIVIDUAL_ACKNOWLEDGE);
      MessageConsumer consumer = session.createConsumer(queue(session));
      for (int number = 0; number < count; number++) {
        Message message = consumer.receive();
        check(message, number);
        message.setIntProperty("JMS_AMQP_ACK_TYPE", OUTCOMES.indexOf(outcome) + 1);
        message.acknowledge();
      }
      return "received " + count + " messages of " + size + " octets, all " + outcome;
    }
  }

  private void check(Message message, int number) throws JMSException {
    byte[] content = message.getBody(byte[].class);
    if (message.getIntProperty("number") != number || !Arrays.equals(content, body(number))) {
      throw new RuntimeException("message " + number + " is " + message + " with " + content.length + " octets");
    }
    String failures = given.get("delivery-count");
    int delivered = message.getIntProperty("JMSXDeliveryCount") - 1;
    if (failures != null && delivered != Integer.parseInt(failures)) {
      throw new RuntimeException("delivery count is " + delivered + ", not " + failures);
    }
  }

  private String empty() throws Exception {
    try (Connection connection = open()) {
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      // A receive that finds nothing drains the link.
      Message message = session.createConsumer(queue(session)).receiveNoWait();
      if (message != null) throw new RuntimeException("there is " + message);
      return "the node is empty";
    }
  }

  // A request that is answered on a temporary queue, by another connection.
  private String request() throws Exception {
    try (Connection client = open(); Connection service = open()) {
      Session asking = client.createSession(false, Session.AUTO_ACKNOWLEDGE);
      Session serving = service.createSession(false, Session.AUTO_ACKNOWLEDGE);
      MessageConsumer requests = serving.createConsumer(queue(serving));
      MessageProducer producer = asking.createProducer(queue(asking)), answers = serving.createProducer(null);
      TemporaryQueue temporary = asking.createTemporaryQueue();
      MessageConsumer replies = asking.createConsumer(temporary);
      for (int number = 0; number < count; number++) {
        Message request = message(asking, number);
        request.setJMSReplyTo(temporary);
        producer.send(request);
        Message asked = requests.receive(), reply = message(serving, number);
        reply.setJMSCorrelationID(asked.getJMSMessageID());
        answers.send(asked.getJMSReplyTo(), reply);
        Message answer = replies.receive();
        check(answer, number);
        if (!request.getJMSMessageID().equals(answer.getJMSCorrelationID())) throw new RuntimeException("answer to " + answer.getJMSCorrelationID());
      }
      replies.close();
      temporary.delete();
      return count + " requests answered";
    }
  }

  // Looks at what waits; all of it must stay.
  private String browse() throws Exception {
    try (Connection connection = open()) {
      Session session = connection.createSession(false, Session.AUTO_ACKNOWLEDGE);
      int seen = 0;
      for (var messages = session.createBrowser(queue(session)).getEnumeration(); messages.hasMoreElements(); seen++) {
        check((Message) messages.nextElement(), seen);
      }
      if (seen != count) throw new RuntimeException("saw " + seen + " messages, not " + count);
      return "saw " + seen + " messages";
    }
  }
}
