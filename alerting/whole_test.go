package alerting_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"imwatch/alerting"
	"imwatch/alerting/alertingtest/robot"
	"imwatch/alerting/alertingtest/smtpd"
	"imwatch/alerting/deliver"
	"imwatch/alerting/email"
	"imwatch/alerting/route"
	"imwatch/alerting/sms"
	"imwatch/alerting/webhook"
	"imwatch/alerting/wecom"
	"imwatch/event"
	"imwatch/internal/bus"
	"imwatch/internal/bus/membus"
	"imwatch/internal/store"
	"imwatch/internal/store/sqlite"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/sirupsen/logrus"
)

// world is a real store, a robot and a mail server on sockets, and a bus.
type world struct {
	t      testing.TB
	bus    *membus.Bus
	store  *sqlite.Store
	robot  *robot.Robot
	mail   *smtpd.Server
	caFile string
	log    *logrus.Logger
	logs   *bytes.Buffer
	route  route.Config
}

const smtpPassword, hookSecret, smsToken = "pa55-of-smtp", "s3cret-of-hook", "tok3n-of-sms"

func newWorld(tb testing.TB) *world {
	tb.Helper()
	w := &world{t: tb, bus: membus.New(), logs: &bytes.Buffer{}, log: logrus.New()}
	w.log.SetOutput(w.logs)
	w.log.SetLevel(logrus.TraceLevel)
	if err := w.bus.EnsureTopics(tb.Context(), bus.TopicSpec{Name: bus.TopicAlerts, Partitions: 3}); err != nil {
		tb.Fatal(err)
	}
	quiet := logrus.New()
	quiet.SetOutput(io.Discard)
	var err error
	if w.store, err = sqlite.Open(sqlite.Config{Dir: tb.TempDir(), MaxOpenFiles: 16}, quiet, nil); err != nil {
		tb.Fatal(err)
	}
	if w.robot, err = robot.New(); err != nil {
		tb.Fatal(err)
	}
	if w.mail, err = smtpd.New(smtpd.Options{Username: "watch", Password: smtpPassword}); err != nil {
		tb.Fatal(err)
	}
	w.caFile = filepath.Join(tb.TempDir(), "ca.pem")
	if err := os.WriteFile(w.caFile, w.mail.CA(), 0o600); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		w.robot.Close()
		w.mail.Close()
		if err := w.store.Close(); err != nil {
			tb.Error(err)
		}
	})
	return w
}

func (w *world) config() alerting.Config {
	cfg := alerting.DefaultConfig()
	cfg.Delivery = deliver.Config{Timeout: 2 * time.Second, First: 20 * time.Millisecond, Max: time.Second, Deadline: time.Minute, Lease: 4 * time.Second}
	cfg.Sweep, cfg.StopTimeout = time.Second, 2*time.Second
	team := alerting.NewReceiver("team")
	wc := wecom.DefaultConfig()
	wc.URL = w.robot.URL()
	team.WeCom, team.Language = &wc, "zh"
	mails := alerting.NewReceiver("mails")
	mc := email.DefaultConfig()
	mc.Host, mc.Port, mc.CAFile, mc.Username, mc.Password = w.mail.Host(), w.mail.Port(), w.caFile, "watch", smtpPassword
	mc.From, mc.To = "imwatch@example.org", []string{"ops@example.org"}
	mails.Email = &mc
	hook := alerting.NewReceiver("hook")
	hook.Webhook = &webhook.Config{URL: w.robot.WebhookURL(), Secret: hookSecret, AllowPrivate: true}
	phones := alerting.NewReceiver("phones")
	sc := sms.DefaultConfig()
	sc.URL, sc.Numbers, sc.Token, sc.AllowPrivate = w.robot.SMSURL(), []string{"+8613800000001"}, smsToken, true
	sc.Form, sc.Success = map[string]string{"to": "{{.Number}}", "text": "{{.Text}}", "token": "{{.Token}}"}, `code == "OK"`
	phones.SMS = &sc
	cfg.Receivers, cfg.Route = []alerting.Receiver{team, mails, hook, phones}, w.route
	return cfg
}

func (w *world) run(reg prometheus.Registerer) (stop func()) {
	w.t.Helper()
	a, err := alerting.New(w.config(), alerting.Deps{Bus: w.bus, Store: w.store, Log: w.log, Registerer: reg})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Error(err)
		}
	}
}

func (w *world) produce(alerts ...*event.Alert) {
	w.t.Helper()
	for _, a := range alerts {
		b, err := json.Marshal(a)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := w.bus.Produce(w.t.Context(), bus.TopicAlerts, bus.Message{Key: []byte(a.ID), Value: b}); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) wait(calls, mails int) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	if _, err := w.robot.Wait(ctx, func(ms []robot.Message) bool { return len(ms) >= calls }); err != nil {
		w.t.Fatalf("%v\n%s", err, w.logs)
	}
	if _, err := w.mail.Wait(ctx, func(ms []smtpd.Mail) bool { return len(ms) >= mails }); err != nil {
		w.t.Fatalf("%v\n%s", err, w.logs)
	}
}

func with(a *event.Alert, severity, notify string) *event.Alert {
	a.Severity = severity
	if notify != "" {
		a.Labels = map[string]string{alerting.NotifyLabel: notify}
	}
	return a
}

// TestEveryChannelForReal sends by the default policy to all four providers over sockets, with troubles at each, stops
// in between, and has everything accepted once.
func TestEveryChannelForReal(t *testing.T) {
	w := newWorld(t)
	reg := prometheus.NewRegistry()
	from := time.Now().UTC().Add(-time.Second)
	w.robot.Plan(robot.WeCom, robot.Answer{Body: `{"errcode":-1,"errmsg":"system busy"}`})
	w.robot.Plan(robot.Webhook, robot.Answer{Status: 503}, robot.Answer{Status: 502})
	w.robot.Plan(robot.SMS, robot.Answer{Status: 500})
	stop := w.run(reg)
	w.produce(
		with(state("burst", "firing", from, 0), "high", "wecom"), with(state("fatal", "firing", from, 0), "critical", ""),
		with(state("five", "firing", from, 0), "high", "email,sms"), with(state("mild", "firing", from, 0), "warn", ""),
	)
	w.wait(4, 2)
	stop()
	w.produce(with(state("burst", "resolved", from, 60), "high", "wecom"), with(state("mild", "resolved", from, 60), "warn", ""))
	stop = w.run(nil)
	w.wait(5, 3)
	stop()

	got := map[string]int{}
	for _, m := range w.robot.Received() {
		for _, id := range []string{"burst", "fatal", "five", "mild"} {
			if strings.Contains(m.Text, "Rule "+id) {
				got[string(m.Provider)+" "+id]++
			}
		}
	}
	for _, m := range w.mail.Received() {
		parsed, err := mail.ReadMessage(bytes.NewReader(m.Data))
		if err != nil {
			t.Fatal(err)
		}
		got["mail "+parsed.Header.Get("X-Imwatch-Alert")]++
	}
	want := map[string]int{"wecom burst": 2, "wecom fatal": 1, "webhook fatal": 1, "sms five": 1, "mail five": 1, "mail mild": 2}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	w.checkLedger(8)
	w.checkSecrets()
	checkMetrics(t, reg)
}

func (w *world) checkLedger(sent int64) {
	w.t.Helper()
	if err := w.store.Refresh(w.t.Context(), "im-*"); err != nil {
		w.t.Fatal(err)
	}
	states := map[string]int64{}
	for hit, err := range w.store.Search(w.t.Context(), store.Query{Indices: "im-notify-*"}) {
		if err != nil {
			w.t.Fatal(err)
		}
		var d struct {
			IM struct {
				Notify struct{ State, Answer string }
			} `json:"im"`
		}
		if err := hit.JSON(&d); err != nil || d.IM.Notify.Answer == "" {
			w.t.Errorf("%s: %v", hit.Body, err)
		}
		states[d.IM.Notify.State]++
	}
	if diff := cmp.Diff(map[string]int64{"sent": sent}, states); diff != "" {
		w.t.Errorf("ledger: -want +got\n%s", diff)
	}
}

// checkSecrets looks for secrets where they must not be: in logs and in the store.
func (w *world) checkSecrets() {
	w.t.Helper()
	everything := w.logs.String()
	for hit, err := range w.store.Search(w.t.Context(), store.Query{Indices: "im-*"}) {
		if err != nil {
			w.t.Fatal(err)
		}
		everything += string(hit.Body)
	}
	for _, secret := range []string{robot.Key, smtpPassword, hookSecret, smsToken, "13800000001"} {
		if strings.Contains(everything, secret) {
			w.t.Errorf("%s stands in a log or in the store", secret)
		}
	}
}

// gathered gives what a registry has, by name and values of labels; of histograms the count.
func gathered(t *testing.T, reg *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			switch {
			case m.GetCounter() != nil:
				got[name] = m.GetCounter().GetValue()
			case m.GetGauge() != nil:
				got[name] = m.GetGauge().GetValue()
			default:
				got[name] = float64(m.GetHistogram().GetSampleCount())
			}
		}
	}
	return got
}

func checkMetrics(t *testing.T, reg *prometheus.Registry) {
	t.Helper()
	got := gathered(t, reg)
	want := map[string]float64{
		"im_alerting_alerts_total firing": 4, "im_alerting_notifications_total wecom accepted": 2, "im_alerting_notifications_total wecom retry": 1,
		"im_alerting_notifications_total webhook retry": 2, "im_alerting_retries_total webhook": 2, "im_alerting_notifications_total email accepted": 2,
		"im_alerting_latency_seconds sms": 1, "im_alerting_first_line_seconds sms": 1, "im_alerting_pending team": 0, "im_alerting_pending_age_seconds team": 0, "im_alerting_dropped_total unrouted": 0,
		"im_alerting_notifications_total sms permanent": 0, "im_alerting_notifications_total webhook expired": 0,
	}
	for name := range maps.Keys(want) {
		if v, ok := got[name]; !ok || v != want[name] {
			t.Errorf("%s is %v (there: %v), want %v", name, v, ok, want[name])
		}
	}
}

// TestAcceptedWithoutAnswer is the case that no ledger can decide: the provider took the message and the answer never
// came. It is sent again, under the same id.
func TestAcceptedWithoutAnswer(t *testing.T) {
	w := newWorld(t)
	w.robot.Plan(robot.Webhook, robot.Answer{Accept: true, Hang: true})
	stop := w.run(nil)
	w.produce(with(state("fatal", "firing", time.Now().UTC(), 0), "critical", "webhook"))
	w.wait(2, 0)
	stop()
	got := w.robot.Received()
	if len(got) != 2 || got[0].Header.Get("Idempotency-Key") == "" || got[0].Header.Get("Idempotency-Key") != got[1].Header.Get("Idempotency-Key") {
		t.Errorf("%+v", got)
	}
	w.checkLedger(1)
}
