package acceptance

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// program is the built imwatch.
var program string

// raceVar, if set, makes the program's processes look for data races too. They are slower then.
const raceVar = "IMWATCH_ACCEPTANCE_RACE"

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "imwatch-program-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := 1
	if program, err = build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	} else {
		code = m.Run()
	}
	_ = os.RemoveAll(dir) // a left folder is no fault of what was tested
	os.Exit(code)
}

func build(dir string) (string, error) {
	name := filepath.Join(dir, "imwatch")
	args := []string{"build", "-o", name}
	if os.Getenv(raceVar) != "" {
		args = append(args, "-race")
	}
	if out, err := exec.CommandContext(context.Background(), "go", append(args, "imwatch/cmd/imwatch")...).CombinedOutput(); err != nil {
		return "", fmt.Errorf("building imwatch: %w\n%s", err, out)
	}
	return name, nil
}
