package sqlite

import (
	"os"
	"strconv"
	"testing"

	"imwatch/detector/kql/kqltest"
)

// TestKQL compares what queries select in memory and in files. IMWATCH_TEST_KQL_ROUNDS asks for more than one round of
// a hundred queries.
func TestKQL(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("IMWATCH_TEST_KQL_ROUNDS"))
	if err != nil || rounds < 1 {
		rounds = 1
	}
	kqltest.Run(t, open(t, Config{Dir: t.TempDir(), MaxOpenFiles: 2}), rounds, nil)
}
