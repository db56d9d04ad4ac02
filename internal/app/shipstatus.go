package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"imwatch/shipper/status"
)

// ShipOps speaks with the operations listener of a shipper.
type ShipOps struct {
	Server    string // http://127.0.0.1:9100
	TokenFile string // where the token stands; "": Env
	Env       []string
	JSON      bool // answers as JSON, in place of tables
	Out       io.Writer
}

// errUnhealthy makes the exit code of ship status 1; what is wrong was printed.
var errUnhealthy = errors.New("the shipper is unhealthy")

// mostBehind is how many files ship status lists, those that are farthest behind.
const mostBehind = 10

// Status prints how the shipper is. Its error says whether it is unhealthy.
func (o *ShipOps) Status(ctx context.Context) error {
	var answer struct {
		status.Status
		Farthest []status.File `json:"farthest"` // of the files that are behind
	}
	if err := o.get(ctx, "/-/ship", nil, &answer.Status); err != nil {
		return err
	}
	err := o.eachFile(ctx, url.Values{"min_behind": {"1"}}, func(f status.File) error {
		answer.Farthest = append(answer.Farthest, f)
		return nil
	})
	if err != nil && answer.Healthy {
		return err
	}
	slices.SortFunc(answer.Farthest, func(a, b status.File) int {
		return cmp.Or(cmp.Compare(b.LagBytes, a.LagBytes), strings.Compare(a.Path, b.Path))
	})
	answer.Farthest = answer.Farthest[:min(mostBehind, len(answer.Farthest))]
	if o.JSON {
		enc := json.NewEncoder(o.Out)
		enc.SetIndent("", "  ")
		err = enc.Encode(answer)
	} else {
		err = o.printStatus(&answer.Status, answer.Farthest)
	}
	if err == nil && !answer.Healthy {
		err = fmt.Errorf("%w: %s", errUnhealthy, strings.Join(answer.Trouble, "; "))
	}
	return err
}

// Files prints the files that the filters, NAME=VALUE each, ask for: all pages of them.
func (o *ShipOps) Files(ctx context.Context, filters []string) error {
	query, err := filterQuery(filters, "state=rotated or min_lag=30s")
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	if !o.JSON {
		fileHead(table)
	}
	files := 0
	err = o.eachFile(ctx, query, func(f status.File) error {
		files++
		if o.JSON {
			return json.NewEncoder(o.Out).Encode(&f)
		}
		return printFile(table, &f)
	})
	if err != nil && files == 0 {
		return err // a table without a line would say that there are no files
	}
	return errors.Join(err, table.Flush())
}

func (o *ShipOps) eachFile(ctx context.Context, query url.Values, do func(status.File) error) error {
	onePage := query.Has("limit") || query.Has("after")
	if !onePage {
		query.Set("limit", "1000")
	}
	for {
		var page status.Page
		if err := o.get(ctx, "/-/files", query, &page); err != nil {
			return err
		}
		for _, f := range page.Files {
			if err := do(f); err != nil {
				return err
			}
		}
		if page.Next == "" || onePage {
			return nil
		}
		query.Set("after", page.Next)
	}
}

func (o *ShipOps) get(ctx context.Context, path string, query url.Values, into any) error {
	return askOps(ctx, serverURL(o.Server, path, query), o.TokenFile, o.Env, into)
}

func (o *ShipOps) printStatus(s *status.Status, farthest []status.File) error {
	w := tabwriter.NewWriter(o.Out, 0, 8, 2, ' ', 0)
	health := "healthy"
	if !s.Healthy {
		health = "UNHEALTHY"
	}
	fmt.Fprintf(w, "shipper\t%s, %s\n", s.Node, health)
	for _, t := range s.Trouble {
		fmt.Fprintf(w, "\t! %s\n", t)
	}
	states := make([]string, 0, len(s.Files.States))
	for _, name := range status.States() {
		if n := s.Files.States[name]; n > 0 {
			states = append(states, fmt.Sprintf("%d %s", n, name))
		}
	}
	fmt.Fprintf(w, "files\t%d known (%s), %d open, %d behind, %d failing\n", s.Files.Known, strings.Join(states, ", "), s.Files.Open, s.Files.Behind, s.Files.Failing)
	q := &s.Queue
	if q.Dir == "" {
		fmt.Fprintf(w, "queue\tnone on disk, %d entries in memory, the oldest %s\n", q.Entries, seconds(q.Oldest))
	} else {
		fmt.Fprintf(w, "queue\t%s of %s in %d segments, %d entries, the oldest %s; when full: %s\n", size(q.Bytes), size(q.Most), q.Segments, q.Entries, seconds(q.Oldest), q.Full)
	}
	k := &s.Kafka
	last := "nothing acknowledged yet"
	if k.LastAck != nil {
		last = "last acknowledged " + seconds(max(0, s.At.Sub(*k.LastAck).Seconds())) + " ago"
	}
	fmt.Fprintf(w, "kafka\t%d lanes, %d entries (%s) in flight, %s\n", len(k.Lanes), k.InFlight, size(int64(k.Bytes)), last)
	printLastError(w, k.Error, k.ErrorAt)
	fmt.Fprintf(w, "throughput\t%.0f lines/s acknowledged, %.0f lines/s written, %s/s of records\n", s.Throughput.Lines, s.Throughput.Written, size(int64(s.Throughput.Bytes)))
	fmt.Fprintf(w, "lag\t%d lines, %s, the oldest %s; %s\n", s.Lag.Lines, size(s.Lag.Bytes), seconds(s.Lag.Seconds), outlook(s.Lag.Lines, s.Lag.Seconds, s.Lag.ETA, "all is acknowledged"))
	if err := w.Flush(); err != nil || len(farthest) == 0 {
		return err
	}
	fmt.Fprintln(w)
	fileHead(w)
	for i := range farthest {
		if err := printFile(w, &farthest[i]); err != nil {
			return err
		}
	}
	return w.Flush()
}

// keepsUp is how many seconds what comes all the time may be on its way.
const keepsUp = 5

// outlook says what will become of a lag of so many lines, the oldest of so many seconds; none is for no lag.
func outlook(lines int64, age float64, eta *float64, none string) string {
	switch {
	case lines == 0:
		return none
	case age < keepsUp:
		return "it keeps up"
	case eta != nil:
		return "caught up in " + seconds(*eta)
	}
	return "it becomes no less"
}

// printLastError prints what went wrong last, if anything did.
func printLastError(w io.Writer, text string, at *time.Time) {
	if text != "" {
		fmt.Fprintf(w, "\tlast error at %s: %s\n", at.Format(time.RFC3339), text)
	}
}

func fileHead(w io.Writer) {
	fmt.Fprintln(w, "STATE\tSIZE\tREAD\tACKNOWLEDGED\tLAG LINES\tLAG\tOLDEST\tLINES/S\tPATH\tERROR")
}

func printFile(w io.Writer, f *status.File) error {
	_, err := fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%s\t%.0f\t%s\t%s\n", f.State, f.Size, f.Read, f.Acked, f.LagLines, size(f.LagBytes), seconds(f.LagSeconds), f.Rate, f.Path, f.Error)
	return err
}

func seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	if d >= time.Minute {
		return d.Round(time.Second).String()
	}
	return d.Round(time.Millisecond).String()
}

// size prints bytes with a unit.
func size(n int64) string {
	f, unit := float64(n), 0
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for f >= 1024 && unit < len(units)-1 {
		f, unit = f/1024, unit+1
	}
	if unit == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[unit])
}
