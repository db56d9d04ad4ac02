package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"regexp"
	"strings"
	"testing"
	"time"

	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/alertingtest/smtpd"
	"imwatch/alerting/webhook"
	"imwatch/event"
)

// receivers are those who are told. They live in the test's own process and outlive every kill.
type receivers struct {
	robot *robot.Robot // WeCom and the webhook
	mail  *smtpd.Server
}

func newReceivers(t *testing.T) *receivers {
	t.Helper()
	bot, err := robot.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(bot.Close)
	post, err := smtpd.New(smtpd.Options{Username: mailUser, Password: mailSecret})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(post.Close)
	return &receivers{bot, post}
}

// notice is one message that a receiver took.
type notice struct {
	receiver string
	kind     string // firing, updated, resolved or repeat
	alert    string // id
	at       time.Time
	line     *event.Alert // the webhook has it
}

func (n notice) String() string { return fmt.Sprintf("%s: %s %s", n.receiver, n.kind, n.alert) }

// notices gives all messages so far. One that does not say what it should is a failure of the test.
func (r *receivers) notices(t *testing.T) []notice {
	t.Helper()
	var all []notice
	for _, m := range r.robot.Received() {
		var n notice
		var err error
		if m.Provider == robot.Webhook {
			n, err = readHook(m)
		} else {
			n, err = readRobot(m)
		}
		if err != nil {
			t.Fatalf("%s got what it cannot read: %v\n%s", m.Provider, err, m.Body)
		}
		all = append(all, n)
	}
	for _, m := range r.mail.Received() {
		n, err := readMail(m)
		if err != nil {
			t.Fatalf("a mail cannot be read: %v\n%s", err, m.Data)
		}
		all = append(all, n)
	}
	return all
}

func readHook(m robot.Message) (notice, error) {
	if err := webhook.Verify(hookSecret, m.Header.Get(webhook.SignatureHeader), m.Body, m.At, time.Minute); err != nil {
		return notice{}, err
	}
	var body struct {
		Kind  string       `json:"kind"`
		Alert *event.Alert `json:"alert"`
	}
	if err := json.Unmarshal(m.Body, &body); err != nil {
		return notice{}, err
	}
	if body.Alert == nil {
		return notice{}, fmt.Errorf("no alert in it")
	}
	return notice{"hook", body.Kind, body.Alert.ID, m.At, body.Alert}, nil
}

var (
	kindInTitle = regexp.MustCompile(`^[*]*(?:<font color="\w+">)?\[([A-Z]+)\]`)
	idInRobot   = regexp.MustCompile(`· ([0-9a-f]+)</font>$`)
	idInMail    = regexp.MustCompile(`(?m)^Alert: +([0-9a-f]+)\r?$`)
)

func readRobot(m robot.Message) (notice, error) {
	kind, id := kindInTitle.FindStringSubmatch(m.Text), idInRobot.FindStringSubmatch(strings.TrimSpace(m.Text))
	if kind == nil || id == nil {
		return notice{}, fmt.Errorf("no kind or no id in %q", m.Text)
	}
	return notice{"robot", strings.ToLower(kind[1]), id[1], m.At, nil}, nil
}

func readMail(m smtpd.Mail) (notice, error) {
	if !m.TLS || m.User != mailUser {
		return notice{}, fmt.Errorf("sent without TLS or as %q", m.User)
	}
	letter, err := mail.ReadMessage(bytes.NewReader(m.Data))
	if err != nil {
		return notice{}, err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(letter.Header.Get("Subject"))
	if err != nil {
		return notice{}, err
	}
	text, err := plainText(letter.Header.Get("Content-Type"), letter.Body)
	if err != nil {
		return notice{}, err
	}
	kind, id := kindInTitle.FindStringSubmatch(subject), idInMail.FindStringSubmatch(text)
	if kind == nil || id == nil {
		return notice{}, fmt.Errorf("no kind in %q or no id in %q", subject, text)
	}
	return notice{"mail", strings.ToLower(kind[1]), id[1], m.At, nil}, nil
}

// plainText gives the part of a mail for those who read no HTML. It stands first, within a part of its own where the mail
// has a picture.
func plainText(kind string, body io.Reader) (string, error) {
	_, params, err := mime.ParseMediaType(kind)
	if err != nil {
		return "", err
	}
	for parts := multipart.NewReader(body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if err != nil {
			return "", fmt.Errorf("no part text/plain: %w", err)
		}
		kind := p.Header.Get("Content-Type")
		if strings.HasPrefix(kind, "multipart/") {
			return plainText(kind, p)
		}
		if !strings.HasPrefix(kind, "text/plain") {
			continue
		}
		var r io.Reader = p
		if strings.EqualFold(p.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
			r = quotedprintable.NewReader(p)
		}
		text, err := io.ReadAll(r)
		return string(text), err
	}
}
