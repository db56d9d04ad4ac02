package main

import (
	"context"
	"net"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"imwatch": func() { os.Exit(run()) }})
}

// The command line is a promise: each script runs the program as a user does.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:   "testdata/script",
		Setup: freeAddr,
		Cmds:  map[string]func(*testscript.TestScript, bool, []string){"eventually": eventually},
	})
}

// freeAddr sets FREE_ADDR to an address that nobody listens on.
func freeAddr(env *testscript.Env) error {
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Setenv("FREE_ADDR", l.Addr().String())
	return l.Close()
}

// eventually runs a program again and again, until it ends well and writes what fits an expression.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually EXPRESSION PROGRAM [ARGUMENT…]")
	}
	fits, err := regexp.Compile(args[0])
	ts.Check(err)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(5 * time.Minute); ; {
		err = ts.Exec(args[1], args[2:]...)
		if err == nil && fits.MatchString(ts.ReadFile("stdout")) {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			ts.Fatalf("waited in vain, the last was: %v\n%s", err, ts.ReadFile("stdout"))
		}
	}
}
