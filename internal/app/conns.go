package app

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"imwatch/im-server/ops"
)

// ServerOps speaks with the operations API of an IM server.
type ServerOps struct {
	Server    string // http://127.0.0.1:8081
	TokenFile string // where the token stands; "": Env
	Actor     string // who calls, for the server's log
	Env       []string
	JSON      bool // answers as they come, in place of tables
	Out       io.Writer
}

// tokenVariable is the environment's name of im_server.ops_token.
const tokenVariable = EnvPrefix + "IM_SERVER_OPS_TOKEN"

// call asks the server; the caller closes the body. A refusal is an error with the server's words.
func (o *ServerOps) call(ctx context.Context, method, path string, query url.Values) (io.ReadCloser, error) {
	token, err := readToken(o.TokenFile, o.Env, tokenVariable, "of imwatch up: data/ops.token")
	if err != nil {
		return nil, err
	}
	return callServer(ctx, method, serverURL(o.Server, path, query), nil, http.Header{
		"Authorization": {"Bearer " + token}, ops.HeaderActor: {o.Actor},
	})
}

// filterQuery makes a query of filters, NAME=VALUE each; such shows what they look like to who wrote one wrong.
func filterQuery(filters []string, such string) (url.Values, error) {
	query := url.Values{}
	for _, f := range filters {
		name, value, ok := strings.Cut(f, "=")
		if !ok {
			return nil, Usagef("found %q, expected FILTER=VALUE such as %s", f, such)
		}
		query.Add(name, value)
	}
	return query, nil
}

// List prints the connections that the filters, NAME=VALUE each, ask for: all pages of them.
func (o *ServerOps) List(ctx context.Context, filters []string) error {
	query, err := filterQuery(filters, "user=u-1 or min_age=5m")
	if err != nil {
		return err
	}
	onePage := query.Has("limit") || query.Has("after")
	if !onePage {
		query.Set("limit", "1000")
	}
	table := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	if !o.JSON {
		fmt.Fprintln(table, "CONNECTION\tUSER\tDEVICE\tADDRESS\tSTATE\tAGE\tIDLE\tRTT\tQUEUED\tUNACKED\tEND")
	}
	for {
		page, err := o.page(ctx, query)
		if err != nil {
			return err
		}
		for i := range page.Conns {
			if err := o.printConn(table, &page.Conns[i]); err != nil {
				return err
			}
		}
		if page.Next == "" || onePage {
			return table.Flush()
		}
		query.Set("after", page.Next)
	}
}

func (o *ServerOps) page(ctx context.Context, query url.Values) (page ops.Page, err error) {
	body, err := o.call(ctx, http.MethodGet, "/-/conns", query)
	if err != nil {
		return page, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&page); err != nil {
		return page, fmt.Errorf("reading the server's answer: %w", err)
	}
	return page, nil
}

func (o *ServerOps) printConn(table io.Writer, c *ops.Conn) error {
	if o.JSON {
		return json.NewEncoder(o.Out).Encode(c)
	}
	end := ""
	if c.End != nil {
		end = fmt.Sprintf("%s (%d, %s)", c.End.Reason, c.End.Code, c.End.Initiator)
	}
	_, err := fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\t%v\t%v\t%.1fms\t%d\t%d\t%s\n", c.ID, c.User, c.Device, c.IP, c.State,
		round(c.AgeMS), round(c.IdleMS), c.RTTMS, c.Bytes, c.Unacked, end)
	return err
}

func round(ms int64) time.Duration {
	d := time.Duration(ms) * time.Millisecond
	if d > time.Minute {
		return d.Round(time.Second)
	}
	return d
}

// Show prints one connection, open or among the last ends.
func (o *ServerOps) Show(ctx context.Context, id string) error {
	return o.copy(ctx, http.MethodGet, "/-/conns/"+url.PathEscape(id), nil)
}

// Kick ends a connection, or with user=USER all of a user.
func (o *ServerOps) Kick(ctx context.Context, who string) error {
	return o.copy(ctx, http.MethodPost, pathOf(who)+"/kick", nil)
}

// Trace follows the frames of a connection, or with user=USER of all of a user, and prints them as they come.
func (o *ServerOps) Trace(ctx context.Context, who string, length time.Duration) error {
	return o.copy(ctx, http.MethodGet, pathOf(who)+"/trace", url.Values{"for": {length.String()}})
}

func pathOf(who string) string {
	if user, ok := strings.CutPrefix(who, "user="); ok {
		return "/-/users/" + url.PathEscape(user)
	}
	return "/-/conns/" + url.PathEscape(who)
}

func (o *ServerOps) copy(ctx context.Context, method, path string, query url.Values) error {
	body, err := o.call(ctx, method, path, query)
	if err != nil {
		return err
	}
	defer body.Close()
	if _, err := io.Copy(o.Out, body); err != nil && ctx.Err() == nil {
		return fmt.Errorf("reading the server's answer: %w", err)
	}
	return nil
}
