package app

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"imwatch/alerting/api"
	"imwatch/alerting/desk"
	"imwatch/alerting/silence"
	"imwatch/event"
)

// AlertsAPI speaks with the HTTP interface of the alerting.
type AlertsAPI struct {
	Server    string // http://127.0.0.1:9100
	TokenFile string // where the token stands; "": TokenCommand, or Env
	// TokenCommand prints a token, for those that count for a short time; "": Env.
	TokenCommand string
	Env          []string
	JSON         bool // answers as they come, in place of tables
	Out          io.Writer
}

// DefaultAck is how long an acknowledgement counts where nothing is said.
const DefaultAck = desk.DefaultAck

// alertsVariable is the environment's name of a token of the alerting's interface.
const alertsVariable = EnvPrefix + "ALERTS_TOKEN"

// ask calls the interface and decodes its answer into v; with JSON set it prints the answer in place of that.
func (o *AlertsAPI) ask(ctx context.Context, method, path string, query url.Values, body, v any) error {
	token, err := o.token(ctx)
	if err != nil {
		return err
	}
	header := http.Header{"Authorization": {"Bearer " + token}}
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding the request: %w", err)
		}
		sent, header["Content-Type"] = bytes.NewReader(b), []string{"application/json"}
	}
	answer, err := callServer(ctx, method, serverURL(o.Server, "/api/v1"+path, query), sent, header)
	if err != nil {
		return err
	}
	defer answer.Close()
	into := io.Discard
	if o.JSON {
		into = o.Out
	}
	if err := json.NewDecoder(io.TeeReader(answer, into)).Decode(v); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}

// token gives the token to show.
func (o *AlertsAPI) token(ctx context.Context) (string, error) {
	switch {
	case o.TokenCommand == "":
		return readToken(o.TokenFile, o.Env, alertsVariable, "of imwatch up: data/alerts.token")
	case o.TokenFile != "":
		return "", Usagef("--token-file and --token-command: expected one of them")
	}
	return commandToken(ctx, o.TokenCommand)
}

// List prints the alerts of a state that satisfy all conditions: all pages of them.
func (o *AlertsAPI) List(ctx context.Context, state string, match []string) error {
	table := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	if !o.JSON {
		fmt.Fprintln(table, "ALERT\tSEVERITY\tSTATE\tSINCE\tRULE\tKEY\tHELD")
	}
	query := url.Values{"state": {state}, "match": match, "limit": {"1000"}}
	for {
		var page struct {
			Alerts []api.Alert `json:"alerts"`
			Next   string      `json:"next"`
		}
		if err := o.ask(ctx, http.MethodGet, "/alerts", query, nil, &page); err != nil {
			return err
		}
		for i := range page.Alerts {
			if o.JSON {
				break
			}
			if err := printAlert(table, &page.Alerts[i]); err != nil {
				return err
			}
		}
		if page.Next == "" {
			return table.Flush()
		}
		query.Set("after", page.Next)
	}
}

func printAlert(table io.Writer, v *api.Alert) error {
	var a event.Alert
	if err := json.Unmarshal(v.Alert, &a); err != nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	held := "-"
	switch {
	case v.Silence != nil:
		if held = "silenced"; v.Silence.Kind == silence.Maintenance {
			held = "maintenance"
		}
		held += " by " + v.Silence.Author + ": " + v.Silence.Reason
	case v.Inhibited != "":
		held = "follows from " + v.Inhibited
	case v.Ack != nil:
		held = "acknowledged by " + v.Ack.By + " until " + v.Ack.Until.Format(time.RFC3339)
	}
	_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", a.ID, a.Severity, a.State, a.From.Format(time.RFC3339), a.RuleID, a.KeyString(), held)
	return err //nolint:wrapcheck // of the terminal
}

// Show prints one alert with what was told of it, as JSON.
func (o *AlertsAPI) Show(ctx context.Context, id string) error {
	o.JSON = true
	return o.ask(ctx, http.MethodGet, "/alerts/"+url.PathEscape(id), nil, nil, new(api.Alert))
}

// Ack acknowledges an alert for a time, or takes that back.
func (o *AlertsAPI) Ack(ctx context.Context, id string, length time.Duration, note string, back bool) error {
	path := "/alerts/" + url.PathEscape(id) + "/ack"
	var k struct {
		By    string    `json:"by"`
		Until time.Time `json:"until"`
	}
	method, body := http.MethodPost, any(map[string]string{"for": length.String(), "note": note})
	if back {
		method, body = http.MethodDelete, nil
	}
	if err := o.ask(ctx, method, path, nil, body, &k); err != nil || o.JSON {
		return err
	}
	text := "acknowledged by " + k.By + " until " + k.Until.Format(time.RFC3339)
	if back {
		text = "taken back"
	}
	_, err := fmt.Fprintln(o.Out, text)
	return err //nolint:wrapcheck // of the terminal
}
