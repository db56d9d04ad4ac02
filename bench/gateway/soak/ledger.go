package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ledger is what the event logs of all nodes say of connections.
type ledger struct {
	opened, ended int
	twice         int      // lines that stand in two logs: the end of a connection, by two nodes that found its node dead
	wrong         []string // connections that do not have exactly one start and one end
}

// readLedger counts starts and ends. Each connection must have one of both, in whichever node's log.
func (s *site) readLedger() (l ledger, err error) {
	seen, starts, ends := map[string]bool{}, map[string]int{}, map[string]int{}
	files, err := filepath.Glob(filepath.Join(s.b.dir, "im-*", "events.log*"))
	if err != nil {
		return l, err
	}
	for _, name := range files {
		if ext := filepath.Ext(name); ext == ".lock" || ext == ".conns" {
			continue
		}
		if err := readLog(name, seen, starts, ends, &l.twice); err != nil {
			return l, fmt.Errorf("%s: %w", name, err)
		}
	}
	for id, n := range starts {
		l.opened += n
		if n != 1 || ends[id] != 1 {
			l.wrong = append(l.wrong, fmt.Sprintf("%s: %d starts, %d ends", id, n, ends[id]))
		}
	}
	for id, n := range ends {
		l.ended += n
		if starts[id] == 0 {
			l.wrong = append(l.wrong, fmt.Sprintf("%s: no start, %d ends", id, n))
		}
	}
	return l, nil
}

// readLog counts the lines of one file. A line is known by its event.id, as everywhere behind the logs: two of one id are one
// document.
func readLog(name string, seen map[string]bool, starts, ends map[string]int, twice *int) error {
	f, err := os.Open(name) //nolint:gosec // a node's log
	if err != nil {
		return err
	}
	defer f.Close()
	in := bufio.NewScanner(f)
	in.Buffer(nil, 64<<10)
	for in.Scan() {
		var line struct {
			Event struct {
				ID     string `json:"id"`
				Action string `json:"action"`
			} `json:"event"`
			IM struct {
				Connection struct {
					ID string `json:"id"`
				} `json:"connection"`
			} `json:"im"`
		}
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			return err
		}
		if seen[line.Event.ID] {
			*twice++
			continue
		}
		seen[line.Event.ID] = true
		switch line.Event.Action {
		case "connect":
			starts[line.IM.Connection.ID]++
		case "disconnect", "orphaned":
			ends[line.IM.Connection.ID]++
		}
	}
	return in.Err()
}

// balance adds what the logs say to r. live is how many connections there still are.
func (s *site) balance(r result, live int) error {
	l, err := s.readLedger()
	if err != nil {
		return err
	}
	r["opened"], r["ended"], r["opened_less_ended_less_live"] = l.opened, l.ended, l.opened-l.ended-live
	r["lines_of_two_nodes"] = l.twice
	if l.opened == 0 {
		return errors.New("the logs have no connection")
	}
	if len(l.wrong) > 0 {
		return fmt.Errorf("%d connections do not have one start and one end, as %s", len(l.wrong), l.wrong[0])
	}
	return nil
}
