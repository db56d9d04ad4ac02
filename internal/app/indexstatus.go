package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"imwatch/shipper/index/status"
)

// IndexOps speaks with the operations listener of an indexer.
type IndexOps struct {
	Server    string // http://127.0.0.1:9100
	TokenFile string // where the token stands; "": Env
	Env       []string
	JSON      bool // the answer as JSON, in place of tables
	Out       io.Writer
}

// errIndexUnhealthy makes the exit code of index status 1; what is wrong was printed.
var errIndexUnhealthy = errors.New("the indexer is unhealthy")

// Status prints how the indexers are. Its error says whether one is unhealthy.
func (o *IndexOps) Status(ctx context.Context) error {
	var r status.Report
	if err := askOps(ctx, serverURL(o.Server, "/-/index", nil), o.TokenFile, o.Env, &r); err != nil {
		return err
	}
	if o.JSON {
		enc := json.NewEncoder(o.Out)
		enc.SetIndent("", "  ")
		if err := enc.Encode(r); err != nil {
			return fmt.Errorf("printing the status: %w", err)
		}
	}
	var trouble []string
	for i := range r.Sinks {
		s := &r.Sinks[i]
		if !o.JSON {
			if i > 0 {
				fmt.Fprintln(o.Out)
			}
			if err := printIndex(o.Out, s); err != nil {
				return fmt.Errorf("printing the status: %w", err)
			}
		}
		for _, t := range s.Trouble {
			trouble = append(trouble, s.Sink+": "+t)
		}
	}
	if !r.Healthy {
		return fmt.Errorf("%w: %s", errIndexUnhealthy, strings.Join(trouble, "; "))
	}
	return nil
}

func printIndex(out io.Writer, s *status.Status) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	health := "healthy"
	if !s.Healthy {
		health = "UNHEALTHY"
	}
	fmt.Fprintf(w, "indexer\tinto %s, group %s, %s\n", s.Sink, s.Group, health)
	for _, t := range s.Trouble {
		fmt.Fprintf(w, "\t! %s\n", t)
	}
	fmt.Fprintf(w, "lag\t%d messages, about %s, the oldest %s; %s\n", s.Lag.Lines, size(s.Lag.Bytes), seconds(s.Lag.Seconds), indexOutlook(s))
	fmt.Fprintf(w, "throughput\t%.0f messages/s stored, %.0f messages/s produced\n", s.Throughput.Stored, s.Throughput.Produced)
	printStore(w, s)
	printSearchable(w, s)
	printOutcomes(w, s)
	if err := w.Flush(); err != nil {
		return err
	}
	for _, table := range []func(io.Writer, *status.Status){printPartitions, printHeld, printCanaries} {
		table(w, s)
		if err := w.Flush(); err != nil {
			return err
		}
	}
	return nil
}

func indexOutlook(s *status.Status) string {
	l := &s.Lag
	if l.Lines > 0 && l.ETA != nil && *l.ETA <= 0 && len(s.Held) > 0 {
		return "all but what is held is stored"
	}
	return outlook(l.Lines, l.Seconds, l.ETA, "all is stored")
}

func printStore(w io.Writer, s *status.Status) {
	x := &s.Store
	fmt.Fprintf(w, "store\t%d batches (%s) in flight, the next of %s, ", x.InFlight, size(x.Bytes), size(int64(x.Batch)))
	if p := x.Window; p != nil {
		fmt.Fprintf(w, "window %s within %s to %s, ", size(p.Bytes), size(p.Least), size(p.Most))
	}
	if x.Success == nil {
		fmt.Fprintln(w, "nothing taken yet")
	} else {
		fmt.Fprintf(w, "last taken %s ago\n", ago(s.At, *x.Success))
	}
	if x.Failing != nil {
		fmt.Fprintf(w, "\tit takes nothing since %s\n", x.Failing.Format(time.RFC3339))
	}
	printLastError(w, x.Error, x.ErrorAt)
}

func printSearchable(w io.Writer, s *status.Status) {
	x := s.Searchable
	if x == nil {
		return
	}
	switch {
	case x.Waiting:
		fmt.Fprintf(w, "searchable\tnot found yet after %s, in %s\n", seconds(x.Seconds), x.Index)
	case x.At == nil:
		fmt.Fprintln(w, "searchable\tnot measured yet")
	default:
		fmt.Fprintf(w, "searchable\t%s after it was stored, measured %s ago in %s\n", seconds(x.Seconds), ago(s.At, *x.At), x.Index)
	}
	printLastError(w, x.Error, x.ErrorAt)
}

func printOutcomes(w io.Writer, s *status.Status) {
	o := s.Outcomes
	fmt.Fprintf(w, "messages\t%d stored, %d were there, %d dead letters, %d watermarks and canaries\n", o["stored"], o["existed"], o["dead_letter"], o["watermark"])
	for _, l := range []struct {
		what string
		*status.DeadLetter
	}{{"last dead letter", s.DeadLetter}, {"last dead letter that was refused", s.Refused}} {
		if d := l.DeadLetter; d != nil {
			fmt.Fprintf(w, "\t%s at %s: %s, %s (%s, partition %d, offset %d)\n", l.what, d.At.Format(time.RFC3339), d.Reason, d.Detail, d.Topic, d.Partition, d.Offset)
		}
	}
}

func printPartitions(w io.Writer, s *status.Status) {
	if len(s.Partitions) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTOPIC\tPARTITION\tCOMMITTED\tNEXT\tEND\tSEEN\tLAG\tBYTES (ESTIMATE)\tOLDEST\tSTORED/S\tETA")
	for i := range s.Partitions {
		p := &s.Partitions[i]
		seen, eta := "never", "-"
		if p.EndSeen != nil {
			seen = ago(s.At, *p.EndSeen) + " ago"
		}
		if p.LagLines > 0 && p.ETA != nil {
			eta = seconds(*p.ETA)
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%s\t%d\t%s\t%s\t%.0f\t%s\n", p.Topic, p.Partition, p.Committed, p.Next, p.End, seen, p.LagLines, size(p.LagBytes), seconds(p.LagSeconds), p.Rate, eta)
	}
}

func printHeld(w io.Writer, s *status.Status) {
	if len(s.Held) == 0 {
		return
	}
	fmt.Fprintln(w, "\nHELD OF\tPARTITION\tFROM\tTO\tBYTES\tSINCE")
	for i := range s.Held {
		h := &s.Held[i]
		fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%s\t%s\n", h.Topic, h.Partition, h.From, h.To, size(int64(h.Bytes)), seconds(h.Age))
	}
}

func printCanaries(w io.Writer, s *status.Status) {
	if len(s.Canaries) == 0 {
		return
	}
	fmt.Fprintln(w, "\nCANARY OF\tSENT\tWRITTEN TO SEARCHABLE\tEVERY\t")
	for i := range s.Canaries {
		c := &s.Canaries[i]
		late := ""
		if c.Late {
			late = "the next one is missing"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", c.Node, c.At.Format(time.RFC3339), seconds(c.Seconds), seconds(c.Every), late)
	}
}

// ago is how long before at something was.
func ago(at, was time.Time) string { return seconds(max(0, at.Sub(was).Seconds())) }
