package acceptance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// stopLimit is how long a process may take to end in order.
const stopLimit = 90 * time.Second

// spec is how a process is started, each time anew.
type spec struct {
	name string   // also of its file of output
	args []string // of imwatch
	env  []string // besides the test's own
	ops  string   // host:port of its /readyz; "": it has none
}

// process is a running imwatch. It is ended with the test.
type process struct {
	spec
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended, with err set
	err    error
	output string // file
}

// launch starts the process; its output is appended to a file in dir, the end of which a failed test shows.
func launch(t *testing.T, dir string, s spec) *process {
	t.Helper()
	p := &process{spec: s, done: make(chan struct{}), output: filepath.Join(dir, s.name+".out")}
	out, err := os.OpenFile(p.output, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd = exec.Command(program, s.args...) //nolint:noctx // ended by signals, see stop and kill
	p.cmd.Env = append(os.Environ(), s.env...)
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", s.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.end(syscall.SIGKILL)
		p.show(t)
	})
	return p
}

// ready waits until the process says that it is.
func (p *process) ready(t *testing.T) {
	t.Helper()
	waitFor(t, p.name+" is ready", time.Minute, func(ctx context.Context) error {
		select {
		case <-p.done:
			p.show(t)
			t.Fatalf("%s has ended: %v", p.name, p.err)
		default:
		}
		_, err := get(ctx, "http://"+p.ops+"/readyz")
		return err
	})
}

// stop ends the process in order and expects that it says so by exit code 0.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if !p.end(syscall.SIGTERM) {
		t.Fatalf("%s did not end within %v after SIGTERM", p.name, stopLimit)
	}
	if p.err != nil {
		p.show(t)
		t.Fatalf("%s after SIGTERM: %v", p.name, p.err)
	}
}

// kill ends the process by SIGKILL.
func (p *process) kill(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
		t.Fatalf("%s had ended before it was killed: %v", p.name, p.err)
	default:
	}
	if !p.end(syscall.SIGKILL) {
		t.Fatalf("%s outlived SIGKILL", p.name)
	}
}

// end sends a signal and waits; false: the process is still there.
func (p *process) end(sig syscall.Signal) bool {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false
	}
	timer := time.NewTimer(stopLimit)
	defer timer.Stop()
	select {
	case <-p.done:
		return true
	case <-timer.C:
		return false
	}
}

// show gives the end of the output if the test has failed, and fails it for a data race.
func (p *process) show(t *testing.T) {
	t.Helper()
	out, err := os.ReadFile(p.output)
	if err != nil {
		t.Log(err)
		return
	}
	if i := bytes.Index(out, []byte("WARNING: DATA RACE")); i >= 0 {
		t.Errorf("%s has a data race:\n%s", p.name, out[i:min(len(out), i+4000)])
	}
	if t.Failed() {
		t.Logf("the end of the output of %s:\n%s", p.name, out[max(0, len(out)-4000):])
	}
}
