package acceptance

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metric gives the sum of a metric over its labels, as a process shows it; with limits it to lines that contain it.
func metric(ctx context.Context, ops, name, with string) (float64, error) {
	page, err := get(ctx, "http://"+ops+"/metrics")
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for line := range strings.Lines(string(page)) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' || !strings.Contains(rest, with) {
			continue
		}
		v, err := strconv.ParseFloat(strings.TrimSpace(rest[strings.LastIndexByte(rest, ' '):]), 64)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", line, err)
		}
		sum += v
	}
	return sum, nil
}

// carriesOn says whether a process that has just started has shipped all there was and indexed something.
func (s *site) carriesOn(ctx context.Context) error {
	behind, err := metric(ctx, s.pipeline, "im_shipper_bytes_behind", "")
	if err != nil {
		return err
	}
	stored, err := metric(ctx, s.pipeline, "im_index_events_total", `outcome="stored"`)
	if err != nil {
		return err
	}
	if behind > 0 || stored == 0 {
		return fmt.Errorf("%v bytes are not shipped, %v documents were stored", behind, stored)
	}
	return nil
}

// logLate says how many events came too late for the stream evaluator: the usual cause of an alert that is missing.
func (s *site) logLate(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	late, err := metric(ctx, s.pipeline, "im_detector_late_events_total", "")
	t.Logf("the detector has met %v late events since its last start (%v)", late, err)
}

// canaryPasses waits until a canary has come the whole way, and says how long it took.
func (s *site) canaryPasses(t *testing.T) {
	t.Helper()
	const latency = "im_alerting_canary_latency_seconds"
	waitFor(t, "a canary comes the whole way", 90*time.Second, func(ctx context.Context) error {
		n, err := metric(ctx, s.alerter, latency+"_count", "")
		if err != nil {
			return err
		}
		sum, err := metric(ctx, s.alerter, latency+"_sum", "")
		if err != nil {
			return err
		}
		if n == 0 {
			return errors.New("none has come")
		}
		t.Logf("%v canaries took %.3f s on average", n, sum/n)
		return nil
	})
}
