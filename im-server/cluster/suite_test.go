package cluster_test

import (
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"imwatch/im-server/cluster"
	"imwatch/im-server/cluster/clustertest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemory(t *testing.T) {
	clustertest.Run(t, func(keep cluster.Keep) clustertest.Space {
		var at atomic.Int64
		at.Store(time.Date(2026, 11, 28, 0, 0, 0, 0, time.UTC).UnixNano())
		now := func() time.Time { return time.Unix(0, at.Load()) }
		var first *cluster.Memory
		return clustertest.Space{
			Now:     now,
			Advance: func(d time.Duration) { at.Add(int64(d)) },
			Node: func(node, boot string) (cluster.Cluster, error) {
				if first == nil {
					first = cluster.NewMemory(cluster.Options{Node: node, Boot: boot, Keep: keep, Now: now})
					return first, nil
				}
				return first.Join(node, boot), nil
			},
		}
	})
}
