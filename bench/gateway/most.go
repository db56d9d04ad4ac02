package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// step is how many connections each process of clients holds.
const step = 2500

// wanted is what the slope is carried on to.
const wanted = 50_000

// most opens as many connections as a server's descriptors allow, in steps, and says by the slope of its memory what more
// would take. Clients are in processes of their own, for they have descriptors to run out of as well.
func most(ctx context.Context, s *server, r result) (err error) {
	limit, err := descriptors(s.pid())
	if err != nil {
		return err
	}
	var holders []*holder
	defer func() {
		for _, h := range holders {
			err = errors.Join(err, h.end())
		}
	}()
	var n, rss []float64
	u, err := s.usage()
	if err != nil {
		return err
	}
	const spare = 100 // descriptors of the server's own
	for have := 0; have+step/10 < limit-spare; {
		h, err := hold(ctx, s, "h"+strconv.Itoa(len(holders))+"-", min(step, limit-spare-have))
		if err != nil {
			return err
		}
		holders = append(holders, h)
		have += h.n
		v, _, err := s.memory(ctx)
		if err != nil {
			return err
		}
		n, rss = append(n, float64(have)), append(rss, v)
	}
	if _, err := s.since(u, r); err != nil {
		return err
	}
	zero, slope := line(n, rss)
	last := len(n) - 1
	r["descriptors"], r["connections"], r["rss_mb"] = limit, int(n[last]), round(rss[last]/1024, 0)
	r["slope_kib_each"], r["wanted_mb"] = round(slope, 2), round((zero+slope*wanted)/1024, 0)
	for _, h := range holders {
		if err := h.alive(); err != nil {
			return err
		}
	}
	return nil
}

// line fits y = zero + slope × x.
func line(x, y []float64) (zero, slope float64) {
	var sx, sy, sxx, sxy float64
	for i := range x {
		sx, sy, sxx, sxy = sx+x[i], sy+y[i], sxx+x[i]*x[i], sxy+x[i]*y[i]
	}
	n := float64(len(x))
	slope = (n*sxy - sx*sy) / (n*sxx - sx*sx)
	return (sy - slope*sx) / n, slope
}

// descriptors is how many a process may have.
func descriptors(pid int) (int, error) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/limits", pid))
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "Max open files %d", &n); err == nil {
			return n, nil
		}
	}
	return 0, errors.New("the limit of descriptors is not known")
}

// holder is a process of clients.
type holder struct {
	n   int
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func hold(ctx context.Context, s *server, name string, n int) (*holder, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	h := &holder{n: n, cmd: exec.CommandContext(ctx, self, "hold", "--peer", s.peer.name, "--addr", s.addr, "--name", name, "--n", strconv.Itoa(n))} //nolint:gosec // this program
	if h.in, err = h.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := h.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	h.out, h.cmd.Stderr = bufio.NewReader(out), os.Stderr
	if err := h.cmd.Start(); err != nil {
		return nil, err
	}
	return h, h.alive()
}

// alive asks whether all connections are there.
func (h *holder) alive() error {
	if _, err := io.WriteString(h.in, "?\n"); err != nil {
		return fmt.Errorf("a process of clients has ended: %w", err)
	}
	answer, err := h.out.ReadString('\n')
	if err != nil || answer != "0\n" {
		return fmt.Errorf("%q connections of a process of clients were lost: %w", answer, err)
	}
	return nil
}

func (h *holder) end() error {
	return errors.Join(h.in.Close(), h.cmd.Wait())
}

// runHolder is the process: it connects, then answers each line of its input with how many were lost.
func runHolder(args []string, w io.Writer) error {
	fs := flag.NewFlagSet("hold", flag.ExitOnError)
	name, addr, prefix := fs.String("peer", "", ""), fs.String("addr", "", ""), fs.String("name", "", "")
	n := fs.Int("n", step, "")
	if err := fs.Parse(args); err != nil {
		return err
	}
	for _, p := range peers("-", "-", "-") {
		if p.name != *name {
			continue
		}
		f, err := gather(context.Background(), &server{peer: p, addr: *addr}, *prefix, *n, nil)
		if err != nil {
			return err
		}
		defer f.end()
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			fmt.Fprintln(w, f.lost.Load())
		}
		return nil
	}
	return fmt.Errorf("--peer: there is no %q", *name)
}
