package redis

import (
	"errors"
	"io"
	"strings"
	"syscall"

	goredis "github.com/redis/go-redis/v9"

	"imwatch/im-server/cluster"
)

// down are the answers of a Redis that is there and cannot serve.
var down = []string{
	"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN", "MISCONF", "OOM", "NOREPLICAS", "BUSY", "NOAUTH", "WRONGPASS", "NOPERM",
	"MOVED", "ASK",
}

// unavailable says whether an error is Redis' absence rather than an answer.
func unavailable(err error) bool {
	var answer goredis.Error
	switch {
	case err == nil, errors.Is(err, goredis.Nil), errors.Is(err, cluster.ErrUnknown), errors.Is(err, cluster.ErrTaken), errors.Is(err, cluster.ErrNoReply), errors.Is(err, errWire):
		return false
	case errors.As(err, &answer):
		text := answer.Error()
		for _, prefix := range down {
			if strings.HasPrefix(text, prefix) || strings.HasPrefix(text, "ERR "+prefix) {
				return true
			}
		}
		// A script hands on the answers to its commands.
		return strings.Contains(text, "OOM command not allowed") || strings.Contains(text, "MISCONF")
	default:
		return true
	}
}

// stale says whether a connection turned out to be closed, as one that was idle for long may: another one may do.
func stale(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}
