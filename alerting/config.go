package alerting

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"imwatch/alerting/api"
	"imwatch/alerting/deliver"
	"imwatch/alerting/flap"
	"imwatch/alerting/inhibit"
	"imwatch/alerting/oncall"
	"imwatch/alerting/render"
	"imwatch/alerting/route"
	"imwatch/alerting/silence"
)

// Config is the stage's configuration. Begin with DefaultConfig.
type Config struct {
	Group          string             `yaml:"group" doc:"consumer group; alerters with the same one share the work"`
	Batch          int                `yaml:"batch" doc:"state changes taken from the bus at once, at most"`
	Language       string             `yaml:"language" doc:"language of notifications, en or zh; a receiver may have its own"`
	TimeZone       string             `yaml:"time_zone" doc:"zone of the times in notifications, an IANA name such as Asia/Shanghai"`
	Links          render.Links       `yaml:"links" doc:"where the links of notifications lead"`
	Templates      string             `yaml:"templates" doc:"folder with templates that take the place of built-in ones: LANGUAGE/NAME, such as zh/wecom.txt"`
	Receivers      []Receiver         `yaml:"receivers" doc:"who can be told; without any, alerts are only kept"`
	Route          route.Config       `yaml:"route" doc:"who is told what; without it, by severity: warn by e-mail, high by e-mail and SMS, critical by webhook and WeCom"`
	API            api.Config         `yaml:"api" doc:"the HTTP interface for people: what fires, silences, acknowledgements"`
	OnCall         oncall.Config      `yaml:"oncall" doc:"who is on call: people, and schedules that routes name"`
	Silences       []*silence.Silence `yaml:"silences" doc:"silences that always stand, such as weekly maintenance; others are made by people"`
	SilenceWarning time.Duration      `yaml:"silence_warning" doc:"how long before a silence that somebody made ends people are warned, while alerts that it holds still fire; 0: never"`
	Inhibit        []inhibit.Rule     `yaml:"inhibit" doc:"which alerts are not told while another one fires that they follow from"`
	Flapping       flap.Config        `yaml:"flapping" doc:"what fires again and again is said to, and not told each time"`
	Delivery       deliver.Config     `yaml:"delivery" doc:"attempts and their repetition"`
	Refresh        time.Duration      `yaml:"refresh" doc:"how often to look in the store for what people told another alerter: silences and acknowledgements count there after this"`
	Sweep          time.Duration      `yaml:"sweep" doc:"how often to look in the store for notifications that another alerter left behind"`
	StopTimeout    time.Duration      `yaml:"stop_timeout" doc:"how long to wait, when stopping, for attempts under way"`
}

// DefaultConfig gives the defaults: no receivers.
func DefaultConfig() Config {
	return Config{
		Group: "imwatch-alerting", Batch: 200, Language: "en", TimeZone: "UTC", Links: render.Links{DataView: "imwatch-events"},
		Flapping: flap.DefaultConfig(), API: api.DefaultConfig(), Delivery: deliver.DefaultConfig(), SilenceWarning: 15 * time.Minute, Refresh: 5 * time.Second, Sweep: 30 * time.Second, StopTimeout: 10 * time.Second,
	}
}

// Renderer makes what puts alerts into words, by a valid configuration.
func (c Config) Renderer() (*render.Renderer, error) {
	zone, err := time.LoadLocation(c.TimeZone)
	if err != nil {
		return nil, fmt.Errorf("time_zone: %w", err)
	}
	o := render.Options{Zone: zone, Links: c.Links}
	if c.Templates != "" {
		o.Templates = os.DirFS(c.Templates)
	}
	return render.New(o)
}

// Validate gives all faults, each with its key.
func (c Config) Validate() error {
	var errs []error
	fault := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if c.Group == "" {
		fault("group", "a name is needed")
	}
	if c.Batch < 1 || c.Batch > 10_000 {
		fault("batch", "found %d, expected 1 to 10000", c.Batch)
	}
	if !slices.Contains(render.Languages(), c.Language) {
		fault("language", "found %q, expected %s", c.Language, strings.Join(render.Languages(), " or "))
	}
	if _, err := time.LoadLocation(c.TimeZone); err != nil {
		fault("time_zone", "found %q, expected an IANA name such as Asia/Shanghai", c.TimeZone)
	}
	if c.Sweep < time.Second {
		fault("sweep", "found %v, expected at least 1s", c.Sweep)
	}
	if c.Refresh < time.Second {
		fault("refresh", "found %v, expected at least 1s", c.Refresh)
	}
	if c.SilenceWarning < 0 || c.SilenceWarning > 24*time.Hour {
		fault("silence_warning", "found %v, expected 0 to 24h", c.SilenceWarning)
	}
	if c.StopTimeout <= 0 {
		fault("stop_timeout", "found %v, expected more than 0", c.StopTimeout)
	}
	if c.Templates != "" {
		if _, err := render.New(render.Options{Templates: os.DirFS(c.Templates)}); err != nil {
			errs = append(errs, err)
		}
	}
	errs = append(errs, c.validateHolds()...)
	errs = append(errs, c.OnCall.Validate("oncall", receiverNames(c.Receivers), time.Now()))
	errs = append(errs, c.Links.Validate("links"), validateReceivers(c.Receivers), c.Delivery.Validate("delivery"))
	if !c.Route.IsZero() {
		errs = append(errs, c.Route.Validate("route", append(receiverNames(c.Receivers), onCallNames(c.OnCall)...)))
	}
	return errors.Join(errs...)
}

// validateHolds checks what holds alerts back, and the interface by which people do.
func (c Config) validateHolds() (errs []error) {
	prefixed := func(path string, err error) {
		if err == nil {
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			errs = append(errs, fmt.Errorf("%s.%s", path, line))
		}
	}
	prefixed("api", c.API.Validate())
	prefixed("flapping", c.Flapping.Validate())
	ids := map[string]bool{}
	for i, s := range c.Silences {
		at := fmt.Sprintf("silences[%d]", i)
		if s.ID == "" || ids[s.ID] {
			errs = append(errs, fmt.Errorf("%s.id: found %q, expected a name that no other silence has", at, s.ID))
		}
		ids[s.ID] = true
		prefixed(at, s.Validate())
	}
	for i, r := range c.Inhibit {
		prefixed(fmt.Sprintf("inhibit[%d]", i), r.Validate())
	}
	return errs
}
