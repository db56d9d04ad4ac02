package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// tokenPatience is how long a command may take that prints a token.
const tokenPatience = time.Minute

// commandToken runs a command with the shell and gives the token that it prints. What it says on standard error goes to ours: it
// may ask a person to log in.
func commandToken(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &out, os.Stderr
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = errors.Join(err, ctx.Err())
		}
		return "", Usagef("--token-command: %w", err)
	}
	token := strings.TrimSpace(out.String())
	if token == "" || strings.ContainsAny(token, " \n\t") {
		return "", Usagef("--token-command: %s", fmt.Sprintf("found %d words on its standard output, expected a token", len(strings.Fields(token))))
	}
	return token, nil
}
