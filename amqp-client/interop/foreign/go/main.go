// A foreign AMQP client on go-amqp; README.md in the folder above describes the command line.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/Azure/go-amqp"
)

var (
	host     = flag.String("host", "127.0.0.1", "")
	port     = flag.Int("port", 5672, "")
	user     = flag.String("user", "", "")
	password = flag.String("password", "", "")
	address  = flag.String("address", "interop", "")
	count    = flag.Int("count", 1, "")
	size     = flag.Int("size", 100, "")
	outcome  = flag.String("outcome", "accepted", "")
	failures = flag.Int("delivery-count", -1, "")
	window   = flag.Int("window", 100, "")
	patience = flag.Int("timeout", 60, "")
	refused  = flag.Bool("refused", false, "")
	fails    = flag.String("fails", "", "")
	tls12    = flag.Bool("tls12", false, "")
	ca       = flag.String("ca", "", "")
	cert     = flag.String("certificate", "", "")
	key      = flag.String("key", "", "")
)

func main() {
	command := ""
	if len(os.Args) > 1 {
		command = os.Args[1]
		flag.CommandLine.Parse(os.Args[2:])
	}
	commands := map[string]func(context.Context) (string, error){
		"connect": connect, "send": send, "receive": receive, "empty": empty,
	}
	run, known := commands[command]
	if !known {
		fmt.Fprintln(os.Stderr, "go-amqp: there are connect, send, receive and empty")
		os.Exit(1)
	}
	context, cancel := context.WithTimeout(context.Background(), time.Duration(*patience)*time.Second)
	defer cancel()
	started := time.Now()
	report, err := run(context)
	if *fails != "" {
		seen := strings.NewReplacer(" ", "-", "_", "-").Replace(strings.ToLower(fmt.Sprint(err)))
		switch {
		case err == nil:
			err = errors.New("no failure")
		case strings.Contains(seen, *fails):
			report, err = "failed, "+err.Error(), nil
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "go-amqp %s: %v\n", command, err)
		os.Exit(1)
	}
	fmt.Printf("go-amqp %s: %s in %.2f s\n", command, report, time.Since(started).Seconds())
}

// The octets of message number.
func body(number int) []byte {
	octets := make([]byte, *size)
	for i := range octets {
		octets[i] = byte((number + i) % 251)
	}
	return octets
}

func dial(context context.Context) (*amqp.Conn, error) {
	sasl := amqp.SASLTypeAnonymous()
	if *user != "" {
		sasl = amqp.SASLTypePlain(*user, *password)
	}
	scheme, config := "amqp", (*tls.Config)(nil)
	if *ca != "" {
		authority, err := os.ReadFile(*ca)
		if err != nil {
			return nil, err
		}
		scheme, config = "amqps", &tls.Config{RootCAs: x509.NewCertPool()}
		config.RootCAs.AppendCertsFromPEM(authority)
		if *tls12 {
			config.MaxVersion = tls.VersionTLS12
		}
	}
	if *cert != "" {
		own, err := tls.LoadX509KeyPair(*cert, *key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{own}
		sasl = amqp.SASLTypeExternal("")
	}
	options := amqp.ConnOptions{SASLType: sasl, TLSConfig: config}
	return amqp.Dial(context, fmt.Sprintf("%s://%s:%d", scheme, *host, *port), &options)
}

func session(context context.Context) (*amqp.Conn, *amqp.Session, error) {
	connection, err := dial(context)
	if err != nil {
		return nil, nil, err
	}
	session, err := connection.NewSession(context, nil)
	return connection, session, err
}

func connect(context context.Context) (string, error) {
	connection, err := dial(context)
	switch {
	case err != nil && *refused && strings.Contains(err.Error(), "auth failed"):
		return "refused", nil
	case err != nil:
		return "", err
	case *refused:
		return "", errors.New("the peer let us in")
	}
	return "opened and closed", connection.Close()
}

func name(state amqp.DeliveryState) string {
	switch state.(type) {
	case *amqp.StateAccepted:
		return "accepted"
	case *amqp.StateRejected:
		return "rejected"
	case *amqp.StateReleased:
		return "released"
	case *amqp.StateModified:
		return "modified"
	}
	return fmt.Sprintf("%T", state)
}

func send(context context.Context) (string, error) {
	connection, session, err := session(context)
	if err != nil {
		return "", err
	}
	settled := *outcome == "settled"
	mode := amqp.SenderSettleModeUnsettled
	if settled {
		mode = amqp.SenderSettleModeSettled
	}
	sender, err := session.NewSender(context, *address, &amqp.SenderOptions{SettlementMode: &mode})
	if err != nil {
		return "", err
	}
	var receipts []amqp.SendReceipt
	answered := 0
	answer := func() error {
		state, err := receipts[0].Wait(context)
		if err == nil && name(state) != *outcome {
			err = fmt.Errorf("message %d was %s, not %s", answered, name(state), *outcome)
		}
		receipts = receipts[1:]
		answered++
		return err
	}
	for number := range *count {
		message := amqp.NewMessage(body(number))
		message.Properties = &amqp.MessageProperties{MessageID: uint64(number)}
		if settled {
			err = sender.Send(context, message, nil)
		} else if len(receipts) == *window {
			err = answer()
		}
		if err == nil && !settled {
			var receipt amqp.SendReceipt
			receipt, err = sender.SendWithReceipt(context, message, nil)
			receipts = append(receipts, receipt)
		}
		if err != nil {
			return "", err
		}
	}
	for len(receipts) > 0 {
		if err := answer(); err != nil {
			return "", err
		}
	}
	// The answer to the detach says that the peer has read what was sent before.
	if err := sender.Close(context); err != nil {
		return "", err
	}
	return fmt.Sprintf("sent %d messages of %d octets, all %s", *count, *size, *outcome), connection.Close()
}

// A receiver whose credit is in our hands.
func receiver(context context.Context) (*amqp.Conn, *amqp.Receiver, error) {
	connection, session, err := session(context)
	if err != nil {
		return nil, nil, err
	}
	receiver, err := session.NewReceiver(context, *address, &amqp.ReceiverOptions{Credit: -1})
	return connection, receiver, err
}

func receive(context context.Context) (string, error) {
	connection, receiver, err := receiver(context)
	if err != nil {
		return "", err
	}
	asked := 0
	for number := range *count {
		// Never asks for more than is wanted, so that nothing is taken from others or comes twice.
		if asked-number <= *window/2 && asked < *count {
			more := min(*window, *count-number) - (asked - number)
			if err := receiver.IssueCredit(uint32(more)); err != nil {
				return "", err
			}
			asked += more
		}
		message, err := receiver.Receive(context, nil)
		if err == nil {
			err = check(message, number)
		}
		if err == nil {
			err = answer(context, receiver, message)
		}
		if err != nil {
			return "", fmt.Errorf("message %d: %w", number, err)
		}
	}
	if err := receiver.Close(context); err != nil {
		return "", err
	}
	return fmt.Sprintf("received %d messages of %d octets, all %s", *count, *size, *outcome), connection.Close()
}

func check(message *amqp.Message, number int) error {
	if message.Properties == nil || message.Properties.MessageID != uint64(number) {
		return fmt.Errorf("properties are %+v", message.Properties)
	}
	if !bytes.Equal(message.GetData(), body(number)) {
		return fmt.Errorf("body differs (%d octets for %d)", len(message.GetData()), *size)
	}
	delivered := uint32(0)
	if message.Header != nil {
		delivered = message.Header.DeliveryCount
	}
	if *failures >= 0 && delivered != uint32(*failures) {
		return fmt.Errorf("delivery count is %d, not %d", delivered, *failures)
	}
	return nil
}

func answer(context context.Context, receiver *amqp.Receiver, message *amqp.Message) error {
	switch *outcome {
	case "accepted":
		return receiver.AcceptMessage(context, message)
	case "rejected":
		return receiver.RejectMessage(context, message, &amqp.Error{Condition: "amqp:precondition-failed", Description: "as asked"})
	case "released":
		return receiver.ReleaseMessage(context, message)
	case "modified":
		return receiver.ModifyMessage(context, message, &amqp.ModifyMessageOptions{DeliveryFailed: true})
	}
	return fmt.Errorf("there is no outcome %s", *outcome)
}

func empty(whole context.Context) (string, error) {
	connection, receiver, err := receiver(whole)
	if err != nil {
		return "", err
	}
	if err := receiver.IssueCredit(1); err != nil {
		return "", err
	}
	// This library's drain takes the credit back: a message that is there has to come before.
	moment, cancel := context.WithTimeout(whole, 300*time.Millisecond)
	defer cancel()
	if message, err := receiver.Receive(moment, nil); !errors.Is(err, context.DeadlineExceeded) {
		return "", fmt.Errorf("not empty: %+v, %v", message, err)
	}
	if err := receiver.DrainCredit(whole, nil); err != nil {
		return "", fmt.Errorf("the drain was not answered: %w", err)
	}
	if message := receiver.Prefetched(); message != nil {
		return "", fmt.Errorf("not empty: %+v", message.Properties)
	}
	return "the node is empty", connection.Close()
}
