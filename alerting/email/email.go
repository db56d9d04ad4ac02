// Package email notifies by mail.
//
// The connection is encrypted and the server's certificate checked unless the configuration says otherwise in so many
// words. A mail's Message-ID follows from the notification, so a mail server or program that sees the same one twice
// can tell; all states of one alert are one thread.
package email

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"html"
	"io"
	"net/mail"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/channel"
	"imwatch/alerting/egress"

	gomail "github.com/wneessen/go-mail"
)

// Mailer sends through one mail server. Safe for concurrent use; each attempt is a connection of its own.
type Mailer struct {
	cfg   Config
	tls   *tls.Config
	now   func() time.Time
	chart Chart
}

// New makes a mailer. now nil: time.Now; chart nil: mails have no picture.
func New(cfg Config, now func() time.Time, chart Chart) (*Mailer, error) {
	m := &Mailer{cfg: cfg, chart: chart, tls: &tls.Config{ServerName: cfg.Host, MinVersion: tls.VersionTLS12}, now: now}
	if cfg.CAFile != "" {
		roots, err := egress.Roots(cfg.CAFile)
		if err != nil {
			return nil, err
		}
		m.tls.RootCAs = roots
	}
	if now == nil {
		m.now = time.Now
	}
	return m, nil
}

// maxText is how long the text of a mail about several alerts may be.
const maxText = 60_000

// Budget gives how many mails these addresses are sent in a minute; what is more is told in one.
func (m *Mailer) Budget() channel.Budget {
	return channel.Budget{
		Key: channel.BudgetKey("email", m.cfg.Host+"\n"+m.cfg.From+"\n"+strings.Join(m.cfg.To, "\n")), Calls: m.cfg.PerMinute, Per: time.Minute, Reserve: m.cfg.Reserve, Fold: maxText,
	}
}

// Close does nothing: no connection outlives its attempt.
func (m *Mailer) Close() {}

// Send makes one attempt: one mail to all addresses that have not accepted yet. If the server refuses some of them,
// each is tried by itself, so that one wrong address does not keep the mail from the others.
func (m *Mailer) Send(ctx context.Context, n channel.Notification) channel.Result {
	var left []string
	for _, to := range m.cfg.To {
		if !slices.Contains(n.Done, to) {
			left = append(left, to)
		}
	}
	if len(left) == 0 {
		return channel.Merge(nil, nil, len(n.Done))
	}
	r, some := m.mail(ctx, n, left)
	if !some || len(left) == 1 {
		if r.Verdict == channel.Accepted {
			r.Took = left
		}
		return r
	}
	var results []channel.Result
	var took []string
	for _, to := range left {
		r, _ := m.mail(ctx, n, []string{to})
		if r.Verdict == channel.Accepted {
			took = append(took, to)
		}
		results = append(results, r)
	}
	return channel.Merge(results, took, len(n.Done))
}

// mail sends one mail. some: the server refused an address before any content was handed over.
func (m *Mailer) mail(ctx context.Context, n channel.Notification, to []string) (r channel.Result, some bool) {
	msg, err := m.compose(ctx, n, to)
	if err != nil {
		return channel.Refuse("composing the mail: %v", err), false
	}
	line := &line{attempt: ctx, implicit: m.cfg.TLS == Implicit, tls: m.tls}
	defer line.close()
	client, err := m.client(ctx, line)
	if err != nil {
		return channel.Refuse("preparing the connection: %v", err), false
	}
	err = client.DialAndSendWithContext(ctx, msg)
	if msg.IsDelivered() { // what went wrong later (RSET, QUIT) does not undo it
		return channel.Accept(msg.ServerResponse()), false
	}
	return judge(err)
}

func (m *Mailer) client(ctx context.Context, line *line) (*gomail.Client, error) {
	opts := []gomail.Option{gomail.WithTLSConfig(m.tls), gomail.WithPort(m.cfg.port()), gomail.WithDialContextFunc(line.dial)}
	if deadline, ok := ctx.Deadline(); ok {
		if left := time.Until(deadline); left > 0 {
			opts = append(opts, gomail.WithTimeout(left))
		}
	}
	switch m.cfg.TLS {
	case Implicit:
		opts = append(opts, gomail.WithSSL())
	case None:
		opts = append(opts, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		opts = append(opts, gomail.WithTLSPolicy(gomail.TLSMandatory))
	}
	if m.cfg.Username != "" {
		// The library's own discovery takes a connection dialled by us for unencrypted, and would leave out PLAIN.
		opts = append(opts, gomail.WithOpportunisticSMTPAuth(mechanisms()...), gomail.WithUsername(m.cfg.Username), gomail.WithPassword(m.cfg.Password))
	}
	if m.cfg.Hello != "" {
		opts = append(opts, gomail.WithHELO(m.cfg.Hello))
	}
	client, err := gomail.NewClient(m.cfg.Host, opts...)
	if err != nil {
		return nil, fmt.Errorf("making the mail client: %w", err)
	}
	return client, nil
}

// mechanisms are the ways to authenticate, best first. The connection is encrypted whenever there is a password.
func mechanisms() []gomail.SMTPAuthType {
	return []gomail.SMTPAuthType{
		gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthCramMD5, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin,
	}
}

func (m *Mailer) compose(ctx context.Context, n channel.Notification, to []string) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	err := errors.Join(msg.From(m.cfg.From), msg.To(to...))
	if err != nil {
		return nil, err
	}
	domain := m.domain()
	thread := "alert." + headerSafe(n.Alert.ID) + "@" + domain
	if n.Group != "" {
		thread = "group." + headerSafe(n.Group) + "@" + domain
	}
	msg.SetMessageIDWithValue(headerSafe(n.ID) + "@" + domain)
	msg.SetGenHeader(gomail.HeaderReferences, "<"+thread+">")
	msg.SetGenHeader(gomail.HeaderInReplyTo, "<"+thread+">")
	msg.SetGenHeader("Auto-Submitted", "auto-generated")
	msg.SetGenHeader("X-Imwatch-Alert", headerSafe(n.Alert.ID))
	msg.SetDateWithValue(m.now())
	msg.Subject(n.Message.Title)
	if n.Alert.Severity == "critical" && n.Loud() {
		msg.SetImportance(gomail.ImportanceUrgent)
	}
	return msg, m.fill(ctx, msg, n)
}

// fill writes text, HTML and the picture, which stands inside the mail: nothing is fetched when it is read.
func (m *Mailer) fill(ctx context.Context, msg *gomail.Msg, n channel.Notification) error {
	picture, ok := Picture{}, false
	if m.chart != nil && n.Message.HTML != "" && n.Kind != channel.Digest {
		picture, ok = m.chart(ctx, &n.Alert)
	}
	text, page := n.Message.Body, strings.ReplaceAll(n.Message.HTML, channel.PictureMark, "")
	if ok {
		id := "chart." + headerSafe(n.ID)
		text += "\n\n" + picture.Line + "\n" + picture.Alt
		page = strings.ReplaceAll(n.Message.HTML, channel.PictureMark, `<img src="cid:`+id+`" alt="`+html.EscapeString(picture.Alt)+
			`" width="520" height="80" style="display:block;margin:8px 0;max-width:100%">`)
		if err := msg.EmbedReader("chart.png", bytes.NewReader(picture.PNG), gomail.WithFileContentID("<"+id+">"), gomail.WithFileContentType("image/png")); err != nil {
			return fmt.Errorf("adding the picture: %w", err)
		}
	}
	msg.SetBodyString(gomail.TypeTextPlain, text)
	if page != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, page)
	}
	return nil
}

// domain is the right side of message ids: that of the sender.
func (m *Mailer) domain() string {
	if a, err := mail.ParseAddress(m.cfg.From); err == nil {
		return a.Address[strings.LastIndexByte(a.Address, '@')+1:]
	}
	return "localhost"
}

// headerSafe keeps what may stand in a message id.
func headerSafe(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.", r) {
			return r
		}
		return '-'
	}, s)
}

// Write writes the mail that would be sent, as it goes over the line.
func (m *Mailer) Write(ctx context.Context, n channel.Notification, w io.Writer) error {
	msg, err := m.compose(ctx, n, m.cfg.To)
	if err != nil {
		return fmt.Errorf("composing the mail: %w", err)
	}
	msg.SetBoundary("imwatch-" + headerSafe(n.ID))
	if _, err := msg.WriteTo(w); err != nil {
		return fmt.Errorf("writing the mail: %w", err)
	}
	return nil
}
